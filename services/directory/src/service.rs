//! The generated trait, call by call: reads run in the caller's task, writes in one of their own.

use mynah_proto::Failure;
use mynah_proto::directory as wire;
use mynah_proto::directory::directory_server::Directory as DirectoryService;
use tonic::{Request, Response, Status};

use crate::Directory;

type Answer<T> = Result<Response<T>, Status>;

fn answer<T>(outcome: Result<T, Failure>) -> Answer<T> {
    outcome.map(Response::new).map_err(Status::from)
}

#[tonic::async_trait]
impl DirectoryService for Directory {
    async fn authenticate(&self, request: Request<wire::AuthenticateRequest>) -> Answer<wire::App> {
        answer(self.0.authenticate(request.into_inner()).await)
    }

    async fn app_by_key(&self, request: Request<wire::AppByKeyRequest>) -> Answer<wire::App> {
        answer(self.0.app_by_key(request.into_inner()).await)
    }

    async fn cross_app(&self, request: Request<wire::CrossAppRequest>) -> Answer<wire::App> {
        answer(self.0.cross_app(request.into_inner()).await)
    }

    async fn check_signature(&self, request: Request<wire::CheckSignatureRequest>) -> Answer<wire::App> {
        answer(self.0.check_signature(request.into_inner()).await)
    }

    async fn sign_demo(&self, _request: Request<wire::SignDemoRequest>) -> Answer<wire::SignDemoReply> {
        answer(self.0.sign_demo().await)
    }

    async fn get_user(&self, request: Request<wire::GetUserRequest>) -> Answer<wire::User> {
        answer(self.0.get_user(request.into_inner()).await)
    }

    async fn get_users(&self, request: Request<wire::GetUsersRequest>) -> Answer<wire::UserList> {
        answer(self.0.get_users(request.into_inner()).await)
    }

    async fn list_users(&self, request: Request<wire::ListRequest>) -> Answer<wire::UserPage> {
        answer(self.0.list_users(request.into_inner(), false).await)
    }

    async fn list_admins(&self, request: Request<wire::ListRequest>) -> Answer<wire::UserPage> {
        answer(self.0.list_users(request.into_inner(), true).await)
    }

    async fn devices(&self, request: Request<wire::DevicesRequest>) -> Answer<wire::DevicesReply> {
        answer(self.0.devices(request.into_inner()).await)
    }

    async fn blacklist(&self, request: Request<wire::GetUserRequest>) -> Answer<wire::UserList> {
        answer(self.0.blacklist(request.into_inner()).await)
    }

    async fn pair_rights(&self, request: Request<wire::PairRightsRequest>) -> Answer<wire::PairRightsReply> {
        answer(self.0.pair_rights(request.into_inner()).await)
    }

    async fn get_group(&self, request: Request<wire::GroupRequest>) -> Answer<wire::Group> {
        answer(self.0.get_group(request.into_inner()).await)
    }

    async fn list_groups(&self, request: Request<wire::ListRequest>) -> Answer<wire::GroupPage> {
        answer(self.0.list_groups(request.into_inner()).await)
    }

    async fn members(&self, request: Request<wire::GroupRequest>) -> Answer<wire::MemberList> {
        answer(self.0.members(request.into_inner()).await)
    }

    async fn groups_of(&self, request: Request<wire::GetUserRequest>) -> Answer<wire::GroupList> {
        answer(self.0.groups_of(request.into_inner()).await)
    }

    async fn get_rooms(&self, request: Request<wire::GetRoomsRequest>) -> Answer<wire::RoomList> {
        answer(self.0.get_rooms(request.into_inner()).await)
    }

    async fn list_rooms(&self, request: Request<wire::ListRequest>) -> Answer<wire::RoomPage> {
        answer(self.0.list_rooms(request.into_inner()).await)
    }

    async fn room_members(&self, request: Request<wire::RoomMembersRequest>) -> Answer<wire::RoomMemberPage> {
        answer(self.0.room_members(request.into_inner()).await)
    }

    async fn rooms_of(&self, request: Request<wire::GetUserRequest>) -> Answer<wire::RoomList> {
        answer(self.0.rooms_of(request.into_inner()).await)
    }

