//! The project's chores, in plain Rust: `cargo xtask test`, `cargo xtask bench …`, `cargo xtask measure …`, `cargo xtask performance …`, `cargo xtask clients`, `cargo xtask codegen [--check]`,
//! `cargo xtask docs [--check]`, `cargo xtask schemathesis`, `cargo xtask cluster …`, `cargo xtask deploy`, `cargo xtask capacity`,
//! `cargo xtask inputs …`, `cargo xtask skew …`.

mod bench;
mod capacity;
mod clients;
mod cluster;
mod codegen;
mod deploy;
mod docs;
mod inputs;
mod measure;
mod performance;
mod python;
mod schemathesis;
mod skew;
mod steps;

const USAGE: &str = "usage: cargo xtask test | bench … | measure … | performance … | clients [suite] | codegen [--check] | docs [--check] | schemathesis | cluster … | \
                     deploy | capacity | inputs … | skew COMMIT …";

fn main() -> std::process::ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["test"] => steps::test(),
        ["bench", words @ ..] => bench::run(words),
        ["measure", words @ ..] => measure::run(words),
        ["performance", words @ ..] => performance::run(words),
        ["clients"] => clients::run(None),
        ["clients", suite] => clients::run(Some(suite)),
        ["codegen"] => codegen::write(),
        ["codegen", "--check"] => codegen::check(),
        ["docs"] => docs::write(),
        ["docs", "--check"] => docs::check(),
        ["schemathesis"] => steps::schemathesis(),
        ["cluster", command @ ..] => cluster::run(command),
        ["deploy"] => deploy::check(),
        ["capacity"] => capacity::write(),
        ["inputs", words @ ..] => inputs::run(words),
        ["skew", words @ ..] => skew::skew(words),
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("xtask: {e}");
            std::process::ExitCode::FAILURE
        }
    }
}
