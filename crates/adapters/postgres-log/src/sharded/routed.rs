//! Each call to the database that has its shard; what concerns several is asked of them at once and put together again.

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{join_all, try_join_all};
use mynah_ports::message_log::{Error, Location, Logged, MessageLog, Span};
use mynah_types::{
    Appended, Claim, Cmid, ConversationKey, Entry, FirstAnswer, Hidden, Membership, MsgId, Position, Seq, ShardAppend, ShardId,
    Tail, Uid,
};

use super::ShardedLog;
use crate::log::PostgresLog;

/// What is asked of one database, with its places in the whole.
type Asked<Q> = (PostgresLog, Vec<usize>, Vec<Q>);

impl ShardedLog {
    /// Questions by the database that has their shards.
    fn split<Q>(&self, questions: Vec<Q>, shard: impl Fn(&Q) -> ShardId) -> Result<Vec<Asked<Q>>, Error> {
        let mut split: Vec<Asked<Q>> = Vec::new();
        for (place, question) in questions.into_iter().enumerate() {
            let part = self.part(shard(&question))?;
            let asked = match split.iter_mut().position(|(log, ..)| log.range() == part.range()) {
                Some(at) => split.get_mut(at),
                None => {
                    split.push((part.clone(), Vec::new(), Vec::new()));
                    split.last_mut()
                }
            };
            if let Some((_, places, questions)) = asked {
                places.push(place);
                questions.push(question);
            }
        }
        Ok(split)
    }

    /// Asks all databases that have a part in it at once; answers in the order of the questions.
    async fn ask<Q, A, F>(
        &self,
        questions: Vec<Q>,
        shard: impl Fn(&Q) -> ShardId,
        of: impl Fn(PostgresLog, Vec<Q>) -> F,
    ) -> Result<Vec<A>, Error>
    where
        F: Future<Output = Result<Vec<A>, Error>>,
    {
        let asked = self.split(questions, shard)?.into_iter().map(|(log, places, questions)| {
            let answers = of(log, questions);
            async move { Ok::<_, Error>((places, answers.await?)) }
        });
        Ok(in_order(try_join_all(asked).await?))
    }
}

/// Answers at the places of their questions.
fn in_order<A>(answers: Vec<(Vec<usize>, Vec<A>)>) -> Vec<A> {
    let mut all: Vec<(usize, A)> = answers.into_iter().flat_map(|(places, answers)| places.into_iter().zip(answers)).collect();
    all.sort_unstable_by_key(|(place, _)| *place);
    all.into_iter().map(|(_, answer)| answer).collect()
}

/// One identity for several: another one when any of them is another. FNV-1a, 64 bits.
fn together(identities: &[String]) -> String {
    if let [one] = identities {
        return one.clone();
    }
    let bytes = identities.iter().flat_map(|identity| identity.bytes().chain([b' ']));
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}

#[async_trait]
impl MessageLog for ShardedLog {
    fn log_epoch(&self) -> String {
        together(&self.parts().iter().map(PostgresLog::log_epoch).collect::<Vec<_>>())
    }

    async fn claim(&self, shards: &[ShardId]) -> Result<Vec<Claim>, Error> {
        let split = self.split(shards.to_vec(), |shard| *shard)?;
        let claims = split.into_iter().map(|(log, _, shards)| async move { MessageLog::claim(&log, &shards).await });
        let claims: Vec<Claim> = try_join_all(claims).await?.into_iter().flatten().collect();
        let of = |shard: &ShardId| claims.iter().find(|claim| claim.shard == *shard).copied();
        Ok(shards.iter().filter_map(of).collect())
    }

    async fn append(&self, batch: Vec<ShardAppend>) -> Vec<Vec<Appended>> {
        let shapes: Vec<usize> = batch.iter().map(|shard| shard.conversations.len()).collect();
        let split = match self.split(batch, |append| append.shard) {
            Ok(split) => split,
            Err(error) => {
                tracing::error!(%error, "nothing was appended");
                return shapes.into_iter().map(|count| vec![Appended::Fenced; count]).collect();
            }
        };
        let appends = split.into_iter().map(|(log, places, batch)| async move { (places, log.append(batch).await) });
        in_order(join_all(appends).await)
    }

    async fn under_way(&self) -> Result<Duration, Error> {
        let each = try_join_all(self.parts().iter().map(PostgresLog::under_way)).await?;
        Ok(each.into_iter().max().unwrap_or_default())
    }

    async fn load(&self, key: ConversationKey, recent: usize) -> Result<Tail, Error> {
        self.part(key.shard())?.load(key, recent).await
    }

    async fn heads(&self, keys: &[ConversationKey]) -> Result<Vec<Tail>, Error> {
        self.ask(keys.to_vec(), |key| key.shard(), |log, keys| async move { log.heads(&keys).await }).await
    }

    async fn entries(&self, key: ConversationKey, span: Span) -> Result<Vec<Logged>, Error> {
        self.part(key.shard())?.entries(key, span).await
    }

    async fn at(&self, places: &[Location]) -> Result<Vec<Option<Logged>>, Error> {
        self.ask(places.to_vec(), |place| place.key.shard(), |log, places| async move { log.at(&places).await }).await
    }

    async fn find_send(&self, key: ConversationKey, sender: Uid, cmid: &Cmid) -> Result<Option<FirstAnswer>, Error> {
        self.part(key.shard())?.find_send(key, sender, cmid).await
    }

    async fn find_message(&self, id: MsgId) -> Result<Option<Location>, Error> {
        self.part(id.shard())?.find_message(id).await
    }

    async fn members(&self, key: ConversationKey) -> Result<Vec<(Uid, Membership)>, Error> {
        self.part(key.shard())?.members(key).await
    }

    async fn member(&self, key: ConversationKey, uid: Uid) -> Result<Option<Membership>, Error> {
        self.part(key.shard())?.member(key, uid).await
    }

    async fn position(&self, key: ConversationKey, uid: Uid) -> Result<Position, Error> {
        self.part(key.shard())?.position(key, uid).await
    }

    async fn retracted_unread(&self, key: ConversationKey, floor: Seq, to: Seq) -> Result<u64, Error> {
        self.part(key.shard())?.retracted_unread(key, floor, to).await
    }

    async fn hidden(&self, key: ConversationKey, uid: Uid) -> Result<Vec<Hidden>, Error> {
        self.part(key.shard())?.hidden(key, uid).await
    }

    async fn single_chats(&self, uid: Uid, after: Option<ConversationKey>, limit: usize) -> Result<Vec<ConversationKey>, Error> {
        let pages = try_join_all(self.parts().iter().map(|part| part.single_chats(uid, after, limit))).await?;
        let mut chats: Vec<ConversationKey> = pages.into_iter().flatten().collect();
        chats.sort_unstable_by_key(|key| key.to_bytes());
        chats.truncate(limit);
        Ok(chats)
    }

    async fn since(&self, shard: ShardId, after: MsgId, limit: usize) -> Result<Vec<(ConversationKey, Entry)>, Error> {
        self.part(shard)?.since(shard, after, limit).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_is_another_one_when_any_part_is_and_one_alone_keeps_its_own() {
        let of = |identities: &[&str]| together(&identities.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&["a"]), "a");
        let all = [of(&["a", "b"]), of(&["a", "c"]), of(&["c", "b"]), of(&["b", "a"]), of(&["ab", ""])];
        assert!(all.iter().enumerate().all(|(nth, one)| !all.iter().skip(nth + 1).any(|other| other == one)), "{all:?}");
    }
}
