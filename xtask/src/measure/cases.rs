//! What is measured: each case a scenario on a deployment.

/// A case: its name, the command and scenario, further arguments.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) command: &'static str,
    pub(super) scenario: &'static str,
    pub(super) further: &'static [&'static str],
    pub(super) on: On,
}

/// What is driven.
#[derive(Clone, Copy)]
pub(super) enum On {
    /// The embedded server.
    Embedded,
    /// A distributed deployment.
    Distributed(Parts),
}

/// Of a distributed deployment; one directory belongs to each.
#[derive(Clone, Copy)]
pub(super) struct Parts {
    pub(super) gateways: usize,
    pub(super) routers: usize,
    /// Whether the engines are on the generator's processor: what is ours has one alone then.
    pub(super) engines_apart: bool,
}

const fn case(name: &'static str, command: &'static str, scenario: &'static str, further: &'static [&'static str]) -> Case {
    Case { name, command, scenario, further, on: On::Embedded }
}

const fn distributed(
    name: &'static str,
    (gateways, routers): (usize, usize),
    scenario: &'static str,
    further: &'static [&'static str],
) -> Case {
    let parts = Parts { gateways, routers, engines_apart: false };
    Case { name, command: "run", scenario, further, on: On::Distributed(parts) }
}

/// The same with engines elsewhere than what is ours.
const fn apart(case: Case) -> Case {
    match case.on {
        On::Embedded => case,
        On::Distributed(parts) => Case { on: On::Distributed(Parts { engines_apart: true, ..parts }), ..case },
    }
}

/// More than a core takes: what it takes tells what sharding costs.
const FEW: &[&str] = &["--users", "200", "--rate", "8000"];
/// A room of 3,000, and single chats beside it.
const ROOM: &[&str] = &["--users", "3100", "--rate", "120"];

/// More than a core takes is offered where the rate is the figure; `search` finds the highest that is stable, for as many times as long.
pub(super) const CASES: &[Case] = &[
    case("single-chats", "run", "single-uniform", &["--rate", "16000"]),
    case("single-chats-half", "run", "single-uniform", &["--rate", "6000"]),
    case("skewed-chats", "run", "single-skewed", &["--rate", "16000"]),
    case("small-groups", "run", "small-groups", &["--rate", "8000"]),
    case("large-groups", "run", "large-groups", &["--rate", "250"]),
    case("quiet-room", "run", "quiet-room", &[]),
    case("hot-room", "run", "hot-room", &[]),
    case("room-at-cap", "run", "room-at-cap", &["--own-flag", "--room-pushes-per-second=250000"]),
    case("reconnect-storm", "run", "reconnect-storm", &[]),
    case("churn", "run", "churn", &[]),
    case("catch-up", "run", "catch-up", &[]),
    case("mixed-day", "run", "mixed-day", &[]),
    distributed("distributed-1", (1, 1), "single-uniform", FEW),
    distributed("distributed-2", (1, 2), "single-uniform", FEW),
    distributed("distributed-3", (1, 3), "single-uniform", FEW),
    distributed("distributed-half", (1, 1), "single-uniform", &["--users", "200", "--rate", "2000"]),
    distributed("distributed-gateways", (2, 2), "single-uniform", FEW),
    distributed("distributed-groups", (2, 2), "small-groups", &["--users", "410", "--rate", "1000"]),
    distributed("distributed-quiet-room", (2, 2), "quiet-room", ROOM),
    distributed("distributed-hot-room", (2, 2), "hot-room", ROOM),
    apart(distributed("apart-1", (1, 1), "single-uniform", FEW)),
    apart(distributed("apart-3", (1, 3), "single-uniform", FEW)),
    apart(distributed("apart-quiet-room", (2, 2), "quiet-room", ROOM)),
    apart(distributed("apart-hot-room", (2, 2), "hot-room", ROOM)),
    distributed("distributed-storm", (2, 2), "reconnect-storm", &["--users", "3000"]),
    case("search-single-chats", "search", "single-uniform", &["--from", "4000"]),
    case("search-small-groups", "search", "small-groups", &["--from", "2000"]),
    case("search-rest", "search", "broadcast", &["--from", "1000"]),
];
