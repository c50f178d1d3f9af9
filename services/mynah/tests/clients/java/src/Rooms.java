import cn.jmessage.api.JMessageClient;
import cn.jmessage.api.chatroom.ChatRoomListResult;
import cn.jmessage.api.chatroom.ChatRoomMemberList;
import cn.jmessage.api.chatroom.ChatRoomResult;
import cn.jmessage.api.common.model.Members;
import cn.jmessage.api.common.model.chatroom.ChatRoomPayload;
import java.util.ArrayList;
import java.util.List;

/** Chatrooms. */
final class Rooms {
    private static final JMessageClient CLIENT = World.CLIENT;

    private Rooms() {}

    static void flows() {
        Suite.flow("a room is made", Rooms::made);
        Suite.flow("rooms are listed", Rooms::listed);
        Suite.flow("a room is changed", Rooms::changed);
        Suite.flow("people of a room", Rooms::members);
        Suite.flow("a member is muted", Rooms::muted);
        Suite.flow("a room is deleted", Rooms::deleted);
    }

    static long room(String owner, String... members) throws Exception {
        ChatRoomPayload.Builder payload = ChatRoomPayload.newBuilder().setName("lounge").setDesc("come in").setOwnerUsername(owner);
        if (members.length > 0) payload.setMembers(Members.newBuilder().addMember(members).build());
        return CLIENT.createChatRoom(payload.build()).getChatroom_id();
    }

    private static void made() throws Exception {
        String owner = World.user(), member = World.user();
        // The client adds a flag of its own.
        long room = CLIENT.createChatRoom(ChatRoomPayload.newBuilder().setName("茶室 🍵").setDesc("come in").setOwnerUsername(owner)
                .setMembers(Members.newBuilder().addMember(member).build()).setFlag(1).build()).getChatroom_id();
        ChatRoomResult[] got = CLIENT.getBatchChatRoomInfo(room, 999_999_999L).getRooms();
        Check.equal(1, got.length);
        Check.equal(List.of(room, owner, "茶室 🍵", "come in", World.APPKEY, 10_000, 2), List.of(got[0].getId(), got[0].getOwnerUsername(),
                got[0].getName(), got[0].getDescription(), got[0].getAppkey(), got[0].getMaxMemberCount(), got[0].getTotalMemberCount()));
        Check.time(got[0].getCtime());
        String nobody = World.fresh("nobody");
        Check.refused(400, 899002, nobody, () -> room(nobody));
    }

    private static void listed() throws Exception {
        String owner = World.user(), member = World.user();
        int before = CLIENT.getAppChatRoomInfo(0, 1).getTotal();
        List<Long> rooms = List.of(room(owner, member), room(owner));
        ChatRoomListResult got = CLIENT.getAppChatRoomInfo(before, 10);
        Check.equal(List.of(before + 2, before, 2), List.of(got.getTotal(), got.getStart(), got.getCount()));
        Check.equal(rooms, got.getList().stream().map(ChatRoomResult::getId).toList());
        ChatRoomResult[] of = CLIENT.getUserChatRoomInfo(member).getRooms();
        Check.equal(List.of(1, rooms.get(0)), List.of(of.length, of[0].getId()));
    }

    private static void changed() throws Exception {
        String owner = World.user(), member = World.user(), stranger = World.user();
        long room = room(owner, member);
        Check.empty(204, CLIENT.updateChatRoomInfo(room, member, "salon", "sit down"));
        ChatRoomResult got = CLIENT.getBatchChatRoomInfo(room).getRooms()[0];
        Check.equal(List.of(member, "salon", "sit down"), List.of(got.getOwnerUsername(), got.getName(), got.getDescription()));
        Check.refused(400, 899082, stranger, () -> CLIENT.updateChatRoomInfo(room, stranger, "salon", "sit down"));
        Check.refused(404, 899081, () -> CLIENT.updateChatRoomInfo(999_999_999L, owner, "n", "d"));
    }

    /** Member and flag. */
    private static List<String> shown(long room) throws Exception {
        ChatRoomMemberList got = CLIENT.getChatRoomMembers(room, 0, 10);
        List<String> shown = new ArrayList<>();
        for (ChatRoomMemberList.ChatRoomMember member : got.getMembers()) {
            shown.add(member.getUsername() + " " + member.getFlag());
            for (String time : new String[] {member.getRoom_ctime(), member.getCtime(), member.getMtime()}) Check.time(time);
        }
        Check.equal(List.of(shown.size(), 0, shown.size()), List.of(got.getTotal(), got.getStart(), got.getCount()));
        return shown;
    }

    private static void members() throws Exception {
        String owner = World.user(), first = World.user(), second = World.user();
        long room = room(owner);
        Check.empty(204, CLIENT.addChatRoomMember(room, first, second));
        // Who is inside already is no fault.
        Check.empty(204, CLIENT.addChatRoomMember(room, first));
        Check.equal(List.of(owner + " 0", first + " 0", second + " 0"), shown(room));
        Check.empty(204, CLIENT.removeChatRoomMembers(room, first));
        // A defect of the client: with its own Members it sends no JSON, but what Java calls the object.
        Members of = Members.newBuilder().addMember(second).build();
        Check.refused(400, 899003, () -> CLIENT.addChatRoomMember(room, of));
        Check.refused(400, 899003, () -> CLIENT.removeChatRoomMembers(room, of));
        Check.equal(List.of(owner + " 0", second + " 0"), shown(room));
        Check.refused(400, 899082, first, () -> CLIENT.removeChatRoomMembers(room, first));
        Check.refused(400, 899003, () -> CLIENT.removeChatRoomMembers(room, owner));
        String nobody = World.fresh("nobody");
        Check.refused(400, 899002, nobody, () -> CLIENT.addChatRoomMember(room, nobody));
        Check.refused(404, 899081, () -> CLIENT.addChatRoomMember(999_999_999L, first));
    }

    private static void muted() throws Exception {
        String owner = World.user(), member = World.user(), stranger = World.user();
        long room = room(owner, member);
        Check.empty(204, CLIENT.updateUserSpeakStatus(room, member, 1));
        Check.equal(List.of(owner + " 0", member + " 1"), shown(room));
        Check.refused(403, 847002, () -> Messages.send("chatroom", Long.toString(room), "user", member, Messages.text("hi")));
        Check.empty(204, CLIENT.updateUserSpeakStatus(room, member, 0));
        Check.equal(List.of(owner + " 0", member + " 0"), shown(room));
        Messages.send("chatroom", Long.toString(room), "user", member, Messages.text("hi"));
        Check.refused(400, 899082, stranger, () -> CLIENT.updateUserSpeakStatus(room, stranger, 1));
    }

    private static void deleted() throws Exception {
        String owner = World.user();
        long room = room(owner);
        Check.empty(204, CLIENT.deleteChatRoom(room));
        Check.refused(404, 899081, () -> CLIENT.deleteChatRoom(room));
        Check.equal(0, CLIENT.getBatchChatRoomInfo(room).getRooms().length);
        Check.equal(0, CLIENT.getUserChatRoomInfo(owner).getRooms().length);
    }
}
