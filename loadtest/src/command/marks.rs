//! Marks on the time line: what somebody does to the deployment, told beforehand or while it happens.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use crate::Failed;
use crate::report::model::Mark;

/// Numbers from here on are Unix times, not seconds of the load.
const UNIX_S: f64 = 1e9;

/// `25=router killed`.
pub(super) fn mark(text: &str) -> Result<Mark, String> {
    let (at, what) = text.split_once('=').ok_or("second=what")?;
    let at_s = at.parse().map_err(|_| "a second of the load")?;
    Ok(fault(at_s, what))
}

fn fault(at_s: f64, what: &str) -> Mark {
    Mark { at_s, until_s: at_s, kind: "fault".into(), text: what.into() }
}

/// A file that others add lines to while the load runs.
#[derive(Debug)]
pub(super) struct Growing(File);

impl Growing {
    /// What is in it already is of another run.
    pub(super) fn open(path: &Path) -> Result<Self, Failed> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path);
        let mut file = file.map_err(|error| format!("{}: {error}", path.display()))?;
        file.seek(SeekFrom::End(0))?;
        Ok(Self(file))
    }

    /// The marks of a load that began at this Unix time, and the lines that are none.
    pub(super) fn marks(&mut self, started_ms: u64) -> Result<(Vec<Mark>, Vec<String>), Failed> {
        let mut text = String::new();
        self.0.read_to_string(&mut text)?;
        let (mut marks, mut others) = (Vec::new(), Vec::new());
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match read(line, started_ms) {
                Some(mark) => marks.push(mark),
                None => others.push(line.to_owned()),
            }
        }
        Ok((marks, others))
    }
}

/// A second of the load, or a Unix time in seconds; a space; what was done.
fn read(line: &str, started_ms: u64) -> Option<Mark> {
    let (at, what) = line.split_once(char::is_whitespace)?;
    let at: f64 = at.parse().ok().filter(|at: &f64| at.is_finite())?;
    Some(fault(if at >= UNIX_S { at - started_ms as f64 / 1000.0 } else { at }, what.trim()))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn only_what_is_added_is_read_with_either_kind_of_time() {
        let file = tempfile::NamedTempFile::new().unwrap();
        writeln!(&file, "3 of the run before").unwrap();
        let mut growing = Growing::open(file.path()).unwrap();
        writeln!(&file, "2.5 router killed\n\nwhatever\n1790000007.25  back").unwrap();
        let (marks, others) = growing.marks(1_790_000_000_000).unwrap();
        let told: Vec<_> = marks.iter().map(|mark| (mark.at_s, mark.text.as_str())).collect();
        assert_eq!(told, [(2.5, "router killed"), (7.25, "back")]);
        assert_eq!(others, ["whatever"]);
        assert!(Growing::open(Path::new("/nowhere/marks")).is_err());
        assert!(mark("3=x").is_ok() && mark("x=3").is_err() && mark("3").is_err());
    }
}
