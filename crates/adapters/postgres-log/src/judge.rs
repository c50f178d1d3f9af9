//! Whether databases are what the settings say and belong together, by what they tell of themselves.

use mynah_types::ShardRange;

use crate::log::OpenError;
use crate::schema::{Found, Note, Served};

/// A database as it was looked at: what it is, or why it did not answer.
pub(crate) type Look = Result<Found, String>;

/// What the databases that answered tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    /// The set that they are of; none if all of them are new.
    pub(crate) set: Option<String>,
    /// What they remember of one another, by shards.
    pub(crate) notes: Vec<Note>,
}

fn misplaced(shards: ShardRange, found: impl Into<String>) -> OpenError {
    OpenError::Misplaced { shards, found: found.into() }
}

/// A database has the shards that it should have, and is of the set that it should be of.
pub(crate) fn fits(shards: ShardRange, served: &Served, set: Option<&str>) -> Result<(), OpenError> {
    if served.shards != shards {
        let has = served.shards;
        return Err(misplaced(shards, format!("has shards {has} by its own record, which is fixed once it is written")));
    }
    if set.is_some_and(|set| set != served.set) {
        return Err(misplaced(shards, "is of another set of databases than the others"));
    }
    Ok(())
}

/// Looks at the databases and holds them against one another. They are not looked at in one moment, and other starters may be entering
/// them meanwhile: one that was new when it was looked at is known to the others a moment later. So they are refused only once two looks
/// in a row found the same; all of it was then true at the moment between the two.
pub(crate) async fn settled<F>(mut look: impl FnMut() -> F) -> Result<(Vec<(ShardRange, Look)>, Known), OpenError>
where
    F: Future<Output = Result<Vec<(ShardRange, Look)>, OpenError>>,
{
    let mut looks = look().await?;
    loop {
        let refused = match judge(&looks) {
            Ok(known) => return Ok((looks, known)),
            Err(refused) => refused,
        };
        let again = look().await?;
        if again == looks {
            return Err(refused);
        }
        looks = again;
    }
}

/// Holds the databases against one another before anything is written. They are in the order of their shards.
fn judge(looks: &[(ShardRange, Look)]) -> Result<Known, OpenError> {
    let answered = || looks.iter().filter_map(|(shards, look)| Some((*shards, look.as_ref().ok()?)));
    let mut known = Known { set: None, notes: Vec::new() };
    for (shards, found) in answered() {
        let Some(served) = &found.served else { continue };
        fits(shards, served, known.set.as_deref())?;
        known.set = Some(served.set.clone());
        for note in &found.notes {
            if !known.notes.iter().any(|other| other.shards == note.shards) {
                known.notes.push(note.clone());
            }
        }
    }
    for note in &known.notes {
        let Some((_, look)) = looks.iter().find(|(shards, _)| *shards == note.shards) else {
            return Err(misplaced(note.shards, "is a part of this set, and the settings divide the shards otherwise"));
        };
        if let Ok(found) = look {
            is_noted(note, found)?;
        }
    }
    match answered().next() {
        // The first one begins a set.
        Some((shards, found)) if found.served.is_none() && known.set.is_some() && shards.first() == ShardRange::ALL.first() => {
            Err(misplaced(shards, "is empty, and the others are of a set that is not"))
        }
        _ => Ok(known),
    }
}

fn is_noted(note: &Note, found: &Found) -> Result<(), OpenError> {
    match &found.birth {
        None => Err(misplaced(note.shards, "is empty, and the others know one that is not")),
        Some(birth) if *birth != note.birth => Err(misplaced(note.shards, "is another one than the others know")),
        Some(_) => Ok(()),
    }
}

/// A database that comes late is the one that the others know.
pub(crate) fn is_known(shards: ShardRange, found: &Found, known: &Known) -> Result<(), OpenError> {
    if let Some(served) = &found.served {
        fits(shards, served, known.set.as_deref())?;
    }
    known.notes.iter().filter(|note| note.shards == shards).try_for_each(|note| is_noted(note, found))
}

/// Why those that answered cannot do without the others yet; nothing if they can.
pub(crate) fn waits(looks: &[(ShardRange, Look)], known: &Known) -> Option<String> {
    let whole = |shards: ShardRange| known.set.is_some() && known.notes.iter().any(|note| note.shards == shards);
    let mut away = looks.iter().filter_map(|(shards, look)| Some((*shards, look.as_ref().err()?)));
    away.find(|(shards, _)| !whole(*shards)).map(|(shards, why)| told(looks.len(), shards, why))
}