    async fn changes(&self, request: Request<wire::ChangesRequest>) -> Answer<wire::ChangesReply> {
        answer(self.0.changes(request.into_inner()).await)
    }

    async fn register(&self, request: Request<wire::RegisterRequest>) -> Answer<wire::RegisterReply> {
        answer(self.detached(|inner| async move { inner.register(request.into_inner()).await }).await)
    }

    async fn update_user(&self, request: Request<wire::UpdateUserRequest>) -> Answer<wire::Done> {
        answer(self.detached(|inner| async move { inner.update_user(request.into_inner()).await }).await)
    }

    async fn delete_users(&self, request: Request<wire::DeleteUsersRequest>) -> Answer<wire::Done> {
        answer(self.detached(|inner| async move { inner.delete_users(request.into_inner()).await }).await)
    }

    async fn set_password(&self, request: Request<wire::SetPasswordRequest>) -> Answer<wire::Done> {
        answer(self.detached(|inner| async move { inner.set_password(request.into_inner()).await }).await)
    }

    async fn set_disabled(&self, request: Request<wire::SetDisabledRequest>) -> Answer<wire::Done> {
        answer(self.detached(|inner| async move { inner.set_disabled(request.into_inner()).await }).await)
    }

    async fn login(&self, request: Request<wire::LoginRequest>) -> Answer<wire::LoginReply> {
        answer(self.detached(|inner| async move { inner.login(request.into_inner()).await }).await)
    }

    async fn logout(&self, request: Request<wire::LogoutRequest>) -> Answer<wire::Done> {
        answer(self.detached(|inner| async move { inner.logout(request.into_inner()).await }).await)
    }

    async fn change_blacklist(&self, request: Request<wire::ChangeBlacklistRequest>) -> Answer<wire::Done> {
        answer(self.detached(|inner| async move { inner.change_blacklist(request.into_inner()).await }).await)
    }

    async fn create_group(&self, request: Request<wire::CreateGroupRequest>) -> Answer<wire::Group> {
        answer(self.detached(|inner| async move { inner.create_group(request.into_inner()).await }).await)
    }

    async fn delete_group(&self, request: Request<wire::GroupRequest>) -> Answer<wire::Done> {
        answer(self.decided(request.into_inner(), |inner, request| async move { inner.delete_group(request).await }).await)
    }

    async fn change_members(&self, request: Request<wire::ChangeMembersRequest>) -> Answer<wire::Done> {
        answer(self.decided(request.into_inner(), |inner, request| async move { inner.change_members(request).await }).await)
    }

    async fn create_room(&self, request: Request<wire::CreateRoomRequest>) -> Answer<wire::Room> {
        answer(self.detached(|inner| async move { inner.create_room(request.into_inner()).await }).await)
    }

    async fn delete_room(&self, request: Request<wire::RoomRequest>) -> Answer<wire::Done> {
        answer(self.decided(request.into_inner(), |inner, request| async move { inner.delete_room(request).await }).await)
    }

    async fn change_room_members(&self, request: Request<wire::ChangeMembersRequest>) -> Answer<wire::Done> {
        answer(self.decided(request.into_inner(), |inner, request| async move { inner.change_room_members(request).await }).await)
    }

    async fn update_group(&self, request: Request<wire::UpdateGroupRequest>) -> Answer<wire::Done> {
        answer(self.decided(request.into_inner(), |inner, request| async move { inner.update_group(request).await }).await)
    }

    async fn transfer_group(&self, request: Request<wire::TransferGroupRequest>) -> Answer<wire::Done> {
        answer(self.decided(request.into_inner(), |inner, request| async move { inner.transfer_group(request).await }).await)
    }

    async fn silence(&self, request: Request<wire::SilenceRequest>) -> Answer<wire::Done> {
        answer(self.decided(request.into_inner(), |inner, request| async move { inner.silence(request).await }).await)
    }

    async fn update_room(&self, request: Request<wire::UpdateRoomRequest>) -> Answer<wire::Done> {
        answer(self.decided(request.into_inner(), |inner, request| async move { inner.update_room(request).await }).await)
    }

    async fn mute_in_room(&self, request: Request<wire::MuteInRoomRequest>) -> Answer<wire::Done> {
        answer(self.decided(request.into_inner(), |inner, request| async move { inner.mute_in_room(request).await }).await)
    }

