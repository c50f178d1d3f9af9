//! What a run does: a TOML file, or one of those that are built in.

use serde::{Deserialize, Serialize};

use crate::Failed;

/// What a run does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub about: String,
    /// Users, with a device each that sends and hears.
    pub users: u32,
    /// The part of the users who have a second device, which hears only. It goes into no room.
    #[serde(default)]
    pub second_devices: f64,
    /// Seconds of load before anything is counted.
    #[serde(default = "ten")]
    pub warm_up_s: f64,
    /// Seconds that are counted.
    #[serde(default = "thirty")]
    pub window_s: f64,
    /// Connections that are opened in a second, at most, before the load.
    #[serde(default = "thousand")]
    pub connect_per_s: u32,
    /// Bytes of a message's text.
    #[serde(default = "text_bytes")]
    pub text_bytes: usize,
    /// Pushes of a device after which it acknowledges them; a second after the first of them at the latest.
    #[serde(default = "ack_every")]
    pub ack_every: u32,
    /// Pushes of a device after which it marks the last one's conversation as read; 0: never. Users with a second device mark nothing.
    #[serde(default)]
    pub read_every: u32,
    /// When messages are due.
    #[serde(default)]
    pub arrivals: Arrivals,
    /// Messages under way at one time, of all generators; what is due beyond it is `behind`.
    #[serde(default = "in_flight")]
    pub in_flight: usize,
    /// Whether a push that comes again on one connection, or behind a later one, is a fault; otherwise both are counted.
    #[serde(default = "yes")]
    pub strict_pushes: bool,
    /// The part of users whose unread counts and lists are judged at the end.
    #[serde(default = "whole")]
    pub judge_part: f64,
    /// Seconds after the load in which everything must be there.
    #[serde(default = "sixty")]
    pub settle_s: f64,
    /// Decides who sends to whom, and when.
    #[serde(default)]
    pub seed: u64,
    /// What is sent.
    #[serde(default)]
    pub traffic: Vec<Traffic>,
    /// Devices that go and come back all the time.
    #[serde(default)]
    pub churn: Option<Churn>,
    /// All devices dropped at once.
    #[serde(default)]
    pub storm: Option<Storm>,
    /// Devices that are away until much has been said.
    #[serde(default)]
    pub catch_up: Option<CatchUp>,
    /// What has to hold.
    #[serde(default)]
    pub gates: Gates,
}

/// When messages are due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// At any moment, independently of one another.
    #[default]
    Poisson,
    /// At equal distances.
    Uniform,
}

/// A kind of traffic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Traffic {
    /// Single chats: each user has chats with so many others.
    Single {
        /// Messages a second.
        rate: f64,
        /// Chats that each user begins.
        #[serde(default = "one")]
        peers: u32,
        /// How much more the busiest chats get: the exponent of a Zipf law; 0: all alike.
        #[serde(default)]
        zipf: f64,
    },
    /// Groups.
    Group {
        /// Messages a second.
        rate: f64,
        /// How many.
        groups: u32,
        /// Members of each.
        members: u32,
        /// As of single chats.
        #[serde(default)]
        zipf: f64,
    },
    /// Chatrooms.
    Room {
        /// Messages a second.
        rate: f64,
        /// How many.
        rooms: u32,
        /// Devices in each.
        members: u32,
    },
    /// Messages of the app's server, by the REST API, to single users, or to groups.
    Rest {
        /// Messages a second.
        rate: f64,
        /// Members of the groups that they go to; 0: to single users.
        #[serde(default)]
        members: u32,
        /// Connections that send them.
        #[serde(default = "sixteen")]
        connections: u32,
    },
}

/// Devices that go and come back all the time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Churn {
    /// Devices that go in a second.
    pub per_s: f64,
    /// Seconds until they come back.
    pub away_s: f64,
}

/// All devices dropped at once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storm {
    /// Seconds of the window before it.
    pub at_s: f64,
    /// Over how many seconds they come back; 0: at once.
    #[serde(default)]
    pub spread_s: f64,
}

/// Devices that are away until much has been said.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatchUp {
    /// The part of users that is away until the window is over.
    pub part: f64,
}

