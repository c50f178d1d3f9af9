import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Maven's `cn.jpush.api:jmessage-client` as published: every call that it has. Ends with 1 if a flow fails. */
public final class Suite {
    /** What a flow does. */
    interface Flow {
        void run() throws Exception;
    }

    private static final Map<String, Flow> FLOWS = new LinkedHashMap<>();

    /** Adds a flow under a name of its own. */
    static void flow(String name, Flow flow) {
        if (FLOWS.put(name, flow) != null) throw new IllegalStateException("two flows are called: " + name);
    }

    public static void main(String[] arguments) {
        Users.flows();
        Relations.flows();
        Groups.flows();
        Rooms.flows();
        Messages.flows();
        Media.flows();
        Words.flows();
        Cross.flows();
        Reports.flows();
        List<String> failed = new ArrayList<>();
        FLOWS.forEach((name, flow) -> {
            String outcome = outcome(flow);
            if (outcome != null) failed.add(name + ": " + outcome);
        });
        System.out.println(FLOWS.size() + " flows, " + failed.size() + " failed");
        failed.forEach(System.out::println);
        System.exit(failed.isEmpty() ? 0 : 1);
    }

    private static String outcome(Flow flow) {
        try {
            flow.run();
            return null;
        } catch (Throwable thrown) {
            return Check.shown(thrown) + where(thrown);
        }
    }

    /** The line of a flow. */
    private static String where(Throwable thrown) {
        for (StackTraceElement line : thrown.getStackTrace()) {
            boolean ours = line.getClassName().indexOf('.') < 0 && !line.getClassName().startsWith("Check");
            if (ours) return " at " + line;
        }
        return "";
    }
}
