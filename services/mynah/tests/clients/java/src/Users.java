import cn.jmessage.api.JMessageClient;
import cn.jmessage.api.common.model.RegisterInfo;
import cn.jmessage.api.common.model.UserPayload;
import cn.jmessage.api.user.UserInfoResult;
import cn.jmessage.api.user.UserListResult;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.List;

/** Registration, profiles, lists, states. */
final class Users {
    private static final JMessageClient CLIENT = World.CLIENT;

    private Users() {}

    static void flows() {
        Suite.flow("a user with a profile", Users::profile);
        Suite.flow("a profile is changed", Users::changed);
        Suite.flow("extras of a user", Users::extras);
        Suite.flow("a taken name", Users::taken);
        Suite.flow("admins", Users::admins);
        Suite.flow("users are listed", Users::listed);
        Suite.flow("states", Users::states);
        Suite.flow("a password", Users::password);
        Suite.flow("put out and let in", Users::forbidden);
        Suite.flow("a user is deleted", Users::deleted);
        Suite.flow("wrong credentials", Users::credentials);
        Suite.flow("what is left of the rate", Users::rate);
    }

    private static void profile() throws Exception {
        String name = World.fresh("user");
        RegisterInfo info = RegisterInfo.newBuilder().setUsername(name).setPassword("secret").setNickname("汤姆").setAvatar("qiniu/image/1")
                .setBirthday("1990-01-24").setSignature("👋").setGender(1).setRegion("Shenzhen").setAddress("here").build();
        String answer = CLIENT.registerUsers(new RegisterInfo[] {info});
        Check.that(answer.contains("\"nickname\":\"汤姆\"") && answer.contains("\"birthday\":\"1990-01-24\""), answer);
        Check.that(!answer.contains("password"), answer);
        UserInfoResult got = CLIENT.getUserInfo(name);
        Check.equal(List.of(name, World.APPKEY, "汤姆", "qiniu/image/1", "1990-01-24 00:00:00", "👋", 1, "Shenzhen", "here"),
                List.of(got.getUsername(), got.getAppkey(), got.getNickname(), got.getAvatar(), got.getBirthday(), got.getSignature(),
                        got.getGender(), got.getRegion(), got.getAddress()));
        Check.time(got.getCtime());
        Check.time(got.getMtime());
    }

    private static void changed() throws Exception {
        String name = World.user();
        UserInfoResult before = CLIENT.getUserInfo(name);
        Check.equal(null, before.getNickname());
        Check.equal(null, before.getGender());
        CLIENT.updateUserInfo(name, "Tom", "1991-02-03", "s", 2, "r", "a", "qiniu/image/2");
        UserInfoResult got = CLIENT.getUserInfo(name);
        Check.equal(List.of("Tom", "1991-02-03 00:00:00", "s", 2, "r", "a", "qiniu/image/2"), List.of(got.getNickname(),
                got.getBirthday(), got.getSignature(), got.getGender(), got.getRegion(), got.getAddress(), got.getAvatar()));
        // What is not sent stays.
        CLIENT.updateUserInfo(name, UserPayload.newBuilder().setNickname("Tommy").build());
        got = CLIENT.getUserInfo(name);
        Check.equal(List.of("Tommy", "s", 2), List.of(got.getNickname(), got.getSignature(), got.getGender()));
        String nobody = World.fresh("nobody");
        Check.refused(404, 899002, () -> CLIENT.updateUserInfo(nobody, UserPayload.newBuilder().setNickname("x").build()));
    }

    /** The client's model of extras is objects only; what else an application stores shows in the answer's text. */
    private static void extras() throws Exception {
        String name = World.user();
        JsonObject deep = new JsonObject();
        deep.addProperty("b", "二");
        // A defect of the client: objects alone are too few for it.
        Check.throwsItself(NullPointerException.class,
                () -> CLIENT.updateUserInfo(name, UserPayload.newBuilder().addExtra("a", deep).build()));
        CLIENT.updateUserInfo(name, UserPayload.newBuilder().addExtra("s", "text").addExtra("a", deep).build());
        Check.equal(deep, CLIENT.getUserInfo(name).getExtras().get("a"));
        CLIENT.updateUserInfo(name, UserPayload.newBuilder().addExtra("s", "text").addExtra("n", 7).addExtra("t", true).build());
        String shown = World.get("/v1/users/" + name);
        for (String one : new String[] {"\"s\":\"text\"", "\"n\":7", "\"t\":true"}) Check.that(shown.contains(one), shown);
        Check.that(!shown.contains("\"b\""), shown);
    }