/// Limits; what is absent is not limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gates {
    /// 99 of a hundred acknowledgements.
    pub ack_p99_ms: Option<f64>,
    /// 99 of a hundred deliveries.
    pub delivery_p99_ms: Option<f64>,
    /// Refusals and failures for each message that was due.
    pub error_ratio: Option<f64>,
    /// Messages that are due and not acknowledged at the window's end, in seconds of the offered rate.
    pub behind_s: Option<f64>,
    /// 99 of a hundred delays of the generator itself, from when a message is due to when it is written. Beyond it the other figures
    /// are the generator's. Absent: 20.
    pub generator_lag_ms: Option<f64>,
    /// Entries that were missing without a word of it. Absent: 0.
    pub unannounced: Option<f64>,
    /// Seconds until all devices are back after a storm.
    pub back_s: Option<f64>,
    /// Seconds until devices that were away have everything.
    pub caught_up_s: Option<f64>,
    /// How far a server's memory may grow in an hour, in MiB; a slope within its error does not count.
    pub resident_growth_mib: Option<f64>,
    /// The same of the generator. Absent: 32 in a soak, for what a report keeps of each second and of each look at a server.
    pub generator_growth_mib: Option<f64>,
}

fn one() -> u32 {
    1
}
fn sixteen() -> u32 {
    16
}
fn ten() -> f64 {
    10.0
}
fn thirty() -> f64 {
    30.0
}
fn sixty() -> f64 {
    60.0
}
fn thousand() -> u32 {
    1000
}
fn text_bytes() -> usize {
    128
}
fn ack_every() -> u32 {
    32
}
fn in_flight() -> usize {
    20_000
}
fn yes() -> bool {
    true
}
fn whole() -> f64 {
    1.0
}

impl Traffic {
    /// Messages a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        match self {
            Self::Single { rate, .. } | Self::Group { rate, .. } | Self::Room { rate, .. } | Self::Rest { rate, .. } => *rate,
        }
    }

    /// Sets that.
    pub fn set_rate(&mut self, wanted: f64) {
        match self {
            Self::Single { rate, .. } | Self::Group { rate, .. } | Self::Room { rate, .. } | Self::Rest { rate, .. } => {
                *rate = wanted;
            }
        }
    }

    /// Its name in a report.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Single { .. } => "single",
            Self::Group { .. } => "group",
            Self::Room { .. } => "room",
            Self::Rest { .. } => "rest",
        }
    }
}

/// Those that are built in, and their texts.
pub const BUILT_IN: [(&str, &str); 13] = [
    ("idle", include_str!("../scenarios/idle.toml")),
    ("single-uniform", include_str!("../scenarios/single-uniform.toml")),
    ("single-skewed", include_str!("../scenarios/single-skewed.toml")),
    ("small-groups", include_str!("../scenarios/small-groups.toml")),
    ("large-groups", include_str!("../scenarios/large-groups.toml")),
    ("hot-room", include_str!("../scenarios/hot-room.toml")),
    ("room-at-cap", include_str!("../scenarios/room-at-cap.toml")),
    ("quiet-room", include_str!("../scenarios/quiet-room.toml")),
    ("reconnect-storm", include_str!("../scenarios/reconnect-storm.toml")),
    ("churn", include_str!("../scenarios/churn.toml")),
    ("catch-up", include_str!("../scenarios/catch-up.toml")),
    ("broadcast", include_str!("../scenarios/broadcast.toml")),
    ("mixed-day", include_str!("../scenarios/mixed-day.toml")),
];

/// Smaller, or larger, than the scenario says.
#[derive(Debug, Clone, Default)]
pub struct Size {
    /// Users; groups and rooms shrink and grow with them.
    pub users: Option<u32>,
    /// Messages a second, all kinds together.
    pub rate: Option<f64>,
    /// Seconds of the window.
    pub seconds: Option<f64>,
    /// Seconds before it.
    pub warm_up: Option<f64>,
    /// Decides who sends to whom, and when.
    pub seed: Option<u64>,
}

