//! A directory that knows one group and lets everybody write: enough for the router, which asks it three things.

use mynah_proto::Failure;
use mynah_proto::directory::directory_server::Directory;
use mynah_proto::directory::*;
use mynah_proto::router::{Change, Member};
use mynah_types::Reason;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tonic::{Request, Response, Status};

/// Answers the router's calls; every other one is refused.
#[derive(Default)]
pub(crate) struct FakeDirectory {
    pub(crate) changes: Mutex<Vec<Change>>,
    pub(crate) blocked: Mutex<bool>,
    /// Says that it is asked for the rights of a pair, and waits until it may answer; once.
    pub(crate) holds: Mutex<Option<(oneshot::Sender<()>, oneshot::Receiver<()>)>>,
}

pub(crate) fn member(uid: u64) -> Member {
    Member { uid, role: 0, silenced: false }
}

macro_rules! refused {
    ($($method:ident($request:ident) -> $reply:ident;)*) => {
        #[async_trait::async_trait]
        impl Directory for FakeDirectory {
            $(async fn $method(&self, _: Request<$request>) -> Result<Response<$reply>, Status> {
                Err(Status::unimplemented("not the router's call"))
            })*

            async fn pair_rights(&self, _: Request<PairRightsRequest>) -> Result<Response<PairRightsReply>, Status> {
                let holds = self.holds.lock().take();
                if let Some((asked, answer)) = holds {
                    _ = asked.send(());
                    _ = answer.await;
                }
                let b_blocks_a = *self.blocked.lock();
                Ok(Response::new(PairRightsReply { a_blocks_b: false, b_blocks_a, a_exists: true, b_exists: true }))
            }

            async fn changes(&self, request: Request<ChangesRequest>) -> Result<Response<ChangesReply>, Status> {
                let request = request.into_inner();
                let known = self.changes.lock().clone();
                if known.is_empty() {
                    return Err(Failure::new(Reason::GroupNotFound, "no such group").into());
                }
                let version = known.last().map_or(0, |c| c.version);
                let changes = known.into_iter().filter(|c| c.version > request.after_version).collect();
                Ok(Response::new(ChangesReply { changes, version }))
            }
        }
    };
}

refused! {
    authenticate(AuthenticateRequest) -> App;
    app_by_key(AppByKeyRequest) -> App;
    cross_app(CrossAppRequest) -> App;
    check_signature(CheckSignatureRequest) -> App;
    sign_demo(SignDemoRequest) -> SignDemoReply;
    set_registration(SetRegistrationRequest) -> Done;
    register(RegisterRequest) -> RegisterReply;
    get_user(GetUserRequest) -> User;
    get_users(GetUsersRequest) -> UserList;
    list_users(ListRequest) -> UserPage;
    list_admins(ListRequest) -> UserPage;
    update_user(UpdateUserRequest) -> Done;
    delete_users(DeleteUsersRequest) -> Done;
    set_password(SetPasswordRequest) -> Done;
    set_disabled(SetDisabledRequest) -> Done;
    login(LoginRequest) -> LoginReply;
    logout(LogoutRequest) -> Done;
    devices(DevicesRequest) -> DevicesReply;
    change_blacklist(ChangeBlacklistRequest) -> Done;
    blacklist(GetUserRequest) -> UserList;
    change_dnd(ChangeDndRequest) -> Done;
    dnd(GetUserRequest) -> Dnd;
    change_shield(ChangeShieldRequest) -> Done;
    add_friends(FriendsRequest) -> Done;
    remove_friends(FriendsRequest) -> Done;
    note_friends(NoteFriendsRequest) -> Done;
    friends(GetUserRequest) -> FriendList;
    create_group(CreateGroupRequest) -> Group;
    get_group(GroupRequest) -> Group;
    list_groups(ListRequest) -> GroupPage;
    delete_group(GroupRequest) -> Done;
    change_members(ChangeMembersRequest) -> Done;
    members(GroupRequest) -> MemberList;
    groups_of(GetUserRequest) -> GroupList;
    create_room(CreateRoomRequest) -> Room;
    get_rooms(GetRoomsRequest) -> RoomList;
    list_rooms(ListRequest) -> RoomPage;
    delete_room(RoomRequest) -> Done;
    change_room_members(ChangeMembersRequest) -> Done;
    update_group(UpdateGroupRequest) -> Done;
    transfer_group(TransferGroupRequest) -> Done;
    silence(SilenceRequest) -> Done;
    update_room(UpdateRoomRequest) -> Done;
    mute_in_room(MuteInRoomRequest) -> Done;
    room_members(RoomMembersRequest) -> RoomMemberPage;
    rooms_of(GetUserRequest) -> RoomList;
    add_words(WordsRequest) -> Done;
    remove_words(WordsRequest) -> Done;
    replace_word(ReplaceWordRequest) -> Done;
    list_words(ListRequest) -> WordPage;
    set_word_filter(SetWordFilterRequest) -> Done;
    word_filter(WordFilterRequest) -> WordFilterReply;
    callbacks(CallbacksRequest) -> CallbacksReply;
    growth(GrowthRequest) -> GrowthReply;
    add_media(Media) -> Done;
    sign_media(SignMediaRequest) -> SignedPath;
    open_media(SignedMedia) -> Media;
    grant_upload(UploadGrant) -> SignedPath;
    check_upload(SignedUpload) -> UploadGrant;
}
