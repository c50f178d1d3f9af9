//! Settings: one table of keys; a file, the environment and flags, each stronger than the one before. Every problem is told, by the
//! name that the operator wrote, before anything is opened.

use std::fmt;
use std::path::Path;

/// One setting of a program whose settings are an `S`.
pub struct Key<S: 'static> {
    /// Its name in the file. The flag is `--` and the name with dashes, the variable `MYNAH_` and the name in capitals.
    pub name: &'static str,
    /// What it is, its unit and its default, for `--help`.
    pub help: &'static str,
    /// Reads a value into the settings; the error says what a value must be.
    pub set: fn(&mut S, &str) -> Result<(), String>,
}

/// Prefix of environment variables.
const PREFIX: &str = "MYNAH_";

impl<S> Key<S> {
    /// The flag without its dashes.
    #[must_use]
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// The default that the help tells at its end; an empty text where it tells `none`.
    #[must_use]
    pub fn told_default(&self) -> Option<&'static str> {
        let (_, told) = self.help.rsplit_once("[default: ")?;
        told.strip_suffix(']').map(|told| if told == "none" { "" } else { told })
    }

    /// The environment variable.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.to_ascii_uppercase())
    }
}

/// Where settings come from.
pub struct Sources<'a> {
    /// A TOML file.
    pub file: Option<&'a Path>,
    /// The environment.
    pub environment: Vec<(String, String)>,
    /// Flags that were given, by the names of their keys.
    pub flags: Vec<(String, String)>,
}

/// What is wrong with the settings: at least one thing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<String>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bad settings:")?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

/// Reads the settings.
///
/// # Errors
/// Every unknown name and every value that is refused, by name.
pub fn read<S: Default>(keys: &[Key<S>], sources: &Sources<'_>) -> Result<S, Problems> {
    let mut reader = Reader { keys, settings: S::default(), problems: Vec::new() };
    if let Some(path) = sources.file {
        reader.file(path);
    }
    reader.environment(&sources.environment);
    for (name, value) in &sources.flags {
        reader.set(name, value, &format!("--{}", name.replace('_', "-")));
    }
    if reader.problems.is_empty() { Ok(reader.settings) } else { Err(Problems(reader.problems)) }
}

/// Those of the keys whose help tells a default that is not theirs: given as a value, it would change the settings.
#[must_use]
pub fn untrue_defaults<S: Default + fmt::Debug>(keys: &[Key<S>]) -> Vec<&'static str> {
    let defaults = format!("{:?}", S::default());
    let is_true = |key: &&Key<S>| {
        let Some(told) = key.told_default() else { return false };
        let flags = vec![(key.name.to_owned(), told.to_owned())];
        let given = read(keys, &Sources { file: None, environment: Vec::new(), flags });
        given.is_ok_and(|settings| format!("{settings:?}") == defaults)
    };
    keys.iter().filter(|key| !is_true(key)).map(|key| key.name).collect()
}

struct Reader<'a, S: 'static> {
    keys: &'a [Key<S>],
    settings: S,
    problems: Vec<String>,
}

impl<S> Reader<'_, S> {
    fn set(&mut self, name: &str, value: &str, shown: &str) {
        match self.keys.iter().find(|key| key.name == name) {
            None => self.problems.push(format!("{shown}: no such setting")),
            Some(key) => {
                if let Err(why) = (key.set)(&mut self.settings, value) {
                    // An address may hold a password.
                    let given = if value.contains("://") { String::new() } else { format!(" = {value:?}") };
                    self.problems.push(format!("{shown}{given}: {why}"));
                }
            }
        }
    }

    fn file(&mut self, path: &Path) {
        let shown = path.display();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return self.problems.push(format!("{shown}: {error}")),
        };
        let table = match text.parse::<toml::Table>() {
            Ok(table) => table,
            Err(error) => return self.problems.push(format!("{shown}: {error}")),
        };
        for (name, value) in &table {
            match scalar(value) {
                Some(value) => self.set(name, &value, &format!("{shown}: {name}")),
                None => {
                    self.problems.push(format!("{shown}: {name}: must be a text, a number, true or false, or a list of texts"))
                }
            }
        }
    }

    fn environment(&mut self, variables: &[(String, String)]) {
        for (variable, value) in variables {
            let Some(name) = variable.strip_prefix(PREFIX) else { continue };
            // The file's own name is no setting in it.
            if name == "CONFIG" || by_kubernetes(name) {
                continue;
            }
            self.set(&name.to_ascii_lowercase(), value, variable);
        }
    }
}

/// Variables that Kubernetes makes for a service that is called `mynah`.
fn by_kubernetes(name: &str) -> bool {
    name == "PORT"
        || name.starts_with("PORT_")
        || name.ends_with("_PORT")
        || name.contains("_PORT_")
        || name.starts_with("SERVICE_")
        || name.contains("_SERVICE_")
}

fn scalar(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(truth) => Some(truth.to_string()),
        toml::Value::Array(items) => {
            items.iter().map(toml::Value::as_str).collect::<Option<Vec<_>>>().map(|texts| texts.join(","))
        }
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq)]
    struct Two {
        port: u16,
        name: String,
    }

    const KEYS: &[Key<Two>] = &[
        Key { name: "http_listen", help: "", set: |s, v| v.parse().map(|v| s.port = v).map_err(|_| "must be a port".into()) },
        Key {
            name: "name",
            help: "",
            set: |s, v| {
                s.name = v.into();
                Ok(())
            },
        },
    ];

    fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
        of.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "http_listen = 1\nname = \"file\"").unwrap();
        let read = |environment: &[_], flags: &[_]| {
            let sources = Sources { file: Some(file.path()), environment: pairs(environment), flags: pairs(flags) };
            read(KEYS, &sources).unwrap()
        };
        assert_eq!(read(&[], &[]), Two { port: 1, name: "file".into() });
        assert_eq!(read(&[("MYNAH_HTTP_LISTEN", "2"), ("PATH", "x")], &[]).port, 2);
        assert_eq!(read(&[("MYNAH_HTTP_LISTEN", "2")], &[("http_listen", "3")]).port, 3);
    }

    #[test]
    fn a_default_that_is_not_so_is_found() {
        let key = |name, help| Key::<Two> { name, help, set: |s, v| v.parse().map(|v| s.port = v).map_err(|_| "a port".into()) };
        let keys = [key("true", "[default: 0]"), key("other", "[default: 1]"), key("bad", "[default: none]"), key("silent", "")];
        assert_eq!(untrue_defaults(&keys), ["other", "bad", "silent"]);
    }

    #[test]
    fn every_problem_is_told_by_the_name_that_was_written() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "htp_listen = 1\nname = 1.5").unwrap();
        let environment = pairs(&[("MYNAH_NAMES", "x"), ("MYNAH_HTTP_LISTEN", "-1"), ("MYNAH_PORT_8080_TCP_ADDR", "10.0.0.1")]);
        let sources = Sources { file: Some(file.path()), environment, flags: pairs(&[("http_listen", "x")]) };
        let problems = read(KEYS, &sources).unwrap_err().0;
        assert_eq!(problems.len(), 5, "{problems:?}");
        for (problem, name) in problems.iter().zip(["htp_listen", "name", "MYNAH_NAMES", "MYNAH_HTTP_LISTEN", "--http-listen"]) {
            assert!(problem.contains(name), "{problem}");
        }
    }
}
