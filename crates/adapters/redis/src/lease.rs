//! The gateway's right to write, bucket by bucket.

use std::collections::BTreeMap;

use tokio::sync::watch;

use crate::codec::Bucket;

/// What is held where.
#[derive(Debug, Default)]
struct State {
    held: BTreeMap<Bucket, u64>,
    lost: bool,
}

/// The leases of this process, and who waits for them.
#[derive(Debug, Default)]
pub(crate) struct Leases(watch::Sender<State>);

/// A later process has this gateway's lease.
#[derive(Debug, thiserror::Error)]
#[error("another process has this gateway's lease")]
pub(crate) struct Lost;

impl Leases {
    pub(crate) fn hold(&self, bucket: Bucket, incarnation: u64) {
        self.0.send_if_modified(|state| state.held.insert(bucket, incarnation) != Some(incarnation));
    }

    /// A write met a store in which this lease is not there: the next heartbeat takes another.
    pub(crate) fn miss(&self, bucket: Bucket, incarnation: u64) {
        let missed = |state: &mut State| {
            if state.held.get(&bucket) == Some(&incarnation) {
                state.held.remove(&bucket);
            }
            false
        };
        self.0.send_if_modified(missed);
    }

    pub(crate) fn lose(&self) {
        self.0.send_modify(|state| state.lost = true);
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.0.borrow().lost
    }

    pub(crate) fn held(&self) -> BTreeMap<Bucket, u64> {
        self.0.borrow().held.clone()
    }

    /// The incarnation of the bucket's lease, once there is one.
    pub(crate) async fn of(&self, bucket: Bucket) -> Result<u64, Lost> {
        let mut states = self.0.subscribe();
        let state = states.wait_for(|state| state.lost || state.held.contains_key(&bucket)).await.map_err(|_| Lost)?;
        match state.held.get(&bucket) {
            Some(incarnation) if !state.lost => Ok(*incarnation),
            Some(_) | None => Err(Lost),
        }
    }
}
