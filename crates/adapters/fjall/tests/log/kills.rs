//! The writing process is killed, or its disk is full: nothing that was answered is lost.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use mynah_types::{Appended, Seq};

use crate::support::{Writer, open, whole};

/// Names the folder for the child process, which is this test program again.
const FOLDER: &str = "FJALL_TEST_FOLDER";
const SIZE: usize = 300;

/// The child: appends until it is killed, and says what was answered.
#[tokio::test]
#[ignore = "the child process of the kill test"]
async fn writes_until_it_is_killed() {
    let folder = std::env::var(FOLDER).unwrap();
    let mut writer = Writer::on(open(Path::new(&folder)).unwrap()).await;
    loop {
        assert_eq!(writer.next(SIZE).await, Appended::Done);
        println!("answered {}", writer.head);
    }
}

fn child(name: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--ignored", "--nocapture"]).env(FOLDER, folder).stdout(Stdio::piped());
    command
}

#[tokio::test]
async fn twenty_kills_lose_nothing_that_was_answered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut answered: Seq = 0;
    for round in 0..20_u64 {
        let mut writing = child("kills::writes_until_it_is_killed", &path).spawn().unwrap();
        let mut lines = BufReader::new(writing.stdout.take().unwrap()).lines();
        // At another moment each time: in the middle of a commit as well as between two.
        for line in lines.by_ref().take(usize::try_from(3 + round * 7 % 60).unwrap()) {
            let line = line.unwrap();
            answered = line.strip_prefix("answered ").map_or(answered, |n| n.parse().unwrap());
        }
        writing.kill().unwrap();
        // What it still said before it was gone counts too.
        for line in lines.map_while(Result::ok) {
            answered = line.strip_prefix("answered ").map_or(answered, |n| n.parse().unwrap());
        }
        writing.wait().unwrap();
        let log = open(&path).unwrap();
        let there = whole(&log, SIZE).await.unwrap();
        assert!(there >= answered && there <= answered + 1, "round {round}: {answered} answered, {there} there");
        drop(log);
    }
    assert!(answered > 100);
}

/// The child: a small disk of its own runs full; after room was made, everything answered is there.
#[tokio::test]
#[ignore = "the child process of the full disk test"]
async fn fills_its_disk() {
    let folder = std::env::var(FOLDER).unwrap();
    let filler = Path::new(&folder).join("filler");
    std::fs::write(&filler, vec![1; 8 << 20]).unwrap();
    let path = Path::new(&folder).join("log");
    let mut writer = Writer::on(open(&path).unwrap()).await;
    let outcome = loop {
        match writer.next(64 << 10).await {
            Appended::Done => {}
            other => break other,
        }
    };
    assert_eq!(outcome, Appended::Unknown);
    // The process is told to end, and nothing more is taken.
    tokio::time::timeout(std::time::Duration::from_secs(5), writer.log.failed()).await.unwrap();
    assert_eq!(writer.next(10).await, Appended::Unknown);
    let answered = writer.head;
    drop(writer);
    std::fs::remove_file(&filler).unwrap();
    let there = whole(&open(&path).unwrap(), 64 << 10).await.unwrap();
    assert!(there >= answered && there <= answered + 1, "{answered} answered, {there} there");
    println!("full after {answered}");
}

/// A mount of its own in a namespace of its own: needs no root.
#[test]
fn a_full_disk_ends_the_writer_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let program = std::env::current_exe().unwrap();
    let script = "mount -t tmpfs -o size=40m tmpfs \"$FJALL_TEST_FOLDER\" && exec \"$0\" --exact kills::fills_its_disk --ignored --nocapture";
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .arg(&program)
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("full after"), "{said}");
}
