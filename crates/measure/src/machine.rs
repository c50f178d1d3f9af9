use serde::{Deserialize, Serialize};

/// What something was measured on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    /// Processors that this process may use.
    pub cores: usize,
    /// Memory in bytes.
    pub memory: u64,
    /// The system and its release.
    pub system: String,
}

impl Machine {
    /// The one that this process runs on. What the system does not tell is empty.
    #[must_use]
    pub fn this() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        Self::told(cores, &read("/proc/cpuinfo"), &read("/proc/meminfo"), &read("/proc/sys/kernel/osrelease"))
    }

    fn told(cores: usize, processors: &str, memory: &str, release: &str) -> Self {
        let kib: u64 = field(memory, "MemTotal").trim_end_matches(" kB").parse().unwrap_or(0);
        Self {
            processor: field(processors, "model name").to_owned(),
            cores,
            memory: kib * 1024,
            system: format!("Linux {}", release.trim()),
        }
    }
}

/// The first field of this name, of the form `name : value`.
fn field<'a>(text: &'a str, name: &str) -> &'a str {
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(found, _)| found.trim() == name).map_or("", |(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_described_by_what_the_system_tells() {
        let processors = "processor\t: 0\nmodel name\t: A Processor @ 2.0GHz\n\nprocessor\t: 1\nmodel name\t: Another\n";
        let memory = "MemTotal:       16384 kB\nMemFree:         1024 kB\n";
        let told = Machine::told(2, processors, memory, "6.1.0-arm\n");
        let (processor, system) = ("A Processor @ 2.0GHz".to_owned(), "Linux 6.1.0-arm".to_owned());
        assert_eq!(told, Machine { processor, cores: 2, memory: 16 << 20, system });
        let silent = Machine::told(0, "", "", "");
        assert_eq!((silent.processor.as_str(), silent.memory), ("", 0));
    }
}
