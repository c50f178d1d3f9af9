import cn.jmessage.api.JMessageClient;
import cn.jmessage.api.group.CreateGroupResult;
import cn.jmessage.api.group.GroupInfoResult;
import cn.jmessage.api.group.GroupListResult;
import cn.jmessage.api.group.MemberResult;
import java.util.ArrayList;
import java.util.List;

/** Groups, their members, their owners. */
final class Groups {
    private static final JMessageClient CLIENT = World.CLIENT;

    private Groups() {}

    static void flows() {
        Suite.flow("a group is made", Groups::made);
        Suite.flow("a group is changed", Groups::changed);
        Suite.flow("members come and go", Groups::members);
        Suite.flow("groups are listed", Groups::listed);
        Suite.flow("a group is passed on", Groups::passedOn);
        Suite.flow("a group is dissolved", Groups::dissolved);
    }

    /** Member and flag. */
    static List<String> members(MemberResult[] of) {
        List<String> shown = new ArrayList<>();
        for (MemberResult member : of) shown.add(member.getUsername() + " " + member.getFlag());
        return shown;
    }

    private static List<String> members(long gid) throws Exception {
        return members(CLIENT.getGroupMembers(gid).getMembers());
    }

    private static void made() throws Exception {
        String owner = World.user(), member = World.user();
        CreateGroupResult made = CLIENT.createGroup(owner, "hikers 🥾", "on foot", "qiniu/image/1", 2, member);
        Check.equal(List.of(owner, "hikers 🥾", "on foot", "qiniu/image/1", 500, World.APPKEY), List.of(made.getOwner_username(),
                made.getName(), made.getDesc(), made.getAvatar(), made.getMaxMemberCount(), made.getAppkey()));
        Check.equal("[\"" + member + "\"]", made.getMembers_username().toString());
        Check.time(made.getCtime());
        GroupInfoResult got = CLIENT.getGroupInfo(made.getGid());
        Check.equal(List.of(made.getGid(), "hikers 🥾", "on foot", World.APPKEY, 500),
                List.of(got.getGid(), got.getName(), got.getDesc(), got.getAppkey(), got.getMaxMemberCount()));
        Check.time(got.getMtime());
        Check.equal(List.of(owner + " 1", member + " 0"), members(made.getGid()));
        String nobody = World.fresh("nobody");
        Check.refused(400, 899002, nobody, () -> CLIENT.createGroup(nobody, "n", "", "", 1));
        Check.refused(400, 899002, nobody, () -> CLIENT.createGroup(owner, "n", "", "", 1, nobody));
    }

    private static void changed() throws Exception {
        long gid = World.group(World.user());
        CLIENT.updateGroupInfo(gid, "climbers", "by rope", "qiniu/image/2");
        GroupInfoResult got = CLIENT.getGroupInfo(gid);
        Check.equal(List.of("climbers", "by rope"), List.of(got.getName(), got.getDesc()));
        CLIENT.updateGroupInfo(gid, "", "by bike", "");
        got = CLIENT.getGroupInfo(gid);
        Check.equal(List.of("climbers", "by bike"), List.of(got.getName(), got.getDesc()));
        Check.refused(403, 899006, () -> CLIENT.updateGroupInfo(999_999_999L, "n", "d", "a"));
    }

    private static void members() throws Exception {
        String owner = World.user(), first = World.user(), second = World.user();
        long gid = World.group(owner);
        CLIENT.addOrRemoveMembers(gid, new String[] {first}, null);
        CLIENT.addOrRemoveMembers(gid, new String[] {second}, new String[] {first});
        Check.equal(List.of(owner + " 1", second + " 0"), members(gid));
        Check.refused(400, 899011, second, () -> CLIENT.addOrRemoveMembers(gid, new String[] {second}, null));
        Check.refused(400, 899003, () -> CLIENT.addOrRemoveMembers(gid, null, new String[] {owner}));
        // Who is added stays, though the other is no member.
        String stranger = World.user();
        Check.refused(400, 899014, stranger, () -> CLIENT.addOrRemoveMembers(gid, new String[] {first}, new String[] {stranger}));
        Check.equal(List.of(owner + " 1", second + " 0", first + " 0"), members(gid));
        MemberResult shown = CLIENT.getGroupMembers(gid).getMembers()[1];
        Check.equal(World.APPKEY, shown.getAppkey());
    }

    private static void listed() throws Exception {
        String owner = World.user(), member = World.user();
        int before = CLIENT.getGroupListByAppkey(0, 1).getTotal();
        List<Long> gids = List.of(World.group(owner, member), World.group(owner));
        GroupListResult got = CLIENT.getGroupListByAppkey(before, 10);
        Check.equal(List.of(before + 2, before, 2), List.of(got.getTotal(), got.getStart(), got.getCount()));
        Check.equal(gids, got.getGroups().stream().map(GroupInfoResult::getGid).toList());
        GroupInfoResult[] of = CLIENT.getGroupListByUser(member).getGroups();
        Check.equal(List.of(1, gids.get(0), "hikers"), List.of(of.length, of[0].getGid(), of[0].getName()));
        Check.equal(2, CLIENT.getGroupListByUser(owner).getGroups().length);
    }

    private static void passedOn() throws Exception {
        String owner = World.user(), member = World.user(), stranger = World.user();
        long gid = World.group(owner, member);
        // The client spells the key appKey.
        CLIENT.changeGroupAdmin(gid, World.APPKEY, member);
        Check.equal(List.of(member + " 1", owner + " 0"), members(gid));
        CLIENT.changeGroupAdmin(gid, "", owner);
        Check.equal(List.of(owner + " 1", member + " 0"), members(gid));
        Check.refused(400, 899014, stranger, () -> CLIENT.changeGroupAdmin(gid, "", stranger));
        Check.refused(403, 899006, () -> CLIENT.changeGroupAdmin(999_999_999L, "", owner));
    }

    private static void dissolved() throws Exception {
        String owner = World.user();
        long gid = World.group(owner);
        CLIENT.deleteGroup(gid);
        Check.refused(403, 899006, () -> CLIENT.deleteGroup(gid));
        Check.refused(403, 899006, () -> CLIENT.getGroupInfo(gid));
        Check.refused(403, 899006, () -> CLIENT.getGroupMembers(gid));
        Check.equal(0, CLIENT.getGroupListByUser(owner).getGroups().length);
    }
}
