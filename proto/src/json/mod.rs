//! The JSON codec of the device protocol: our own mapping, not proto3's canonical one.
//!
//! Integers are JSON numbers, bytes that hold JSON are embedded raw, absent means default, the body's field name tells the frame.

pub mod base64;
mod entry;
mod frame;
pub mod raw;
mod report;
mod unique;

pub use frame::{
    CLIENT_FRAMES, FrameError, SERVER_FRAMES, client_frame_name, decode_client, decode_server, encode_client, encode_server,
    server_frame_name,
};
pub(crate) use frame::{client_body_at, server_body_at};
pub use report::report_message;
pub use unique::unique;

/// For `skip_serializing_if`: absent means default.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
