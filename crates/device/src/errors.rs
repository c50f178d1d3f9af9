//! The one table from reasons to the codes that devices know.

use mynah_proto::device::{Error, ServerFrame};
use mynah_proto::{Failure, device};
use mynah_types::Reason;

/// Not logged in.
pub(crate) const NOT_LOGGED_IN: u32 = 800_012;
/// A field is of the wrong type or out of range.
pub(crate) const INVALID: u32 = 898_003;
/// The frame is too big.
pub(crate) const FRAME_TOO_BIG: u32 = 890_004;
/// Known, but not switched on here.
pub(crate) const FEATURE_OFF: u32 = 890_005;
/// An unknown frame or method.
pub(crate) const UNKNOWN_METHOD: u32 = 890_006;

fn code(reason: Reason) -> u32 {
    match reason {
        Reason::Invalid | Reason::TooManyUsers => INVALID,
        Reason::UserNotFound | Reason::NamedUserNotFound => 803_003,
        Reason::UserExists => 898_001,
        Reason::GroupNotFound | Reason::ConversationNotFound => 803_004,
        Reason::AlreadyMember => 810_007,
        Reason::GroupFull => 810_008,
        Reason::NotMember | Reason::SenderNotMember => 803_005,
        Reason::TooManyGroups => 810_009,
        Reason::NotAdmin => 800_020,
        Reason::AlreadyBlacklisted => 818_004,
        Reason::AdminBlacklisted => 818_003,
        Reason::NotBlacklisted => 819_003,
        Reason::DndUserOn => 831_001,
        Reason::DndUserOff => 832_001,
        Reason::DndGroupOn => 833_003,
        Reason::DndGroupOff => 834_001,
        Reason::DndGlobalOn => 835_001,
        Reason::ShieldOn => 842_003,
        Reason::ShieldOff => 843_001,
        Reason::MediaNotFound => INVALID,
        Reason::NamedGroupNotFound => 803_004,
        Reason::NotInNamedGroup => 803_005,
        Reason::AlreadyFriends => 805_002,
        Reason::NotFriends => 805_003,
        Reason::CrossAppDenied => 898_011,
        Reason::RoomNotFound => 847_003,
        Reason::NotInRoom | Reason::SenderNotInRoom => 847_001,
        Reason::AppNotFound => 800_003,
        Reason::BadCredentials => 880_102,
        Reason::SignatureExpired => 880_106,
        Reason::AppDisabled => 800_003,
        Reason::BadPassword => 801_004,
        Reason::UserDisabled => 801_006,
        Reason::SessionInvalid => 800_013,
        Reason::DeviceConflict => 801_007,
        Reason::RegistrationClosed => 880_007,
        Reason::Blacklisted => 803_008,
        Reason::Silenced => 803_012,
        Reason::RoomMuted => 847_002,
        Reason::SensitiveWord => 803_009,
        Reason::TooLong => 803_007,
        Reason::CmidConflict => 890_003,
        Reason::RetractTooLate => 855_001,
        Reason::RetractNotSender => 855_002,
        Reason::RetractNotFound => 855_003,
        Reason::RetractedBefore => 855_004,
        Reason::RateLimited => 803_010,
        Reason::Overloaded => 890_002,
        Reason::NotOwner | Reason::Unavailable | Reason::Timeout => 890_001,
        Reason::Internal => 800_009,
    }
}

/// A failure as a device reads it.
pub(crate) fn error(failure: &Failure) -> Error {
    let reason = failure.why();
    Error {
        code: code(reason),
        message: failure.message.clone(),
        retryable: reason.is_retryable(),
        retry_after_ms: failure.retry_after_ms,
        field: failure.field.clone(),
    }
}

/// Whether a device was told of a failure for this reason, or for one that it cannot tell from it.
pub(crate) fn is(error: &Error, reason: Reason) -> bool {
    error.code == code(reason)
}

/// The answer to a request that failed.
pub(crate) fn frame(id: u32, failure: &Failure) -> ServerFrame {
    ServerFrame { id, error: Some(error(failure)), body: None }
}

/// The answer to a request that was not understood or not allowed.
pub(crate) fn refuse(id: u32, code: u32, field: &str, message: &str) -> ServerFrame {
    let error = device::Error { code, message: message.into(), field: field.into(), ..device::Error::default() };
    ServerFrame { id, error: Some(error), body: None }
}

/// What a service calls its field, a device knows as a member of its frame.
pub(crate) fn name_field(answer: &mut ServerFrame, frame: &str) {
    if let Some(error) = answer.error.as_mut().filter(|e| e.code == INVALID && !e.field.is_empty() && !e.field.starts_with(frame))
    {
        error.field = format!("{frame}.{}", error.field);
    }
}

/// How a connection ends: the WebSocket close code and a word for logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Close(pub(crate) u16, pub(crate) &'static str);

impl Close {
    pub(crate) const GOAWAY: Self = Self(4000, "goaway");
    pub(crate) const REPLACED: Self = Self(4000, "replaced by the same session");
    pub(crate) const IDLE: Self = Self(4001, "idle");
    pub(crate) const STALLED: Self = Self(4002, "stalled");
    pub(crate) const RATE: Self = Self(4005, "asked too often");
    pub(crate) const PROTOCOL: Self = Self(4500, "protocol error");
    pub(crate) const AUTH: Self = Self(4502, "authentication failed");
}

/// What a kick tells a device: the number of its event, and the close code.
pub(crate) fn kicked(reason: &str) -> (u32, u32, Close) {
    match reason {
        "other_device" => (1, 0, Close(4503, "other device")),
        "disabled" => (1, 1, Close(4504, "disabled")),
        "deleted" => (1, 2, Close(4505, "deleted")),
        "password_changed" => (2, 0, Close(4506, "password changed")),
        "app_disabled" => (70, 0, Close(4507, "app disabled")),
        _ => (70, 0, Close(4509, "revoked")),
    }
}
