//! What the system says of a process, and which processor it is kept on.

use std::collections::BTreeMap;
use std::process::Command;

use crate::Failed;

/// Clock ticks of a second in `/proc`: fixed by the kernel's interface.
const TICKS: f64 = 100.0;

/// What a `stat` of `/proc` says.
struct Stat {
    parent: u32,
    /// Processor time of its own, in seconds.
    own: f64,
    /// That of its children that have ended.
    ended: f64,
}

impl Stat {
    fn read(path: &str) -> Result<Self, Failed> {
        Self::told(&std::fs::read_to_string(path)?).ok_or_else(|| format!("{path} does not read").into())
    }

    fn told(text: &str) -> Option<Self> {
        // The name may hold anything: the fields begin after its closing bracket, with the state and the parent; times from the twelfth on.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            own: (ticks(11)? + ticks(12)?) / TICKS,
            ended: (ticks(13)? + ticks(14)?) / TICKS,
        })
    }
}

/// Processor time used so far, in seconds.
///
/// # Errors
/// When there is no such process.
pub fn cpu_seconds(pid: u32) -> Result<f64, Failed> {
    Ok(Stat::read(&format!("/proc/{pid}/stat"))?.own)
}

/// The same with that of its children, of those too that have ended.
///
/// # Errors
/// When there is no such process.
pub fn family_cpu_seconds(pid: u32) -> Result<f64, Failed> {
    let own = Stat::read(&format!("/proc/{pid}/stat"))?;
    let mut used = own.own + own.ended;
    for entry in std::fs::read_dir("/proc")?.flatten() {
        // What is no process, or has just ended, does not read.
        if let Ok(child) = Stat::read(&entry.path().join("stat").to_string_lossy())
            && child.parent == pid
        {
            used += child.own;
        }
    }
    Ok(used)
}

/// Processor time by the names of the process's threads, in seconds.
///
/// # Errors
/// When there is no such process.
pub fn threads(pid: u32) -> Result<BTreeMap<String, f64>, Failed> {
    let mut by_name = BTreeMap::new();
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let task = task?.path();
        // A thread may end while it is looked at.
        let stat = Stat::read(&task.join("stat").to_string_lossy());
        if let (Ok(name), Ok(stat)) = (std::fs::read_to_string(task.join("comm")), stat) {
            *by_name.entry(name.trim().to_owned()).or_default() += stat.own;
        }
    }
    Ok(by_name)
}

/// Processor time that the host of a virtual machine gave to others while this one wanted it, in seconds since the start.
///
/// # Errors
/// When the system does not tell.
pub fn stolen_seconds() -> Result<f64, Failed> {
    stolen(&std::fs::read_to_string("/proc/stat")?).ok_or_else(|| "/proc/stat does not read".into())
}

/// The eighth number of the line of all processors.
fn stolen(text: &str) -> Option<f64> {
    let all = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    Some(all.split_whitespace().nth(7)?.parse::<f64>().ok()? / TICKS)
}

/// Resident memory, in bytes.
///
/// # Errors
/// When there is no such process.
pub fn resident(pid: u32) -> Result<u64, Failed> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024)
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_what_separates_fields() {
        let stat = Stat::told("7 (a ) b) S 3 7 7 0 -1 4194304 1 0 0 0 120 30 50 0 20 0").unwrap();
        assert_eq!((stat.parent, stat.own, stat.ended), (3, 1.5, 0.5));
        assert!(Stat::told("7 (a) S 3").is_none());
    }

    #[test]
    fn what_the_host_took_is_of_all_processors() {
        assert_eq!(stolen("cpu  1 2 3 4 5 6 7 250 9 10\ncpu0 1 2 3 4 5 6 7 125 9 10\n"), Some(2.5));
        assert_eq!(stolen("cpu  1 2 3\n"), None);
    }

    #[test]
    fn this_process_is_told_of() {
        let pid = std::process::id();
        assert!(family_cpu_seconds(pid).unwrap() >= cpu_seconds(pid).unwrap() - 1.0);
        assert!(resident(pid).unwrap() > 0 && !threads(pid).unwrap().is_empty());
        assert!(cpu_seconds(u32::MAX).is_err());
    }
}
