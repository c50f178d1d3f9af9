import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** Maven's `cn.jpush.api:jmessage-client` as published: every call that it has. Ends with 1 if a flow fails. */
public final class Suite {
    /**
     * Flows whose endpoints are not served yet. A listed flow has to end at such an endpoint: once it is served, the run fails
     * until the flow is taken off the list.
     */
    static final Set<String> NOT_SERVED = Set.of(
            "history of the app", "history of a user", "history of a group", "history by the older path", "statistics");

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
            String outcome = outcome(name, flow);
            if (outcome != null) failed.add(name + ": " + outcome);
        });
        Set<String> unknown = new TreeSet<>(NOT_SERVED);
        unknown.removeAll(FLOWS.keySet());
        if (!unknown.isEmpty()) failed.add("listed as not served, but no flow: " + unknown);
        System.out.println(FLOWS.size() + " flows, " + NOT_SERVED.size() + " not served yet, " + failed.size() + " failed");
        failed.forEach(System.out::println);
        System.exit(failed.isEmpty() ? 0 : 1);
    }

    private static String outcome(String name, Flow flow) {
        boolean listed = NOT_SERVED.contains(name);
        try {
            flow.run();
            return listed ? "works now: take it off NOT_SERVED" : null;
        } catch (Throwable thrown) {
            if (listed && Check.isNotServed(thrown)) return null;
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
