//! Failures: the one error of every service call, and its way through a gRPC status.

use mynah_types::Reason;
use prost::Message as _;
use tonic::{Code, Status};

use crate::Failure;

impl Failure {
    /// A failure with a text for people.
    #[must_use]
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason: reason as u32, message: message.into(), ..Self::default() }
    }

    /// A value out of form or range; `field` is the name that the caller used.
    #[must_use]
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), ..Self::new(Reason::Invalid, message) }
    }

    /// Says how long to wait before the same request may be sent again.
    #[must_use]
    pub fn retry_after(mut self, ms: u32) -> Self {
        self.retry_after_ms = ms;
        self
    }

    /// The reason; a number of a newer version reads as `Internal`.
    #[must_use]
    pub fn why(&self) -> Reason {
        Reason::from_number(self.reason).unwrap_or(Reason::Internal)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}: {}", self.why(), self.message)?;
        if self.field.is_empty() { Ok(()) } else { write!(f, " ({})", self.field) }
    }
}

impl std::error::Error for Failure {}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        let details = failure.encode_to_vec().into();
        Self::with_details(code_of(failure.why()), failure.message, details)
    }
}

impl From<Status> for Failure {
    /// Reads the details back. A status that no service of ours made: the transport failed, and the outcome may be either.
    fn from(status: Status) -> Self {
        if !status.details().is_empty()
            && let Ok(failure) = Self::decode(status.details())
            && Reason::from_number(failure.reason).is_some()
        {
            return failure;
        }
        let reason = match status.code() {
            Code::DeadlineExceeded | Code::Cancelled => Reason::Timeout,
            Code::Unavailable => Reason::Unavailable,
            Code::ResourceExhausted => Reason::Overloaded,
            _ => Reason::Internal,
        };
        Self::new(reason, status.message())
    }
}

/// The gRPC code of a reason: for tools that look at calls from outside. Our own clients read the details.
fn code_of(reason: Reason) -> Code {
    match reason {
        Reason::Invalid | Reason::TooLong | Reason::TooManyUsers => Code::InvalidArgument,
        Reason::UserNotFound
        | Reason::NamedUserNotFound
        | Reason::GroupNotFound
        | Reason::NamedGroupNotFound
        | Reason::RoomNotFound
        | Reason::MediaNotFound
        | Reason::RetractNotFound
        | Reason::ConversationNotFound
        | Reason::AppNotFound => Code::NotFound,
        Reason::UserExists | Reason::AlreadyMember | Reason::AlreadyBlacklisted | Reason::AlreadyFriends => Code::AlreadyExists,
        Reason::BadCredentials | Reason::SignatureExpired | Reason::BadPassword | Reason::SessionInvalid => Code::Unauthenticated,
        Reason::RateLimited | Reason::Overloaded => Code::ResourceExhausted,
        Reason::NotOwner | Reason::Unavailable => Code::Unavailable,
        Reason::Timeout => Code::DeadlineExceeded,
        Reason::Internal => Code::Internal,
        Reason::GroupFull
        | Reason::NotMember
        | Reason::TooManyGroups
        | Reason::NotAdmin
        | Reason::AdminBlacklisted
        | Reason::NotBlacklisted
        | Reason::NotFriends
        | Reason::DndUserOn
        | Reason::DndUserOff
        | Reason::DndGroupOn
        | Reason::DndGroupOff
        | Reason::DndGlobalOn
        | Reason::NotInNamedGroup
        | Reason::ShieldOn
        | Reason::ShieldOff
        | Reason::CrossAppDenied
        | Reason::NotInRoom
        | Reason::AppDisabled
        | Reason::UserDisabled
        | Reason::DeviceConflict
        | Reason::RegistrationClosed
        | Reason::SenderNotMember
        | Reason::Blacklisted
        | Reason::Silenced
        | Reason::SenderNotInRoom
        | Reason::RoomMuted
        | Reason::SensitiveWord
        | Reason::CmidConflict
        | Reason::RetractTooLate
        | Reason::RetractNotSender
        | Reason::RetractedBefore => Code::FailedPrecondition,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_survives_a_status() {
        for reason in Reason::ALL {
            let failure = Failure::invalid("target_id", "is missing").retry_after(7);
            let failure = Failure { reason: reason as u32, ..failure };
            assert_eq!(Failure::from(Status::from(failure.clone())), failure);
        }
    }

    #[test]
    fn a_transport_error_is_retryable_and_no_bug_of_ours() {
        let failure = Failure::from(Status::unavailable("connection refused"));
        assert_eq!(failure.why(), Reason::Unavailable);
    }
}
