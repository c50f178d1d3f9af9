//! The gateway's HTTP side: the REST API of `docs/rest`, the demo page and what the page asks for.
//!
//! It owns requests and answers: credentials, forms, codes, quirks of real clients. It knows nothing of stores, and decides nothing
//! about messages or membership: that is asked of the directory and the router. Device connections are `crates/device`.
//!
//! Reading order: [`Gateway`], `rest::table` (every endpoint, one row each), `rest::dispatch` (the life of a request), then a handler,
//! and what `rest::docs` says of it.

mod gateway;
mod media;
mod page;
mod rest;
mod settings;

pub use gateway::{Deps, Gateway};
pub use rest::{Endpoint, endpoint_of, endpoints, openapi};
pub use settings::Settings;
