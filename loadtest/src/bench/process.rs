//! What the system says of a process: processor time and resident memory.

use std::collections::BTreeMap;

use crate::Failed;

/// Clock ticks of a second in `/proc`: fixed by the kernel's interface.
const TICKS: f64 = 100.0;

/// Processor time used so far, in seconds.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64, Failed> {
    seconds(&format!("/proc/{pid}/stat"))
}

/// The same by the names of the process's threads.
pub(super) fn threads(pid: u32) -> Result<BTreeMap<String, f64>, Failed> {
    let mut by_name = BTreeMap::new();
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let task = task?.path();
        // A thread may end while it is looked at.
        if let (Ok(name), Ok(used)) = (std::fs::read_to_string(task.join("comm")), seconds(&task.join("stat").to_string_lossy()))
        {
            *by_name.entry(name.trim().to_owned()).or_default() += used;
        }
    }
    Ok(by_name)
}

fn seconds(path: &str) -> Result<f64, Failed> {
    let stat = std::fs::read_to_string(path)?;
    // The name may hold blanks: the fields begin after its closing bracket.
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    let ticks: Vec<f64> = fields.split_whitespace().skip(11).take(2).filter_map(|n| n.parse().ok()).collect();
    Ok(ticks.iter().sum::<f64>() / TICKS)
}

/// Resident memory, in bytes.
pub(crate) fn resident(pid: u32) -> Result<u64, Failed> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024)
}
