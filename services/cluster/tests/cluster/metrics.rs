//! What running processes export is what the table of metrics says, and what alerts and the dashboard ask for is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use mynah_local_cluster::{Status, get};

use crate::support::Deployment;

/// What alerts and the dashboard ask for and a deployment without trouble does not export: it is counted when it happens.
const NOT_WITHOUT_TROUBLE: &[&str] = &[
    "mynah_bus_commit_failures_total",
    "mynah_bus_publish_failures_total",
    "mynah_delivery_failures_total",
    "mynah_delivery_missed_total",
    "mynah_delivery_postponed_total",
    "mynah_device_kicks_total",
    "mynah_device_lagging",
    "mynah_device_lags_total",
    "mynah_device_rate_limited_total",
    "mynah_device_resyncs_total",
    "mynah_device_room_shed_total",
    "mynah_directory_changes_untold_total",
    "mynah_directory_hashing_refused_total",
    "mynah_directory_kicks_failed_total",
    "mynah_directory_store_failures_total",
    "mynah_log_unknown_appends_total",
    "mynah_media_store_failures_total",
    "mynah_media_uploaded_bytes_total",
    "mynah_media_uploads_total",
    "mynah_report_callbacks_given_up_total",
    "mynah_report_callbacks_total",
    "mynah_report_engine_failures_total",
    "mynah_rest_rate_limited_total",
    "mynah_rest_send_retries_total",
    "mynah_router_calls_repeated_total",
    "mynah_router_directory_behind_total",
    "mynah_router_engine_failures_total",
    "mynah_router_handover_seconds",
    "mynah_router_lives_lost_total",
    "mynah_router_overloaded_total",
    "mynah_router_reloads_total",
    "mynah_router_shards_released_total",
];

/// A metric's kind and labels.
type Shape = (String, BTreeSet<String>);

/// Holds for a deployment that delivered to single chats, groups and rooms.
pub fn are_what_documents_say(deployment: &Deployment) {
    let documented = documented();
    let exported = exported(&deployment.cluster.status());
    for (name, shape) in &exported {
        assert_eq!(Some(shape), documented.get(name), "{name} is not what docs/metrics.md says");
    }
    let (seen, asked): (BTreeSet<&str>, _) = (exported.keys().map(String::as_str).collect(), asked());
    let expected: BTreeSet<&str> = asked.iter().map(String::as_str).filter(|name| !NOT_WITHOUT_TROUBLE.contains(name)).collect();
    assert!(expected.len() > 15, "{expected:?}");
    assert_eq!(expected.difference(&seen).collect::<Vec<_>>(), Vec::<&&str>::new(), "nobody exports them");
}

/// What all processes tell.
fn exported(status: &Status) -> BTreeMap<String, Shape> {
    let gateways = status.gateways.iter().map(|gateway| &gateway.ops);
    let others = status.directories.iter().chain(&status.reports).map(|member| &member.ops);
    let routers = status.routers.iter().map(|router| &router.ops);
    let mut found = BTreeMap::new();
    for address in gateways.chain(others).chain(routers) {
        let port = address.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap();
        let (code, text) = get(port, "/metrics").unwrap();
        assert_eq!(code, 200);
        read(&text, &mut found);
    }
    found
}

/// Reads a page in Prometheus' text form.
fn read(page: &str, found: &mut BTreeMap<String, Shape>) {
    let kinds: BTreeMap<&str, &str> = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    for line in page.lines().filter(|line| line.starts_with("mynah_")) {
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        let whole =
            ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part)).filter(|name| kinds.contains_key(name));
        let name = whole.unwrap_or(name);
        let kind = kinds.get(name).unwrap_or_else(|| panic!("{name} has no type"));
        let labels = line.split_once('{').and_then(|(_, rest)| rest.rsplit_once('}')).map_or("", |(labels, _)| labels);
        let labels = labels.split("\",").filter_map(|label| label.split_once('=')).map(|(name, _)| name.to_owned());
        let labels: BTreeSet<String> = labels.filter(|label| label != "le").collect();
        let (_, all) = found.entry(name.into()).or_insert_with(|| ((*kind).into(), BTreeSet::new()));
        all.extend(labels);
    }
}

fn document(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap()
}

/// The table for operators.
fn documented() -> BTreeMap<String, Shape> {
    let text = document("docs/metrics.md");
    let rows = text.lines().filter(|line| line.starts_with("| `mynah_"));
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let labels = cells[3].split(',').map(|label| label.trim().trim_matches('`').to_owned()).filter(|label| !label.is_empty());
        (cells[1].trim_matches('`').to_owned(), (cells[2].to_owned(), labels.collect()))
    };
    rows.map(row).collect()
}

/// The metrics that alerts and the dashboard name.
fn asked() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let documented = documented();
    for path in ["deploy/monitoring/alerts.yaml", "deploy/monitoring/dashboard.json", "deploy/monitoring/adapter.yaml"] {
        let text = document(path);
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| word.starts_with("mynah_"));
        for word in words {
            let whole = ["_bucket", "_sum", "_count"].iter().find_map(|part| word.strip_suffix(part));
            found.extend(whole.into_iter().chain([word]).find(|name| documented.contains_key(*name)).map(str::to_owned));
        }
    }
    found
}
