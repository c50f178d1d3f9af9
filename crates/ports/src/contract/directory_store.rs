//! What every [`DirectoryStore`] must do. An adapter's test names a function that makes a [`Harness`] on a fresh, empty namespace:
//!
//! ```ignore
//! mynah_ports::directory_store_contract!(fresh);
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test suite: the cases are named for what they hold"
)]

pub mod apps;
pub mod rosters;
pub mod sessions;
pub mod users;

use std::sync::Arc;

use mynah_types::{AppId, AppKey, Uid, Username};

use crate::DirectoryStore;
use crate::directory_store::{App, AppRules, Error, NewApp, NewUser, Profile, Refusal};

/// One store's namespace, as a test sees it.
pub trait Harness: Send + Sync {
    /// Opens the namespace once more, beside what is open already, as another process would.
    fn open(&self) -> Arc<dyn DirectoryStore>;
}

/// Makes one `#[tokio::test]` of each case of the suite.
#[macro_export]
macro_rules! directory_store_contract {
    ($fresh:path) => {
        $crate::directory_store_contract!(@cases $fresh;
            apps: the_first_app_is_made_once, an_app_changes_for_every_opener, words_are_listed_once_and_in_order, a_grant_has_one_direction, a_file_is_known_by_its_id, a_callback_is_kept_until_it_is_taken_away, a_signature_is_new_once_until_it_expires, signatures_are_bounded_and_forgotten;
            users: a_name_is_given_once, racing_registrations_of_a_name_make_one, lists_keep_creation_order_and_total,
                a_profile_changes_by_what_is_given, a_deleted_name_comes_back_as_another_user, deletion_is_all_or_nothing,
                deletion_ends_relations_and_waits_for_rosters, a_blacklist_changes_as_a_whole,
                a_noted_relation_may_be_repeated_until_confirmed, a_confirmation_leaves_newer_notes,
                friendship_is_mutual_and_its_notes_are_not, switches_change_together_or_not_at_all, a_shield_waits_for_the_router_as_it_stands, a_shield_is_told_again_as_it_stands_then, events_wait_in_order_and_only_with_what_they_tell_of, answered_writes_survive_a_reopening;
            sessions: the_rule_decides_who_goes, a_login_that_may_not_kick_is_refused, the_same_device_takes_its_own_place,
                a_password_change_ends_sessions_with_it, a_login_by_an_old_password_is_refused, a_password_hashed_anew_leaves_sessions_alone, disabling_ends_sessions_with_it,
                a_deletion_ends_sessions_with_it, a_revoked_session_stays_revoked, revoked_sessions_are_told_from_others, ended_sessions_are_forgotten, devices_tell_the_newest_of_each_platform,
                generations_rise_across_openers, growth_counts_who_is_there_and_who_came;
            rosters: ids_come_from_one_sequence, a_change_needs_the_version_that_it_saw, racing_adds_fill_a_roster_exactly,
                racing_joins_fill_a_users_groups_exactly, a_refused_change_has_no_effect, the_owner_comes_first_then_join_order, silence_and_names_change_with_a_version_and_stay,
                a_dissolved_roster_leaves_its_changes, who_leaves_a_group_has_switched_nothing_for_it, changes_wait_until_they_are_applied, lists_of_rosters_keep_order_and_total;
        );
    };
    (@cases $fresh:path; $($module:ident: $($case:ident),+;)+) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::contract::directory_store::$module::$case(&$fresh()).await;
            }
        )+)+
    };
}

pub(super) fn new_app(key: &str) -> NewApp {
    NewApp {
        key: AppKey::parse(key).unwrap(),
        name: "an app".into(),
        secret_digest: vec![1; 32],
        secret_sealed: vec![2; 40],
        demo: false,
        rules: AppRules::default(),
        ctime: 5,
    }
}

pub(super) async fn app(store: &dyn DirectoryStore) -> App {
    store.create_app(new_app("0123456789abcdef01234567"), false).await.unwrap().unwrap()
}

pub(super) fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

pub(super) fn new_user(text: &str) -> NewUser {
    NewUser { username: name(text), password: "pw1".into(), admin: false, profile: Profile::default() }
}

/// Registers users and answers their uids.
pub(super) async fn users(store: &dyn DirectoryStore, app: AppId, names: &[&str]) -> Vec<Uid> {
    let new = names.iter().map(|text| new_user(text)).collect();
    store.insert_users(app, new, 10).await.unwrap().into_iter().map(Option::unwrap).collect()
}

pub(super) fn refusal<T: std::fmt::Debug>(outcome: Result<T, Error>) -> Refusal {
    match outcome {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("expected a refusal, got {other:?}"),
    }
}
