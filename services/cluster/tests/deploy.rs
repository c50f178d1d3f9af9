//! What `deploy/` sets is what the binaries take: its files of settings, read as the binaries read their environment.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::read_to_string;

use mynah_cluster::settings::{Settings, keys};
use mynah_runtime::settings::{Sources, read};

/// The settings of some files, where each changes single lines of those before it.
fn settings(files: &[&str]) -> Settings {
    let mut environment = std::collections::BTreeMap::new();
    for file in files {
        let text = read_to_string(format!("{}/../../deploy/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (name, value) = line.split_once('=').unwrap();
            environment.insert(name.to_owned(), value.to_owned());
        }
    }
    assert!(!environment.is_empty());
    let sources = Sources { file: None, environment: environment.into_iter().collect(), flags: Vec::new() };
    read(&keys(), &sources).unwrap_or_else(|problems| panic!("{files:?}: {problems}"))
}

#[test]
fn every_value_of_the_overlays_is_taken() {
    for overlay in ["small", "production"] {
        let told = settings(&["base/settings.env", &format!("overlays/{overlay}/settings.env")]);
        assert!(told.grpc_listen.ip().is_unspecified() && told.product.http_listen.ip().is_unspecified(), "others reach it");
        assert!(told.product.ops_listen.ip().is_unspecified(), "probes reach it");
        assert!(told.secret_key_file.is_absolute() && told.data_dir.is_absolute(), "whatever the working folder is");
    }
}

#[test]
fn every_value_of_the_laptop_is_taken() {
    let told = settings(&["compose.env"]);
    // One broker holds one copy.
    assert_eq!(told.kafka_replicas, 1);
    assert!(!told.redis.is_empty() && !told.log_database.is_empty() && !told.directory_database.is_empty());
}
