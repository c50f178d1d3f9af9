//! Times and days as requests write them, in the zone that is set.

use time::format_description::BorrowedFormatItem;
use time::macros::{date, format_description};
use time::{Date, PrimitiveDateTime};

const DATE_TIME: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
const DATE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
const EPOCH: Date = date!(1970 - 01 - 01);
const MINUTE_MS: i64 = 60_000;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// `yyyy-MM-dd HH:mm:ss` in a zone, as milliseconds since 1970.
pub(crate) fn moment(text: &str, zone_minutes: i32) -> Option<u64> {
    let time = PrimitiveDateTime::parse(text, DATE_TIME).ok()?;
    let local = time.assume_utc().unix_timestamp().checked_mul(1000)?;
    u64::try_from(local - i64::from(zone_minutes) * MINUTE_MS).ok()
}

/// `yyyy-MM-dd`, as days since 1970.
pub(crate) fn day(text: &str) -> Option<u64> {
    number(Date::parse(text, DATE).ok()?)
}

/// `yyyy-MM-dd HH`, as hours since 1970.
pub(crate) fn hour(text: &str) -> Option<u64> {
    let (date, hour) = text.split_once(' ')?;
    let hour = Some(hour).filter(|hour| hour.len() == 2)?.parse::<u64>().ok().filter(|hour| *hour < 24)?;
    Some(day(date)? * 24 + hour)
}

/// `yyyy-MM`, as the day that the month begins with.
pub(crate) fn month(text: &str) -> Option<u64> {
    day(&format!("{text}-01"))
}

/// The day that the next month begins with.
pub(crate) fn next_month(of: u64) -> Option<u64> {
    let date = date_of(of)?;
    let (year, month) = if date.month() == time::Month::December {
        (date.year() + 1, time::Month::January)
    } else {
        (date.year(), date.month().next())
    };
    number(Date::from_calendar_date(year, month, 1).ok()?)
}

/// The day of a time in a zone, days since 1970.
pub(crate) fn day_of(ms: u64, zone_minutes: i32) -> u64 {
    ms.saturating_add_signed(i64::from(zone_minutes) * MINUTE_MS) / DAY_MS
}

/// A day as `yyyy-MM-dd`.
pub(crate) fn show_day(of: u64) -> String {
    date_of(of).and_then(|date| date.format(DATE).ok()).unwrap_or_default()
}

fn number(date: Date) -> Option<u64> {
    u64::try_from(i64::from(date.to_julian_day()) - i64::from(EPOCH.to_julian_day())).ok()
}

fn date_of(day: u64) -> Option<Date> {
    let day = i32::try_from(day).ok()?;
    Date::from_julian_day(EPOCH.to_julian_day().checked_add(day)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_the_zone() {
        assert_eq!(moment("2015-10-28 15:10:59", 480), Some(1_446_016_259_000));
        assert_eq!(moment("2015-10-28 07:10:59", 0), Some(1_446_016_259_000));
        for bad in ["", "2015-10-28", "2015-13-28 15:10:59", "2015-10-28 24:10:59", "2015-10-28T15:10:59", "1969-12-31 23:00:00"]
        {
            assert_eq!(moment(bad, 0), None, "{bad}");
        }
    }

    #[test]
    fn days_hours_and_months_are_counted() {
        assert_eq!(
            (day("1970-01-01"), day("2026-01-01"), day("1969-12-31"), day("2026-02-30")),
            (Some(0), Some(20_454), None, None)
        );
        assert_eq!((hour("1970-01-02 03"), hour("1970-01-02 24"), hour("1970-01-02")), (Some(27), None, None));
        let december = month("2025-12").unwrap();
        assert_eq!(next_month(december), month("2026-01"));
        assert_eq!(show_day(december), "2025-12-01");
        assert_eq!(day_of(1_767_196_800_000, 480), day("2026-01-01").unwrap());
    }
}
