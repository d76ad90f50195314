//! The range of floats in an array of images.

use sngan_tensor::bytes::byte;

/// Black and white of an array of floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// 0 to 1, as of `torchvision`'s `ToTensor`.
    Unit,
    /// −1 to 1: a generator's outputs.
    Symmetric,
    /// 0 to 255.
    Bytes,
}

impl Range {
    /// All ranges.
    pub const ALL: [Range; 3] = [Range::Unit, Range::Symmetric, Range::Bytes];

    /// Black and white.
    pub fn bounds(self) -> (f64, f64) {
        match self {
            Range::Unit => (0.0, 1.0),
            Range::Symmetric => (-1.0, 1.0),
            Range::Bytes => (0.0, 255.0),
        }
    }

    /// Its name on the command line, such as `0..1`.
    pub fn name(self) -> &'static str {
        match self {
            Range::Unit => "0..1",
            Range::Symmetric => "-1..1",
            Range::Bytes => "0..255",
        }
    }

    /// The names of all, for messages.
    pub(super) fn names() -> String {
        Range::ALL.map(Range::name).join(", ")
    }

    /// Whether a value is in the range, its ends included.
    pub fn contains(self, value: f64) -> bool {
        let (black, white) = self.bounds();
        (black..=white).contains(&value)
    }

    /// The byte of a value of this range: scaled to 0..255 and truncated. Bytes that were divided by
    /// 255, or mapped to −1..1, in f32 or f64 come back as they were.
    pub fn byte(self, value: f64) -> u8 {
        match self {
            Range::Symmetric => byte(value as f32),
            Range::Unit => (255.0 * value as f32) as u8,
            Range::Bytes => value as u8,
        }
    }

    /// The range that values from `least` to `greatest` can only have: −1..1, if they reach the
    /// darker and the brighter quarter of it. Others may be of 0..1 with a rounding error below 0, of
    /// −0.5..0.5, or dark.
    pub(super) fn certain(least: f64, greatest: f64) -> Option<Range> {
        let inside = Range::Symmetric.contains(least) && Range::Symmetric.contains(greatest);
        (inside && least < -0.5 && greatest > 0.5).then_some(Range::Symmetric)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_from_every_range() {
        for b in 0..=255u8 {
            let (x, y) = (f64::from(b) / 255.0, f32::from(b) / 255.0);
            assert_eq!([Range::Unit.byte(x), Range::Unit.byte(f64::from(y))], [b; 2]);
            assert_eq!(Range::Symmetric.byte(2.0 * x - 1.0), b);
            assert_eq!(Range::Symmetric.byte(f64::from(2.0 * y - 1.0)), b);
            assert_eq!(Range::Bytes.byte(f64::from(b)), b);
        }
        assert_eq!(Range::Bytes.byte(3.99), 3);
    }

    #[test]
    fn a_range_is_certain_only_where_no_other_would_do() {
        assert_eq!(Range::certain(-0.9, 0.8), Some(Range::Symmetric));
        for (least, greatest) in [(0.0, 1.0), (-1e-6, 1.0), (-0.5, 0.5), (-1.0, 0.2), (-1.0, 1.05)]
        {
            assert_eq!(Range::certain(least, greatest), None, "{least}..{greatest}");
        }
    }
}
