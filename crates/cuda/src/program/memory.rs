//! Buffers of a program and where they lie in its memory.

use crate::op::{Op, View};

/// Elements that every buffer's place is a multiple of: 128 bytes of f32, a GPU's cache line.
const ALIGNMENT: usize = 32;

/// How long a buffer's values are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    /// Always: its place is its own.
    Kept,
    /// Between its first and its last use in one list of operations: its place is others' too.
    Passing,
}

/// The buffers of a program while it is recorded.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    all: Vec<(usize, Life)>,
}

/// Where the buffers lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    offsets: Vec<usize>,
    len: usize,
    kept: usize,
}

fn aligned(len: usize) -> usize {
    len.next_multiple_of(ALIGNMENT)
}

impl Buffers {
    fn add(&mut self, len: usize, life: Life) -> View {
        self.all.push((len, life));
        View { buffer: self.all.len() - 1, offset: 0, len }
    }

    /// A buffer whose values stay from update to update.
    pub(super) fn kept(&mut self, len: usize) -> View {
        self.add(len, Life::Kept)
    }

    /// A buffer whose values are needed within one list of operations.
    pub(super) fn passing(&mut self, len: usize) -> View {
        self.add(len, Life::Passing)
    }

    /// One kept buffer with a part for each of `lens`, each part aligned as a buffer is; and the whole.
    pub(super) fn parts(&mut self, lens: &[usize]) -> (View, Vec<View>) {
        let whole = self.kept(lens.iter().map(|len| aligned(*len)).sum());
        let mut start = 0;
        let part = |len: &usize| {
            let view = whole.narrow(start, *len);
            start += aligned(*len);
            view
        };
        (whole, lens.iter().map(part).collect())
    }

    /// Places every buffer. Kept ones come first; a passing one takes the first gap that is free from its first to its last use in its list.
    pub(super) fn place(&self, lists: &[&[Op]]) -> Layout {
        let mut offsets = vec![0; self.all.len()];
        let mut kept = 0;
        for (offset, (len, life)) in offsets.iter_mut().zip(&self.all) {
            if *life == Life::Kept {
                *offset = kept;
                kept += aligned(*len);
            }
        }
        let mut end = kept;
        for list in lists {
            end = end.max(self.place_passing(list, kept, &mut offsets));
        }
        Layout { offsets, len: end, kept }
    }

    /// First and last use of each passing buffer of a list, in the order of the first uses.
    fn lives(&self, list: &[Op]) -> Vec<(usize, usize, usize)> {
        let mut lives: Vec<Option<(usize, usize)>> = vec![None; self.all.len()];
        for (i, op) in list.iter().enumerate() {
            for view in op.views() {
                if self.all[view.buffer].1 == Life::Passing {
                    let life = lives[view.buffer].get_or_insert((i, i));
                    life.1 = i;
                }
            }
        }
        let mut found: Vec<_> = lives
            .into_iter()
            .enumerate()
            .filter_map(|(buffer, life)| life.map(|(first, last)| (buffer, first, last)))
            .collect();
        found.sort_by_key(|(buffer, first, _)| (*first, *buffer));
        found
    }

    /// Places the passing buffers of a list from `start` on; returns where they end.
    fn place_passing(&self, list: &[Op], start: usize, offsets: &mut [usize]) -> usize {
        // (place, end, last use) of the buffers in use, by place.
        let mut used: Vec<(usize, usize, usize)> = Vec::new();
        let mut end = start;
        for (buffer, first, last) in self.lives(list) {
            used.retain(|(_, _, until)| *until >= first);
            let len = aligned(self.all[buffer].0);
            let mut place = start;
            for (from, to, _) in &used {
                if place + len <= *from {
                    break;
                }
                place = place.max(*to);
            }
            offsets[buffer] = place;
            let at = used.partition_point(|(from, _, _)| *from < place);
            used.insert(at, (place, place + len, last));
            end = end.max(place + len);
        }
        end
    }
}

impl Layout {
    /// Buffers of these lengths one after the other, all kept; a view's `buffer` is the place in `lens`. For operations without a program.
    pub fn sequential(lens: &[usize]) -> Layout {
        let mut buffers = Buffers::default();
        for len in lens {
            buffers.kept(*len);
        }
        buffers.place(&[])
    }

    /// Where a view begins in the memory, in elements.
    pub fn at(&self, view: View) -> usize {
        self.offsets[view.buffer] + view.offset
    }

    /// Elements of the whole memory.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Elements at its beginning whose values stay from update to update.
    pub fn kept(&self) -> usize {
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_that_live_at_the_same_time_do_not_overlap_and_others_share() {
        let mut buffers = Buffers::default();
        let kept = buffers.kept(5);
        let [a, b, c] = [10, 20, 40].map(|len| buffers.passing(len));
        let copy = |x, out| Op::Copy { x, out, add: false };
        // a lives in 0..=1, b in 1..=2, c in 2..=3.
        let list = [copy(kept, a), copy(a, b), copy(b, c), copy(c, kept)];
        let layout = buffers.place(&[&list]);
        let range = |v: View| layout.at(v)..layout.at(v) + v.len;
        let apart = |x, y| range(x).end <= range(y).start || range(y).end <= range(x).start;
        assert!(apart(kept, a) && apart(a, b) && apart(b, c));
        // c needs 64 elements, so it lies behind b: two alignments for kept and a, one for b.
        assert_eq!((layout.kept(), layout.at(a), layout.at(b), layout.at(c)), (32, 32, 64, 96));
        assert_eq!(layout.len(), 160);
        // Another list begins anew.
        let other = buffers.passing(7);
        let list2 = [copy(kept, other)];
        assert_eq!(buffers.place(&[&list, &list2]).at(other), 32);
    }
}
