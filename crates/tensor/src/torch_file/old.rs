//! The format before zip: five pickles (magic number, version, system, value, keys of the storages), then the storages.

use super::build::{Storage, Storages};
use super::pickle::{Node, Pickle};
use super::{Parsed, entries, fault};
use std::collections::BTreeMap;

/// A pickle of the number 0x1950a86a20f9469cfc6c, after its protocol.
const MAGIC: &[u8] = &[0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.'];
const VERSION: i64 = 1001;

pub(super) fn recognizes(bytes: &[u8]) -> bool {
    after_magic(bytes).is_some()
}

/// The place after the magic number's pickle.
fn after_magic(bytes: &[u8]) -> Option<usize> {
    // From protocol 4 on, a frame's instruction and length come before the number.
    let start = match bytes {
        [0x80, 4..=0xff, 0x95, ..] => 11,
        [0x80, ..] => 2,
        _ => return None,
    };
    bytes.get(start..)?.starts_with(MAGIC).then_some(start + MAGIC.len())
}

/// The value's pickle and where the storages lie.
pub(super) fn parts(bytes: &[u8]) -> Parsed<(Pickle<'_>, Storages)> {
    let start = after_magic(bytes).unwrap_or(bytes.len());
    let version = Pickle::run(bytes, start)?;
    if !matches!(version.node(version.root), Node::Int(VERSION)) {
        return fault(
            version.offset,
            format!("is of another version than {VERSION} of torch's old format"),
        );
    }
    let system = Pickle::run(bytes, version.end)?;
    let little = entries(&system, system.root)
        .any(|(k, v)| k == "little_endian" && matches!(system.node(v), Node::Bool(true)));
    if !little {
        return fault(system.offset, "was written on a machine that is not little-endian");
    }
    let value = Pickle::run(bytes, system.end)?;
    let keys = Pickle::run(bytes, value.end)?;
    let storages = storages(bytes, &value, &keys)?;
    Ok((value, storages))
}

/// Follows the storages, which come in the order of their keys: the number of elements in eight bytes, then the elements.
fn storages(bytes: &[u8], value: &Pickle<'_>, keys: &Pickle<'_>) -> Parsed<Storages> {
    let known: BTreeMap<&str, &Storage<'_>> = value.storages().map(|s| (s.key, s)).collect();
    let Node::List(list) = keys.node(keys.root) else {
        return fault(keys.offset, "has no list of its storages' keys");
    };
    let (mut found, mut at) = (Storages::default(), keys.end);
    for id in list {
        let Node::Text(key) = keys.node(*id) else {
            return fault(keys.offset, "has a storage whose key is no text");
        };
        let Some(storage) = known.get(key) else {
            return fault(at, format!("has a storage `{key}` that no tensor views"));
        };
        let Some(element) = storage.element() else {
            return fault(at, format!("has a storage of {}, which is unknown", storage.class));
        };
        let Some(head) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) else {
            return fault(at, format!("is cut before storage `{key}`"));
        };
        let len = u64::from_le_bytes(*head);
        if len != storage.len as u64 {
            return fault(
                at,
                format!("has a storage of {len} elements where its tensors say {}", storage.len),
            );
        }
        let start = at + head.len();
        let end = storage
            .len
            .checked_mul(element)
            .and_then(|n| n.checked_add(start))
            .filter(|end| *end <= bytes.len());
        let Some(end) = end else {
            return fault(
                start,
                format!("is cut: storage `{key}` has {len} elements of {element} bytes"),
            );
        };
        found.0.insert(key.to_string(), start..end);
        at = end;
    }
    if at != bytes.len() {
        return fault(at, format!("has {} bytes after its last storage", bytes.len() - at));
    }
    Ok(found)
}
