//! `loadtest compare` and `loadtest report`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::compare::{compare, differences, render, summary};
use super::model::Report;
use super::read::read;
use super::summary::Style;
use super::{brief, page};
use crate::Failed;

/// Files of runs.
#[derive(Debug, Clone)]
pub struct Runs(Vec<PathBuf>);

fn runs(text: &str) -> Result<Runs, String> {
    let files: Vec<PathBuf> = text.split(',').map(str::trim).filter(|file| !file.is_empty()).map(PathBuf::from).collect();
    if files.is_empty() { Err("no file is named".to_owned()) } else { Ok(Runs(files)) }
}

/// A part of 1 that is not negative.
fn part(text: &str) -> Result<f64, String> {
    text.parse::<f64>()
        .ok()
        .filter(|part| part.is_finite() && *part >= 0.0)
        .ok_or_else(|| "a part of 1 is wanted, as 0.1".to_owned())
}

/// Which runs are compared.
#[derive(Debug, Args)]
pub struct Compare {
    /// Reports of the first side: one file, or several with commas between, whose median and spread count
    #[arg(value_parser = runs)]
    a: Runs,
    /// Reports of the second side
    #[arg(value_parser = runs)]
    b: Runs,
    /// The part by which a figure of B may be worse
    #[arg(long, default_value = "0.1", value_parser = part)]
    tolerance: f64,
    /// Writes the charts of both sides over one another to this page
    #[arg(long)]
    html: Option<PathBuf>,
    /// Compares runs of different scenarios or settings too
    #[arg(long)]
    anyway: bool,
}

/// Which run is shown.
#[derive(Debug, Args)]
pub struct Show {
    /// The report of a run
    file: PathBuf,
    /// Writes the page of the run to this file
    #[arg(long)]
    html: Option<PathBuf>,
    /// Prints the run's object for programs instead of the summary
    #[arg(long)]
    json: bool,
}

/// Compares; answers what the terminal shows, and whether B is not worse.
///
/// # Errors
/// When a file is no report or cannot be written, or when the runs answer different questions.
pub fn run_compare(args: &Compare) -> Result<(String, bool), Failed> {
    let all = |of: &Runs| of.0.iter().map(|file| read(file)).collect::<Result<Vec<Report>, Failed>>();
    let (a, b) = (all(&args.a)?, all(&args.b)?);
    let differences = differences(&a, &b);
    if !differences.question.is_empty() && !args.anyway {
        let told: Vec<String> = differences
            .question
            .iter()
            .chain(&differences.place)
            .map(|line| format!("\n  {}", super::markup::plain(line)))
            .collect();
        return Err(format!(
            "these runs are not of the same scenario and settings (--anyway compares them all the same):{}",
            told.concat()
        )
        .into());
    }
    let comparison = compare(&a, &b, args.tolerance);
    if let Some(file) = &args.html {
        write(file, &render(&a, &b, &comparison, &differences))?;
    }
    Ok((summary(&comparison, &differences, Style::of_stdout()), !comparison.worse()))
}

/// Shows a run again; answers what the terminal shows.
///
/// # Errors
/// When the file is no report, or the page cannot be written.
pub fn run_show(args: &Show) -> Result<String, Failed> {
    let report = read(&args.file)?;
    if let Some(file) = &args.html {
        write(file, &page::render(&report))?;
    }
    Ok(if args.json { format!("{}\n", brief(&report)) } else { super::summary::render(&report, Style::of_stdout()) })
}

fn write(file: &Path, page: &str) -> Result<(), Failed> {
    std::fs::write(file, page).map_err(|error| format!("{}: {error}", file.display()).into())
}