/// Why a database does not answer; which one, where there are several.
pub(crate) fn told(count: usize, shards: ShardRange, why: &str) -> String {
    if count == 1 { why.to_owned() } else { format!("shards {shards}: {why}") }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn range(text: &str) -> ShardRange {
        text.parse().unwrap()
    }

    fn note(shards: &str, birth: &str) -> Note {
        Note { shards: range(shards), birth: birth.into(), identity: format!("{birth}'") }
    }

    fn both() -> Vec<Note> {
        vec![note("0-127", "a"), note("128-255", "b")]
    }

    fn served(birth: &str, shards: &str, set: &str, notes: Vec<Note>) -> Look {
        Ok(Found { birth: Some(birth.into()), served: Some(Served { set: set.into(), shards: range(shards) }), notes })
    }

    fn new() -> Look {
        Ok(Found::default())
    }

    fn away() -> Look {
        Err("nobody there".into())
    }

    fn two(low: Look, high: Look) -> Vec<(ShardRange, Look)> {
        vec![(range("0-127"), low), (range("128-255"), high)]
    }

    fn refused(looks: &[(ShardRange, Look)]) -> String {
        judge(looks).unwrap_err().to_string()
    }

    #[test]
    fn what_belongs_together_is_taken() {
        let fresh = judge(&two(new(), new())).unwrap();
        assert_eq!(fresh, Known { set: None, notes: vec![] });
        let whole = two(served("a", "0-127", "a", both()), served("b", "128-255", "a", both()));
        assert_eq!(judge(&whole).unwrap(), Known { set: Some("a".into()), notes: both() });
        // The first starter went between the first database and the second.
        let half = two(served("a", "0-127", "a", vec![]), new());
        assert_eq!(judge(&half).unwrap().set.as_deref(), Some("a"));
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let (low, high) = (|| served("a", "0-127", "a", both()), || served("b", "128-255", "a", both()));
        for (looks, why) in [
            (
                two(high(), low()),
                "the message log's database of shards 0-127 has shards 128-255 by its own record, which is fixed once it is written",
            ),
            (
                two(low(), served("c", "128-255", "c", vec![])),
                "the message log's database of shards 128-255 is of another set of databases than the others",
            ),
            (
                two(low(), served("c", "128-255", "a", vec![])),
                "the message log's database of shards 128-255 is another one than the others know",
            ),
            (two(low(), new()), "the message log's database of shards 128-255 is empty, and the others know one that is not"),
            (two(new(), high()), "the message log's database of shards 0-127 is empty, and the others know one that is not"),
            (
                two(new(), served("b", "128-255", "a", vec![])),
                "the message log's database of shards 0-127 is empty, and the others are of a set that is not",
            ),
        ] {
            assert_eq!(refused(&looks), why);
        }
        let other = [(range("0-127"), low()), (range("128-191"), new()), (range("192-255"), new())];
        assert!(
            refused(&other).contains("of shards 128-255 is a part of this set, and the settings divide the shards otherwise")
        );
        let one = [(ShardRange::ALL, low())];
        assert!(refused(&one).contains("of shards 0-255 has shards 0-127"));
    }

    /// Judges one look after the other, as far as is needed.
    async fn judged(looks: impl IntoIterator<Item = Vec<(ShardRange, Look)>>) -> (Result<Known, String>, usize) {
        let mut looks = looks.into_iter();
        let settled = settled(|| std::future::ready(Ok(looks.next().unwrap()))).await;
        (settled.map(|(_, known)| known).map_err(|error| error.to_string()), looks.count())
    }

    #[tokio::test]
    async fn one_that_others_enter_meanwhile_is_looked_at_again() {
        let (low, high) = (|notes| served("a", "0-127", "a", notes), |notes| served("b", "128-255", "a", notes));
        let whole = Known { set: Some("a".into()), notes: both() };
        for early in [two(low(both()), new()), two(new(), high(vec![])), two(new(), high(both()))] {
            let judged = judged([early, two(low(both()), high(both())), two(new(), new())]).await;
            assert_eq!(judged, (Ok(whole.clone()), 1));
        }
    }

    #[tokio::test]
    async fn what_is_found_twice_is_refused() {
        let wrong = || two(served("a", "0-127", "a", both()), new());
        let changed = two(served("a", "0-127", "a", vec![note("128-255", "b")]), new());
        let (judged, left) = judged([wrong(), changed, wrong(), wrong(), wrong()]).await;
        assert_eq!(left, 1);
        assert_eq!(judged.unwrap_err(), refused(&wrong()));
    }

    #[test]
    fn one_that_comes_late_is_held_against_the_others() {
        let known = Known { set: Some("a".into()), notes: both() };
        let late = |look: Look| is_known(range("128-255"), &look.unwrap(), &known).map_err(|error| error.to_string());
        assert_eq!(late(served("b", "128-255", "a", both())), Ok(()));
        assert!(late(new()).unwrap_err().contains("is empty"));
        assert!(late(served("c", "128-255", "a", vec![])).unwrap_err().contains("another one than the others know"));
        assert!(late(served("b", "128-255", "c", vec![])).unwrap_err().contains("another set"));
        assert!(late(served("a", "0-127", "a", vec![])).unwrap_err().contains("has shards 0-127"));
    }

    #[test]
    fn one_may_be_away_when_the_others_know_it() {
        let looks = two(away(), served("b", "128-255", "a", both()));
        let known = judge(&looks).unwrap();
        assert_eq!(waits(&looks, &known), None);
        assert_eq!(known.notes[0].identity, "a'");
        for looks in [two(away(), new()), two(served("a", "0-127", "a", vec![]), away()), two(away(), away())] {
            let known = judge(&looks).unwrap();
            assert!(waits(&looks, &known).unwrap().ends_with("nobody there"));
        }
    }
}
