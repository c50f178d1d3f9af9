//! Where the databases of a log are, and which shards each one has.

use std::str::FromStr;

use mynah_types::{SHARDS, ShardId, ShardRange};

/// A database of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// The shards that it has.
    pub shards: ShardRange,
    /// Its address.
    pub url: String,
}

/// The databases of a log, by their shards. Read from `postgres://…` for one that has everything, or from several with their
/// shards: `0-127=postgres://…,128-255=postgres://…`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Databases(Vec<Database>);

impl Databases {
    /// One database with all shards.
    #[must_use]
    pub fn one(url: impl Into<String>) -> Self {
        Self(vec![Database { shards: ShardRange::ALL, url: url.into() }])
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, by their shards.
    pub fn iter(&self) -> impl Iterator<Item = &Database> {
        self.0.iter()
    }
}

/// The places where a database's shards begin: `0-127=` at the start or after a comma. Another comma may be part of an address.
fn beginnings(text: &str) -> Vec<(usize, ShardRange, usize)> {
    let starts = std::iter::once(0).chain(text.match_indices(',').map(|(place, _)| place + 1));
    let named = starts.filter_map(|start| {
        let (range, _) = text.get(start..)?.split_once('=')?;
        Some((start, range.trim().parse().ok()?, start + range.len() + 1))
    });
    named.collect()
}

impl FromStr for Databases {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let beginnings = beginnings(text);
        match beginnings.first() {
            None if text.is_empty() => return Ok(Self::default()),
            None if text.starts_with(|c: char| c.is_ascii_digit()) => {
                return Err("shards must be written like 0-127=postgres://…, from 0 to 255".into());
            }
            None => return Ok(Self::one(text)),
            Some((start, ..)) if *start > 0 => return Err("every database needs its shards, the first one too".into()),
            Some(_) => {}
        }
        let ends = beginnings.iter().skip(1).map(|(start, ..)| start - 1).chain([text.len()]);
        let mut databases = Vec::new();
        for ((_, shards, start), end) in beginnings.iter().zip(ends) {
            let url = text.get(*start..end).unwrap_or_default().trim();
            if url.is_empty() {
                return Err(format!("the database of shards {shards} has no address"));
            }
            databases.push(Database { shards: *shards, url: url.into() });
        }
        databases.sort_by_key(|database| database.shards);
        each_once(&databases)?;
        Ok(Self(databases))
    }
}

/// Every shard has one database, and no two are one.
fn each_once(databases: &[Database]) -> Result<(), String> {
    for shard in (0..SHARDS).map(ShardId) {
        let having = databases.iter().filter(|database| database.shards.contains(shard)).count();
        match having {
            1 => {}
            0 => return Err(format!("shard {shard} has no database")),
            _ => return Err(format!("shard {shard} has {having} databases")),
        }
    }
    let same = |a: &Database| databases.iter().filter(|b| b.url == a.url).count() > 1;
    match databases.iter().find(|database| same(database)) {
        Some(twice) => Err(format!("the database of shards {} is there twice", twice.shards)),
        None => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(String, String)>, String> {
        let databases: Databases = text.parse()?;
        Ok(databases.iter().map(|d| (d.shards.to_string(), d.url.clone())).collect())
    }

    fn pairs(pairs: &[(&str, &str)]) -> Result<Vec<(String, String)>, String> {
        Ok(pairs.iter().map(|(shards, url)| ((*shards).into(), (*url).into())).collect())
    }

    #[test]
    fn one_address_is_a_database_with_everything() {
        assert_eq!(read("postgres://a/log"), pairs(&[("0-255", "postgres://a/log")]));
        // Several hosts of one database: whichever takes writes.
        assert_eq!(read("postgres://a:1,b:2/log?x=1"), pairs(&[("0-255", "postgres://a:1,b:2/log?x=1")]));
        assert_eq!(read("host=a,b port=1,2"), pairs(&[("0-255", "host=a,b port=1,2")]));
        assert_eq!(read(" "), Ok(vec![]));
    }

    #[test]
    fn several_are_told_apart_by_their_shards() {
        let two = pairs(&[("0-127", "postgres://a:1,b:2/log"), ("128-255", "postgres://c/log")]);
        assert_eq!(read("0-127=postgres://a:1,b:2/log,128-255=postgres://c/log"), two);
        assert_eq!(read(" 128-255 = postgres://c/log, 0-127=postgres://a:1,b:2/log"), two);
        assert_eq!(read("0-254=a, 255=b"), pairs(&[("0-254", "a"), ("255", "b")]));
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (text, why) in [
            ("0-127=a", "shard 128 has no database"),
            ("1-255=a", "shard 0 has no database"),
            ("0-127=a,127-255=b", "shard 127 has 2 databases"),
            ("0-127=a,128-255=a", "the database of shards 0-127 is there twice"),
            ("0-127=,128-255=b", "the database of shards 0-127 has no address"),
            ("0-127=a,128-255=", "the database of shards 128-255 has no address"),
            ("a,128-255=b", "every database needs its shards, the first one too"),
            ("0-127=a,b", "shard 128 has no database"),
            ("0-256=a", "shards must be written like 0-127=postgres://…, from 0 to 255"),
            ("200-100=a", "shards must be written like 0-127=postgres://…, from 0 to 255"),
        ] {
            assert_eq!(read(text), Err(why.into()), "{text}");
        }
    }
}
