//! What a device that costs little is made of: WebSocket frames, the frames of the protocol read without a tree, sends from templates.

pub(crate) mod conv;
pub(crate) mod frames;
pub(crate) mod read;
pub(crate) mod scan;
pub(crate) mod text;
pub(crate) mod ws;
