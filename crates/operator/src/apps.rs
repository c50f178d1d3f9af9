//! `app …`: apps, their rules and grants.

use std::error::Error;

use mynah_directory::{Credentials, Operator};
use mynah_ports::directory_store::{App, AppRules};

use crate::command::AppAction;
use crate::import;

/// Runs one command and prints its outcome.
#[allow(clippy::print_stdout, reason = "the outcome of a command is what it prints")]
pub(crate) async fn run(operator: &Operator, json: bool, action: AppAction) -> Result<(), Box<dyn Error>> {
    match action {
        AppAction::Create { name } => print(json, &operator.create_app(&name).await?),
        AppAction::RotateSecret { appkey } => print(json, &operator.rotate_secret(&appkey).await?),
        AppAction::Disable { appkey } => operator.disable_app(&appkey).await?,
        AppAction::Set { appkey, max_group_members, max_groups_per_user, max_room_members } => {
            let apps = operator.list_apps().await?;
            let app = apps.into_iter().find(|app| app.key.as_str() == appkey).ok_or_else(|| format!("no such app: {appkey}"))?;
            let rules = AppRules {
                max_group_members: max_group_members.unwrap_or(app.rules.max_group_members),
                max_groups_per_user: max_groups_per_user.unwrap_or(app.rules.max_groups_per_user),
                max_room_members: max_room_members.unwrap_or(app.rules.max_room_members),
                ..app.rules
            };
            operator.set_rules(&appkey, rules).await?;
        }
        AppAction::Grant { appkey, target } => operator.set_grant(&appkey, &target, true).await?,
        AppAction::Revoke { appkey, target } => operator.set_grant(&appkey, &target, false).await?,
        AppAction::Grants { appkey } => grants(json, &operator.grants(&appkey).await?),
        AppAction::ImportUsers { appkey, file } => import::run(operator, &appkey, &file).await?,
        AppAction::List => list(json, &operator.list_apps().await?),
    }
    Ok(())
}

#[allow(clippy::print_stdout, reason = "the outcome of a command is what it prints")]
fn list(json: bool, apps: &[App]) {
    if json {
        let shown = apps.iter().map(
            |app| serde_json::json!({"appkey": app.key.as_str(), "name": app.name, "demo": app.demo, "disabled": app.disabled}),
        );
        return println!("{}", shown.collect::<serde_json::Value>());
    }
    for app in apps {
        println!("{}  {}{}", app.key, app.name, if app.disabled { "  (disabled)" } else { "" });
    }
}

#[allow(clippy::print_stdout, reason = "the outcome of a command is what it prints")]
fn grants(json: bool, keys: &[String]) {
    if json {
        return println!("{}", serde_json::json!(keys));
    }
    keys.iter().for_each(|key| println!("{key}"));
}

#[allow(clippy::print_stdout, reason = "the outcome of a command is what it prints")]
fn print(json: bool, made: &Credentials) {
    let (appkey, secret) = (made.appkey.to_string(), made.master_secret.to_string());
    if json {
        println!("{}", serde_json::json!({"appkey": appkey, "master_secret": secret}));
    } else {
        println!("appKey:       {appkey}\nmasterSecret: {secret}");
    }
}
