//! `cargo xtask skew COMMIT`: binaries of an older commit beside those of the tree, in one deployment under faults and load, judged by what
//! clients saw.

use std::error::Error;
use std::path::Path;
use std::process::Command;

use crate::codegen::root;
use crate::steps::{cargo, run};

const USAGE: &str =
    "usage: cargo xtask skew COMMIT [--kinds gateway,directory,router] [--log-databases N] [--rounds N] [--seed N]";

/// What is mixed, and how it is tried.
struct Words<'a> {
    commit: &'a str,
    kinds: Vec<&'a str>,
    log_databases: &'a str,
    rounds: &'a str,
    seed: &'a str,
}

/// Builds both versions, and runs the faults.
///
/// # Errors
/// The older commit does not build, or what clients saw is against the mix.
pub fn skew(words: &[&str]) -> Result<(), Box<dyn Error>> {
    let words = read(words).ok_or(USAGE)?;
    let folder = root().join("target/skew");
    let tree = folder.join("tree");
    older(words.commit, &folder, &tree)?;
    // As long as one commit is asked for again and again, only its first time takes long.
    let built = folder.join("build");
    let built_name = built.display().to_string();
    run(env!("CARGO"), &["build", "-p", "mynah-cluster", "--target-dir", &built_name], &tree)?;
    cargo(&["build", "-p", "mynah-cluster", "-p", "mynah-loadtest"])?;
    let skewed = folder.join("skewed");
    _ = std::fs::remove_dir_all(&skewed);
    std::fs::create_dir_all(&skewed)?;
    for kind in &words.kinds {
        std::fs::copy(built.join("debug").join(kind), skewed.join(kind))?;
    }
    let skewed = skewed.display().to_string();
    let faults =
        ["faults", "--binaries", "target/debug", "--users", "100", "--skewed", &skewed, "--log-databases", words.log_databases];
    let faults: Vec<&str> = faults.into_iter().chain(["--rounds", words.rounds, "--seed", words.seed]).collect();
    run("target/debug/loadtest", &faults, &root())
}

fn read<'a>(words: &[&'a str]) -> Option<Words<'a>> {
    let (commit, rest) = words.split_first()?;
    let mut read = Words { commit, kinds: vec!["gateway", "directory", "router"], log_databases: "2", rounds: "28", seed: "7" };
    for pair in rest.chunks(2) {
        match pair {
            ["--kinds", kinds] => read.kinds = kinds.split(',').collect(),
            ["--log-databases", count] => read.log_databases = count,
            ["--rounds", count] => read.rounds = count,
            ["--seed", seed] => read.seed = seed,
            _ => return None,
        }
    }
    Some(read)
}

/// The files of a commit, in a folder of their own.
fn older(commit: &str, folder: &Path, tree: &Path) -> Result<(), Box<dyn Error>> {
    let known =
        Command::new("git").args(["rev-parse", "--verify", &format!("{commit}^{{commit}}")]).current_dir(root()).output()?;
    if !known.status.success() {
        return Err(format!("git knows no {commit}").into());
    }
    let (rev, mark) = (String::from_utf8(known.stdout)?, folder.join("commit"));
    if std::fs::read_to_string(&mark).is_ok_and(|built| built == rev) {
        return Ok(());
    }
    _ = std::fs::remove_dir_all(tree);
    std::fs::create_dir_all(tree)?;
    let archive = folder.join("tree.tar");
    let done = Command::new("git").args(["archive", "--output"]).arg(&archive).arg(commit).current_dir(root()).status()?;
    if !done.success() {
        return Err(format!("git has no files of {commit}").into());
    }
    // New to cargo, which would take what it built of a younger commit for it.
    run("tar", &["-xmf", &archive.display().to_string()], tree)?;
    Ok(std::fs::write(mark, rev)?)
}
