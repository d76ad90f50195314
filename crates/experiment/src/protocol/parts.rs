//! What names of protocols are made of: counts, sets and the real side.

use crate::records::count;
use std::fmt;

/// The real images that a protocol compares with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReferenceKind {
    /// `ref`: the data set's reference images, which are not trained on except on STL-10.
    Reference,
    /// `test`: its test images.
    Test,
    /// `train`: its training images.
    Train,
    /// `images`: those of a folder or file that was named on the command line.
    Images,
    /// `stats`: a file of statistics, which need not say how many images they are of.
    Statistics,
}

impl ReferenceKind {
    /// Every part.
    pub const ALL: [ReferenceKind; 5] = [
        ReferenceKind::Reference,
        ReferenceKind::Test,
        ReferenceKind::Train,
        ReferenceKind::Images,
        ReferenceKind::Statistics,
    ];

    /// Whether it is a part of a data set, and so needs no name besides the data set's.
    pub fn is_of_dataset(self) -> bool {
        match self {
            ReferenceKind::Reference | ReferenceKind::Test | ReferenceKind::Train => true,
            ReferenceKind::Images | ReferenceKind::Statistics => false,
        }
    }

    /// Its name within a protocol's.
    pub fn name(self) -> &'static str {
        match self {
            ReferenceKind::Reference => "ref",
            ReferenceKind::Test => "test",
            ReferenceKind::Train => "train",
            ReferenceKind::Images => "images",
            ReferenceKind::Statistics => "stats",
        }
    }
}

/// A part and how many of its images are taken, by a seeded choice where it has more; 0 for [`ReferenceKind::Statistics`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Against {
    /// The part.
    pub part: ReferenceKind,
    /// Number of images.
    pub n: usize,
}

/// How the inception score's mean and standard deviation are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Sets {
    /// One set of images, shuffled by a fixed seed and cut into this many parts.
    Splits(usize),
    /// This many sets, each drawn independently and scored whole.
    Independent(usize),
}

/// More images than this are a typing error.
const MOST: usize = 1_000_000_000;

/// A count of at least 1: `200`, `5k`.
pub(super) fn number(text: &str) -> std::result::Result<usize, String> {
    let (digits, factor) = text.strip_suffix('k').map_or((text, 1), |digits| (digits, 1000));
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let n = digits.parse::<usize>().ok().filter(|_| plain).and_then(|n| n.checked_mul(factor));
    n.filter(|n| (1..=MOST).contains(n))
        .ok_or_else(|| format!("`{text}` is no count of images, such as 200 or 5k"))
}

/// The number after a word.
pub(super) fn after(word: &str, text: &str) -> std::result::Result<usize, String> {
    number(text.strip_prefix(word).ok_or_else(|| format!("`{text}` is not such as {word}3"))?)
}

pub(super) fn read_sets(text: &str) -> std::result::Result<Sets, String> {
    if text.starts_with("split") {
        after("split", text).map(Sets::Splits)
    } else {
        after("x", text).map(Sets::Independent)
    }
}

pub(super) fn read_against(text: &str) -> std::result::Result<Against, String> {
    if text == ReferenceKind::Statistics.name() {
        return Ok(Against { part: ReferenceKind::Statistics, n: 0 });
    }
    let found = ReferenceKind::ALL
        .into_iter()
        .filter(|p| *p != ReferenceKind::Statistics)
        .find_map(|part| Some((part, text.strip_prefix(part.name())?)));
    let (part, n) = found.ok_or_else(|| {
        format!("`{text}` names no real images, such as test10k, train50k or ref2k")
    })?;
    Ok(Against { part, n: number(n)? })
}

/// The real side of a protocol that needs images, not only statistics.
pub(super) fn read_images(text: &str) -> std::result::Result<Against, String> {
    match read_against(text)? {
        Against { part: ReferenceKind::Statistics, .. } => {
            Err("statistics serve FID alone; this needs images".into())
        }
        against => Ok(against),
    }
}

impl fmt::Display for Against {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            ReferenceKind::Statistics => f.write_str(self.part.name()),
            part @ ReferenceKind::Reference
            | part @ ReferenceKind::Test
            | part @ ReferenceKind::Train
            | part @ ReferenceKind::Images => write!(f, "{}{}", part.name(), count(self.n as u64)),
        }
    }
}
