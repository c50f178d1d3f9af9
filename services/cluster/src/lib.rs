//! The distributed shape: each service as a process of its own, on PostgreSQL, Kafka, Redis and S3-compatible storage.
//!
//! It owns the wiring: which engine serves which port, how processes find one another, what a process waits for, how it stops. It knows no
//! rule of any service.
//!
//! Reading order: `settings` (one table for all four binaries), `process` (what each begins with), `engines`, then a binary's own module.

mod clock;
pub mod directory;
mod engines;
pub mod gateway;
pub mod kinds;
mod peers;
mod process;
pub mod report;
pub mod router;
pub mod settings;
