//! A flame graph of the servers' processor in the middle of a run: everything that works there, by the name of its thread.
//!
//! Needs `perf` of the system's kernel tools, and `inferno-collapse-perf` and `inferno-flamegraph` (`cargo install inferno`).

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{CPUS, Outcome};
use crate::codegen::root;

/// Samples a second, and of how many bytes of a stack. More of them would disturb what is measured.
const SAMPLES: (&str, &str) = ("299", "dwarf,16384");
/// For how long.
const SECONDS: &str = "10";

/// A profile that is being taken.
pub(super) struct Profile {
    recording: Child,
    samples: PathBuf,
}

impl Profile {
    /// From now on.
    pub(super) fn begin(name: &str) -> Outcome<Self> {
        let samples = root().join(format!("target/measure/{name}.perf"));
        let recording = Command::new("perf")
            .args(["record", "--quiet", "-F", SAMPLES.0, "--call-graph", SAMPLES.1, "-C", &CPUS.0.to_string(), "-o"])
            .arg(&samples)
            .args(["--", "sleep", SECONDS])
            .spawn()?;
        Ok(Self { recording, samples })
    }

    /// Draws it.
    pub(super) fn draw(mut self, title: &str, to: &Path) -> Outcome {
        if !self.recording.wait()?.success() {
            return Err("perf recorded nothing".into());
        }
        let stacks = self.samples.with_extension("stacks");
        let mut script = Command::new("perf")
            .args(["script", "--no-inline", "-i"])
            .arg(&self.samples)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = script.stdout.take().ok_or("perf says nothing")?;
        let folded = Command::new("inferno-collapse-perf").stdin(output).stdout(std::fs::File::create(&stacks)?).status()?;
        if !script.wait()?.success() || !folded.success() {
            return Err("the profile cannot be read".into());
        }
        let drawn = Command::new("inferno-flamegraph")
            .args(["--title", title, "--minwidth", "0.3"])
            .arg(&stacks)
            .stdout(std::fs::File::create(to)?)
            .status()?;
        std::fs::remove_file(&self.samples)?;
        if drawn.success() { Ok(()) } else { Err("the profile cannot be drawn".into()) }
    }
}
