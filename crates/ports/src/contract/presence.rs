//! What every [`Presence`] must do, for gateways 1 and 2, which are alive. An adapter's test names an async function that
//! makes an empty one, whose audiences are known:
//!
//! ```ignore
//! mynah_ports::presence_contract!(fresh);
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test suite: the cases are named for what they hold"
)]

use futures_util::future::join_all;
use mynah_types::{ConversationKey, GatewayId, Uid};

use crate::Presence;
use crate::presence::{Audience, OnlineDevice};

/// Makes one `#[tokio::test]` of each case of the suite.
#[macro_export]
macro_rules! presence_contract {
    ($fresh:path) => {
        $crate::presence_contract!(@cases $fresh;
            a_device_is_online_from_its_login_to_its_end, an_older_login_does_not_replace_a_newer_one,
            the_end_of_an_old_connection_leaves_the_new_one, a_user_may_be_on_two_gateways,
            a_single_chat_is_heard_where_its_users_are, an_audience_is_where_somebody_joined,
            joining_and_leaving_may_be_repeated, the_live_gateways_are_known,
            the_newest_login_is_the_one_shown_in_any_order, a_generation_counts_for_its_session_only,
            telling_twice_of_a_connection_makes_one, an_end_takes_its_connection_only, many_users_are_read_at_once,
            the_last_word_on_an_audience_counts, the_last_word_on_a_connection_counts,
            who_went_elsewhere_with_a_room_is_heard_there_however_late_the_first_place_ends
        );
    };
    (@cases $fresh:path; $($case:ident),+) => {
        $(
            #[tokio::test]
            async fn $case() {
                $crate::contract::presence::$case(&$fresh().await).await;
            }
        )+
    };
}

const ONE: GatewayId = GatewayId(1);
const TWO: GatewayId = GatewayId(2);

fn device(uid: u64, gateway: GatewayId, conn: u64, generation: u64) -> OnlineDevice {
    OnlineDevice { uid: Uid(uid), conn, gateway, platform: 'a', session_id: uid * 10, generation }
}

async fn online(presence: &impl Presence, uid: u64) -> Vec<OnlineDevice> {
    let mut devices = presence.devices(&[Uid(uid)]).await.unwrap();
    devices.sort_by_key(|d| (d.gateway, d.conn));
    devices
}

pub async fn a_device_is_online_from_its_login_to_its_end(presence: &impl Presence) {
    assert_eq!(online(presence, 7).await, []);
    let mine = device(7, ONE, 1, 1);
    presence.online(mine.clone()).await.unwrap();
    assert_eq!(online(presence, 7).await, [mine]);
    assert_eq!(online(presence, 8).await, []);
    presence.offline(Uid(7), ONE, 1).await.unwrap();
    assert_eq!(online(presence, 7).await, []);
}

pub async fn an_older_login_does_not_replace_a_newer_one(presence: &impl Presence) {
    let newer = device(7, TWO, 1, 9);
    presence.online(newer.clone()).await.unwrap();
    presence.online(device(7, ONE, 5, 8)).await.unwrap();
    assert_eq!(online(presence, 7).await, [newer]);
}

pub async fn the_end_of_an_old_connection_leaves_the_new_one(presence: &impl Presence) {
    let newer = device(7, ONE, 2, 2);
    presence.online(device(7, ONE, 1, 1)).await.unwrap();
    presence.online(newer.clone()).await.unwrap();
    presence.offline(Uid(7), ONE, 1).await.unwrap();
    assert!(online(presence, 7).await.contains(&newer));
    presence.offline(Uid(7), TWO, 2).await.unwrap();
    assert!(online(presence, 7).await.contains(&newer));
}

