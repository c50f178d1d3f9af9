//! The closed list of why a request is refused or fails, the same inside every service.

/// Why a request was refused or failed. The gateway maps it to REST codes and to device codes, in one table each.
///
/// The numbers are the wire form (`mynah.common.v1.Failure.reason`): never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u32)]
pub enum Reason {
    /// A value is malformed or out of range; the failure names the field.
    Invalid = 1,
    /// A user named by the path or as the actor is missing.
    UserNotFound = 2,
    /// A user named inside a body is missing; the message names them.
    NamedUserNotFound = 3,
    /// The name is taken.
    UserExists = 4,
    /// The group is missing or dissolved.
    GroupNotFound = 5,
    /// Already a member.
    AlreadyMember = 6,
    /// The group is full.
    GroupFull = 7,
    /// Not a member of the group.
    NotMember = 8,
    /// The user is in as many groups as he may be.
    TooManyGroups = 9,
    /// The sender is no admin.
    NotAdmin = 10,
    /// Already blacklisted.
    AlreadyBlacklisted = 11,
    /// An admin cannot be blacklisted.
    AdminBlacklisted = 12,
    /// Not in the blacklist.
    NotBlacklisted = 13,
    /// No grant to the other app, or no such app.
    CrossAppDenied = 14,
    /// The chatroom is missing.
    RoomNotFound = 15,
    /// The named user is not in the chatroom.
    NotInRoom = 16,
    /// More than 500 registrations in one call.
    TooManyUsers = 17,
    /// Friends already.
    AlreadyFriends = 18,
    /// No friends.
    NotFriends = 19,
    /// No such app.
    AppNotFound = 20,
    /// Wrong app secret or web signature.
    BadCredentials = 21,
    /// The web signature is older than ten minutes or was seen before.
    SignatureExpired = 22,
    /// The app is disabled.
    AppDisabled = 23,
    /// Wrong password.
    BadPassword = 24,
    /// The user is disabled.
    UserDisabled = 25,
    /// The session is unknown, expired or revoked.
    SessionInvalid = 26,
    /// The login would put out another device, and was asked not to.
    DeviceConflict = 27,
    /// Devices may not register in this app.
    RegistrationClosed = 28,
    /// Sender is not in the group.
    SenderNotMember = 30,
    /// The receiver has the sender in his blacklist.
    Blacklisted = 31,
    /// The sender is silenced in the group.
    Silenced = 32,
    /// The sender is not in the chatroom.
    SenderNotInRoom = 33,
    /// The sender is muted in the chatroom.
    RoomMuted = 34,
    /// The message holds a sensitive word.
    SensitiveWord = 35,
    /// The message is too long.
    TooLong = 36,
    /// The cmid was used for other content; the failure carries the first ids.
    CmidConflict = 37,
    /// Retract: too late.
    RetractTooLate = 40,
    /// Retract: not the sender.
    RetractNotSender = 41,
    /// Retract: no such message.
    RetractNotFound = 42,
    /// Retract: done before.
    RetractedBefore = 43,
    /// The conversation is unknown, or not one of the user's: the same answer for both.
    ConversationNotFound = 50,
    /// Too many requests.
    RateLimited = 60,
    /// A queue is full: try again later.
    Overloaded = 61,
    /// This process does not own the shard, or lost it: ask again.
    NotOwner = 62,
    /// An engine or a service is not reachable: try again.
    Unavailable = 63,
    /// The deadline passed; the outcome may be either. Repeat with the same ids.
    Timeout = 64,
    /// A bug, or a store that is damaged.
    Internal = 65,
    /// The user disturbs no more already.
    DndUserOn = 70,
    /// The user was not kept from disturbing.
    DndUserOff = 71,
    /// The group disturbs no more already.
    DndGroupOn = 72,
    /// The group was not kept from disturbing.
    DndGroupOff = 73,
    /// Nobody disturbs already.
    DndGlobalOn = 74,
    /// A group named inside a body is missing.
    NamedGroupNotFound = 75,
    /// The user is not in a group that a body names.
    NotInNamedGroup = 76,
    /// The user gets no messages of the group already.
    ShieldOn = 77,
    /// The user gets the messages of the group.
    ShieldOff = 78,
    /// There is no such uploaded file in the app.
    MediaNotFound = 79,
}

impl Reason {
    /// Every reason, in the order of its number.
    pub const ALL: [Self; 57] = [
        Self::Invalid,
        Self::UserNotFound,
        Self::NamedUserNotFound,
        Self::UserExists,
        Self::GroupNotFound,
        Self::AlreadyMember,
        Self::GroupFull,
        Self::NotMember,
        Self::TooManyGroups,
        Self::NotAdmin,
        Self::AlreadyBlacklisted,
        Self::AdminBlacklisted,
        Self::NotBlacklisted,
        Self::CrossAppDenied,
        Self::RoomNotFound,
        Self::NotInRoom,
        Self::TooManyUsers,
        Self::AlreadyFriends,
        Self::NotFriends,
        Self::AppNotFound,
        Self::BadCredentials,
        Self::SignatureExpired,
        Self::AppDisabled,
        Self::BadPassword,
        Self::UserDisabled,
        Self::SessionInvalid,
        Self::DeviceConflict,
        Self::RegistrationClosed,
        Self::SenderNotMember,
        Self::Blacklisted,
        Self::Silenced,
        Self::SenderNotInRoom,
        Self::RoomMuted,
        Self::SensitiveWord,
        Self::TooLong,
        Self::CmidConflict,
        Self::RetractTooLate,
        Self::RetractNotSender,
        Self::RetractNotFound,
        Self::RetractedBefore,
        Self::ConversationNotFound,
        Self::RateLimited,
        Self::Overloaded,
        Self::NotOwner,
        Self::Unavailable,
        Self::Timeout,
        Self::Internal,
        Self::DndUserOn,
        Self::DndUserOff,
        Self::DndGroupOn,
        Self::DndGroupOff,
        Self::DndGlobalOn,
        Self::NamedGroupNotFound,
        Self::NotInNamedGroup,
        Self::ShieldOn,
        Self::ShieldOff,
        Self::MediaNotFound,
    ];

    /// Reads the wire form.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|r| *r as u32 == number)
    }

    /// Whether the same request, sent again with the same ids, may succeed.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::RateLimited | Self::Overloaded | Self::NotOwner | Self::Unavailable | Self::Timeout)
    }
}
