//! The capacity model: `deploy/capacity/model.md`, computed from `deploy/capacity/inputs.md`; committed, with a check that it is current.
//!
//! Reading order: [`Inputs`], [`Load`] (what so many devices do), [`needs`] (what that asks of each binary and engine), the page.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;

use crate::codegen::root;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Online devices that the page is about.
const DEVICES: [f64; 3] = [1e6, 1e7, 1e8];
/// Shards of a deployment, and so the most routers that have work.
const SHARDS: f64 = 256.0;

/// Writes the page into the tree.
///
/// # Errors
/// When an input is missing or no number.
pub fn write() -> Outcome {
    Ok(std::fs::write(root().join("deploy/capacity/model.md"), page(&read()?)?)?)
}

/// Fails if the committed page is not what the inputs give.
///
/// # Errors
/// Then.
pub fn check() -> Outcome {
    let committed = std::fs::read_to_string(root().join("deploy/capacity/model.md")).unwrap_or_default();
    if committed == page(&read()?)? { Ok(()) } else { Err("deploy/capacity/model.md is stale; run cargo xtask capacity".into()) }
}

fn read() -> Outcome<Inputs> {
    Inputs::parse(&std::fs::read_to_string(root().join("deploy/capacity/inputs.md"))?)
}

/// A line of the page: its name, and where its figure comes from.
type Figure = (&'static str, fn(&Needs) -> f64);

/// The figures by name.
struct Inputs(BTreeMap<String, f64>);

impl Inputs {
    /// Reads the rows of the table.
    fn parse(text: &str) -> Outcome<Self> {
        let mut figures = BTreeMap::new();
        for row in text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| name ")) {
            let mut cells = row.trim_matches('|').split('|').map(str::trim);
            let (name, value) = (cells.next().unwrap_or_default(), cells.next().unwrap_or_default());
            let standing = cells.next().unwrap_or_default();
            if !["measured", "to be measured", "assumed"].contains(&standing) {
                return Err(format!("inputs.md: {name}: nobody knows what {standing:?} is worth").into());
            }
            let value: f64 = value.parse().map_err(|_| format!("inputs.md: {name}: {value:?} is no number"))?;
            if value <= 0.0 || figures.insert(name.to_owned(), value).is_some() {
                return Err(format!("inputs.md: {name}: not above 0, or there twice").into());
            }
        }
        Ok(Self(figures))
    }

    fn get(&self, name: &str) -> Outcome<f64> {
        self.0.get(name).copied().ok_or_else(|| format!("inputs.md: {name} is missing").into())
    }
}

/// What so many devices do in a second at peak.
struct Load {
    devices: f64,
    sends: f64,
    group_sends: f64,
    single_sends: f64,
    frames: f64,
    connects: f64,
    reads: f64,
    /// Rows that stay: messages.
    entries: f64,
    /// Rows written: entries, and read positions, which are written over.
    rows: f64,
}

impl Load {
    fn of(devices: f64, inputs: &Inputs) -> Outcome<Self> {
        let get = |name| inputs.get(name);
        let sends = devices * get("sends_per_hour")? / 3600.0;
        let group_sends = sends * get("group_share")?;
        let single_sends = sends - group_sends;
        let reads = devices * get("reads_per_hour")? / 3600.0;
        Ok(Self {
            devices,
            sends,
            group_sends,
            single_sends,
            frames: single_sends * get("single_devices")? + group_sends * get("group_devices")?,
            connects: devices * get("connects_per_hour")? / 3600.0,
            reads,
            entries: sends,
            rows: sends * get("rows_per_send")? + reads * get("rows_per_read")?,
        })
    }
}

/// What a load asks of binaries and engines. Pods and servers are whole; `use` is the part of ONE server that an engine needs.
struct Needs {
    load: Load,
    gateways: f64,
    gateway_cores: f64,
    gateway_gb: f64,
    pushes: f64,
    routers: f64,
    router_cores: f64,
    directories: f64,
    directory_cores: f64,
    fleet_calls: f64,
    report_use: f64,
    log_use: f64,
    log_gb_a_day: f64,
    directory_use: f64,
    kafka_use: f64,
    redis_operations: f64,
    redis_use: f64,
}

