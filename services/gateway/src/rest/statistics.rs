//! Statistics. Days, hours and months are those of the zone that is set.

use mynah_proto::directory::{GrowthDay, GrowthRequest};
use mynah_proto::report::{ActivityRequest, DayActivity, SentCount, SentRequest};
use serde_json::{Value, json};

use super::call::{Answer, Call, Outcome};
use super::moments;
use super::refusal::Refusal;

const MOST_DAYS: u32 = 60;
const MOST_MONTHS: u32 = 2;
const HOURS: u64 = 24;

const SINGLE: u32 = 1;
const GROUP: u32 = 2;

pub(crate) async fn users(call: Call) -> Outcome {
    let row = |(day, grown, active): (u64, GrowthDay, DayActivity)| {
        json!({
            "date": moments::show_day(day),
            // Who spoke was there, even if he came the day before.
            "active_users": grown.logged_in.max(active.senders),
            "total_users": grown.users,
            "send_msg_users": active.senders,
            "new_users": grown.new_users,
        })
    };
    Answer::ok(by_day(&call).await?.map(row).collect())
}

pub(crate) async fn groups(call: Call) -> Outcome {
    let row = |(day, grown, active): (u64, GrowthDay, DayActivity)| {
        json!({
            "date": moments::show_day(day),
            "active_group": active.groups,
            "total_group": grown.groups,
            "new_group": grown.new_groups,
        })
    };
    Answer::ok(by_day(&call).await?.map(row).collect())
}

/// Each day that is asked for: how the app stood, and what was said on it.
async fn by_day(call: &Call) -> Result<impl Iterator<Item = (u64, GrowthDay, DayActivity)>, Refusal> {
    let (first_day, days) = days(call)?;
    let grown = call.directory().growth(GrowthRequest { app_id: call.app.app_id, first_day, days }).await?;
    let request = ActivityRequest { appkey: call.app.appkey.clone(), first_day, days };
    let active = call.gateway.deps.report.activity(request).await?;
    Ok((first_day..).zip(grown.days.into_iter().zip(active.days)).map(|(day, (grown, active))| (day, grown, active)))
}

pub(crate) async fn messages(call: Call) -> Outcome {
    let slots = slots(&call)?;
    let (Some(first), Some(last)) = (slots.first(), slots.last()) else {
        return Err(Refusal::invalid("duration", "must be at least 1"));
    };
    let request = SentRequest { appkey: call.app.appkey.clone(), from_hour: first.from, to_hour: last.until - 1 };
    let counts = call.gateway.deps.report.sent(request).await?.counts;
    let in_slot = |slot: &Slot, to| sum(&counts, |sent| sent.to == to && (slot.from..slot.until).contains(&sent.hour));
    let by_time = slots
        .iter()
        .map(|slot| json!({"time": slot.name, "group_send_msg": in_slot(slot, GROUP), "single_send_msg": in_slot(slot, SINGLE)}));
    Answer::ok(json!({
        "send_msg_stat": by_time.collect::<Vec<_>>(),
        "group_msg_stat": by_sort(&counts, GROUP),
        "single_msg_stat": by_sort(&counts, SINGLE),
    }))
}

fn sum(counts: &[SentCount], of: impl Fn(&SentCount) -> bool) -> u64 {
    counts.iter().filter(|sent| of(sent)).map(|sent| sent.count).sum()
}

fn by_sort(counts: &[SentCount], to: u32) -> Value {
    let of = |sort| sum(counts, |sent| sent.to == to && sent.sort == sort);
    json!({"txt_msg": of(1), "image_msg": of(2), "voice_msg": of(3), "other_msg": of(4)})
}

/// A stretch that is counted by itself: hours since 1970.
struct Slot {
    name: String,
    from: u64,
    until: u64,
}

fn slots(call: &Call) -> Result<Vec<Slot>, Refusal> {
    let start = required(call, "start")?;
    match required(call, "time_unit")? {
        "HOUR" => {
            let form = || Refusal::invalid("start", "must be an hour of today as yyyy-MM-dd HH");
            let first = moments::hour(start).ok_or_else(form)?;
            let day = first / HOURS;
            if day != moments::day_of(call.gateway.deps.clock.now_ms(), call.zone()) {
                return Err(form());
            }
            let left = HOURS - first % HOURS;
            let hours = duration(call, u32::try_from(left).unwrap_or(1))?;
            let name = |hour: u64| format!("{} {:02}", moments::show_day(hour / HOURS), hour % HOURS);
            Ok((first..).take(hours as usize).map(|hour| Slot { name: name(hour), from: hour, until: hour + 1 }).collect())
        }
        "DAY" => {
            let (first, days) = days(call)?;
            let slot = |day| Slot { name: moments::show_day(day), from: day * HOURS, until: (day + 1) * HOURS };
            Ok((first..).take(days as usize).map(slot).collect())
        }
        "MONTH" => months(call, start),
        _ => Err(Refusal::invalid("time_unit", "must be HOUR, DAY or MONTH")),
    }
}

fn months(call: &Call, start: &str) -> Result<Vec<Slot>, Refusal> {
    let form = || Refusal::invalid("start", "must be a month as yyyy-MM");
    let mut first = moments::month(start).ok_or_else(form)?;
    let mut slots = Vec::new();
    for _ in 0..duration(call, MOST_MONTHS)? {
        let next = moments::next_month(first).ok_or_else(form)?;
        let name = moments::show_day(first).chars().take(7).collect();
        slots.push(Slot { name, from: first * HOURS, until: next * HOURS });
        first = next;
    }
    Ok(slots)
}

/// First day and number of days, where nothing but days is counted.
fn days(call: &Call) -> Result<(u64, u32), Refusal> {
    if required(call, "time_unit")? != "DAY" {
        return Err(Refusal::invalid("time_unit", "must be DAY"));
    }
    let first = moments::day(required(call, "start")?);
    let first = first.ok_or_else(|| Refusal::invalid("start", "must be a day as yyyy-MM-dd"))?;
    Ok((first, duration(call, MOST_DAYS)?))
}

fn required<'a>(call: &'a Call, name: &str) -> Result<&'a str, Refusal> {
    call.query.text(name).ok_or_else(|| Refusal::invalid(name, "is missing"))
}

fn duration(call: &Call, most: u32) -> Result<u32, Refusal> {
    let duration = required(call, "duration")?.parse().ok().filter(|duration| (1..=most).contains(duration));
    duration.ok_or_else(|| Refusal::invalid("duration", &format!("must be an integer from 1 to {most}")))
}
