import cn.jmessage.api.JMessageClient;
import cn.jmessage.api.common.model.cross.CrossBlacklist;
import cn.jmessage.api.common.model.cross.CrossFriendPayload;
import cn.jmessage.api.common.model.cross.CrossGroup;
import cn.jmessage.api.common.model.cross.CrossNoDisturb;
import cn.jmessage.api.common.model.message.MessagePayload;
import cn.jmessage.api.group.MemberResult;
import cn.jmessage.api.message.MessageType;
import cn.jmessage.api.user.UserInfoResult;
import com.google.gson.JsonObject;
import java.util.List;

/** Across apps, by a grant. */
final class Cross {
    private static final JMessageClient CLIENT = World.CLIENT;
    private static final String THEIRS = World.OTHER_APPKEY;
    private static final String NO_APP = "0".repeat(24);

    private Cross() {}

    static void flows() {
        Suite.flow("members from another app", Cross::members);
        Suite.flow("a blacklist across apps", Cross::blacklist);
        Suite.flow("do not disturb across apps", Cross::doNotDisturb);
        Suite.flow("friends across apps", Cross::friends);
        Suite.flow("a message across apps", Cross::message);
    }

    private static CrossGroup[] adding(String appkey, String... users) {
        return new CrossGroup[] {new CrossGroup.Builder().setAppKey(appkey).setAddUsers(users).build()};
    }

    private static void members() throws Exception {
        String owner = World.user(), guest = World.user(World.OTHER);
        long gid = World.group(owner);
        Check.empty(204, CLIENT.addOrRemoveCrossGroupMember(gid, adding(THEIRS, guest)));
        MemberResult[] got = CLIENT.getCrossGroupMembers(gid).getMembers();
        Check.equal(List.of(owner + " 1", guest + " 0"), Groups.members(got));
        Check.equal(List.of(World.APPKEY, THEIRS), List.of(got[0].getAppkey(), got[1].getAppkey()));
        // The plain list holds the app's own users.
        Check.equal(List.of(owner + " 1"), Groups.members(CLIENT.getGroupMembers(gid).getMembers()));
        Check.refused(400, 899011, guest, () -> CLIENT.addOrRemoveCrossGroupMember(gid, adding(THEIRS, guest)));
        CrossGroup[] removing = {new CrossGroup.Builder().setAppKey(THEIRS).setRemoveUsers(guest).build()};
        Check.empty(204, CLIENT.addOrRemoveCrossGroupMember(gid, removing));
        Check.refused(400, 899014, guest, () -> CLIENT.addOrRemoveCrossGroupMember(gid, removing));
        Check.equal(List.of(owner + " 1"), Groups.members(CLIENT.getCrossGroupMembers(gid).getMembers()));
        Check.refused(403, 899020, () -> CLIENT.addOrRemoveCrossGroupMember(gid, adding(NO_APP, guest)));
        Check.refused(403, 899006, () -> CLIENT.addOrRemoveCrossGroupMember(999_999_999L, adding(THEIRS, guest)));
    }

    private static void blacklist() throws Exception {
        String name = World.user(), foreign = World.user(World.OTHER);
        CrossBlacklist[] list = {new CrossBlacklist.Builder().setAppKey(THEIRS).addUsers(foreign).build()};
        Check.empty(204, CLIENT.addCrossBlacklist(name, list));
        UserInfoResult[] got = CLIENT.getCrossBlacklist(name);
        Check.equal(List.of(1, foreign, THEIRS), List.of(got.length, got[0].getUsername(), got[0].getAppkey()));
        Check.equal(0, CLIENT.getBlackList(name).length);
        Check.refused(400, 899017, () -> CLIENT.addCrossBlacklist(name, list));
        Check.empty(204, CLIENT.deleteCrossBlacklist(name, list));
        Check.equal(0, CLIENT.getCrossBlacklist(name).length);
        Check.refused(400, 899019, () -> CLIENT.deleteCrossBlacklist(name, list));
    }

    private static CrossNoDisturb[] quiet(CrossNoDisturb.Builder builder) {
        return new CrossNoDisturb[] {builder.setAppKey(THEIRS).build()};
    }

    private static void doNotDisturb() throws Exception {
        String name = World.user(), foreign = World.user(World.OTHER);
        CrossNoDisturb[] on = quiet(new CrossNoDisturb.Builder().setAddSingleUsers(foreign));
        CrossNoDisturb[] off = quiet(new CrossNoDisturb.Builder().setRemoveSingleUsers(foreign));
        Check.empty(204, CLIENT.setCrossNoDisturb(name, on));
        Check.refused(400, 899043, () -> CLIENT.setCrossNoDisturb(name, on));
        Check.empty(204, CLIENT.setCrossNoDisturb(name, off));
        Check.refused(400, 899044, () -> CLIENT.setCrossNoDisturb(name, off));
        CrossNoDisturb[] nowhere = quiet(new CrossNoDisturb.Builder().setAddGroupIds(999_999_999L));
        Check.refused(400, 899051, () -> CLIENT.setCrossNoDisturb(name, nowhere));
        String host = World.user(World.OTHER);
        long gid = World.OTHER.createGroup(host, "theirs", "", "", 1).getGid();
        World.OTHER.addOrRemoveCrossGroupMember(gid, adding(World.APPKEY, name));
        Check.empty(204, CLIENT.setCrossNoDisturb(name, quiet(new CrossNoDisturb.Builder().setAddGroupIds(gid))));
        Check.empty(204, CLIENT.setCrossNoDisturb(name, quiet(new CrossNoDisturb.Builder().setRemoveGroupIds(gid))));
    }

    private static void friends() throws Exception {
        String name = World.user(), foreign = World.user(World.OTHER);
        CrossFriendPayload of = new CrossFriendPayload(THEIRS, new String[] {foreign});
        Check.empty(201, CLIENT.addCrossFriends(name, of));
        UserInfoResult[] got = CLIENT.getFriendsInfo(name);
        Check.equal(List.of(1, foreign, THEIRS), List.of(got.length, got[0].getUsername(), got[0].getAppkey()));
        Check.equal(List.of(name), Users.names(World.OTHER.getFriendsInfo(foreign)));
        Check.refused(400, 899070, () -> CLIENT.addCrossFriends(name, of));
        Check.empty(204, CLIENT.deleteCrossFriends(name, of));
        Check.equal(0, CLIENT.getFriendsInfo(name).length);
        CrossFriendPayload nowhere = new CrossFriendPayload(NO_APP, new String[] {foreign});
        Check.refused(403, 899020, () -> CLIENT.addCrossFriends(name, nowhere));
    }

    private static void message() throws Exception {
        String admin = World.admin(), foreign = World.user(World.OTHER);
        MessagePayload payload = MessagePayload.newBuilder().setVersion(1).setTargetType("single").setTargetId(foreign)
                .setTargetAppKey(THEIRS).setFromType("admin").setFromId(admin).setMessageType(MessageType.TEXT)
                .setMessageBody(Messages.text("from afar")).build();
        try (Device device = new Device(THEIRS, foreign, "secret")) {
            long sent = CLIENT.sendMessage(payload).getMsg_id();
            JsonObject entry = device.entry("message");
            Check.equal(sent, entry.get("msg_id").getAsLong());
            Check.equal(World.APPKEY, entry.getAsJsonObject("from").get("appkey").getAsString());
        }
    }
}
