import cn.jiguang.common.resp.APIRequestException;
import cn.jiguang.common.resp.ResponseWrapper;
import java.util.Objects;

/** How answers are judged. */
final class Check {
    private Check() {}

    static void equal(Object expected, Object got) {
        if (!Objects.equals(expected, got)) throw new AssertionError("expected " + expected + ", got " + got);
    }

    static void that(boolean holds, Object got) {
        if (!holds) throw new AssertionError("unexpected: " + got);
    }

    /** A time as the API writes it. */
    static void time(String got) {
        that(got != null && got.matches("\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d"), got);
    }

    /** A success without a body. */
    static void empty(int status, ResponseWrapper got) {
        equal(status, got.responseCode);
        that(got.responseContent == null || got.responseContent.isEmpty(), got.responseContent);
    }

    /** A refusal that the client could read: status, code, and a message that names what is wrong. */
    static void refused(int status, int code, String naming, Suite.Flow call) throws Exception {
        try {
            call.run();
        } catch (APIRequestException refusal) {
            equal(status, refusal.getStatus());
            equal(code, refusal.getErrorCode());
            that(refusal.getErrorMessage().contains(naming), refusal.getErrorMessage());
            return;
        }
        throw new AssertionError("was not refused");
    }

    static void refused(int status, int code, Suite.Flow call) throws Exception {
        refused(status, code, "", call);
    }

    /** A defect of the client: it throws this itself. */
    static void throwsItself(Class<? extends Exception> kind, Suite.Flow call) throws Exception {
        try {
            call.run();
        } catch (Exception thrown) {
            equal(kind, thrown.getClass());
            return;
        }
        throw new AssertionError("the client throws no " + kind.getSimpleName() + " any more");
    }

    /** What was thrown; a refusal does not tell by itself. */
    static String shown(Throwable thrown) {
        if (!(thrown instanceof APIRequestException refusal)) return thrown.toString();
        return "refused: " + refusal.getStatus() + " " + refusal.getErrorCode() + " " + refusal.getErrorMessage();
    }
}
