import cn.jmessage.api.JMessageClient;
import cn.jmessage.api.common.JMessageConfig;
import cn.jmessage.api.common.model.RegisterInfo;
import cn.jmessage.api.reportv2.ReportClient;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Base64;

/** The server, two apps that may act on one another's users, and names that nobody has yet. */
final class World {
    static final String SERVER = variable("SERVER_URL");
    static final String APPKEY = variable("APPKEY");
    static final String SECRET = variable("MASTER_SECRET");
    /** How many requests the server lets an app make in a minute. */
    static final int REST_PER_MINUTE = Integer.parseInt(variable("REST_PER_MINUTE"));
    static final String OTHER_APPKEY = variable("OTHER_APPKEY");

    static {
        // Before the first client is made: each reads it once.
        JMessageConfig.getInstance().setApiHostName(SERVER).setReportHostName(SERVER);
    }

    static final JMessageClient CLIENT = new JMessageClient(APPKEY, SECRET);
    static final JMessageClient OTHER = new JMessageClient(OTHER_APPKEY, variable("OTHER_MASTER_SECRET"));
    static final ReportClient REPORTS = new ReportClient(APPKEY, SECRET);

    private static final HttpClient HTTP = HttpClient.newHttpClient();
    private static long number = System.currentTimeMillis() % 1_000_000_000L;

    private World() {}

    private static String variable(String name) {
        String value = System.getenv(name);
        if (value == null) throw new IllegalStateException(name + " is not set");
        return value;
    }

    static String fresh(String kind) {
        return kind + number++;
    }

    static String user(JMessageClient of) throws Exception {
        String name = fresh("user");
        String answer = of.registerUsers(new RegisterInfo[] {info(name)});
        Check.equal("[{\"username\":\"" + name + "\"}]", answer);
        return name;
    }

    static String user() throws Exception {
        return user(CLIENT);
    }

    static String admin() throws Exception {
        String name = fresh("admin");
        Check.equal("", CLIENT.registerAdmins(name, "secret"));
        return name;
    }

    static RegisterInfo info(String name) {
        return RegisterInfo.newBuilder().setUsername(name).setPassword("secret").build();
    }

    static long group(String owner, String... members) throws Exception {
        return CLIENT.createGroup(owner, "hikers", "on foot", "", 1, members).getGid();
    }

    /** A call beside the client, where it has none that shows what another did: the body of the answer. */
    static String get(String path) throws IOException, InterruptedException {
        String basic = Base64.getEncoder().encodeToString((APPKEY + ":" + SECRET).getBytes());
        URI address = URI.create(path.startsWith("http") ? path : SERVER + path);
        HttpRequest.Builder request = HttpRequest.newBuilder(address);
        if (path.startsWith("/")) request.header("Authorization", "Basic " + basic);
        return HTTP.send(request.build(), HttpResponse.BodyHandlers.ofString()).body();
    }
}
