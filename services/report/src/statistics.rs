//! How much an app sent, and who was active.

use std::sync::Arc;

use mynah_ports::report_index::{Sent, SentTo, Sort};
use mynah_proto::Failure;
use mynah_proto::report::{ActivityReply, ActivityRequest, DayActivity, SentCount, SentReply, SentRequest};

use crate::projector;
use crate::service::{Inner, app, unreadable};

/// Most days of one question.
const MOST_DAYS: u32 = 60;
/// Most hours of one question: three months.
const MOST_HOURS: u64 = 93 * 24;

pub(crate) async fn sent(inner: &Arc<Inner>, request: SentRequest) -> Result<SentReply, Failure> {
    let app = app(&request.appkey)?;
    if request.to_hour.saturating_sub(request.from_hour) > MOST_HOURS {
        return Err(Failure::invalid("to_hour", "is too far from from_hour"));
    }
    projector::followed(inner).await?;
    let counts = inner.deps.index.sent(&app, request.from_hour, request.to_hour).await;
    let counts = counts.map_err(|error| unreadable("report index", &error))?;
    Ok(SentReply { counts: counts.into_iter().map(count).collect() })
}

fn count(sent: Sent) -> SentCount {
    let to = match sent.to {
        SentTo::Single => 1,
        SentTo::Group => 2,
        SentTo::Room => 3,
    };
    let sort = match sent.sort {
        Sort::Text => 1,
        Sort::Image => 2,
        Sort::Voice => 3,
        Sort::Other => 4,
    };
    SentCount { hour: sent.hour, to, sort, count: sent.count }
}

pub(crate) async fn activity(inner: &Arc<Inner>, request: ActivityRequest) -> Result<ActivityReply, Failure> {
    let app = app(&request.appkey)?;
    if !(1..=MOST_DAYS).contains(&request.days) {
        return Err(Failure::invalid("days", "must be from 1 to 60"));
    }
    projector::followed(inner).await?;
    let mut days = Vec::new();
    for day in (request.first_day..).take(request.days as usize) {
        let active = inner.deps.index.active(&app, day).await.map_err(|error| unreadable("report index", &error))?;
        days.push(DayActivity { senders: active.senders, groups: active.groups });
    }
    Ok(ActivityReply { days })
}
