import cn.jmessage.api.JMessageClient;
import cn.jmessage.api.common.model.message.MessageBody;
import cn.jmessage.api.common.model.message.MessagePayload;
import cn.jmessage.api.common.model.message.Notification;
import cn.jmessage.api.message.MessageType;
import cn.jmessage.api.message.SendMessageResult;
import com.google.gson.JsonObject;
import java.util.List;

/** Sending, and taking back. */
final class Messages {
    private static final JMessageClient CLIENT = World.CLIENT;

    private Messages() {}

    static void flows() {
        Suite.flow("texts reach users, groups and rooms", Messages::texts);
        Suite.flow("a picture and a voice", Messages::media);
        Suite.flow("everything that a message may have", Messages::whole);
        Suite.flow("who may not send", Messages::refused);
        Suite.flow("a message is taken back", Messages::takenBack);
    }

    static MessageBody text(String text) {
        return MessageBody.text(text);
    }

    static SendMessageResult send(String targetType, String target, String fromType, String from, MessageBody body) throws Exception {
        return CLIENT.sendMessage(1, targetType, target, fromType, from, MessageType.TEXT, body);
    }

    private static JsonObject hear(Device device, SendMessageResult sent) throws Exception {
        Check.that(sent.getMsgCtime() > 1_400_000_000_000L, sent.getMsgCtime());
        JsonObject entry = device.entry("message");
        Check.equal(sent.getMsg_id(), entry.get("msg_id").getAsLong());
        Check.equal(sent.getMsgCtime(), entry.get("ctime_ms").getAsLong());
        return entry;
    }

    private static String said(JsonObject entry) {
        return entry.getAsJsonObject("message").get("msg_body").toString();
    }

    private static void texts() throws Exception {
        String admin = World.admin(), name = World.user();
        long gid = World.group(name), room = Rooms.room(name);
        try (Device device = new Device(name, "secret")) {
            device.enter(room);
            Check.equal("{\"text\":\"一\"}", said(hear(device, CLIENT.sendSingleTextByAdmin(name, admin, text("一")))));
            Check.equal("{\"text\":\"二\"}", said(hear(device, CLIENT.sendGroupTextByAdmin(Long.toString(gid), admin, text("二")))));
            JsonObject entry = hear(device, send("chatroom", Long.toString(room), "admin", admin, text("三")));
            Check.equal("{\"text\":\"三\"}", said(entry));
            Check.equal("chatroom", entry.getAsJsonObject("target").get("type").getAsString());
        }
    }

    private static void media() throws Exception {
        String admin = World.admin(), name = World.user();
        MessageBody picture = MessageBody.newBuilder().setMediaId("qiniu/image/1").setMediaCrc32(4_294_967_295L).setWidth(1)
                .setHeight(2).setFormat("png").setFsize(3).build();
        MessageBody voice = MessageBody.newBuilder().setMediaId("qiniu/voice/1").setMediaCrc32(7L).setDuration(4).setFsize(5)
                .setHash("h").setFormat("m4a").build();
        try (Device device = new Device(name, "secret")) {
            SendMessageResult sent = CLIENT.sendMessage(1, "single", name, "admin", admin, MessageType.IMAGE, picture);
            JsonObject body = hear(device, sent).getAsJsonObject("message").getAsJsonObject("msg_body");
            Check.equal(picture.toJSON(), body);
            sent = CLIENT.sendMessage(1, "single", name, "admin", admin, MessageType.VOICE, voice);
            body = hear(device, sent).getAsJsonObject("message").getAsJsonObject("msg_body");
            Check.equal(voice.toJSON(), body);
        }
    }

    private static void whole() throws Exception {
        String admin = World.admin(), name = World.user();
        MessageBody body = MessageBody.newBuilder().setText("hi 👋").addExtra("s", "t").addExtra("n", 7).addExtra("t", true).build();
        MessagePayload payload = MessagePayload.newBuilder().setVersion(1).setTargetType("single").setTargetId(name).setTargetName("Tom")
                .setFromType("admin").setFromId(admin).setFromName("Desk").setNoOffline(true).setNoNotification(true)
                .setNotification(Notification.newBuilder().setTitle("News").setAlert("look").build())
                .setMessageType(MessageType.TEXT).setMessageBody(body).build();
        try (Device device = new Device(name, "secret")) {
            JsonObject entry = hear(device, CLIENT.sendMessage(payload));
            JsonObject message = entry.getAsJsonObject("message");
            Check.equal(body.toJSON(), message.get("msg_body"));
            Check.equal("{\"title\":\"News\",\"alert\":\"look\"}", message.get("notification").toString());
            Check.equal(List.of(true, true), List.of(message.get("no_offline").getAsBoolean(), message.get("no_notification").getAsBoolean()));
            Check.equal(List.of("Desk", "Tom"), List.of(entry.getAsJsonObject("from").get("name").getAsString(),
                    entry.getAsJsonObject("target").get("name").getAsString()));
        }
    }

    private static void refused() throws Exception {
        String admin = World.admin(), name = World.user(), other = World.user(), nobody = World.fresh("nobody");
        Check.refused(403, 899016, () -> CLIENT.sendSingleTextByAdmin(name, other, text("hi")));
        Check.refused(400, 899002, nobody, () -> CLIENT.sendSingleTextByAdmin(nobody, admin, text("hi")));
        Check.refused(400, 899002, nobody, () -> CLIENT.sendSingleTextByAdmin(name, nobody, text("hi")));
        Check.refused(403, 899006, () -> CLIENT.sendGroupTextByAdmin("999999999", admin, text("hi")));
        CLIENT.addBlackList(name, other);
        Check.refused(403, 803008, () -> send("single", name, "user", other, text("hi")));
        // An admin is held back by nobody's blacklist.
        CLIENT.sendSingleTextByAdmin(name, admin, text("hi"));
        String group = Long.toString(World.group(name));
        Check.refused(400, 803005, () -> send("group", group, "user", other, text("hi")));
        Check.refused(400, 899003, "version", () -> CLIENT.sendMessage(2, "single", name, "admin", admin, MessageType.TEXT, text("hi")));
    }

    private static void takenBack() throws Exception {
        String admin = World.admin(), name = World.user();
        try (Device device = new Device(name, "secret")) {
            long sent = CLIENT.sendSingleTextByAdmin(name, admin, text("oops")).getMsg_id();
            Check.refused(403, 855002, () -> CLIENT.retractMessage(name, sent));
            Check.empty(204, CLIENT.retractMessage(admin, sent));
            Check.equal(sent, device.entry("retract").getAsJsonObject("retract").get("msg_id").getAsLong());
            Check.refused(400, 855004, () -> CLIENT.retractMessage(admin, sent));
        }
        Check.refused(404, 855003, () -> CLIENT.retractMessage(admin, 999_999_999L));
    }
}
