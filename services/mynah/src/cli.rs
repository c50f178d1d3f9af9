//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// A self-hosted instant-messaging backend in one process.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Cli {
    /// Folder of all data.
    #[arg(long, env = "MYNAH_DATA_DIR", default_value = "data", global = true)]
    pub data_dir: PathBuf,
    /// What to do; `serve` if nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to serve.
    #[command(flatten)]
    pub serve: Serve,
}

/// Where to listen.
#[derive(Debug, Args)]
pub struct Serve {
    /// Public address: devices.
    #[arg(long, env = "MYNAH_HTTP_LISTEN", default_value = "127.0.0.1:8080", global = true)]
    pub http_listen: SocketAddr,
    /// Operations address: health and readiness.
    #[arg(long, env = "MYNAH_OPS_LISTEN", default_value = "127.0.0.1:9180", global = true)]
    pub ops_listen: SocketAddr,
}

/// Commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve until a signal.
    Serve,
    /// Manage apps, before or beside a running server.
    App {
        /// Print JSON.
        #[arg(long, global = true)]
        json: bool,
        /// What to do.
        #[command(subcommand)]
        action: AppAction,
    },
}

/// What to do with apps.
#[derive(Debug, Subcommand)]
pub enum AppAction {
    /// Make an app; its secret is printed once.
    Create {
        /// A name for people.
        #[arg(long, default_value = "app")]
        name: String,
    },
    /// List apps.
    List,
    /// Give an app a new secret.
    RotateSecret {
        /// The app's key.
        appkey: String,
    },
    /// Put an app out of service, its devices at once.
    Disable {
        /// The app's key.
        appkey: String,
    },
}
