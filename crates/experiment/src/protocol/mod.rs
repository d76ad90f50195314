//! Names of protocols: how a score is computed, as one short value with a grammar.
//!
//! | name | what |
//! |---|---|
//! | `is_5k_x10` | inception score of 10 independent sets of 5,000 images each (the paper's, Appendix B.1) |
//! | `is_2k_split5` | inception score of 2,000 images in 5 random parts |
//! | `fid_5k_test10k` | FID of 5,000 images against the 10,000 test images (the paper's) |
//! | `fid_50k_train50k` | FID of 50,000 images against the 50,000 training images |
//! | `kid_5k_test10k_100x1k` | KID as the mean over 100 subsets of 1,000 images of either side |
//! | `precision_10k_test10k_k3`, `recall_10k_test10k_k3` | precision and recall by the third nearest neighbor |
//! | `intra-fid_50k_train50k` | mean over the classes of the FID within a class; counts are totals over all classes |
//! | `ms-ssim_10k_pairs100` | mean over the classes of the MS-SSIM of 100 random pairs of a class; 10,000 images in all |
//!
//! A count is a number of images, `5k` for 5,000. The real side is one of [`ReferenceKind`]'s
//! names, followed by its number of images.

mod parts;

pub use parts::{Against, ReferenceKind, Sets};

use crate::records::count;
use crate::{Error, Result};
use parts::{after, number, read_against, read_images, read_sets};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Pairs of each class that MS-SSIM is taken of, if nothing else is said.
const PAIRS: usize = 100;
/// KID's subsets, and the largest size of one.
const KID: (usize, usize) = (100, 1000);
/// Neighbor of precision and recall.
const NEAREST: usize = 3;

/// What a score measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Inception score (Appendix B.1); higher is better.
    Is,
    /// Fréchet inception distance (Eq. 24); lower is better.
    Fid,
    /// Kernel inception distance; lower is better.
    Kid,
    /// Multi-scale structural similarity within classes; lower is more varied.
    MsSsim,
    /// k-NN precision; higher is better.
    Precision,
    /// k-NN recall; higher is better.
    Recall,
    /// Mean over classes of the FID within a class; lower is better.
    IntraFid,
}

impl Metric {
    /// Every metric.
    pub const ALL: [Metric; 7] = [
        Metric::Is,
        Metric::Fid,
        Metric::Kid,
        Metric::MsSsim,
        Metric::Precision,
        Metric::Recall,
        Metric::IntraFid,
    ];

