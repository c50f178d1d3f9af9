//! Clients of the services: the same calls, in process or over a channel.

use std::sync::{Arc, OnceLock};

use mynah_types::Reason;

use crate::Failure;
use crate::{directory, gateway, report, router};

macro_rules! client {
    ($(#[$doc:meta])* $name:ident, $wire:ident, $server:ident :: $service:ident, $remote:ident, repeatable: $repeatable:expr, { $($method:ident($request:ident) -> $reply:ident;)* }) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub enum $name {
            /// An implementation in this process: no encoding, no socket. Empty while the process is being put together.
            Local(Arc<OnceLock<Arc<dyn $wire::$server::$service>>>),
            /// A service elsewhere.
            #[cfg(feature = "channel")]
            Channel($wire::$remote::$name<tonic::transport::Channel>),
            /// Any of several replicas elsewhere.
            #[cfg(feature = "channel")]
            Replicas(Arc<dyn crate::Replicas>),
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($name))
            }
        }

        impl $name {
            /// Calls `service` directly.
            pub fn local(service: impl $wire::$server::$service) -> Self {
                let client = Self::late();
                client.bind(Arc::new(service));
                client
            }

            /// A client whose service is not there yet: services that call one another are built with these, then bound.
            #[must_use]
            pub fn late() -> Self {
                Self::Local(Arc::default())
            }

            /// Gives a late client, and every clone of it, its service. The first one stays.
            pub fn bind(&self, service: Arc<dyn $wire::$server::$service>) {
                match self {
                    Self::Local(slot) => _ = slot.set(service),
                    #[cfg(feature = "channel")]
                    Self::Channel(_) | Self::Replicas(_) => {}
                }
            }

            $(
                #[doc = concat!("The service's `", stringify!($method), "`; see its schema.")]
                ///
                /// # Errors
                /// The service's failure, or that it could not be reached.
                pub async fn $method(&self, request: $wire::$request) -> Result<$wire::$reply, Failure> {
                    let reply = match self {
                        Self::Local(slot) => match slot.get() {
                            Some(service) => service.$method(tonic::Request::new(request)).await,
                            None => return Err(Failure::new(Reason::Unavailable, "the service is starting")),
                        },
                        #[cfg(feature = "channel")]
                        Self::Channel(remote) => remote.clone().$method(crate::traced(request)).await,
                        #[cfg(feature = "channel")]
                        Self::Replicas(replicas) => {
                            let repeatable: &[&str] = &$repeatable;
                            let repeatable = repeatable.contains(&stringify!($method));
                            let call = |channel, request| async move { $wire::$remote::$name::new(channel).$method(request).await };
                            crate::replicas::call(&**replicas, repeatable, request, call).await
                        }
                    };
                    Ok(reply?.into_inner())
                }
            )*
        }
    };
}

client! {
    /// Calls the user/group service.
    DirectoryClient, directory, directory_server::Directory, directory_client, repeatable: [
        // Reads, and what a repetition leaves as it was.
        "authenticate", "app_by_key", "cross_app", "check_signature", "sign_demo", "get_user", "get_users", "list_users",
        "list_admins", "devices", "blacklist", "friends", "dnd", "pair_rights", "get_group", "list_groups", "members", "groups_of",
        "get_rooms", "list_rooms", "room_members", "rooms_of", "list_words", "word_filter", "callbacks", "growth", "sign_media",
        "open_media", "grant_upload", "check_upload", "changes", "update_user", "set_password", "set_disabled", "logout",
        "set_registration", "set_word_filter",
    ], {
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
        add_friends(FriendsRequest) -> Done;
        remove_friends(FriendsRequest) -> Done;
        note_friends(NoteFriendsRequest) -> Done;
        friends(GetUserRequest) -> FriendList;
        change_dnd(ChangeDndRequest) -> Done;
        dnd(GetUserRequest) -> Dnd;
        change_shield(ChangeShieldRequest) -> Done;
        pair_rights(PairRightsRequest) -> PairRightsReply;
        create_group(CreateGroupRequest) -> Group;
        get_group(GroupRequest) -> Group;
        list_groups(ListRequest) -> GroupPage;
        delete_group(GroupRequest) -> Done;
        change_members(ChangeMembersRequest) -> Done;
        members(GroupRequest) -> MemberList;
        update_group(UpdateGroupRequest) -> Done;
        transfer_group(TransferGroupRequest) -> Done;
        silence(SilenceRequest) -> Done;
        groups_of(GetUserRequest) -> GroupList;
        create_room(CreateRoomRequest) -> Room;
        get_rooms(GetRoomsRequest) -> RoomList;
        list_rooms(ListRequest) -> RoomPage;
        delete_room(RoomRequest) -> Done;
        change_room_members(ChangeMembersRequest) -> Done;
        room_members(RoomMembersRequest) -> RoomMemberPage;
        update_room(UpdateRoomRequest) -> Done;
        mute_in_room(MuteInRoomRequest) -> Done;
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
        changes(ChangesRequest) -> ChangesReply;
    }
}

client! {
    /// Calls the report service.
    ReportClient, report, report_server::Report, report_client, repeatable: ["history", "sent", "activity"], {
        history(HistoryRequest) -> HistoryReply;
        sent(SentRequest) -> SentReply;
        activity(ActivityRequest) -> ActivityReply;
    }
}

client! {
    /// Calls the message router.
    RouterClient, router, router_server::Router, router_client, repeatable: [], {
        send(SendRequest) -> SendReply;
        retract(RetractRequest) -> RetractReply;
        read(ReadRequest) -> ReadReply;
        sync(SyncRequest) -> SyncReply;
        history(HistoryRequest) -> HistoryReply;
        heads(HeadsRequest) -> HeadsReply;
        single_chats(SingleChatsRequest) -> SingleChatsReply;
        room_tail(RoomTailRequest) -> RoomTailReply;
        locate(LocateRequest) -> LocateReply;
        apply_change(ApplyChangeRequest) -> ApplyChangeReply;
        post(PostRequest) -> PostReply;
        hide(HideRequest) -> HideReply;
        relation_changed(RelationChangedRequest) -> RelationChangedReply;
        shard_map(ShardMapRequest) -> ShardMapReply;
    }
}

client! {
    /// Calls a gateway: deliveries and kicks.
    GatewayClient, gateway, gateway_server::Gateway, gateway_client, repeatable: [], {
        deliver(DeliverRequest) -> DeliverReply;
        read_changed(ReadChangedRequest) -> ReadChangedReply;
        kick(KickRequest) -> KickReply;
        refresh(RefreshRequest) -> RefreshReply;
    }
}
