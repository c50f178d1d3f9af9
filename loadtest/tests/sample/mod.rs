//! A made-up run: small groups, a gateway that is killed at 40 s, and devices that come back.

use mynah_loadtest::report::model::{Brief, Gate, Machine, Mark, Quantiles, Report, Second, Series, Traffic};
use mynah_oracle::Dice;
use serde_json::json;

/// A number between 0 and 1.
fn unit(dice: &mut Dice) -> f64 {
    dice.below(1_000_000) as f64 / 1e6
}

/// How hard the fault is felt at a second: 1 while the gateway is away, then less and less.
fn hurt(at: f64) -> f64 {
    if (40.0..46.0).contains(&at) {
        1.0
    } else if at >= 46.0 {
        (-(at - 46.0) / 3.0).exp()
    } else {
        0.0
    }
}

fn quantiles(p50: f64, count: u64) -> Quantiles {
    let at = |part: f64| p50 * (1.0 + 0.9 * (-(1.0 - part).log10() - 0.301).max(-0.3)).powf(1.9);
    let mut curve: Vec<(f64, f64)> =
        (0..90).map(|nth| 1.0 - 10_f64.powf(-f64::from(nth) / 15.0)).map(|part| (part, at(part))).collect();
    curve.push((1.0, at(0.999_999_5)));
    Quantiles { count, mean: p50 * 1.3, p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(0.999_999_5), curve }
}

fn traffic(rate: u64, fan: u64, window_s: u64, p50: f64) -> Traffic {
    Traffic {
        offered: rate * window_s,
        sends: (rate * window_s).saturating_sub(41),
        sends_per_s: rate as f64 - 1.366_67,
        deliveries: (rate * fan * window_s).saturating_sub(377),
        deliveries_per_s: (rate * fan) as f64 - 6.3,
        ack_ms: quantiles(p50, rate * window_s),
        delivery_ms: quantiles(p50 * 1.7, rate * fan * window_s),
    }
}

fn second(at: u64, dice: &mut Dice) -> Second {
    let at_s = at as f64;
    let ramp = (at_s / 8.0).min(1.0);
    let hurt = hurt(at_s);
    let offered = (2500.0 * ramp) as u64;
    let sends = (2500.0 * ramp * (1.0 - 0.45 * hurt) * (0.985 + 0.03 * unit(dice)) + if at == 47 { 900.0 } else { 0.0 }) as u64;
    let p50 = 2.1 + 0.5 * unit(dice) + 40.0 * hurt;
    let p99 = p50 * (3.2 + 1.5 * unit(dice)) + 900.0 * hurt;
    let max = p99 * (1.5 + 2.0 * unit(dice)) + 2500.0 * hurt;
    let later = |by: f64| Brief { p50: p50 * by, p99: p99 * by, max: max * by };
    Second {
        at_s,
        offered,
        sends,
        deliveries: sends * 9,
        errors: (37.0 * hurt) as u64,
        behind: (14.0 + 20.0 * unit(dice) + 4400.0 * hurt) as u64,
        connected: 4096 - (1365.0 * hurt) as u64,
        ack_ms: later(1.0),
        delivery_ms: later(1.6),
    }
}

fn series(source: &str, name: &str, unit_name: &str, seconds: u64, dice: &mut Dice, of: impl Fn(f64, f64) -> f64) -> Series {
    let points = (0..=seconds).map(|at| (at as f64 + 0.3, of(at as f64, unit(dice)))).collect();
    Series { source: source.to_owned(), name: name.to_owned(), unit: unit_name.to_owned(), points }
}

fn all_series(seconds: u64, dice: &mut Dice) -> Vec<Series> {
    let mut all = Vec::new();
    for (source, share) in [("gateway-1", 0.9), ("gateway-2", 0.86), ("router-1", 0.6)] {
        let dip = |at: f64| if source == "gateway-2" { 1.0 - hurt(at) } else { 1.0 + 0.3 * hurt(at) };
        let ramp = |at: f64| (at / 8.0).min(1.0);
        all.push(series(source, "cpu_cores", "cores", seconds, dice, |at, noise| {
            share * ramp(at) * dip(at) * (0.93 + 0.1 * noise)
        }));
        all.push(series(source, "resident_bytes", "bytes", seconds, dice, |at, noise| {
            (41.0 + 30.0 * ramp(at) + noise) * share * dip(at).max(0.2) * 1_048_576.0
        }));
        let waits = "mynah_delivery_queue_seconds_mean";
        all.push(series(source, waits, "seconds", seconds, dice, |at, noise| 0.002 * noise + 0.4 * hurt(at)));
    }
    all.push(series("router-1", "mynah_log_batch_entries_mean", "", seconds, dice, |_, noise| 18.0 + 6.0 * noise));
    all.push(series("router-1", "mynah_delivery_lag_seconds_mean", "seconds", seconds, dice, |at, noise| {
        0.004 + 0.003 * noise + 0.8 * hurt(at)
    }));
    all
}