    /// Its name in words.
    pub fn words(self) -> &'static str {
        match self {
            Metric::Is => "inception score",
            Metric::Fid => "Fréchet inception distance",
            Metric::Kid => "kernel inception distance",
            Metric::MsSsim => "MS-SSIM within classes",
            Metric::Precision => "k-NN precision",
            Metric::Recall => "k-NN recall",
            Metric::IntraFid => "mean FID within classes",
        }
    }

    /// The name used in files and axes.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Is => "is",
            Metric::Fid => "fid",
            Metric::Kid => "kid",
            Metric::MsSsim => "ms-ssim",
            Metric::Precision => "precision",
            Metric::Recall => "recall",
            Metric::IntraFid => "intra-fid",
        }
    }

    /// Whether its values span orders of magnitude, all above 0: its axis is logarithmic.
    pub fn spans_decades(self) -> bool {
        match self {
            Metric::Fid | Metric::IntraFid => true,
            // KID may be below 0.
            Metric::Is | Metric::Kid | Metric::MsSsim | Metric::Precision | Metric::Recall => false,
        }
    }

    /// The protocol by which it is taken of `samples` images and all of `against`, if nothing else is
    /// said: the inception score in `splits` parts, KID of up to 100 subsets of up to 1,000 images.
    /// `None` for a metric that compares with real images, if there are none.
    pub fn usual(
        self,
        samples: usize,
        splits: usize,
        against: Option<Against>,
    ) -> Option<ProtocolName> {
        Some(match self {
            Metric::Is => ProtocolName::Is { samples, sets: Sets::Splits(splits) },
            Metric::Fid => ProtocolName::Fid { samples, against: against? },
            Metric::Kid => {
                let against = against?;
                let size = KID.1.min(samples).min(against.n);
                let subsets = distinct_subsets(KID.0, size, [samples, against.n]);
                ProtocolName::Kid { samples, against, subsets, size }
            }
            Metric::MsSsim => ProtocolName::MsSsim { samples, pairs: PAIRS },
            Metric::Precision => ProtocolName::Precision { samples, against: against?, k: NEAREST },
            Metric::Recall => ProtocolName::Recall { samples, against: against?, k: NEAREST },
            Metric::IntraFid => ProtocolName::IntraFid { samples, against: against? },
        })
    }

    /// Whether it compares with real images.
    pub fn compares(self) -> bool {
        match self {
            Metric::Is | Metric::MsSsim => false,
            Metric::Fid | Metric::Kid | Metric::Precision | Metric::Recall | Metric::IntraFid => {
                true
            }
        }
    }

    /// Whether a larger value is better.
    pub fn higher_is_better(self) -> bool {
        match self {
            Metric::Is | Metric::Precision | Metric::Recall => true,
            Metric::Fid | Metric::Kid | Metric::MsSsim | Metric::IntraFid => false,
        }
    }
}

/// How many of `subsets` subsets of `size` can differ: if `size` is all images of both sides, they
/// are all the same.
pub fn distinct_subsets(subsets: usize, size: usize, sides: [usize; 2]) -> usize {
    if sides == [size; 2] { subsets.min(1) } else { subsets }
}

/// A protocol by name: everything about a score but the backbone, the reference's identity and the
/// images' preprocessing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ProtocolName {
    /// Inception score.
    Is {
        /// Images of one set.
        samples: usize,
        /// How often, and how.
        sets: Sets,
    },
    /// Fréchet inception distance.
    Fid {
        /// Generated images.
        samples: usize,
        /// Real ones.
        against: Against,
    },
    /// Kernel inception distance.
    Kid {
        /// Generated images.
        samples: usize,
        /// Real ones.
        against: Against,
        /// Number of random subsets.
        subsets: usize,
        /// Images of either side in a subset.
        size: usize,
    },
    /// k-NN precision.
    Precision {
        /// Generated images.
        samples: usize,
        /// Real ones.
        against: Against,
        /// Which neighbor's distance is a ball's radius.
        k: usize,
    },
    /// k-NN recall.
    Recall {
        /// Generated images.
        samples: usize,
        /// Real ones.
        against: Against,
        /// Which neighbor's distance is a ball's radius.
        k: usize,
    },
    /// MS-SSIM within classes.
    MsSsim {
        /// Generated images of all classes together.
        samples: usize,
        /// Random pairs of each class.
        pairs: usize,
    },
    /// FID within classes.
    IntraFid {
        /// Generated images of all classes together.
        samples: usize,
        /// Real ones.
        against: Against,
    },
}

impl ProtocolName {
    /// What it measures.
    pub fn metric(self) -> Metric {
        match self {
            ProtocolName::Is { .. } => Metric::Is,
            ProtocolName::Fid { .. } => Metric::Fid,
            ProtocolName::Kid { .. } => Metric::Kid,
            ProtocolName::Precision { .. } => Metric::Precision,
            ProtocolName::Recall { .. } => Metric::Recall,
            ProtocolName::MsSsim { .. } => Metric::MsSsim,
            ProtocolName::IntraFid { .. } => Metric::IntraFid,
        }
    }

