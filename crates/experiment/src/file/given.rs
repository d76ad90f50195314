//! The values of a spec's keys as a file or command line gives them: one, or a list that stands for a run of each.

use crate::{Error, Result};
use std::collections::BTreeMap;
use std::ops::Range;
use std::str::FromStr;
use toml::{Spanned, Value};

/// The values of one key at most.
const MOST_VALUES: usize = 1000;

/// A key's value as written.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// A list, or a range of integers such as `"0..5"` (its end left out), stands for a run of each value.
    pub value: Value,
    /// The line that it stands in, such as `line 7`.
    pub place: String,
}

/// Keys of a [`RunSpec`](crate::RunSpec), by name.
pub type Keys = BTreeMap<String, Given>;

/// Keys as they are read, with their place in the text.
pub(super) type SpannedKeys = BTreeMap<String, Spanned<Value>>;

/// The keys of a file with this text; `of` ends the names of lines of another file than the reader's.
pub(super) fn keys(read: SpannedKeys, text: &str, of: &str) -> Keys {
    let given = |value: Spanned<Value>| {
        let place = format!("line {}{of}", line(text, value.span()));
        Given { value: value.into_inner(), place }
    };
    read.into_iter().map(|(key, value)| (key, given(value))).collect()
}

fn line(text: &str, span: Range<usize>) -> usize {
    text.bytes().take(span.start).filter(|b| *b == b'\n').count() + 1
}

impl Given {
    /// Its values: those of the list or range, or the one.
    ///
    /// # Errors
    /// An empty list or range, or one that is too long, as text for a message.
    pub(super) fn values(&self) -> std::result::Result<Vec<Value>, String> {
        let values = match &self.value {
            Value::Array(values) => values.clone(),
            Value::String(text) => match range(text) {
                Some(range) => range.take(MOST_VALUES + 1).map(Value::Integer).collect(),
                None => vec![self.value.clone()],
            },
            Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Table(_) => vec![self.value.clone()],
        };
        match values.len() {
            0 => Err("is empty; give at least one value".into()),
            1..=MOST_VALUES => Ok(values),
            _ => Err(format!("has more than {MOST_VALUES} values")),
        }
    }
}

/// `0..5` as integers, its end left out.
pub(super) fn range(text: &str) -> Option<Range<i64>> {
    let (from, to) = text.split_once("..")?;
    let number = |part: &str| part.trim().parse::<u32>().ok().map(i64::from);
    Some(number(from)?..number(to)?)
}

/// A value as labels and folder names have it.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Float(number) => number.to_string(),
        Value::Integer(_)
        | Value::Boolean(_)
        | Value::Datetime(_)
        | Value::Array(_)
        | Value::Table(_) => value.to_string(),
    }
}

/// `KEY=VALUE` of a command line: `lr=0.001`, or several values, `lr=[1e-4,4e-4]`, `seed=0..5`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetKey {
    /// The spec's key.
    pub key: String,
    /// Its values, at least one.
    pub values: Vec<String>,
}

impl FromStr for SetKey {
    type Err = String;

    fn from_str(written: &str) -> std::result::Result<SetKey, String> {
        let (key, text) = written
            .split_once('=')
            .filter(|(key, _)| !key.trim().is_empty())
            .ok_or_else(|| format!("`{written}`: expected KEY=VALUE, or KEY=[VALUE,VALUE]"))?;
        let text = text.trim();
        let list = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let bare = |item: &str| item.trim().trim_matches('"').to_string();
        let values: Vec<String> = match (list, range(text)) {
            (Some(items), _) => {
                items.split(',').map(bare).filter(|item| !item.is_empty()).collect()
            }
            (None, Some(range)) => range.take(MOST_VALUES + 1).map(|n| n.to_string()).collect(),
            (None, None) => vec![text.to_string()],
        };
        match values.len() {
            0 => Err(format!("`{written}` names no value")),
            1..=MOST_VALUES => Ok(SetKey { key: key.trim().into(), values }),
            _ => Err(format!("`{written}` are more than {MOST_VALUES} values")),
        }
    }
}

/// What a command line changes in an experiment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Only rows with one of these labels or methods; all if there is none.
    pub methods: Vec<String>,
    /// Only these settings; all if there is none.
    pub settings: Vec<String>,
    /// Seeds in place of the file's.
    pub seeds: Option<Vec<u64>>,
    /// Values of keys, which go before the file's; several of one key make a run of each.
    pub set: Vec<SetKey>,
}

impl Changes {
    /// Other seeds alone.
    pub fn seeds(seeds: &[u64]) -> Changes {
        Changes { seeds: Some(seeds.to_vec()), ..Changes::default() }
    }

    /// The same, where `seed=0..5` among the keys stands for seeds.
    ///
    /// # Errors
    /// A seed that is no number; seeds given twice.
    pub(super) fn with_seeds_apart(&self) -> Result<Changes> {
        let mut changes = self.clone();
        let Some(i) = changes.set.iter().position(|set| set.key == "seed") else {
            return Ok(changes);
        };
        let seed = |text: &String| {
            let wrong = || {
                let reason = format!("is `{text}`; give a number, [0,1] or 0..5, its end left out");
                Error::invalid("seed", reason)
            };
            text.parse::<u64>().map_err(|_| wrong())
        };
        let seeds = changes.set.remove(i).values.iter().map(seed).collect::<Result<_>>()?;
        if changes.seeds.replace(seeds).is_some() {
            return Err(Error::invalid("seed", "is set beside a list of seeds; give one of them"));
        }
        Ok(changes)
    }

    pub(super) fn sets(&self, key: &str) -> bool {
        self.set.iter().any(|set| set.key == key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_lines_values_are_one_a_list_or_a_range() {
        let set = |text: &str| text.parse::<SetKey>().map(|s| (s.key, s.values.join(" ")));
        for (text, key, values) in [
            ("lr=1e-4", "lr", "1e-4"),
            ("lr=[1e-4, 4e-4]", "lr", "1e-4 4e-4"),
            ("seed=0..3", "seed", "0 1 2"),
            ("loss=[\"hinge\",standard]", "loss", "hinge standard"),
            ("label=a=b", "label", "a=b"),
        ] {
            assert_eq!(set(text), Ok((key.into(), values.into())), "{text}");
        }
        for wrong in ["lr", "=3", "lr=[]", "seed=3..3", "seed=0..4000000000"] {
            assert!(set(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn seeds_among_the_keys_are_seeds() {
        let changes = |seeds: Option<Vec<u64>>, set: &str| {
            let set = vec![set.parse().unwrap()];
            Changes { seeds, set, ..Changes::default() }.with_seeds_apart()
        };
        let found = changes(None, "seed=0..3").unwrap();
        assert_eq!((found.seeds, found.set.len()), (Some(vec![0, 1, 2]), 0));
        assert!(
            changes(Some(vec![1]), "seed=2").unwrap_err().to_string().contains("a list of seeds")
        );
        assert!(changes(None, "seed=x").unwrap_err().to_string().contains("number"));
    }
}
