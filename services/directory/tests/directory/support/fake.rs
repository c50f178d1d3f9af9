//! How the fakes answer.

use mynah_proto::Failure;
use mynah_types::Reason;
use tonic::{Response, Status};

pub(super) type Answer<T> = Result<Response<T>, Status>;

pub(super) fn unexpected<T>() -> Answer<T> {
    Err(Status::unimplemented("the directory does not call this"))
}

/// How a fake behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    #[default]
    Answers,
    /// Refuses, and does nothing.
    Fails,
    /// Does it, and its answer is lost.
    LosesAnswer,
    /// Never answers, and does nothing.
    Hangs,
}

impl Mode {
    pub(super) async fn before(self) -> Result<(), Status> {
        match self {
            Self::Answers | Self::LosesAnswer => Ok(()),
            Self::Fails => Err(Failure::new(Reason::Unavailable, "down").into()),
            Self::Hangs => std::future::pending().await,
        }
    }

    pub(super) fn after<T>(self, reply: T) -> Answer<T> {
        match self {
            Self::LosesAnswer => Err(Failure::new(Reason::Timeout, "lost").into()),
            Self::Answers | Self::Fails | Self::Hangs => Ok(Response::new(reply)),
        }
    }
}