    /// Number of generated images that it needs.
    pub fn samples(self) -> usize {
        match self {
            ProtocolName::Is { samples, sets: Sets::Independent(sets) } => samples * sets,
            ProtocolName::Is { samples, .. }
            | ProtocolName::Fid { samples, .. }
            | ProtocolName::Kid { samples, .. }
            | ProtocolName::Precision { samples, .. }
            | ProtocolName::Recall { samples, .. }
            | ProtocolName::MsSsim { samples, .. }
            | ProtocolName::IntraFid { samples, .. } => samples,
        }
    }

    /// The real images that it needs, if any.
    pub fn against(self) -> Option<Against> {
        match self {
            ProtocolName::Is { .. } | ProtocolName::MsSsim { .. } => None,
            ProtocolName::Fid { against, .. }
            | ProtocolName::Kid { against, .. }
            | ProtocolName::Precision { against, .. }
            | ProtocolName::Recall { against, .. }
            | ProtocolName::IntraFid { against, .. } => Some(against),
        }
    }

    /// Number of splits, sets or subsets that the mean is over; 1 for others.
    pub fn repeats(self) -> usize {
        match self {
            ProtocolName::Is { sets: Sets::Splits(n) | Sets::Independent(n), .. }
            | ProtocolName::Kid { subsets: n, .. } => n,
            ProtocolName::Fid { .. }
            | ProtocolName::Precision { .. }
            | ProtocolName::Recall { .. }
            | ProtocolName::MsSsim { .. }
            | ProtocolName::IntraFid { .. } => 1,
        }
    }

    /// Whether it uses each class separately, so that images need labels.
    pub fn within_classes(self) -> bool {
        match self {
            ProtocolName::MsSsim { .. } | ProtocolName::IntraFid { .. } => true,
            ProtocolName::Is { .. }
            | ProtocolName::Fid { .. }
            | ProtocolName::Kid { .. }
            | ProtocolName::Precision { .. }
            | ProtocolName::Recall { .. } => false,
        }
    }

    /// Whether it uses parts of the images separately, so that their order matters even if it takes
    /// all of them.
    pub fn uses_parts(self) -> bool {
        match self {
            ProtocolName::Is { sets: Sets::Independent(_), .. }
            | ProtocolName::MsSsim { .. }
            | ProtocolName::IntraFid { .. } => true,
            // Splits are shuffled by themselves.
            ProtocolName::Is { sets: Sets::Splits(_), .. }
            | ProtocolName::Fid { .. }
            | ProtocolName::Kid { .. }
            | ProtocolName::Precision { .. }
            | ProtocolName::Recall { .. } => false,
        }
    }

    /// Whether it uses only pixels and no network.
    pub fn of_pixels(self) -> bool {
        match self {
            ProtocolName::MsSsim { .. } => true,
            ProtocolName::Is { .. }
            | ProtocolName::Fid { .. }
            | ProtocolName::Kid { .. }
            | ProtocolName::Precision { .. }
            | ProtocolName::Recall { .. }
            | ProtocolName::IntraFid { .. } => false,
        }
    }

    /// Refuses counts from which no score can be computed.
    fn check(self) -> std::result::Result<ProtocolName, String> {
        match self {
            ProtocolName::Is { samples, sets: Sets::Splits(splits) } if splits > samples => {
                Err(format!("{samples} images cannot be cut into {splits} splits"))
            }
            ProtocolName::Kid { samples, against, size, .. }
                if size < 2 || size > samples.min(against.n) =>
            {
                Err(format!(
                    "a subset of {size} images must have at least 2 and at most the {} there are",
                    samples.min(against.n)
                ))
            }
            ProtocolName::Precision { samples, against, k }
            | ProtocolName::Recall { samples, against, k }
                if k >= samples.min(against.n) =>
            {
                Err(format!("{} images have no neighbour number {k}", samples.min(against.n)))
            }
            ProtocolName::Is { .. }
            | ProtocolName::Fid { .. }
            | ProtocolName::Kid { .. }
            | ProtocolName::Precision { .. }
            | ProtocolName::Recall { .. }
            | ProtocolName::MsSsim { .. }
            | ProtocolName::IntraFid { .. } => Ok(self),
        }
    }

