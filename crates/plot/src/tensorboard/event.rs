//! TensorBoard's events: messages (`event.proto`, `summary.proto`) in a file of checked records (TFRecord).

use crc::{CRC_32_ISCSI, Crc};
use sngan_experiment::protobuf::Message;

/// What the first event of a file says.
const FILE_VERSION: &str = "brain.Event:2";
/// `SessionLog.START`: what earlier files of the folder say from this step on is void.
const START: u64 = 1;
/// `DataType.DT_STRING`.
const STRING: u64 = 7;
/// `DataClass.DATA_CLASS_TENSOR`.
const TENSOR: u64 = 2;

/// Something that happened at a step.
pub(super) struct Event {
    /// Seconds since 1970.
    pub(super) time: f64,
    /// Generator updates done.
    pub(super) step: u64,
    pub(super) what: What,
}

pub(super) enum What {
    /// The file begins.
    Version,
    /// It replaces all that earlier files of the folder say.
    Start,
    Values(Vec<Value>),
}

/// A value under its tag.
pub(super) enum Value {
    Scalar {
        tag: String,
        value: f64,
    },
    /// A PNG and its sides, pixels.
    Image {
        tag: String,
        png: Vec<u8>,
        width: u32,
        height: u32,
    },
    /// Markdown.
    Text {
        tag: String,
        text: String,
    },
}

impl Event {
    /// The record of the event in a file: its length, the length's checksum, the message, the message's checksum.
    pub(super) fn record(&self) -> Vec<u8> {
        let message = self.message().finish();
        let length = (message.len() as u64).to_le_bytes();
        let mut record = Vec::with_capacity(message.len() + 16);
        record.extend(length);
        record.extend(checksum(&length).to_le_bytes());
        record.extend(&message);
        record.extend(checksum(&message).to_le_bytes());
        record
    }

    fn message(&self) -> Message {
        let event = Message::new().double(1, self.time).number(2, self.step);
        match &self.what {
            What::Version => event.text(3, FILE_VERSION),
            What::Start => event.message(7, &Message::new().number(1, START)),
            What::Values(values) => {
                let add = |all: Message, value: &Value| all.message(1, &value.message());
                event.message(5, &values.iter().fold(Message::new(), add))
            }
        }
    }
}

impl Value {
    fn message(&self) -> Message {
        match self {
            Value::Scalar { tag, value } => Message::new().text(1, tag).float(2, *value as f32),
            Value::Image { tag, png, width, height } => {
                let sides = Message::new().number(1, (*height).into()).number(2, (*width).into());
                Message::new().text(1, tag).message(4, &sides.number(3, 3).bytes(4, png))
            }
            Value::Text { tag, text } => {
                let plugin = Message::new().message(1, &Message::new().text(1, "text"));
                let one = Message::new().message(2, &Message::new().number(1, 1));
                let tensor = Message::new().number(1, STRING).message(2, &one).text(8, text);
                let metadata = plugin.number(4, TENSOR);
                Message::new().text(1, tag).message(8, &tensor).message(9, &metadata)
            }
        }
    }
}

/// A TFRecord's masked CRC-32C.
fn checksum(bytes: &[u8]) -> u32 {
    const CASTAGNOLI: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);
    CASTAGNOLI.checksum(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first bytes that TensorFlow and PyTorch write: an event of 24 bytes with time and version.
    #[test]
    fn lengths_and_contents_have_tensorflows_checksums() {
        let record = Event { time: 0.0, step: 0, what: What::Version }.record();
        let length = u64::from_le_bytes(record[..8].try_into().unwrap()) as usize;
        assert_eq!(record.len(), length + 16);
        // Checksums of RFC 3720 (B.4) for 32 bytes of zeros and of ones, masked as TFRecord does.
        let masked = |crc: u32| crc.rotate_right(15).wrapping_add(0xa282_ead8);
        assert_eq!(checksum(&[0; 32]), masked(0x8a91_36aa));
        assert_eq!(checksum(&[0xff; 32]), masked(0x62a8_ab43));
        assert_eq!(record[8..12], checksum(&record[..8]).to_le_bytes());
        assert_eq!(record[12 + length..], checksum(&record[12..12 + length]).to_le_bytes());
    }
}
