//! What a run found, and how it is shown.
//!
//! Reading order: [`model`] (the document), [`figures`] (its figures and words, for every view the same), [`summary`] (the
//! terminal), [`page`] (the page), [`compare`] (runs against runs), [`commands`] (the command line).

mod chart;
mod markup;

pub mod brief;
pub mod commands;
pub mod compare;
pub mod figures;
pub mod model;
pub mod number;
pub mod page;
pub mod read;
pub mod settings;
pub mod summary;
pub mod words;

pub use brief::brief;
