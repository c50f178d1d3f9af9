//! What the suites are run with: environments of Python packages, jars fetched by Maven, compiled Java. Kept between runs.

use std::error::Error;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Outcome, Place};

/// A suite takes seconds; it may take this.
const SUITE_WITHIN: Duration = Duration::from_secs(120);

/// Why a suite could not be run.
#[derive(Debug)]
pub enum NotRun {
    /// A program is missing.
    Tool(String),
    /// A registry did not give a package.
    Packages(String),
}

impl NotRun {
    /// Where everything is installed, a missing tool is a fault of the set-up.
    pub fn fails(&self, on_ci: bool) -> bool {
        on_ci && matches!(self, Self::Tool(_))
    }
}

impl fmt::Display for NotRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tool(what) => write!(f, "a tool is missing: {what}"),
            Self::Packages(what) => write!(f, "its packages cannot be had: {what}"),
        }
    }
}

impl Error for NotRun {}

/// A Python suite: its packages, each with its version, and its script.
pub struct Python {
    pub requirements: &'static str,
    pub script: &'static str,
}

impl Python {
    /// Makes the environment if it is not there yet, and tells the command.
    pub fn prepare(&self, place: &Place) -> Outcome<Vec<String>> {
        let folder = place.sources.join("python");
        let requirements = folder.join(self.requirements);
        let version = output(&["python3", "--version"])?;
        let wanted = format!("{version}{}", fs::read_to_string(&requirements)?);
        kept(&place.kept, &wanted, || {
            let made = output(&["python3", "-m", "venv", &place.kept.to_string_lossy()]);
            // Debian has the module without what it needs.
            made.map_err(|error| NotRun::Tool(format!("python3 -m venv: {error}")))?;
            let pip = place.kept.join("bin/pip").to_string_lossy().into_owned();
            let options = ["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--timeout", "20", "--retries", "1"];
            fetch(&[&[&*pip], options.as_slice(), &["-r", &requirements.to_string_lossy()]].concat())
        })?;
        let python = place.kept.join("bin/python");
        Ok([&*python.to_string_lossy(), "-B", &*folder.join(self.script).to_string_lossy()].map(str::to_owned).to_vec())
    }
}

/// Fetches the jars if they are not there yet, compiles, and tells the command.
pub fn java(place: &Place) -> Outcome<Vec<String>> {
    let folder = place.sources.join("java");
    let pom = folder.join("pom.xml");
    for tool in [["javac", "-version"], ["mvn", "-version"]] {
        output(&tool)?;
    }
    let jars = place.kept.join("jars");
    kept(&place.kept, &fs::read_to_string(&pom)?, || {
        let into = format!("-DoutputDirectory={}", jars.display());
        fetch(&["mvn", "-B", "-q", "-f", &pom.to_string_lossy(), "dependency:copy-dependencies", &into])
    })?;
    let classes = place.kept.join("classes");
    _ = fs::remove_dir_all(&classes);
    let mut sources = Vec::new();
    for entry in fs::read_dir(folder.join("src"))? {
        sources.push(entry?.path().to_string_lossy().into_owned());
    }
    let (jars, classes) = (format!("{}/*", jars.display()), classes.to_string_lossy().into_owned());
    let options =
        ["javac", "--release", "17", "-encoding", "UTF-8", "-Xlint:all,-serial,-deprecation", "-Werror", "-d", &classes];
    let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
    output(&[options.as_slice(), &["-cp", &jars], &sources].concat())?;
    Ok(["java", "-Dfile.encoding=UTF-8", "-cp", &format!("{classes}:{jars}"), "Suite"].map(str::to_owned).to_vec())
}

/// Makes a folder anew, unless it was made from the same. What it was made from is noted last.
fn kept(folder: &Path, wanted: &str, make: impl FnOnce() -> Outcome<()>) -> Outcome<()> {
    let note = folder.join("made-from");
    if fs::read_to_string(&note).is_ok_and(|made| made == wanted) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    make()?;
    Ok(fs::write(note, wanted)?)
}

/// Asks a registry, a second time if need be.
fn fetch(command: &[&str]) -> Outcome<()> {
    let tried = output(command).or_else(|_| output(command));
    tried.map(drop).map_err(|error| NotRun::Packages(error.to_string()).into())
}

/// What a program writes; an error with all of it if it fails.
fn output(command: &[&str]) -> Outcome<String> {
    let Some((program, arguments)) = command.split_first() else { return Err("no program".into()) };
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().map_err(|error| started(program, &error))?;
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(text) } else { Err(format!("{program}: {}\n{text}", output.status).into()) }
}

fn started(program: &str, error: &std::io::Error) -> Box<dyn Error> {
    match error.kind() {
        ErrorKind::NotFound => NotRun::Tool(program.into()).into(),
        _ => format!("{program}: {error}").into(),
    }
}

/// Runs a suite; one that hangs is ended.
pub fn within_time(command: &[String], folder: &Path, environment: &[(&str, String)]) -> Outcome<()> {
    let Some((program, arguments)) = command.split_first() else { return Err("no program".into()) };
    let variables = environment.iter().map(|(name, value)| (name, value));
    let mut child = Command::new(program).args(arguments).current_dir(folder).envs(variables).stdin(Stdio::null()).spawn()?;
    let began = Instant::now();
    loop {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(format!("failed: {status}").into()),
            None if began.elapsed() > SUITE_WITHIN => {
                child.kill()?;
                child.wait()?;
                return Err(format!("took longer than {} s", SUITE_WITHIN.as_secs()).into());
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}
