//! The REST API (`docs/rest`): `table` names every endpoint, `dispatch` carries a request to its handler and back.

mod auth;
mod call;
mod cursor;
mod dispatch;
mod docs;
mod lenient;
mod moments;
mod path;
mod query;
mod quota;
mod refusal;
mod show;
mod table;

mod blacklist;
mod content;
mod cross;
mod friends;
mod groups;
mod history;
mod messages;
mod nodisturb;
mod profile;
mod registration;
mod resource;
mod retract;
mod rooms;
mod shield;
mod statistics;
mod users;
mod userstat;
mod words;

pub(crate) use call::{Answer, Outcome};
pub(crate) use dispatch::{answer, serve, too_busy};
pub use docs::openapi;
pub(crate) use lenient::{Fields, names, parse};
pub(crate) use quota::Quotas;
pub(crate) use refusal::{INVALID, Refusal};
pub use table::{Endpoint, endpoint_of, endpoints};
