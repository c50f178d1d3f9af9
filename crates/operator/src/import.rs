//! `app import-users`: reads a file of any length, a step at a time.

use std::error::Error;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

use mynah_directory::{ImportedPassword, ImportedUser, Operator};
use mynah_proto::directory::Profile;
use serde::Deserialize;

/// Users of one step.
const STEP: usize = 5000;
/// Longest line, in bytes.
const LINE: u64 = 16 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    username: String,
    password_md5: Option<String>,
    password_argon2id: Option<String>,
    nickname: Option<String>,
    avatar: Option<String>,
}

/// Imports a file, and prints what became of it. Lines that are not taken are told on standard error by their numbers.
#[allow(clippy::print_stdout, reason = "the outcome of a command is what it prints")]
pub(crate) async fn run(operator: &Operator, appkey: &str, file: &Path) -> Result<(), Box<dyn Error>> {
    let mut lines: Box<dyn BufRead> = match file.to_str() {
        Some("-") => Box::new(BufReader::new(std::io::stdin())),
        _ => Box::new(BufReader::new(std::fs::File::open(file).map_err(|error| format!("{}: {error}", file.display()))?)),
    };
    let (mut number, mut taken, mut refused) = (0_u64, 0_u64, 0_u64);
    loop {
        let (mut users, mut numbers) = (Vec::new(), Vec::new());
        // The end of the file, or a line that is none.
        let mut end: Option<Result<(), String>> = None;
        while users.len() < STEP && end.is_none() {
            let mut text = String::new();
            if (&mut lines).take(LINE).read_line(&mut text)? == 0 {
                end = Some(Ok(()));
                continue;
            }
            number += 1;
            if text.trim().is_empty() {
                continue;
            }
            match read(&text) {
                Ok(user) => {
                    users.push(user);
                    numbers.push(number);
                }
                Err(why) => end = Some(Err(format!("line {number}: {why}; what comes before it is imported"))),
            }
        }
        for (number, outcome) in numbers.into_iter().zip(operator.import_users(appkey, users).await?) {
            match outcome {
                Ok(()) => taken += 1,
                Err(why) => {
                    refused += 1;
                    eprintln!("line {number}: {why}");
                }
            }
        }
        if let Some(end) = end {
            end?;
            println!("imported {taken}, passed over {refused}");
            return Ok(());
        }
    }
}

fn read(text: &str) -> Result<ImportedUser, String> {
    if !text.ends_with('\n') && text.len() as u64 >= LINE {
        return Err(format!("is longer than {LINE} bytes"));
    }
    let line: Line = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let password = match (line.password_md5, line.password_argon2id) {
        (Some(md5), None) => ImportedPassword::Md5(md5),
        (None, Some(hash)) => ImportedPassword::Argon2id(hash),
        _ => return Err("must have either password_md5 or password_argon2id".into()),
    };
    let profile = Profile { nickname: line.nickname, avatar: line.avatar, ..Profile::default() };
    Ok(ImportedUser { username: line.username, password, profile })
}
