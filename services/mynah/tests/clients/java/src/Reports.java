import cn.jmessage.api.JMessageClient;
import cn.jmessage.api.message.MessageListResult;
import cn.jmessage.api.message.MessageResult;
import cn.jmessage.api.reportv2.GroupStatListResult;
import cn.jmessage.api.reportv2.MessageStatListResult;
import cn.jmessage.api.reportv2.ReportClient;
import cn.jmessage.api.reportv2.UserStatResult;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** History and statistics. */
final class Reports {
    private static final JMessageClient CLIENT = World.CLIENT;
    private static final ReportClient REPORTS = World.REPORTS;
    /** The zone of times without one, as the server is set by default. */
    private static final ZoneId ZONE = ZoneOffset.ofHours(8);
    private static final DateTimeFormatter FORMAT = DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss").withZone(ZONE);

    private Reports() {}

    static void flows() {
        Suite.flow("history of the app", Reports::ofTheApp);
        Suite.flow("history of a user", Reports::ofAUser);
        Suite.flow("history of a group", Reports::ofAGroup);
        Suite.flow("history by the older path", Reports::olderPath);
        Suite.flow("statistics", Reports::statistics);
    }

    private static String begin() {
        return FORMAT.format(Instant.now().minusSeconds(3600));
    }

    private static String end() {
        return FORMAT.format(Instant.now().plusSeconds(3600));
    }

    private static List<Long> ids(MessageListResult page) {
        List<Long> ids = new ArrayList<>();
        for (MessageResult message : page.getMessages()) ids.add(message.getMsgId());
        return ids;
    }

    private static void shows(MessageResult got, long id, String from, String type, String target, String text) {
        Check.equal(List.of(id, from, "admin", type, target, "text", text, 1), List.of(got.getMsgId(), got.getFromId(), got.getFromType(),
                got.getTargetType(), got.getTargetId(), got.getMsgType(), got.getMsgBody().getText(), got.getVersion()));
        Check.equal(got.getMsgCtime() / 1000, got.getCreateTime());
    }

    private static void ofTheApp() throws Exception {
        String admin = World.admin(), name = World.user();
        List<Long> sent = new ArrayList<>();
        for (String text : new String[] {"one", "two", "three"}) {
            sent.add(CLIENT.sendSingleTextByAdmin(name, admin, Messages.text(text)).getMsg_id());
        }
        List<Long> found = new ArrayList<>(), times = new ArrayList<>();
        MessageListResult page = CLIENT.v2GetMessageList(2, begin(), end());
        int total = page.getTotal();
        while (true) {
            Check.equal(page.getMessages().length, page.getCount());
            found.addAll(ids(page));
            for (MessageResult message : page.getMessages()) times.add(message.getMsgCtime());
            if (page.getCursor() == null || page.getCount() == 0) break;
            page = CLIENT.v2GetMessageListByCursor(page.getCursor());
        }
        Check.equal(total, found.size());
        Check.equal(times.stream().sorted().toList(), times);
        Check.equal(found.size(), Set.copyOf(found).size());
        Check.that(found.containsAll(sent), found);
        Check.refused(400, 899003, () -> CLIENT.v2GetMessageListByCursor("nonsense"));
    }

    private static void ofAUser() throws Exception {
        String admin = World.admin(), name = World.user();
        long first = CLIENT.sendSingleTextByAdmin(name, admin, Messages.text("one")).getMsg_id();
        long second = CLIENT.sendSingleTextByAdmin(name, admin, Messages.text("two")).getMsg_id();
        MessageListResult page = CLIENT.v2GetUserMessages(name, 1, begin(), end());
        Check.equal(List.of(2, 1), List.of(page.getTotal(), page.getCount()));
        shows(page.getMessages()[0], first, admin, "single", name, "one");
        page = CLIENT.v2GetUserMessagesByCursor(name, page.getCursor());
        shows(page.getMessages()[0], second, admin, "single", name, "two");
        Check.equal(List.of(first, second), ids(CLIENT.v2GetUserMessages(admin, 10, begin(), end())));
        String nobody = World.fresh("nobody");
        Check.refused(404, 899002, () -> CLIENT.v2GetUserMessages(nobody, 1, begin(), end()));
    }

    private static void ofAGroup() throws Exception {
        String admin = World.admin();
        long gid = World.group(World.user());
        long sent = CLIENT.sendGroupTextByAdmin(Long.toString(gid), admin, Messages.text("all")).getMsg_id();
        MessageListResult page = REPORTS.v2GetGroupMessageList(gid, 10, begin(), end());
        Check.equal(List.of(1, 1), List.of(page.getTotal(), page.getCount()));
        shows(page.getMessages()[0], sent, admin, "group", Long.toString(gid), "all");
        Check.refused(403, 899006, () -> REPORTS.v2GetGroupMessageList(999_999_999L, 10, begin(), end()));
    }

    private static void olderPath() throws Exception {
        String admin = World.admin(), name = World.user();
        long sent = CLIENT.sendSingleTextByAdmin(name, admin, Messages.text("one")).getMsg_id();
        Check.equal(List.of(sent), ids(CLIENT.getUserMessages(name, 10, begin(), end())));
        Check.that(ids(CLIENT.getMessageList(1000, begin(), end())).contains(sent), sent);
    }

    private static void statistics() throws Exception {
        String admin = World.admin(), name = World.user(), today = LocalDate.now(ZONE).toString();
        long gid = World.group(name);
        CLIENT.sendSingleTextByAdmin(name, admin, Messages.text("one"));
        CLIENT.sendGroupTextByAdmin(Long.toString(gid), admin, Messages.text("all"));
        UserStatResult[] users = CLIENT.getUserStatistic(today, 1).getArray();
        Check.equal(List.of(1, today), List.of(users.length, users[0].getDate()));
        Check.that(users[0].getNew_users() >= 1 && users[0].getTotal_users() >= 1, users[0].getTotal_users());
        MessageStatListResult messages = CLIENT.getMessageStatistic("DAY", today, 1);
        Check.equal(1, messages.getSend_msg_stat().size());
        Check.that(messages.getSingle_msg_stat().getTxt_msg() >= 1 && messages.getGroup_msg_stat().getTxt_msg() >= 1, "texts");
        GroupStatListResult.GroupStatResult[] groups = CLIENT.getGroupStatistic(today, 1).getArray();
        Check.equal(List.of(1, today), List.of(groups.length, groups[0].getDate()));
        Check.that(groups[0].getNew_group() >= 1 && groups[0].getTotal_group() >= 1, groups[0].getTotal_group());
    }
}
