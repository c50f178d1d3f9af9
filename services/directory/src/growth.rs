//! How an app grew, day by day of the zone that is set.

use mynah_ports::directory_store::Day;
use mynah_proto::{Failure, directory as wire};
use mynah_types::Millis;

use crate::{Inner, convert};

const DAY_MS: Millis = 24 * 60 * 60 * 1000;
const MINUTE_MS: i64 = 60_000;
/// Most days of one question.
const MOST_DAYS: u32 = 60;

impl Inner {
    /// Days since 1970 in the zone that is set.
    pub(crate) fn day_of(&self, time: Millis) -> u64 {
        time.saturating_add_signed(i64::from(self.settings.zone_minutes) * MINUTE_MS) / DAY_MS
    }

    fn begin_of(&self, day: u64) -> Millis {
        day.saturating_mul(DAY_MS).saturating_add_signed(-i64::from(self.settings.zone_minutes) * MINUTE_MS)
    }

    pub(crate) async fn growth(&self, request: wire::GrowthRequest) -> Result<wire::GrowthReply, Failure> {
        if !(1..=MOST_DAYS).contains(&request.days) {
            return Err(Failure::invalid("days", "must be from 1 to 60"));
        }
        let app = self.app(request.app_id).await?;
        let numbers = (request.first_day..).take(request.days as usize);
        let days = numbers.map(|number| Day { number, from: self.begin_of(number), until: self.begin_of(number + 1) });
        let grown = self.store.growth(app.id, days.collect()).await.map_err(convert::store)?;
        let days = grown.into_iter().map(|day| wire::GrowthDay {
            users: day.users,
            new_users: day.new_users,
            logged_in: day.logged_in,
            groups: day.groups,
            new_groups: day.new_groups,
        });
        Ok(wire::GrowthReply { days: days.collect() })
    }
}
