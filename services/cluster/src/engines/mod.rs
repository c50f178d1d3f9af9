//! The engines, opened as the settings say. Those that must be there are waited for.

mod bus;
mod databases;
mod media;
mod presence;
mod protection;

pub(crate) use bus::{bus, changes};
pub(crate) use databases::{directory_address, directory_store, log, whole_log};
pub(crate) use media::media;
pub(crate) use presence::{presence, reader};
pub(crate) use protection::{authorities, hinted};
