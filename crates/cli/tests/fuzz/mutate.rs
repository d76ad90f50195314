//! Inputs from valid ones: bits, bytes, lengths, numbers and words changed, parts cut, doubled and exchanged.

use sngan_tensor::rng::Streams;

/// Inputs are no longer than this.
const LONGEST: usize = 1 << 16;
/// Random words of an input; more are taken again from the first.
const WORDS: usize = 96;
/// Changes of an input, at most.
const CHANGES: usize = 6;
/// Numbers at which readers err.
const NUMBERS: [u64; 16] = [
    0,
    1,
    2,
    3,
    0x7f,
    0x80,
    0xff,
    0x100,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0xffff_ffff_ffff_ffff,
];

/// Makes the inputs of one target.
pub(crate) struct Mutator<'a> {
    stream: String,
    seeds: &'a [Vec<u8>],
    dictionary: &'a [&'a str],
}

impl<'a> Mutator<'a> {
    pub(crate) fn new(
        target: &str,
        seeds: &'a [Vec<u8>],
        dictionary: &'a [&'a str],
    ) -> Mutator<'a> {
        Mutator { stream: format!("fuzz.{target}"), seeds, dictionary }
    }

    /// Input `index`.
    pub(crate) fn input(&self, index: u64) -> Vec<u8> {
        let words = Streams::new(0).below(&self.stream, index, WORDS, 1 << 32);
        let mut draw = Draw { words: &words, next: 0 };
        let mut bytes = self.seeds[draw.below(self.seeds.len())].clone();
        for _ in 0..1 + draw.below(CHANGES) {
            self.change(&mut bytes, &mut draw);
        }
        bytes.truncate(LONGEST);
        bytes
    }

    fn change(&self, bytes: &mut Vec<u8>, draw: &mut Draw<'_>) {
        let at = draw.below(bytes.len() + 1);
        match draw.below(12) {
            0 | 1 => replace(bytes, at, |b| b ^ (1 << draw.below(8))),
            2 => replace(bytes, at, |_| draw.below(256) as u8),
            3 => overwrite(bytes, at, &draw.number(1 + draw.peek(4))),
            4 => bytes.truncate(at),
            5 => drop(bytes.drain(at..(at + 1 + draw.near(64)).min(bytes.len().max(at)))),
            6 => {
                let part = bytes[at..(at + 1 + draw.near(64)).min(bytes.len())].to_vec();
                insert(bytes, at, &part);
            }
            7 => overwrite(bytes, at, self.word(draw)),
            8 => insert(bytes, at, self.word(draw)),
            9 => {
                let other = &self.seeds[draw.below(self.seeds.len())];
                let from = draw.below(other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            10 => exchange_number(bytes, at, draw),
            _ => {
                let count = draw.near(4096);
                insert(bytes, at, &vec![draw.below(256) as u8; count]);
            }
        }
    }

    fn word(&self, draw: &mut Draw<'_>) -> &'a [u8] {
        if self.dictionary.is_empty() {
            &[]
        } else {
            self.dictionary[draw.below(self.dictionary.len())].as_bytes()
        }
    }
}

/// Random numbers of one input.
struct Draw<'a> {
    words: &'a [u32],
    next: usize,
}

impl Draw<'_> {
    fn word(&mut self) -> u32 {
        self.next += 1;
        // Taken again, a word is turned, so that changes do not repeat.
        self.words[self.next % self.words.len()].rotate_left((self.next / self.words.len()) as u32)
    }

    /// A number below `bound`, which is at least 1.
    fn below(&mut self, bound: usize) -> usize {
        ((u64::from(self.word()) * bound as u64) >> 32) as usize
    }

    /// Below `bound` without using a word up.
    fn peek(&self, bound: usize) -> usize {
        self.words[self.next % self.words.len()] as usize % bound
    }

    /// Below `most`, small ones more often.
    fn near(&mut self, most: usize) -> usize {
        let bound = 1 + self.below(most);
        self.below(bound)
    }

    /// A number at which readers err, as 1, 2, 4 or 8 bytes of either order.
    fn number(&mut self, log_size: usize) -> Vec<u8> {
        let size = 1usize << (log_size % 4);
        let value = NUMBERS[self.below(NUMBERS.len())];
        match self.below(2) {
            0 => value.to_le_bytes()[..size].to_vec(),
            _ => value.to_be_bytes()[8 - size..].to_vec(),
        }
    }
}

fn replace(bytes: &mut [u8], at: usize, f: impl FnOnce(u8) -> u8) {
    if let Some(b) = bytes.get_mut(at) {
        *b = f(*b);
    }
}

fn overwrite(bytes: &mut [u8], at: usize, with: &[u8]) {
    bytes[at..].iter_mut().zip(with).for_each(|(b, w)| *b = *w);
}

fn insert(bytes: &mut Vec<u8>, at: usize, part: &[u8]) {
    bytes.splice(at..at, part.iter().copied());
}

/// Puts another number in the place of the next one that is written in digits.
fn exchange_number(bytes: &mut Vec<u8>, at: usize, draw: &mut Draw<'_>) {
    let Some(start) = bytes[at..].iter().position(u8::is_ascii_digit).map(|i| at + i) else {
        return;
    };
    let end =
        bytes[start..].iter().position(|b| !b.is_ascii_digit()).map_or(bytes.len(), |i| start + i);
    let number = match draw.below(4) {
        0 => (draw.below(20) as u64).to_string(),
        1 => format!("-{}", draw.below(100)),
        2 => "1e999".into(),
        _ => NUMBERS[draw.below(NUMBERS.len())].to_string(),
    };
    bytes.splice(start..end, number.into_bytes());
}
