//! What a run found, as it is kept in a file: what the page shows, the terminal sums up, and `compare` reads.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A run, whole.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The scenario's name.
    pub scenario: String,
    /// The scenario's settings as they were used, for the reader.
    pub settings: serde_json::Value,
    /// Gateways that were driven, as they were named.
    pub targets: Vec<String>,
    /// What the run was made on.
    pub machine: Machine,
    /// The source that the generator was built from, if it is known.
    pub commit: Option<String>,
    /// When the load began: Unix time in milliseconds.
    pub started_ms: u64,
    /// Seconds of load before anything was counted.
    pub warm_up_s: f64,
    /// Seconds that were counted.
    pub window_s: f64,
    /// The judgement.
    pub verdict: Verdict,
    /// What was asked to hold, and what was found.
    pub gates: Vec<Gate>,
    /// All kinds of traffic together; the figures are of the window.
    pub total: Traffic,
    /// Each kind of traffic (`single`, `group`, `room`, `rest`, …) by itself.
    pub kinds: BTreeMap<String, Traffic>,
    /// Refusals and failures by code, or by a word where there is no code.
    pub errors: BTreeMap<String, u64>,
    /// The run second by second, the warm-up with it.
    pub seconds: Vec<Second>,
    /// What servers told of themselves meanwhile.
    pub series: Vec<Series>,
    /// Phases and faults on the time line.
    pub marks: Vec<Mark>,
    /// Figures of single scenarios, by name: seconds until all were back, bytes a connection, …
    pub figures: BTreeMap<String, f64>,
}

/// What a run was made on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    /// Processors that the generator may use.
    pub cores: usize,
    /// Memory in bytes.
    pub memory: u64,
    /// The system and its release.
    pub system: String,
}

/// The judgement by what clients saw.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Nothing below is against it.
    pub pass: bool,
    /// Acknowledged and not to be had.
    pub lost: u64,
    /// Twice in one conversation.
    pub doubled: u64,
    /// Out of order, or beside a hole.
    pub reordered: u64,
    /// Seen by one who may not.
    pub leaked: u64,
    /// Unread counts that were not right.
    pub unread: u64,
    /// Messages that were judged.
    pub judged: u64,
    /// More was odd than a judge remembers: the judgement is not whole, and the run has failed.
    #[serde(default)]
    pub overflown: bool,
    /// The part of users whose lists and unread counts were judged: 1 unless the scenario asked for less. Messages all are.
    pub sampled: f64,
    /// What was found, in words; the first hundred.
    pub findings: Vec<String>,
}

/// A limit that the scenario sets.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// What is limited: `ack_p99_ms`, `delivery_p99_ms`, `error_ratio`, …
    pub name: String,
    /// The limit.
    pub limit: f64,
    /// What was found.
    pub value: f64,
    /// Whether it held.
    pub held: bool,
}

/// What one kind of traffic came to in the window.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// Messages that were due.
    pub offered: u64,
    /// Messages that were acknowledged.
    pub sends: u64,
    /// The same a second.
    pub sends_per_s: f64,
    /// Messages that reached a device by push.
    pub deliveries: u64,
    /// The same a second.
    pub deliveries_per_s: f64,
    /// From when a message was due to its acknowledgement.
    pub ack_ms: Quantiles,
    /// From when a message was due to its arrival at a device.
    pub delivery_ms: Quantiles,
}

/// Latencies in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// How many.
    pub count: u64,
    /// The mean.
    pub mean: f64,
    /// Half of them.
    pub p50: f64,
    /// 90 of a hundred.
    pub p90: f64,
    /// 99 of a hundred.
    pub p99: f64,
    /// 999 of a thousand.
    pub p999: f64,
    /// The longest.
    pub max: f64,
    /// The whole curve: parts of all between 0 and 1, and the latency there; rising, at most 100 points.
    pub curve: Vec<(f64, f64)>,
}

/// A second of the run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// Its end, in seconds since the load began.
    pub at_s: f64,
    /// Messages that were due.
    pub offered: u64,
    /// Messages that were acknowledged.
    pub sends: u64,
    /// Messages that reached a device.
    pub deliveries: u64,
    /// Refusals and failures.
    pub errors: u64,
    /// Messages that were due and are not acknowledged yet.
    pub behind: u64,
    /// Devices that are logged in.
    pub connected: u64,
    /// Acknowledgements of this second.
    pub ack_ms: Brief,
    /// Arrivals of this second.
    pub delivery_ms: Brief,
}

/// Latencies of a second, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Brief {
    /// Half of them.
    pub p50: f64,
    /// 99 of a hundred.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// One figure of one server over time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// The server: its name or address.
    pub source: String,
    /// The figure: `cpu_cores`, `resident_bytes`, or a metric's name with its labels.
    pub name: String,
    /// `bytes`, `cores`, `per_s`, `seconds`, or nothing for a number.
    pub unit: String,
    /// Seconds since the load began, and the value.
    pub points: Vec<(f64, f64)>,
}

/// A stretch, or a moment, of the run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// When it began, in seconds since the load began.
    pub at_s: f64,
    /// When it ended; the same for a moment.
    pub until_s: f64,
    /// `phase` or `fault`.
    pub kind: String,
    /// What it was.
    pub text: String,
}
