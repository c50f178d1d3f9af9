//! Days and hours of a zone, and the stretch of time that each is.

use mynah_ports::report_index::Stretch;
use mynah_types::Millis;

const HOUR_MS: u64 = 3_600_000;

/// A zone, by its distance from UTC.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Zone {
    east_ms: i64,
}

impl Zone {
    pub(crate) fn new(minutes: i32) -> Self {
        Self { east_ms: i64::from(minutes) * 60_000 }
    }

    /// The day and the hour of a time, both since 1970.
    pub(crate) fn of(self, time: Millis) -> (u64, u64) {
        let hour = time.saturating_add_signed(self.east_ms) / HOUR_MS;
        (hour / 24, hour)
    }

    /// When a day begins.
    pub(crate) fn begin(self, day: u64) -> Millis {
        (day * 24 * HOUR_MS).saturating_add_signed(-self.east_ms)
    }

    /// Milliseconds of a day at a time: its first for one before it, its last for one after it.
    pub(crate) fn within(self, day: u64, time: Millis) -> u32 {
        u32::try_from(time.saturating_sub(self.begin(day)).min(24 * HOUR_MS - 1)).unwrap_or(u32::MAX)
    }

    /// The stretch that an hour is.
    pub(crate) fn hour(self, hour: u64) -> Stretch {
        let from = (hour * HOUR_MS).saturating_add_signed(-self.east_ms);
        Stretch { from, to: from + HOUR_MS - 1 }
    }

    /// The hours that a stretch touches, each with the part of it that belongs to the stretch.
    pub(crate) fn hours(self, stretch: Stretch) -> impl Iterator<Item = (u64, Stretch)> {
        let end = self.of(stretch.to).1;
        let begin = if stretch.from > stretch.to { end + 1 } else { self.of(stretch.from).1 };
        (begin..=end).map(move |hour| {
            let whole = self.hour(hour);
            (hour, Stretch { from: whole.from.max(stretch.from), to: whole.to.min(stretch.to) })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_cover_a_stretch_without_a_hole() {
        for minutes in [480, 0, -570] {
            let zone = Zone::new(minutes);
            let stretch = Stretch { from: 1_795_600_000_123, to: 1_795_612_345_678 };
            let hours: Vec<_> = zone.hours(stretch).collect();
            assert_eq!((hours[0].1.from, hours[hours.len() - 1].1.to), (stretch.from, stretch.to));
            assert!(hours.windows(2).all(|pair| pair[0].1.to + 1 == pair[1].1.from && pair[0].0 + 1 == pair[1].0));
            assert!(hours.iter().all(|(hour, part)| zone.of(part.from).1 == *hour && zone.of(part.to).1 == *hour));
        }
        assert_eq!(Zone::new(480).hours(Stretch { from: 1, to: 0 }).count(), 0);
    }

    #[test]
    fn a_day_begins_at_midnight_of_the_zone() {
        // 2026-01-01 00:00 in UTC+8.
        let midnight = 1_767_196_800_000;
        let zone = Zone::new(480);
        assert_eq!(zone.of(midnight).0, zone.of(midnight - 1).0 + 1);
        assert_eq!(zone.of(midnight).1 % 24, 0);
    }
}