fn needs(devices: f64, inputs: &Inputs) -> Outcome<Needs> {
    let load = Load::of(devices, inputs)?;
    let get = |name| inputs.get(name);
    let (busy, rpc, rest) = (get("busy")?, get("rpc_us")?, get("rest_share")?);
    let cores = |microseconds: f64| microseconds / 1e6 / busy;
    // By REST a message costs more than by a device, in the same measure at each process.
    let dearer = 1.0 + rest * (get("rest_send_us")? / get("device_send_us")? - 1.0);
    let calls_a_send = rest * get("directory_calls_per_rest_send")? + (1.0 - rest) * get("new_target_share")?;
    let directory_calls = load.sends * calls_a_send + load.connects * get("directory_calls_per_connect")?;

    let by_devices = devices / get("gateway_devices")?;
    // A record goes to a gateway once, however many of its devices hear it: with few gateways that is less than a record a device.
    let gateways_of = |heard: f64| by_devices.max(1.0) * (1.0 - (1.0 - 1.0 / by_devices.max(1.0)).powf(heard));
    let pushes = load.single_sends * gateways_of(get("single_devices")?) + load.group_sends * gateways_of(get("group_devices")?);
    let gateway_work = load.frames * get("frame_us")?
        + load.sends * get("gateway_send_us")? * dearer
        + load.connects * get("connect_us")?
        + (directory_calls + pushes + load.reads) * rpc;
    let gateway_cores = cores(gateway_work);
    let gateways = by_devices.max(gateway_cores / get("gateway_cores")?).ceil();

    let router_cores = cores(load.sends * get("router_send_us")? * dearer + (load.reads + pushes) * rpc);
    let passwords = load.connects * get("password_share")? * get("password_us")?;
    let directory_work = directory_calls * get("directory_call_us")?;
    let fleet_calls = load.connects * get("kick_share")? * gateways;
    let directory_cores = cores(directory_work + passwords + fleet_calls * rpc);

    // Twice a second each router and each directory looks who is alive: a line a gateway, in one call of a script.
    let routers = (router_cores / get("router_cores")?).ceil();
    let directories = (directory_cores / get("directory_cores")?).ceil();
    // A line for the user, and one for each group that no other device of the gateway is in: all of them at worst. They are told when
    // a device comes and when it goes, and again in each sweep.
    let lines = 1.0 + get("groups_per_user")?;
    let swept = devices * lines / get("redis_sweep_seconds")?;
    let redis_operations = load.connects * 2.0 * lines + load.sends + 2.0 * (routers + directories + gateways);
    let redis_cores = redis_operations / get("redis_operations_per_core_second")? + swept / get("redis_lines_per_core_second")?;
    let postgresql = get("postgresql_cores")? * busy;
    let transactions = directory_calls * get("directory_transactions_per_call")?;
    Ok(Needs {
        gateways,
        gateway_cores,
        gateway_gb: devices * get("connection_kb")? / 1e6,
        pushes,
        routers,
        router_cores,
        directories,
        directory_cores,
        fleet_calls,
        report_use: load.entries / (get("report_rows_per_core_second")? * busy),
        log_use: load.rows / (get("log_rows_per_core_second")? * postgresql),
        log_gb_a_day: load.entries * get("mean_load")? * 86_400.0 * get("message_bytes")? / 1e9,
        directory_use: transactions / (get("directory_transactions_per_core_second")? * postgresql),
        kafka_use: load.group_sends / (get("kafka_records_per_core_second")? * get("kafka_cores")? * busy),
        redis_operations: redis_operations + swept,
        redis_use: redis_cores / busy,
        load,
    })
}

impl Needs {
    /// Engines and those binaries that cannot be made many, by how much of one of them is needed: the first is full first.
    fn order(&self) -> Vec<(&'static str, f64)> {
        let mut all = vec![
            ("message log (one PostgreSQL server)", self.log_use),
            ("report service (one process)", self.report_use),
            ("directory's database (one PostgreSQL server)", self.directory_use),
            ("Redis (one server)", self.redis_use),
            ("Kafka (one broker)", self.kafka_use),
            ("routers (as many as shards)", self.routers / SHARDS),
        ];
        all.sort_by(|a, b| b.1.total_cmp(&a.1));
        all
    }
}

