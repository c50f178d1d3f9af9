//! What the system lets a generator do.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::Failed;

/// Takes as many file descriptors as the system lets it; answers how many.
///
/// # Errors
/// When the system refuses.
pub fn many_files() -> Result<u64, Failed> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

/// Memory comes in small pages from now on, here and in processes that this one starts: a huge page takes up to 5 ms to clear on a
/// virtual machine, which the figures would show as the server's.
///
/// # Errors
/// When the system refuses.
pub fn small_pages() -> Result<(), Failed> {
    Ok(rustix::thread::disable_transparent_huge_pages(true)?)
}

/// Keeps the calling thread on one processor.
///
/// # Errors
/// When there is no such processor.
pub fn stay_on(cpu: usize) -> Result<(), Failed> {
    let mut set = CpuSet::new();
    set.set(cpu);
    Ok(sched_setaffinity(None, &set)?)
}
