//! Servers that end, do not answer or start again while the load runs: marks that nobody has to set.

use crate::report::model::Mark;

/// A page that is asked twice and does not answer is no chance.
const MISSES: u32 = 2;

/// What is known of one source.
#[derive(Debug)]
pub(super) struct Gone {
    name: String,
    is_process: bool,
    seen: bool,
    misses: u32,
    /// When the first of the misses in a row was.
    since_s: f64,
    /// Its place among the marks, while it is gone.
    mark: Option<usize>,
}

impl Gone {
    pub(super) fn new(name: &str, is_process: bool) -> Self {
        Self { name: name.to_owned(), is_process, seen: false, misses: 0, since_s: 0.0, mark: None }
    }

    /// It was looked at: whether it answered, and whether one of its counters fell.
    pub(super) fn looked(&mut self, at_s: f64, answered: bool, fell: bool, marks: &mut Vec<Mark>) {
        if let Some(mark) = self.mark.and_then(|nth| marks.get_mut(nth)) {
            mark.until_s = at_s;
        }
        if answered {
            (self.seen, self.misses, self.mark) = (true, 0, None);
            if fell {
                marks.push(fault(at_s, at_s, format!("{} was started again", self.name)));
            }
            return;
        }
        // Who was never there has not gone.
        if !self.seen {
            return;
        }
        if self.misses == 0 {
            self.since_s = at_s;
        }
        self.misses += 1;
        if self.mark.is_none() && (self.is_process || self.misses >= MISSES) {
            self.mark = Some(marks.len());
            let what = if self.is_process { "is gone" } else { "does not answer" };
            marks.push(fault(self.since_s, at_s, format!("{} {what}", self.name)));
        }
    }
}

fn fault(at_s: f64, until_s: f64, text: String) -> Mark {
    Mark { at_s, until_s, kind: "fault".into(), text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(is_process: bool, looks: &[(f64, bool, bool)]) -> Vec<(f64, f64, String)> {
        let (mut gone, mut marks) = (Gone::new("x", is_process), Vec::new());
        for (at_s, answered, fell) in looks {
            gone.looked(*at_s, *answered, *fell, &mut marks);
        }
        marks.into_iter().map(|mark| (mark.at_s, mark.until_s, mark.text)).collect()
    }

    #[test]
    fn a_page_that_is_away_for_a_while_has_one_mark_from_its_first_miss() {
        let away = [(1.0, false, false), (2.0, true, false), (3.0, false, false), (4.0, true, false), (5.0, false, false)];
        assert!(marks(false, &away).is_empty(), "never twice in a row");
        let away = [(1.0, true, false), (2.0, false, false), (3.0, false, false), (4.0, false, false), (5.0, true, true)];
        let found = marks(false, &away);
        assert_eq!(found, [(2.0, 5.0, "x does not answer".to_owned()), (5.0, 5.0, "x was started again".to_owned())]);
    }

    #[test]
    fn a_process_that_ended_is_gone_for_the_rest_of_the_run() {
        let ended = [(1.0, true, false), (2.0, false, false), (9.0, false, false)];
        assert_eq!(marks(true, &ended), [(2.0, 9.0, "x is gone".to_owned())]);
    }
}
