//! Who is in a room here: in chunks, which are copied only where somebody walks over them meanwhile.

use std::collections::HashMap;
use std::sync::Arc;

use mynah_types::Seq;

use crate::outbound::Outbound;

/// Connections of a chunk: so many are pushed to before others have their turn.
const CHUNK: usize = 8;

/// Connections, each with the first seq that is for it.
pub(crate) type Chunk = Vec<(Seq, Arc<Outbound>)>;

/// The connections in one room. All chunks but the last are full.
#[derive(Debug, Default)]
pub(crate) struct Inside {
    chunks: Vec<Arc<Chunk>>,
    /// The chunk of each connection.
    places: HashMap<u64, usize>,
}

impl Inside {
    /// Takes a connection in, or moves the first seq that is for it.
    pub(crate) fn enter(&mut self, from: Seq, out: &Arc<Outbound>) {
        self.leave(out.conn);
        if self.chunks.last().is_none_or(|last| last.len() >= CHUNK) {
            self.chunks.push(Arc::new(Vec::new()));
        }
        let place = self.chunks.len() - 1;
        if let Some(last) = self.chunks.last_mut() {
            Arc::make_mut(last).push((from, Arc::clone(out)));
            self.places.insert(out.conn, place);
        }
    }

    /// Takes a connection out; the last one of the last chunk fills the gap.
    pub(crate) fn leave(&mut self, conn: u64) {
        let Some(place) = self.places.remove(&conn) else { return };
        let Some(filler) = self.chunks.last_mut().and_then(|last| Arc::make_mut(last).pop()) else { return };
        if self.chunks.last().is_some_and(|last| last.is_empty()) {
            self.chunks.pop();
        }
        if filler.1.conn == conn {
            return;
        }
        let gap = self.chunks.get_mut(place).map(Arc::make_mut);
        if let Some(left) = gap.and_then(|chunk| chunk.iter_mut().find(|(_, out)| out.conn == conn)) {
            self.places.insert(filler.1.conn, place);
            *left = filler;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// How many.
    pub(crate) fn count(&self) -> usize {
        self.places.len()
    }

    /// All as they are now.
    pub(crate) fn chunks(&self) -> Vec<Arc<Chunk>> {
        self.chunks.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Codec;
    use crate::outbound::Window;

    fn connection(conn: u64) -> Arc<Outbound> {
        Arc::new(Outbound::new(conn, Codec::Json, Window { frames: 1, bytes: 1 }))
    }

    fn found(inside: &Inside) -> Vec<(u64, Seq)> {
        let mut all: Vec<_> = inside.chunks().iter().flat_map(|c| c.iter()).map(|(from, out)| (out.conn, *from)).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn whoever_came_and_did_not_go_is_there_once() {
        let mut inside = Inside::default();
        let mut there = std::collections::BTreeMap::new();
        // A fixed sequence that comes and goes at all places.
        let mut step: u64 = 1;
        for turn in 0..5000 {
            step = step.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let conn = (step >> 33) % 300;
            if step >> 63 == 0 {
                inside.enter(turn, &connection(conn));
                there.insert(conn, turn);
            } else {
                inside.leave(conn);
                there.remove(&conn);
            }
            assert_eq!((inside.count(), inside.is_empty()), (there.len(), there.is_empty()));
        }
        assert_eq!(found(&inside), there.into_iter().collect::<Vec<_>>());
        let full = inside.chunks().iter().rev().skip(1).all(|chunk| chunk.len() == CHUNK);
        assert!(full, "all chunks but the last are full");
    }

    #[test]
    fn who_walks_over_it_sees_it_as_it_was() {
        let mut inside = Inside::default();
        (0..100).for_each(|conn| inside.enter(1, &connection(conn)));
        let before = inside.chunks();
        (0..100).for_each(|conn| inside.leave(conn));
        assert!(inside.is_empty());
        assert_eq!(before.iter().map(|chunk| chunk.len()).sum::<usize>(), 100);
    }
}
