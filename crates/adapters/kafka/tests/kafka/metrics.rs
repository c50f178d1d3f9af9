//! What operators are told.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use mynah_kafka::{KafkaBus, Settings};
use mynah_ports::Bus;
use mynah_ports::contract::bus::record;

use crate::support::{PATIENCE, breakable, next, on_new_topic, shared};

fn told() -> &'static PrometheusHandle {
    static TOLD: OnceLock<PrometheusHandle> = OnceLock::new();
    TOLD.get_or_init(|| PrometheusBuilder::new().install_recorder().unwrap())
}

fn value(name: &str, topic: &str) -> f64 {
    let begin = format!("mynah_bus_{name}{{topic=\"{topic}\"}} ");
    told().render().lines().find_map(|line| line.strip_prefix(&begin)?.parse().ok()).unwrap_or(-1.0)
}

async fn until(name: &str, topic: &str, wanted: impl Fn(f64) -> bool) {
    let began = Instant::now();
    while !wanted(value(name, topic)) {
        assert!(began.elapsed() < PATIENCE, "{name} is {}", value(name, topic));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn counts_and_lag_are_told() {
    told();
    let settings = on_new_topic(&shared(), 2);
    let topic = settings.topic.as_str();
    let bus = KafkaBus::start(&settings).unwrap();
    for seq in 1..=8 {
        bus.publish(record(seq, seq)).await.unwrap();
    }
    assert!((value("published_total", topic) - 8.0).abs() < 0.1);
    let mut taken = 0;
    while taken < 8 {
        taken += next(&bus, 8).await.len();
    }
    // The last ones are in hand.
    until("lag_records", topic, |lag| lag >= 1.0).await;
    assert!(tokio::time::timeout(Duration::from_millis(1), bus.next(1)).await.is_err());
    until("lag_records", topic, |lag| lag.abs() < 0.1).await;
    let (commits, read) = (value("commits_total", topic), value("read_total", topic));
    assert!(commits >= 1.0 && (read - 8.0).abs() < 0.1, "{commits} commits, {read} read");
}

#[tokio::test]
async fn positions_that_an_outage_kept_back_are_committed_afterwards() {
    told();
    let mut kafka = breakable().await;
    // Longer than the outage.
    let settings = Settings { session: PATIENCE, ..on_new_topic(&kafka.brokers(), 1) };
    let bus = KafkaBus::start(&settings).unwrap();
    for seq in 1..=4 {
        bus.publish(record(1, seq)).await.unwrap();
    }
    let mut taken = 0;
    while taken < 4 {
        taken += next(&bus, 4).await.len();
    }
    until("lag_records", &settings.topic, |lag| lag >= 1.0).await;
    kafka.kill();
    // Handled, and committed in vain.
    assert!(tokio::time::timeout(Duration::from_secs(1), bus.next(1)).await.is_err());
    kafka.restart().unwrap();
    until("lag_records", &settings.topic, |lag| lag.abs() < 0.1).await;
}

#[tokio::test]
async fn failures_are_told() {
    told();
    let nobody = Settings { acknowledged_within: Duration::from_millis(100), ..on_new_topic("127.0.0.1:1", 1) };
    let bus = KafkaBus::start(&nobody).unwrap();
    assert!(bus.publish(record(1, 1)).await.is_err() && bus.publish(record(1, 2)).await.is_err());
    assert!((value("publish_failures_total", &nobody.topic) - 2.0).abs() < 0.1);
}
