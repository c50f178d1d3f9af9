//! Refusals, and the one table from reasons to REST codes and statuses.

use mynah_proto::Failure;
use mynah_types::Reason;
use serde_json::{Value, json};

/// A request that is refused: what the client gets.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: u32,
    pub(crate) message: String,
    /// Wait this long before trying again.
    pub(crate) retry_after_ms: u32,
}

/// Any malformed or out-of-range input.
pub(crate) const INVALID: u32 = 899_003;

impl Refusal {
    pub(crate) fn new(status: u16, code: u32, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after_ms: 0 }
    }

    /// A value out of form or range.
    pub(crate) fn invalid(field: &str, why: &str) -> Self {
        Self::new(400, INVALID, format!("parameter invalid: {field} {why}"))
    }

    /// A user that a body names is not there.
    pub(crate) fn no_named_user(name: &str) -> Self {
        Failure::new(Reason::NamedUserNotFound, format!("no such user: {name}")).into()
    }

    /// The error object of the envelope.
    pub(crate) fn error(&self) -> Value {
        json!({"code": self.code, "message": self.message})
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        let (status, code) = row(failure.why());
        let message = match failure.why() {
            Reason::Invalid if !failure.field.is_empty() => format!("parameter invalid: {} {}", failure.field, failure.message),
            Reason::CmidConflict => "parameter invalid: Idempotency-Key was used for another message".into(),
            _ => failure.message,
        };
        Self { status, code, message, retry_after_ms: failure.retry_after_ms }
    }
}

pub(crate) fn row(reason: Reason) -> (u16, u32) {
    match reason {
        Reason::Invalid | Reason::TooLong | Reason::CmidConflict => (400, INVALID),
        Reason::UserNotFound => (404, 899_002),
        Reason::NamedUserNotFound => (400, 899_002),
        Reason::UserExists => (403, 899_001),
        Reason::GroupNotFound | Reason::ConversationNotFound => (403, 899_006),
        Reason::AlreadyMember => (400, 899_011),
        Reason::GroupFull => (400, 899_012),
        Reason::TooManyUsers => (400, 899_013),
        Reason::NotMember => (400, 899_014),
        Reason::TooManyGroups => (400, 899_015),
        // A disabled user is no sender any more.
        Reason::NotAdmin | Reason::UserDisabled | Reason::RegistrationClosed => (403, 899_016),
        Reason::AlreadyBlacklisted => (400, 899_017),
        Reason::AdminBlacklisted => (403, 899_018),
        Reason::NotBlacklisted => (400, 899_019),
        Reason::DndUserOn => (400, 899_043),
        Reason::DndUserOff => (400, 899_044),
        Reason::DndGroupOn => (400, 899_047),
        Reason::DndGroupOff => (400, 899_049),
        Reason::DndGlobalOn => (400, 899_048),
        Reason::NamedGroupNotFound => (400, 899_051),
        Reason::NotInNamedGroup => (400, 899_046),
        Reason::ShieldOn => (400, 899_052),
        Reason::ShieldOff => (400, 899_053),
        Reason::AlreadyFriends => (400, 899_070),
        Reason::NotFriends => (400, 899_071),
        Reason::CrossAppDenied => (403, 899_020),
        Reason::RoomNotFound => (404, 899_081),
        Reason::MediaNotFound => (404, INVALID),
        Reason::NotInRoom => (400, 899_082),
        Reason::AppNotFound | Reason::AppDisabled => (401, 899_009),
        Reason::BadCredentials
        | Reason::SignatureExpired
        | Reason::BadPassword
        | Reason::SessionInvalid
        | Reason::DeviceConflict => (401, 899_008),
        Reason::SenderNotMember => (400, 803_005),
        Reason::Blacklisted => (403, 803_008),
        Reason::SensitiveWord => (400, 803_009),
        Reason::Silenced => (403, 803_012),
        Reason::SenderNotInRoom => (403, 847_001),
        Reason::RoomMuted => (403, 847_002),
        Reason::RetractTooLate => (400, 855_001),
        Reason::RetractNotSender => (403, 855_002),
        Reason::RetractNotFound => (404, 855_003),
        Reason::RetractedBefore => (400, 855_004),
        Reason::RateLimited => (429, 800_017),
        Reason::Overloaded | Reason::NotOwner | Reason::Unavailable | Reason::Timeout => (503, 899_030),
        Reason::Internal => (500, 899_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Java clients read the body of these statuses only; 500 and 503 are no refusals of a request.
    #[test]
    fn coded_refusals_use_statuses_that_every_client_reads() {
        for reason in Reason::ALL {
            let (status, code) = row(reason);
            let engine = reason.is_retryable() && reason != Reason::RateLimited;
            match status {
                503 => assert!(engine && code == 899_030, "{reason:?}"),
                500 => assert_eq!(reason, Reason::Internal),
                _ => assert!([400, 401, 403, 404, 429].contains(&status) && !engine, "{reason:?}"),
            }
        }
    }
}