    /// The protocol that `text` names, or what is wrong with it.
    fn read(text: &str) -> std::result::Result<ProtocolName, String> {
        let parts: Vec<&str> = text.split('_').collect();
        let name = match parts[..] {
            ["is", samples, sets] => {
                ProtocolName::Is { samples: number(samples)?, sets: read_sets(sets)? }
            }
            ["fid", samples, against] => {
                ProtocolName::Fid { samples: number(samples)?, against: read_against(against)? }
            }
            ["kid", samples, against, subsets] => {
                let (subsets, size) = subsets
                    .split_once('x')
                    .ok_or_else(|| format!("`{subsets}` is not such as 100x1k"))?;
                let (samples, against) = (number(samples)?, read_images(against)?);
                ProtocolName::Kid {
                    samples,
                    against,
                    subsets: number(subsets)?,
                    size: number(size)?,
                }
            }
            ["precision", samples, against, k] => ProtocolName::Precision {
                samples: number(samples)?,
                against: read_images(against)?,
                k: after("k", k)?,
            },
            ["recall", samples, against, k] => ProtocolName::Recall {
                samples: number(samples)?,
                against: read_images(against)?,
                k: after("k", k)?,
            },
            ["ms-ssim", samples, pairs] => {
                ProtocolName::MsSsim { samples: number(samples)?, pairs: after("pairs", pairs)? }
            }
            ["intra-fid", samples, against] => {
                ProtocolName::IntraFid { samples: number(samples)?, against: read_images(against)? }
            }
            _ => return Err(EXAMPLES.into()),
        };
        name.check()
    }
}

/// The message for a name that fits no pattern.
const EXAMPLES: &str = "it should be such as is_5k_x10, is_2k_split5, fid_5k_test10k, kid_5k_test10k_100x1k, precision_5k_test10k_k3, \
                        recall_5k_test10k_k3, ms-ssim_10k_pairs100 or intra-fid_50k_train50k";
impl fmt::Display for ProtocolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let k = |n: usize| count(n as u64);
        match *self {
            ProtocolName::Is { samples, sets: Sets::Splits(n) } => {
                write!(f, "is_{}_split{n}", k(samples))
            }
            ProtocolName::Is { samples, sets: Sets::Independent(n) } => {
                write!(f, "is_{}_x{n}", k(samples))
            }
            ProtocolName::Fid { samples, against } => write!(f, "fid_{}_{against}", k(samples)),
            ProtocolName::Kid { samples, against, subsets, size } => {
                write!(f, "kid_{}_{against}_{subsets}x{}", k(samples), k(size))
            }
            ProtocolName::Precision { samples, against, k: nearest } => {
                write!(f, "precision_{}_{against}_k{nearest}", k(samples))
            }
            ProtocolName::Recall { samples, against, k: nearest } => {
                write!(f, "recall_{}_{against}_k{nearest}", k(samples))
            }
            ProtocolName::MsSsim { samples, pairs } => {
                write!(f, "ms-ssim_{}_pairs{pairs}", k(samples))
            }
            ProtocolName::IntraFid { samples, against } => {
                write!(f, "intra-fid_{}_{against}", k(samples))
            }
        }
    }
}

impl FromStr for ProtocolName {
    type Err = Error;

    fn from_str(text: &str) -> Result<ProtocolName> {
        ProtocolName::read(text)
            .map_err(|reason| Error::invalid("protocols", format!("`{text}`: {reason}")))
    }
}

impl TryFrom<String> for ProtocolName {
    type Error = Error;

    fn try_from(text: String) -> Result<ProtocolName> {
        text.parse()
    }
}

impl From<ProtocolName> for String {
    fn from(name: ProtocolName) -> String {
        name.to_string()
    }
}

#[cfg(test)]
mod tests;
