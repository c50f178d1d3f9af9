//! Commands to a deployment that another process holds: a line each way over a socket in its folder.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use crate::{Cluster, Error};

fn socket(folder: &Path) -> PathBuf {
    folder.join("control.sock")
}

/// Takes commands until `down`.
///
/// # Errors
/// When the socket cannot be had.
pub fn serve(mut cluster: Cluster, folder: &Path) -> Result<(), Error> {
    let path = socket(folder);
    // Of an earlier one that is gone: whoever starts has looked.
    _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path)?;
    for stream in listener.incoming() {
        let mut stream = stream?;
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line)?;
        let answer = match obey(&mut cluster, line.trim()) {
            Ok(text) => format!("ok {text}\n"),
            Err(error) => format!("error {}\n", error.to_string().replace('\n', "; ")),
        };
        // Whoever asked may be gone.
        _ = stream.write_all(answer.as_bytes());
        if line.trim() == "down" {
            break;
        }
    }
    drop(cluster);
    _ = std::fs::remove_file(path);
    Ok(())
}

fn obey(cluster: &mut Cluster, line: &str) -> Result<String, Error> {
    let words: Vec<&str> = line.split(' ').collect();
    match words.as_slice() {
        ["status"] => return serde_json::to_string(&cluster.status()).map_err(|error| error.to_string().into()),
        ["kill", name] => cluster.kill(name)?,
        ["stop", name] => cluster.stop(name)?,
        ["pause", name] => cluster.pause(name)?,
        ["resume", name] => cluster.resume(name)?,
        ["cut", name] => cluster.cut(name)?,
        ["heal", name] => cluster.heal(name)?,
        ["start", name] => cluster.start_one(name)?,
        ["flush-redis"] => cluster.flush_redis()?,
        ["down"] => {}
        _ => return Err(format!("no such command: {line}").into()),
    }
    Ok(String::new())
}

/// Has the deployment of a folder do something; answers what it says.
///
/// # Errors
/// When nobody listens there, or it could not be done.
pub fn ask(folder: &Path, command: &str) -> Result<String, Error> {
    let gone = |_| Error::Other("no deployment runs there".into());
    let mut stream = UnixStream::connect(socket(folder)).map_err(gone)?;
    writeln!(stream, "{command}")?;
    let mut answer = String::new();
    BufReader::new(&stream).read_line(&mut answer)?;
    match answer.trim_end().split_once(' ') {
        Some(("ok", text)) => Ok(text.to_owned()),
        Some((_, text)) => Err(Error::Other(text.to_owned())),
        None if answer.trim_end() == "ok" => Ok(String::new()),
        None => Err(Error::Other("the deployment did not answer".into())),
    }
}
