//! What the system is, and what it lets a generator do.

use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::Failed;
use crate::report::model::Machine;

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

/// Keeps all threads of a process on one processor.
///
/// # Errors
/// When there is no such process or processor.
pub fn keep_on(pid: u32, cpu: usize) -> Result<(), Failed> {
    let done =
        Command::new("taskset").args(["--all-tasks", "--cpu-list", "--pid", &cpu.to_string(), &pid.to_string()]).output()?;
    if done.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&done.stderr).into_owned().into()) }
}

/// What the run is made on.
#[must_use]
pub fn describe() -> Machine {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let memory = field(&read("/proc/meminfo"), "MemTotal");
    let kib: u64 = memory.trim_end_matches(" kB").parse().unwrap_or(0);
    Machine {
        processor: field(&read("/proc/cpuinfo"), "model name"),
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        memory: kib * 1024,
        system: format!("Linux {}", read("/proc/sys/kernel/osrelease").trim()),
    }
}