impl Scenario {
    /// One that is built in, by its name, or else the file of this path.
    ///
    /// # Errors
    /// When there is no such file, or it is no scenario.
    pub fn find(name: &str) -> Result<Self, Failed> {
        match BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
            Some((_, text)) => Self::parse(text),
            None => Self::parse(&std::fs::read_to_string(name).map_err(|error| format!("{name}: {error}"))?),
        }
    }

    /// Reads a scenario's text.
    ///
    /// # Errors
    /// When it is none, or asks for what cannot be.
    pub fn parse(text: &str) -> Result<Self, Failed> {
        let scenario: Self = toml::from_str(text)?;
        scenario.check()?;
        Ok(scenario)
    }

    fn check(&self) -> Result<(), Failed> {
        let wrong = if self.users < 2 {
            "users: at least 2"
        } else if self.window_s <= 0.0 || self.warm_up_s < 0.0 || self.settle_s <= 0.0 {
            "times: above 0"
        } else if !(0.0..=1.0).contains(&self.judge_part) || !(0.0..=1.0).contains(&self.second_devices) {
            "judge_part, second_devices: between 0 and 1"
        } else if self.traffic.iter().any(|traffic| !traffic.rate().is_finite() || traffic.rate() < 0.0) {
            "traffic.rate: not below 0"
        } else if self.text_bytes > 4000 {
            "text_bytes: at most 4000"
        } else {
            return Ok(());
        };
        Err(wrong.into())
    }

    /// Messages a second, all kinds together.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.traffic.iter().map(Traffic::rate).sum()
    }

    /// Another rate, the ratios of the kinds kept.
    pub fn set_rate(&mut self, rate: f64) {
        let now = self.rate();
        for traffic in self.traffic.iter_mut().filter(|_| now > 0.0) {
            traffic.set_rate(traffic.rate() / now * rate);
        }
    }

    /// Another size.
    ///
    /// # Errors
    /// When it cannot be.
    pub fn resize(&mut self, size: &Size) -> Result<(), Failed> {
        if let Some(users) = size.users {
            let part = f64::from(users) / f64::from(self.users);
            self.users = users;
            for traffic in &mut self.traffic {
                shrink(traffic, users, part);
            }
        }
        if let Some(rate) = size.rate {
            self.set_rate(rate);
        }
        self.window_s = size.seconds.unwrap_or(self.window_s);
        self.warm_up_s =
            size.warm_up.unwrap_or(if size.seconds.is_some() { self.warm_up_s.min(self.window_s / 3.0) } else { self.warm_up_s });
        if let Some(storm) = &mut self.storm {
            storm.at_s = storm.at_s.min(self.window_s / 3.0);
        }
        self.seed = size.seed.unwrap_or(self.seed);
        self.check()
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of users fit")]
fn shrink(traffic: &mut Traffic, users: u32, part: f64) {
    let scaled = |count: u32| ((f64::from(count) * part).round() as u32).max(1);
    match traffic {
        Traffic::Single { peers, .. } => *peers = (*peers).min(users / 2).max(1),
        Traffic::Group { groups, members, .. } => {
            *groups = scaled(*groups);
            *members = (*members).min(users);
        }
        Traffic::Room { members, .. } => *members = scaled(*members).clamp(2, users),
        Traffic::Rest { members, .. } => *members = (*members).min(users),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_in_is_sound_and_has_its_name() {
        for (name, _) in BUILT_IN {
            let mut scenario = Scenario::find(name).unwrap();
            assert_eq!(scenario.name, name);
            assert!(!scenario.about.is_empty(), "{name}");
            let size = Size { users: Some(20), rate: Some(50.0), seconds: Some(1.0), ..Size::default() };
            scenario.resize(&size).unwrap();
            assert!(scenario.traffic.is_empty() || (scenario.rate() - 50.0).abs() < 0.01, "{name}");
        }
    }

    #[test]
    fn what_is_misspelt_is_refused() {
        assert!(Scenario::parse("name='x'\nusers=5\nuser=1").is_err());
        assert!(Scenario::parse("name='x'\nusers=1").is_err());
        assert!(Scenario::parse("name='x'\nusers=5\nsecond_devices=2.0").is_err());
        assert!(Scenario::find("/nowhere.toml").is_err());
    }
}
