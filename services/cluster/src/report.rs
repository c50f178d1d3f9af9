//! The report service as a process: history, statistics and the message callback, from an index on its own disk.

use std::process::ExitCode;
use std::sync::Arc;

use mynah_fjall::FjallReport;
use mynah_ports::MessageLog as _;
use mynah_proto::DirectoryClient;
use mynah_proto::report::report_server::ReportServer;
use mynah_report::{Deps, Report};
use tonic::service::Routes;

use crate::process::{self, Outcome, Process};
use crate::settings::Settings;
use crate::{clock, engines, peers};

/// Runs it.
#[must_use]
pub fn main() -> ExitCode {
    let about = "History, statistics and callbacks of a mynah deployment; one process, since a callback is told by one";
    process::run("report", &process::command("report", about).get_matches(), run)
}

async fn run(settings: Settings) -> Outcome {
    settings
        .require(&[("directories", !settings.directories.is_empty()), ("log_database", !settings.log_database.is_empty())])?;
    let process = Process::begin(settings).await?;
    // The index is of one log as a whole: of a part that is away it would not know whether that is still the same.
    let log = engines::log(&process, true).await?;
    let folder = process.settings.data_dir.join("report");
    std::fs::create_dir_all(&process.settings.data_dir)?;
    let index = FjallReport::open(&folder, &log.log_epoch(), process.settings.product.zone_minutes)?;
    let directory = peers::directory(&process);
    if let Some(first) = log.parts().first() {
        clock::follow(&process.clock, first.clone());
    }
    let report = Report::new(Deps {
        index: Arc::new(index),
        log: Arc::new(log),
        directory: directory.clone(),
        clock: Arc::clone(&process.clock) as _,
        settings: process.settings.product.report(),
    });
    tokio::spawn(report.clone().run());
    let asked = report.clone();
    let ready = move || ready(asked.clone(), directory.clone());
    process.serve_by(ready, Routes::new(ReportServer::new(report))).await
}

/// The log first: its answer is soon there, while a directory that is away is tried for longer than anybody waits here.
async fn ready(report: Report, directory: DirectoryClient) -> Result<(), String> {
    report.works().await.map_err(engines::hinted)?;
    peers::directory_answers(&directory).await
}