    async fn set_registration(&self, request: Request<wire::SetRegistrationRequest>) -> Answer<wire::Done> {
        answer(self.detached(|inner| async move { inner.set_registration(request.into_inner()).await }).await)
    }

    async fn friends(&self, request: Request<wire::GetUserRequest>) -> Answer<wire::FriendList> {
        answer(self.0.friends(request.into_inner()).await)
    }

    async fn add_friends(&self, request: Request<wire::FriendsRequest>) -> Answer<wire::Done> {
        answer(self.detached(|inner| async move { inner.add_friends(request.into_inner()).await }).await)
    }

    async fn remove_friends(&self, request: Request<wire::FriendsRequest>) -> Answer<wire::Done> {
        answer(self.detached(|inner| async move { inner.remove_friends(request.into_inner()).await }).await)
    }

    async fn note_friends(&self, request: Request<wire::NoteFriendsRequest>) -> Answer<wire::Done> {
        answer(self.detached(|inner| async move { inner.note_friends(request.into_inner()).await }).await)
    }

    async fn dnd(&self, request: Request<wire::GetUserRequest>) -> Answer<wire::Dnd> {
        answer(self.0.dnd(request.into_inner()).await)
    }

    async fn change_shield(&self, request: Request<wire::ChangeShieldRequest>) -> Answer<wire::Done> {
        answer(self.detached(|inner| async move { inner.change_shield(request.into_inner()).await }).await)
    }

    async fn change_dnd(&self, request: Request<wire::ChangeDndRequest>) -> Answer<wire::Done> {
        answer(self.detached(|inner| async move { inner.change_dnd(request.into_inner()).await }).await)
    }

    async fn list_words(&self, request: Request<wire::ListRequest>) -> Answer<wire::WordPage> {
        answer(self.0.list_words(request.into_inner()).await)
    }

    async fn word_filter(&self, request: Request<wire::WordFilterRequest>) -> Answer<wire::WordFilterReply> {
        answer(self.0.word_filter(request.into_inner()).await)
    }

    async fn add_words(&self, request: Request<wire::WordsRequest>) -> Answer<wire::Done> {
        answer(self.detached(|inner| async move { inner.add_words(request.into_inner()).await }).await)
    }

    async fn remove_words(&self, request: Request<wire::WordsRequest>) -> Answer<wire::Done> {
        answer(self.detached(|inner| async move { inner.remove_words(request.into_inner()).await }).await)
    }

    async fn replace_word(&self, request: Request<wire::ReplaceWordRequest>) -> Answer<wire::Done> {
        answer(self.detached(|inner| async move { inner.replace_word(request.into_inner()).await }).await)
    }

    async fn set_word_filter(&self, request: Request<wire::SetWordFilterRequest>) -> Answer<wire::Done> {
        answer(self.detached(|inner| async move { inner.set_word_filter(request.into_inner()).await }).await)
    }

    async fn callbacks(&self, _request: Request<wire::CallbacksRequest>) -> Answer<wire::CallbacksReply> {
        answer(self.0.callbacks().await)
    }

    async fn growth(&self, request: Request<wire::GrowthRequest>) -> Answer<wire::GrowthReply> {
        answer(self.0.growth(request.into_inner()).await)
    }

    async fn add_media(&self, request: Request<wire::Media>) -> Answer<wire::Done> {
        answer(self.detached(|inner| async move { inner.add_media(request.into_inner()).await }).await)
    }

    async fn sign_media(&self, request: Request<wire::SignMediaRequest>) -> Answer<wire::SignedPath> {
        answer(self.0.sign_media(request.into_inner()).await)
    }

    async fn open_media(&self, request: Request<wire::SignedMedia>) -> Answer<wire::Media> {
        answer(self.0.open_media(request.into_inner()).await)
    }

    async fn grant_upload(&self, request: Request<wire::UploadGrant>) -> Answer<wire::SignedPath> {
        answer(self.0.grant_upload(request.into_inner()).await)
    }

    async fn check_upload(&self, request: Request<wire::SignedUpload>) -> Answer<wire::UploadGrant> {
        answer(self.0.check_upload(request.into_inner()).await)
    }
}
