//! Many calls under way at once, which begin one after the other.

use std::future::{Future, poll_fn};
use std::task::Poll;

use futures_util::future::{MaybeDone, maybe_done};

/// Runs all at once and answers in their order. None takes its first step before those in front of it took theirs, so that what they hand
/// over stays in order.
///
/// Without the runtime's budget: a call that is put off by it would be overtaken. `join_all` does not keep the order either: beyond 30
/// futures it goes on with whichever is woken.
pub(super) async fn in_order<F: Future>(calls: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut calls: Vec<_> = calls.map(|call| Box::pin(maybe_done(call))).collect();
    let all = poll_fn(|context| {
        // Every one of them is asked, whether one before it has ended or not.
        let waiting = calls.iter_mut().map(|call| call.as_mut().poll(context)).filter(Poll::is_pending).count();
        if waiting == 0 { Poll::Ready(()) } else { Poll::Pending }
    });
    tokio::task::unconstrained(all).await;
    calls.iter_mut().filter_map(|call| MaybeDone::take_output(call.as_mut())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    /// More than the runtime lets a task do at one time, which is 128 steps, into a queue that has room for them.
    #[tokio::test]
    async fn what_many_calls_hand_over_stays_in_order() {
        const CALLS: u64 = 5000;
        let (sender, mut receiver) = mpsc::channel(1000);
        let reader = tokio::spawn(async move {
            let mut taken = Vec::new();
            while let Some(number) = receiver.recv().await {
                taken.push(number);
            }
            taken
        });
        let handing = (0..CALLS).map(|number| {
            let sender = sender.clone();
            async move { sender.send(number).await.map(|()| number) }
        });
        let answers = in_order(handing).await;
        assert!(answers.into_iter().map(Result::unwrap).eq(0..CALLS));
        drop(sender);
        assert!(reader.await.unwrap().into_iter().eq(0..CALLS));
    }
}