/// The run, `seconds` long with its warm-up of 10.
pub fn report(seconds: u64, seed: u64) -> Report {
    let mut dice = Dice::new(seed);
    let window = seconds - 10;
    let mut report = Report {
        scenario: "small-groups".to_owned(),
        settings: json!({"users": 4096, "groups": 1000, "members": 10, "payload_bytes": 128, "rate": {"per_s": 2500, "ramp_s": 8}, "drain_s": 30, "accounts": "load-"}),
        targets: vec!["http://127.0.0.1:8080".to_owned(), "http://127.0.0.1:8180".to_owned()],
        machine: Machine {
            processor: "Example Processor 9000 at 2.50 GHz".to_owned(),
            cores: 2,
            memory: 8 * 1024 * 1024 * 1024,
            system: "Linux 6.1.0".to_owned(),
        },
        commit: Some("17317112233445566778899aabbccddeeff00112".to_owned()),
        started_ms: 1_790_000_000_000 + seed * 60_000,
        warm_up_s: 10.0,
        window_s: window as f64,
        total: traffic(2500, 9, window, 2.3 + unit(&mut dice) / 10.0),
        seconds: (1..=seconds).map(|at| second(at, &mut dice)).collect(),
        series: all_series(seconds, &mut dice),
        ..Report::default()
    };
    report.kinds =
        [("group".to_owned(), traffic(2300, 9, window, 2.4)), ("single".to_owned(), traffic(200, 1, window, 1.2))].into();
    report.errors = [("timeout".to_owned(), 204), ("connection closed".to_owned(), 1365), ("871104".to_owned(), 3)].into();
    report.marks = vec![
        mark(10.0, 10.0, "phase", "counting begins"),
        mark(40.0, 46.0, "fault", "gateway-2 killed"),
        mark(seconds as f64 - 4.0, seconds as f64 - 4.0, "phase", "no more is sent"),
    ];
    report.verdict.pass = true;
    report.verdict.judged = report.total.sends;
    report.verdict.sampled = 1.0;
    report.gates = vec![
        Gate { name: "ack_p99_ms".to_owned(), limit: 50.0, value: report.total.ack_ms.p99, held: true },
        Gate { name: "delivery_p99_ms".to_owned(), limit: 80.0, value: report.total.delivery_ms.p99, held: true },
        Gate { name: "error_ratio".to_owned(), limit: 0.02, value: 0.010_48, held: true },
        Gate { name: "sends_per_s".to_owned(), limit: 2400.0, value: report.total.sends_per_s, held: true },
    ];
    report.figures = [("back_s".to_owned(), 5.83)].into();
    report
}

fn mark(at_s: f64, until_s: f64, kind: &str, text: &str) -> Mark {
    Mark { at_s, until_s, kind: kind.to_owned(), text: text.to_owned() }
}

/// What a run says that wants to be more than text.
pub const HOSTILE: &str = "<script>alert(1)</script>\"'&\u{1b}[31m\u{0}\u{202e}]]>--><svg onload=x>";

/// The run with hostile text wherever a report has text.
pub fn hostile() -> Report {
    let mut report = report(70, 1);
    let text = || HOSTILE.to_owned();
    report.scenario = text();
    report.settings = json!({HOSTILE: [HOSTILE, {HOSTILE: HOSTILE}]});
    report.targets = vec![text()];
    report.machine = Machine { processor: text(), system: text(), ..report.machine };
    report.commit = Some(text());
    report.verdict.pass = false;
    report.verdict.lost = 3;
    report.verdict.findings = vec![text()];
    report.gates.push(Gate { name: text(), limit: 1.0, value: 2.0, held: false });
    report.kinds.insert(text(), report.total.clone());
    report.errors.insert(text(), 9);
    report.figures.insert(text(), 1.0);
    report.marks.push(mark(20.0, 30.0, HOSTILE, HOSTILE));
    for series in &mut report.series {
        series.source = text();
        series.unit = text();
    }
    report.series.push(Series { source: text(), name: text(), unit: text(), points: vec![(1.0, 2.0)] });
    report
}