pub async fn a_user_may_be_on_two_gateways(presence: &impl Presence) {
    let (phone, web) = (device(7, ONE, 1, 1), OnlineDevice { session_id: 71, platform: 'j', ..device(7, TWO, 1, 2) });
    presence.online(phone.clone()).await.unwrap();
    presence.online(web.clone()).await.unwrap();
    assert_eq!(online(presence, 7).await, [phone, web]);
    assert_eq!(presence.audience(ConversationKey::Feed(Uid(7))).await.unwrap(), Audience::Known(vec![ONE, TWO]));
}

pub async fn a_single_chat_is_heard_where_its_users_are(presence: &impl Presence) {
    let key = ConversationKey::single(Uid(7), Uid(8));
    assert_eq!(presence.audience(key).await.unwrap(), Audience::Known(vec![]));
    presence.online(device(7, ONE, 1, 1)).await.unwrap();
    assert_eq!(presence.audience(key).await.unwrap(), Audience::Known(vec![ONE]));
    presence.online(device(8, TWO, 1, 1)).await.unwrap();
    assert_eq!(presence.audience(key).await.unwrap(), Audience::Known(vec![ONE, TWO]));
    presence.offline(Uid(7), ONE, 1).await.unwrap();
    assert_eq!(presence.audience(key).await.unwrap(), Audience::Known(vec![TWO]));
}

pub async fn an_audience_is_where_somebody_joined(presence: &impl Presence) {
    let (group, room) = (ConversationKey::Group(5), ConversationKey::Room(5));
    presence.join_audience(group, ONE).await.unwrap();
    presence.join_audience(room, TWO).await.unwrap();
    assert_eq!(presence.audience(group).await.unwrap(), Audience::Known(vec![ONE]));
    assert_eq!(presence.audience(room).await.unwrap(), Audience::Known(vec![TWO]));
    presence.leave_audience(group, ONE).await.unwrap();
    assert_eq!(presence.audience(group).await.unwrap(), Audience::Known(vec![]));
}

pub async fn joining_and_leaving_may_be_repeated(presence: &impl Presence) {
    let key = ConversationKey::Group(5);
    presence.leave_audience(key, ONE).await.unwrap();
    for _ in 0..2 {
        presence.join_audience(key, ONE).await.unwrap();
        presence.join_audience(key, TWO).await.unwrap();
    }
    assert_eq!(presence.audience(key).await.unwrap(), Audience::Known(vec![ONE, TWO]));
    presence.leave_audience(key, ONE).await.unwrap();
    assert_eq!(presence.audience(key).await.unwrap(), Audience::Known(vec![TWO]));
}

pub async fn the_live_gateways_are_known(presence: &impl Presence) {
    let live: Vec<GatewayId> = presence.gateways().await.unwrap().iter().map(|gateway| gateway.id).collect();
    assert_eq!(live, [ONE, TWO]);
}

pub async fn the_newest_login_is_the_one_shown_in_any_order(presence: &impl Presence) {
    let logins = |uid| [device(uid, ONE, 1, 1), device(uid, TWO, 1, 2), device(uid, ONE, 2, 3)];
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for (uid, order) in (1..).zip(orders) {
        for login in order {
            presence.online(logins(uid)[login].clone()).await.unwrap();
        }
        assert_eq!(online(presence, uid).await, [logins(uid)[2].clone()], "told in the order {order:?}");
        let feed = presence.audience(ConversationKey::Feed(Uid(uid))).await.unwrap();
        assert_eq!(feed, Audience::Known(vec![ONE]), "told in the order {order:?}");
    }
}

pub async fn a_generation_counts_for_its_session_only(presence: &impl Presence) {
    let (phone, web) = (device(7, ONE, 1, 5), OnlineDevice { session_id: 71, ..device(7, ONE, 2, 1) });
    presence.online(phone.clone()).await.unwrap();
    presence.online(web.clone()).await.unwrap();
    assert_eq!(online(presence, 7).await, [phone, web]);
}

