//! The commands as they are typed.

use std::path::PathBuf;

use clap::Subcommand;

/// What an operator can do to a deployment.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Manage apps, before or beside a running server.
    App {
        /// Print JSON.
        #[arg(long, global = true)]
        json: bool,
        /// What to do.
        #[command(subcommand)]
        action: AppAction,
    },
    /// Have an app's server told of each message that its users send.
    Callback {
        /// What to do.
        #[command(subcommand)]
        action: CallbackAction,
    },
}

/// What to do with an app's callback.
#[derive(Debug, Subcommand)]
pub enum CallbackAction {
    /// Set where messages are told. Prints the secret that signs each call.
    Set {
        /// The app's key.
        appkey: String,
        /// An address that begins with https://
        url: String,
        /// Send the app's own credentials along, as the hosted service does. Whoever has the address then has the app.
        #[arg(long)]
        with_master_secret: bool,
        /// Allow an address inside a private network, and http://
        #[arg(long)]
        allow_private: bool,
    },
    /// Show where messages are told.
    Show {
        /// The app's key.
        appkey: String,
    },
    /// Make another secret and print it. Both sign until it is called again with --done.
    Rotate {
        /// The app's key.
        appkey: String,
        /// The old secret signs no more.
        #[arg(long)]
        done: bool,
    },
    /// Tell no more.
    Remove {
        /// The app's key.
        appkey: String,
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
    /// Change an app's rules.
    Set {
        /// The app's key.
        appkey: String,
        /// Members that a group may have.
        #[arg(long, value_parser = clap::value_parser!(u32).range(2..=100_000))]
        max_group_members: Option<u32>,
        /// Groups that a user may be in.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        max_groups_per_user: Option<u32>,
        /// Members that a chatroom may have.
        #[arg(long, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
        max_room_members: Option<u32>,
    },
    /// Give an app a new secret.
    RotateSecret {
        /// The app's key.
        appkey: String,
    },
    /// Let an app's server act on another app's users, groups and chatrooms (the cross-app endpoints). One direction.
    Grant {
        /// The key of the app that acts.
        appkey: String,
        /// The key of the app that is acted on.
        target: String,
    },
    /// Take a grant back.
    Revoke {
        /// The key of the app that acted.
        appkey: String,
        /// The key of the app that was acted on.
        target: String,
    },
    /// List the apps that an app's server may act on.
    Grants {
        /// The app's key.
        appkey: String,
    },
    /// Import users of another service with the hashes of their passwords, one JSON object a line:
    /// {"username":…, "password_md5":… or "password_argon2id":…, "nickname":…, "avatar":…}. Names that are taken are passed over.
    ImportUsers {
        /// The app's key.
        appkey: String,
        /// The file; - for standard input.
        file: PathBuf,
    },
    /// Put an app out of service, its devices at once.
    Disable {
        /// The app's key.
        appkey: String,
    },
}
