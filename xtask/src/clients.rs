//! `cargo xtask clients`: real clients of the hosted service, unmodified, against the debug build of the server.
//!
//! A suite that fails fails the command. One that cannot be run is told as skipped, in capitals, and ends so:
//! - a tool is missing (Python, Maven, a JDK): skipped; with `CI` in the environment it fails, for there all tools are installed;
//! - its packages cannot be had from their registry, tried twice: skipped, with `CI` too.

mod server;
mod tools;

use std::error::Error;
use std::path::{Path, PathBuf};

use server::Server;
use tools::{NotRun, Python};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Requests that the server lets an app make in a minute: more than any suite makes, so that the headers of the rate are sent.
const REST_PER_MINUTE: &str = "1000000";

/// A client: how its suite is made ready, which tells the command that runs it.
struct Suite {
    name: &'static str,
    prepare: fn(&Place) -> Outcome<Vec<String>>,
}

const SUITES: [Suite; 3] = [
    Suite {
        name: "jmessage-1",
        prepare: |place| Python { requirements: "jmessage-1.txt", script: "jmessage_1.py" }.prepare(place),
    },
    Suite {
        name: "jmessage-2",
        prepare: |place| Python { requirements: "jmessage-2.txt", script: "jmessage_2.py" }.prepare(place),
    },
    Suite { name: "java", prepare: tools::java },
];

/// Folders of a suite.
struct Place {
    /// `services/mynah/tests/clients`.
    sources: PathBuf,
    /// What was fetched and built, kept between runs.
    kept: PathBuf,
}

/// Runs every suite, or the one that is named.
pub fn run(only: Option<&str>) -> Outcome<()> {
    let chosen: Vec<&Suite> = SUITES.iter().filter(|suite| only.is_none_or(|name| name == suite.name)).collect();
    if chosen.is_empty() {
        return Err(format!("the suites are: {}", SUITES.map(|suite| suite.name).join(", ")).into());
    }
    let root = crate::codegen::root();
    let kept = root.join("target/clients");
    std::fs::create_dir_all(&kept)?;
    let (mut ran, mut skipped) = (0, Vec::new());
    let mut ready = Vec::new();
    for suite in chosen {
        let place = Place { sources: root.join("services/mynah/tests/clients"), kept: kept.join(suite.name) };
        match (suite.prepare)(&place) {
            Ok(command) => ready.push((suite, place, command)),
            Err(error) => match error.downcast::<NotRun>() {
                Ok(why) if why.fails(on_ci()) => return Err(format!("clients: {}: {why}", suite.name).into()),
                Ok(why) => skipped.push((suite.name, why)),
                Err(error) => return Err(format!("clients: {}: {error}", suite.name).into()),
            },
        }
    }
    if !ready.is_empty() {
        let server = Server::start(&root.join("target/debug/mynah"), &kept.join("server.log"))?;
        for (suite, place, command) in &ready {
            eprintln!("== clients: {}", suite.name);
            run_one(&server, &place.sources, command).map_err(|error| format!("clients: {}: {error}", suite.name))?;
            ran += 1;
        }
    }
    skipped.iter().for_each(|(name, why)| eprintln!("clients: SKIPPED {name}: {why}"));
    let names: Vec<&str> = skipped.iter().map(|(name, _)| *name).collect();
    eprintln!("clients: suites run: {ran}, SKIPPED: {} {}", names.len(), names.join(", "));
    Ok(())
}

/// Whether this is a machine where everything that is needed gets installed.
fn on_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty())
}

/// Two apps of its own, each of which may act on the other, and the suite.
fn run_one(server: &Server, folder: &Path, command: &[String]) -> Outcome<()> {
    let (app, other) = (server.app()?, server.app()?);
    server.grant(&app.appkey, &other.appkey)?;
    server.grant(&other.appkey, &app.appkey)?;
    let environment = [
        ("SERVER_URL", server.url().as_str()),
        ("APPKEY", &app.appkey),
        ("MASTER_SECRET", &app.master_secret),
        ("OTHER_APPKEY", &other.appkey),
        ("OTHER_MASTER_SECRET", &other.master_secret),
        ("REST_PER_MINUTE", REST_PER_MINUTE),
    ]
    .map(|(name, value)| (name, value.to_owned()));
    tools::within_time(command, folder, &environment)
}
