import cn.jmessage.api.JMessageClient;
import cn.jmessage.api.common.model.NoDisturbPayload;
import cn.jmessage.api.common.model.friend.FriendNote;
import cn.jmessage.api.common.model.group.GroupShieldPayload;
import cn.jmessage.api.user.UserInfoResult;
import java.util.List;

/** Blacklists, friends, do not disturb, shields. */
final class Relations {
    private static final JMessageClient CLIENT = World.CLIENT;

    private Relations() {}

    static void flows() {
        Suite.flow("a blacklist", Relations::blacklist);
        Suite.flow("friends", Relations::friends);
        Suite.flow("do not disturb", Relations::doNotDisturb);
        Suite.flow("a shield", Relations::shield);
    }

    private static void blacklist() throws Exception {
        String name = World.user(), other = World.user(), third = World.user();
        Check.equal(0, CLIENT.getBlackList(name).length);
        Check.empty(204, CLIENT.addBlackList(name, other, third));
        Check.equal(List.of(other, third), Users.names(CLIENT.getBlackList(name)));
        Check.equal(World.APPKEY, CLIENT.getBlackList(name)[0].getAppkey());
        Check.refused(400, 899017, () -> CLIENT.addBlackList(name, other));
        Check.empty(204, CLIENT.removeBlacklist(name, other));
        Check.equal(List.of(third), Users.names(CLIENT.getBlackList(name)));
        Check.refused(400, 899019, () -> CLIENT.removeBlacklist(name, other));
        String admin = World.admin();
        Check.refused(403, 899018, () -> CLIENT.addBlackList(name, admin));
    }

    private static void friends() throws Exception {
        String name = World.user(), friend = World.user();
        Check.empty(201, CLIENT.addFriends(name, friend));
        Check.refused(400, 899070, () -> CLIENT.addFriends(name, friend));
        Check.equal(List.of(name), Users.names(CLIENT.getFriendsInfo(friend)));
        FriendNote note = FriendNote.newBuilder().setUsername(friend).setNoteName("新的").setOthers("more").builder();
        Check.empty(204, CLIENT.updateFriendsNote(name, new FriendNote[] {note}));
        UserInfoResult[] got = CLIENT.getFriendsInfo(name);
        Check.equal(List.of(friend), Users.names(got));
        Check.equal(World.APPKEY, got[0].getAppkey());
        // The client's model has no notes: they show in the text of the answer.
        String shown = World.get("/v1/users/" + name + "/friends");
        Check.that(shown.contains("\"note_name\":\"新的\"") && shown.contains("\"others\":\"more\""), shown);
        Check.empty(204, CLIENT.deleteFriends(name, friend));
        Check.equal(0, CLIENT.getFriendsInfo(name).length);
        Check.equal(0, CLIENT.getFriendsInfo(friend).length);
        Check.refused(400, 899071, () -> CLIENT.deleteFriends(name, friend));
        Check.refused(400, 899071, () -> CLIENT.updateFriendsNote(name, new FriendNote[] {note}));
    }

    private static NoDisturbPayload.Builder quiet() {
        return new NoDisturbPayload.Builder();
    }

    private static void doNotDisturb() throws Exception {
        String name = World.user(), other = World.user();
        long gid = World.group(other, name);
        Check.empty(204, CLIENT.setNoDisturb(name, quiet().setAddSingleUsers(other).setAddGroupIds(gid).build()));
        Check.refused(400, 899043, () -> CLIENT.setNoDisturb(name, quiet().setAddSingleUsers(other).build()));
        Check.refused(400, 899047, () -> CLIENT.setNoDisturb(name, quiet().setAddGroupIds(gid).build()));
        Check.empty(204, CLIENT.setNoDisturb(name, quiet().setRemoveSingleUsers(other).setRemoveGroupIds(gid).build()));
        Check.refused(400, 899044, () -> CLIENT.setNoDisturb(name, quiet().setRemoveSingleUsers(other).build()));
        Check.refused(400, 899049, () -> CLIENT.setNoDisturb(name, quiet().setRemoveGroupIds(gid).build()));
        Check.refused(400, 899051, () -> CLIENT.setNoDisturb(name, quiet().setAddGroupIds(999_999_999L).build()));
        Check.empty(204, CLIENT.setNoDisturb(name, quiet().setGlobal(1).build()));
        Check.refused(400, 899048, () -> CLIENT.setNoDisturb(name, quiet().setGlobal(1).build()));
        // A defect of the client: it sends {} for this one, which changes nothing.
        Check.empty(204, CLIENT.setNoDisturb(name, quiet().setGlobal(0).build()));
        Check.refused(400, 899048, () -> CLIENT.setNoDisturb(name, quiet().setGlobal(1).build()));
    }

    private static void shield() throws Exception {
        String name = World.user(), other = World.user(), admin = World.admin();
        long gid = World.group(other, name);
        GroupShieldPayload on = GroupShieldPayload.newBuilder().addGroupShield(gid).build();
        GroupShieldPayload off = GroupShieldPayload.newBuilder().removeGroupShield(gid).build();
        try (Device device = new Device(name, "secret")) {
            Check.empty(204, CLIENT.setGroupShield(on, name));
            Check.refused(400, 899052, () -> CLIENT.setGroupShield(on, name));
            CLIENT.sendGroupTextByAdmin(Long.toString(gid), admin, Messages.text("behind the shield"));
            Check.empty(204, CLIENT.setGroupShield(off, name));
            Check.refused(400, 899053, () -> CLIENT.setGroupShield(off, name));
            long seen = CLIENT.sendGroupTextByAdmin(Long.toString(gid), admin, Messages.text("seen")).getMsg_id();
            Check.equal(seen, device.entry("message").get("msg_id").getAsLong());
        }
        String stranger = World.user();
        Check.refused(400, 899046, () -> CLIENT.setGroupShield(on, stranger));
    }
}