/// The page.
fn page(inputs: &Inputs) -> Outcome<String> {
    let needs = DEVICES.iter().map(|devices| needs(*devices, inputs)).collect::<Outcome<Vec<_>>>()?;
    let mut out = String::from(
        "# Capacity: what so many online devices need\n\n\
         Computed by `cargo xtask capacity` from [inputs.md](inputs.md) by the formulas of [README.md](README.md); not edited by hand. Engines were measured without\n\
         replicas, and how people chat is assumed: read orders of magnitude and the order of saturation, not the last digit.\n\n\
         | at peak | 1 M | 10 M | 100 M |\n|---|---|---|---|\n",
    );
    let rows: [Figure; 21] = [
        ("messages a second", |n| n.load.sends),
        ("frames to devices a second", |n| n.load.frames),
        ("connections made a second", |n| n.load.connects),
        ("rows of the log a second", |n| n.load.rows),
        ("**gateways**", |n| n.gateways),
        ("their cores", |n| n.gateway_cores),
        ("their memory for idle devices, GB", |n| n.gateway_gb),
        ("**routers**", |n| n.routers),
        ("their cores", |n| n.router_cores),
        ("records from routers to gateways a second", |n| n.pushes),
        ("**directories**", |n| n.directories),
        ("their cores", |n| n.directory_cores),
        ("calls that every gateway hears, times gateways, a second", |n| n.fleet_calls),
        ("**report service**: processes that it would take", |n| n.report_use.ceil()),
        ("**message log**: PostgreSQL servers", |n| n.log_use.ceil()),
        ("its growth, GB a day", |n| n.log_gb_a_day),
        ("**directory's database**: PostgreSQL servers", |n| n.directory_use.ceil()),
        ("**Kafka**: brokers, at least 3", |n| n.kafka_use.ceil().max(3.0)),
        ("records of groups and rooms a second", |n| n.load.group_sends),
        ("**Redis**: servers", |n| n.redis_use.ceil()),
        ("its operations a second", |n| n.redis_operations),
    ];
    for (name, value) in rows {
        let cells: Vec<String> = needs.iter().map(|n| short(value(n))).collect();
        writeln!(out, "| {name} | {} |", cells.join(" | "))?;
    }
    out.push_str(
        "\n## What is full first\n\nHow much of ONE of each is needed; above 1 it has to be divided, or does not go.\n\n",
    );
    for n in &needs {
        let order: Vec<String> = n.order().iter().map(|(name, part)| format!("{name} {part:.2}")).collect();
        writeln!(out, "- {} devices: {}", short(n.load.devices), order.join("; "))?;
    }
    Ok(out)
}

/// Three digits are more than the inputs are worth.
fn short(value: f64) -> String {
    let (scaled, unit) = match value {
        v if v >= 1e6 => (v / 1e6, " M"),
        v if v >= 1e4 => (v / 1e3, " k"),
        v => (v, ""),
    };
    let digits = usize::from(scaled < 10.0 && scaled.fract() > 0.05);
    format!("{scaled:.digits$}{unit}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() <= 1e-6 * b.abs(), "{a} is not {b}");
    }

    /// A million devices, computed by hand.
    #[test]
    fn a_million_by_hand() {
        let inputs = read().unwrap();
        let n = needs(1e6, &inputs).unwrap();
        close(n.load.sends, 1e6 * 20.0 / 3600.0);
        close(n.load.frames, n.load.sends * (0.7 * 1.5 + 0.3 * 30.0));
        close(n.load.entries, n.load.sends);
        close(n.load.rows, n.load.sends * 2.0 + 1e6 * 20.0 / 3600.0);
        // Eight cores, half of each planned to be busy.
        close(n.log_use, n.load.rows / (4.0 * inputs.get("log_rows_per_core_second").unwrap()));
        close(n.gateway_gb, 12.0);
        close(n.load.connects, 1e6 * 4.0 / 3600.0);
        // The sweep alone: eleven lines a device in ten minutes.
        assert!(n.redis_operations > 1e6 * 11.0 / 600.0);
    }

    #[test]
    fn a_record_reaches_no_more_gateways_than_there_are_or_than_devices_hear_it() {
        let inputs = read().unwrap();
        let (few, many) = (needs(33_000.0, &inputs).unwrap(), needs(1e8, &inputs).unwrap());
        close(few.pushes, few.load.sends);
        assert!(many.pushes < many.load.frames && many.pushes > 0.9 * many.load.frames);
    }

    #[test]
    fn inputs_of_no_standing_are_refused() {
        for row in ["| a | 1 | guessed | x |", "| a | one | measured | x |", "| a | 0 | measured | x |"] {
            assert!(Inputs::parse(row).is_err(), "{row}");
        }
        assert!(Inputs::parse("| a | 1 | measured | x |\n| a | 2 | measured | x |").is_err());
        assert!(Inputs::parse("| a | 1 | to be measured | x |").unwrap().get("b").is_err());
    }
}