pub async fn telling_twice_of_a_connection_makes_one(presence: &impl Presence) {
    for generation in [1, 1, 2] {
        presence.online(device(7, ONE, 1, generation)).await.unwrap();
    }
    assert_eq!(online(presence, 7).await, [device(7, ONE, 1, 2)]);
    for _ in 0..2 {
        presence.offline(Uid(7), ONE, 1).await.unwrap();
    }
    assert_eq!(online(presence, 7).await, []);
}

/// Connection numbers are a gateway's own: the same one elsewhere is another one.
pub async fn an_end_takes_its_connection_only(presence: &impl Presence) {
    let other = OnlineDevice { session_id: 71, ..device(7, TWO, 1, 1) };
    presence.online(device(7, ONE, 1, 1)).await.unwrap();
    presence.online(other.clone()).await.unwrap();
    presence.online(device(8, ONE, 2, 1)).await.unwrap();
    presence.offline(Uid(7), ONE, 1).await.unwrap();
    presence.offline(Uid(7), ONE, 2).await.unwrap();
    assert_eq!(online(presence, 7).await, [other]);
    assert_eq!(online(presence, 8).await, [device(8, ONE, 2, 1)]);
}

pub async fn many_users_are_read_at_once(presence: &impl Presence) {
    let gateway = |uid| if uid % 2 == 0 { ONE } else { TWO };
    let told: Vec<_> = (1..=500).filter(|uid| uid % 3 != 0).map(|uid| device(uid, gateway(uid), uid, 1)).collect();
    for each in join_all(told.iter().map(|device| presence.online(device.clone()))).await {
        each.unwrap();
    }
    let uids: Vec<Uid> = (1..=500).map(Uid).collect();
    let mut devices = presence.devices(&uids).await.unwrap();
    devices.sort_by_key(|d| d.uid);
    assert_eq!(devices, told);
}

/// Told by one gateway without waiting: what it said last holds.
pub async fn the_last_word_on_an_audience_counts(presence: &impl Presence) {
    for (group, last_is_join) in [(1, true), (2, false)] {
        let key = ConversationKey::Group(group);
        let word = |joins: bool| if joins { presence.join_audience(key, ONE) } else { presence.leave_audience(key, ONE) };
        for told in join_all((0..101).map(|turn| word((turn % 2 == 0) == last_is_join))).await {
            told.unwrap();
        }
        let hearers = if last_is_join { vec![ONE] } else { vec![] };
        assert_eq!(presence.audience(key).await.unwrap(), Audience::Known(hearers));
    }
}

pub async fn the_last_word_on_a_connection_counts(presence: &impl Presence) {
    for uid in [7, 8] {
        let last_is_online = uid == 7;
        let word = |on: bool| if on { presence.online(device(uid, ONE, 1, 1)) } else { presence.offline(Uid(uid), ONE, 1) };
        for told in join_all((0..101).map(|turn| word((turn % 2 == 0) == last_is_online))).await {
            told.unwrap();
        }
        assert_eq!(online(presence, uid).await.len(), usize::from(last_is_online));
    }
}

/// The first gateway says nothing while its device enters the room elsewhere, under the same number; its end comes late, and twice.
pub async fn who_went_elsewhere_with_a_room_is_heard_there_however_late_the_first_place_ends(presence: &impl Presence) {
    let (room, here) = (ConversationKey::Room(5), device(7, TWO, 1, 2));
    presence.online(device(7, ONE, 1, 1)).await.unwrap();
    presence.join_audience(room, ONE).await.unwrap();
    presence.online(here.clone()).await.unwrap();
    presence.join_audience(room, TWO).await.unwrap();
    assert_eq!(presence.audience(room).await.unwrap(), Audience::Known(vec![ONE, TWO]));
    for _ in 0..2 {
        presence.offline(Uid(7), ONE, 1).await.unwrap();
        presence.leave_audience(room, ONE).await.unwrap();
        assert_eq!(online(presence, 7).await, std::slice::from_ref(&here));
        assert_eq!(presence.audience(room).await.unwrap(), Audience::Known(vec![TWO]));
    }
}
