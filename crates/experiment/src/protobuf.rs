//! Writing and reading Protocol Buffers' wire format by hand, for files of other programs that are made of such messages. It knows fields,
//! not messages: whoever writes one knows the numbers of its fields.
//!
//! A field is its number and wire type as a varint, then its content: a varint, 4 or 8 bytes little-endian, or a length and as many bytes.

/// A message under construction: fields in the order in which they are added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    bytes: Vec<u8>,
}

/// What a field holds, as [`fields`] reads it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Wire type 0: an unsigned number, a boolean, an enum's value, or an `int64` in two's complement.
    Varint(u64),
    /// Wire type 1: 8 bytes, such as a `double`.
    Fixed64([u8; 8]),
    /// Wire type 2: bytes, text, a message, or packed numbers.
    Bytes(&'a [u8]),
    /// Wire type 5: 4 bytes, such as a `float`.
    Fixed32([u8; 4]),
}

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

impl Message {
    /// An empty message.
    pub fn new() -> Message {
        Message::default()
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push((value as u8) | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    fn key(&mut self, field: u32, wire: u64) {
        self.varint(u64::from(field) << 3 | wire);
    }

    /// A `uint64`, `bool` or enum; a negative `int64` is given as its two's complement (`x as u64`).
    #[must_use]
    pub fn number(mut self, field: u32, value: u64) -> Message {
        self.key(field, VARINT);
        self.varint(value);
        self
    }

    /// A `double`.
    #[must_use]
    pub fn double(mut self, field: u32, value: f64) -> Message {
        self.key(field, FIXED64);
        self.bytes.extend(value.to_le_bytes());
        self
    }

    /// A `float`.
    #[must_use]
    pub fn float(mut self, field: u32, value: f32) -> Message {
        self.key(field, FIXED32);
        self.bytes.extend(value.to_le_bytes());
        self
    }

    /// `bytes`.
    #[must_use]
    pub fn bytes(mut self, field: u32, value: &[u8]) -> Message {
        self.key(field, BYTES);
        self.varint(value.len() as u64);
        self.bytes.extend(value);
        self
    }

    /// A `string`.
    #[must_use]
    pub fn text(self, field: u32, value: &str) -> Message {
        self.bytes(field, value.as_bytes())
    }

    /// A message within this one.
    #[must_use]
    pub fn message(self, field: u32, value: &Message) -> Message {
        self.bytes(field, &value.bytes)
    }

    /// The message's bytes, in the order in which its fields were added.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// The fields of a message, in their order, each with its number; `None` where `bytes` are no whole message.
pub fn fields(bytes: &[u8]) -> Option<Vec<(u32, Value<'_>)>> {
    let (mut rest, mut found) = (bytes, Vec::new());
    while !rest.is_empty() {
        let key = take_varint(&mut rest)?;
        let field = u32::try_from(key >> 3).ok().filter(|n| *n > 0)?;
        let value = match key & 7 {
            VARINT => Value::Varint(take_varint(&mut rest)?),
            FIXED64 => Value::Fixed64(take(&mut rest, 8)?.try_into().ok()?),
            BYTES => {
                let length = usize::try_from(take_varint(&mut rest)?).ok()?;
                Value::Bytes(take(&mut rest, length)?)
            }
            FIXED32 => Value::Fixed32(take(&mut rest, 4)?.try_into().ok()?),
            _ => return None,
        };
        found.push((field, value));
    }
    Some(found)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)?[0];
        let bits = u64::from(byte & 0x7f);
        // The tenth byte has room for one bit.
        if shift == 63 && bits > 1 {
            return None;
        }
        value |= bits << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentations_examples_have_its_bytes() {
        // 150 in field 1, "testing" in field 2, and the first message in field 3 (protobuf.dev, "Encoding").
        let first = Message::new().number(1, 150);
        assert_eq!(first.clone().finish(), [0x08, 0x96, 0x01]);
        let text = Message::new().text(2, "testing").finish();
        assert_eq!(text, [0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67]);
        assert_eq!(Message::new().message(3, &first).finish(), [0x1a, 0x03, 0x08, 0x96, 0x01]);
        // −2 as an int64 takes ten bytes.
        let negative = Message::new().number(1, -2i64 as u64).finish();
        assert_eq!(negative[1..], [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let bytes = Message::new()
            .number(1, u64::MAX)
            .double(2, -0.1)
            .float(300, 0.5)
            .bytes(4, &[])
            .text(5, "σ")
            .finish();
        let expected = [
            (1, Value::Varint(u64::MAX)),
            (2, Value::Fixed64((-0.1f64).to_le_bytes())),
            (300, Value::Fixed32(0.5f32.to_le_bytes())),
            (4, Value::Bytes(&[])),
            (5, Value::Bytes("σ".as_bytes())),
        ];
        assert_eq!(fields(&bytes).unwrap(), expected);
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let whole = Message::new().double(1, 1.0).text(2, "abc").finish();
        for length in 1..whole.len() {
            let cut = fields(&whole[..length]);
            assert!(cut.is_none() || length == 9, "{length}: {cut:?}");
        }
        // No field 0, no groups, no varint of more than 64 bits, no length beyond the end.
        let eleven = [[0x08].as_slice(), &[0xff; 10]].concat();
        for wrong in [&[0x00, 0x00][..], &[0x0b], &eleven, &[0x12, 0xff, 0xff, 0xff, 0x7f]] {
            assert!(fields(wrong).is_none(), "{wrong:?}");
        }
    }
}