    private static void taken() throws Exception {
        String taken = World.user();
        // The answer is an array; the client finds the error in it.
        Check.refused(403, 899001, () -> CLIENT.registerUsers(new RegisterInfo[] {World.info(taken)}));
        String free = World.fresh("user");
        String answer = CLIENT.registerUsers(new RegisterInfo[] {World.info(free), World.info(taken)});
        Check.that(answer.startsWith("[{\"username\":\"" + free + "\"},") && answer.contains("899001"), answer);
        Check.equal(free, CLIENT.getUserInfo(free).getUsername());
    }

    private static void admins() throws Exception {
        int before = CLIENT.getAdminListByAppkey(0, 1).getTotal();
        String admin = World.admin();
        UserListResult got = CLIENT.getAdminListByAppkey(before, 5);
        Check.equal(List.of(before + 1, before, 1), List.of(got.getTotal(), got.getStart(), got.getCount()));
        Check.equal(List.of(admin), names(got.getUsers()));
        Check.refused(403, 899001, () -> CLIENT.registerAdmins(admin, "secret"));
    }

    private static void listed() throws Exception {
        int before = CLIENT.getUserList(0, 1).getTotal();
        List<String> made = List.of(World.user(), World.user(), World.user());
        World.admin();
        UserListResult got = CLIENT.getUserList(before, 2);
        Check.equal(List.of(before + 3, before, 2), List.of(got.getTotal(), got.getStart(), got.getCount()));
        Check.equal(made.subList(0, 2), names(got.getUsers()));
        got = CLIENT.getUserList(before + 3, 2);
        Check.equal(List.of(before + 3, 0), List.of(got.getTotal(), got.getUsers().length));
    }

    private static void states() throws Exception {
        String name = World.user();
        Check.equal(List.of(false, false), List.of(CLIENT.getUserState(name).getLogin(), CLIENT.getUserState(name).getOnline()));
        try (Device device = new Device(name, "secret")) {
            Check.that(device.isLoggedIn(), name);
            Check.equal(List.of(true, true), List.of(CLIENT.getUserState(name).getLogin(), CLIENT.getUserState(name).getOnline()));
            var states = CLIENT.getUsersState(name, World.user());
            Check.equal(List.of(name, 1, 0),
                    List.of(states[0].getUsername(), states[0].getDevices().size(), states[1].getDevices().size()));
            var of = states[0].getDevices().get(0);
            Check.equal(List.of("a", true, true), List.of(of.getPlatform(), of.getLogin(), of.getOnline()));
        }
        String nobody = World.fresh("nobody");
        Check.refused(404, 899002, () -> CLIENT.getUserState(nobody));
        Check.refused(400, 899002, nobody, () -> CLIENT.getUsersState(name, nobody));
    }

    private static void password() throws Exception {
        String name = World.user();
        CLIENT.updateUserPassword(name, "another");
        try (Device old = new Device(name, "secret"); Device now = new Device(name, "another")) {
            Check.equal(List.of(false, true), List.of(old.isLoggedIn(), now.isLoggedIn()));
        }
        String nobody = World.fresh("nobody");
        Check.refused(404, 899002, () -> CLIENT.updateUserPassword(nobody, "another"));
    }

    private static void forbidden() throws Exception {
        String name = World.user();
        for (boolean out : new boolean[] {true, true, false}) {
            Check.empty(204, CLIENT.forbidUser(name, out));
            try (Device device = new Device(name, "secret")) {
                Check.equal(!out, device.isLoggedIn());
            }
        }
    }

    private static void deleted() throws Exception {
        String name = World.user();
        CLIENT.deleteUser(name);
        Check.refused(404, 899002, () -> CLIENT.getUserInfo(name));
        Check.refused(404, 899002, () -> CLIENT.deleteUser(name));
        Check.equal("[{\"username\":\"" + name + "\"}]", CLIENT.registerUsers(new RegisterInfo[] {World.info(name)}));
    }

    private static void credentials() throws Exception {
        String name = World.user();
        Check.refused(401, 899008, () -> new JMessageClient(World.APPKEY, "0".repeat(24)).getUserInfo(name));
        Check.refused(401, 899009, () -> new JMessageClient("0".repeat(24), World.SECRET).getUserInfo(name));
        Check.refused(404, 899002, () -> World.OTHER.getUserInfo(name));
    }

    /** The client reads the rate from every answer. */
    private static void rate() throws Exception {
        String name = World.user();
        UserInfoResult got = CLIENT.getUserInfo(name);
        Check.equal(World.REST_PER_MINUTE, got.getRateLimitQuota());
        Check.that(got.getRateLimitRemaining() < World.REST_PER_MINUTE, got.getRateLimitRemaining());
        Check.that(got.getRateLimitReset() <= 60, got.getRateLimitReset());
    }

    static List<String> names(UserInfoResult[] users) {
        List<String> names = new ArrayList<>();
        for (UserInfoResult user : users) names.add(user.getUsername());
        return names;
    }
}
