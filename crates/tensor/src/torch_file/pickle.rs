//! The part of Python's pickle machine that builds plain values, for protocols 2 to 5 as `torch.save` uses them.
//!
//! Values live in one list and refer to each other by index, so sharing costs nothing and no depth is ever walked recursively.

use super::build;
use super::{Fault, Parsed, fault};
use std::collections::BTreeMap;

/// Instructions that a file may have at most: enough for a history of some million losses beside the tensors.
const MOST_INSTRUCTIONS: usize = 8_000_000;
/// Values that it may have at most, but for those that are all alike. A tensor takes about 15: enough for 60,000 of them.
const MOST_VALUES: usize = 1_000_000;

/// A value's place in [`Pickle`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id(u32);

/// The place of every inert value.
const INERT: Id = Id(0);

/// A value; texts are the file's own bytes.
#[derive(Debug)]
pub(super) enum Node<'a> {
    /// `None`, numbers with a fraction, bytes, and what a program's calls would make of objects that are unknown here.
    Inert,
    Bool(bool),
    Int(i64),
    Text(&'a str),
    /// A class or function, by module and name.
    Global(&'a str, &'a str),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// What a persistent id of a storage stands for.
    Storage(build::Storage<'a>),
    Tensor(Box<build::View<'a>>),
}

/// The values that a pickle has built.
#[derive(Debug)]
pub(super) struct Pickle<'a> {
    nodes: Vec<Node<'a>>,
    /// What the pickle is.
    pub(super) root: Id,
    /// Where in the file the pickle begins, and the byte after its last.
    pub(super) offset: usize,
    pub(super) end: usize,
}

impl<'a> Pickle<'a> {
    /// Runs the pickle that begins at `offset` of `bytes`.
    pub(super) fn run(bytes: &'a [u8], offset: usize) -> Parsed<Pickle<'a>> {
        let mut machine = Machine {
            bytes,
            at: offset,
            nodes: vec![Node::Inert],
            stack: Vec::new(),
            marks: Vec::new(),
            memo: BTreeMap::new(),
        };
        for _ in 0..MOST_INSTRUCTIONS {
            if machine.step()? {
                let root = machine.pop()?;
                return Ok(Pickle { nodes: machine.nodes, root, offset, end: machine.at });
            }
        }
        fault(machine.at, format!("has a pickle of more than {MOST_INSTRUCTIONS} instructions"))
    }

    pub(super) fn node(&self, id: Id) -> &Node<'a> {
        &self.nodes[id.0 as usize]
    }

    /// Every storage that the pickle names.
    pub(super) fn storages(&self) -> impl Iterator<Item = &build::Storage<'a>> {
        self.nodes
            .iter()
            .filter_map(|node| if let Node::Storage(storage) = node { Some(storage) } else { None })
    }
}

/// The machine at work.
pub(super) struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node<'a>>,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: BTreeMap<u32, Id>,
}

impl<'a> Machine<'a> {
    pub(super) fn node(&self, id: Id) -> &Node<'a> {
        &self.nodes[id.0 as usize]
    }

    /// Where it stands.
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// Something wrong where it stands.
    pub(super) fn fault<T>(&self, reason: impl Into<String>) -> Parsed<T> {
        fault(self.at, reason)
    }

    /// The next `n` bytes.
    fn take(&mut self, n: usize) -> Parsed<&'a [u8]> {
        let end = self.at.checked_add(n).filter(|end| *end <= self.bytes.len());
        let Some(end) = end else {
            return self.fault(format!("is cut: a pickle asks for {n} bytes more"));
        };
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    /// A little-endian number of `n ≤ 8` bytes.
    fn number(&mut self, n: usize) -> Parsed<u64> {
        Ok(self.take(n)?.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    /// `n` bytes of text; what is no UTF-8 is inert.
    fn text(&mut self, n: u64) -> Parsed<Node<'a>> {
        let n = usize::try_from(n).or_else(|_| self.fault("has a text of more than the memory"))?;
        Ok(std::str::from_utf8(self.take(n)?).map_or(Node::Inert, Node::Text))
    }

    /// The text up to the end of the line.
    fn line(&mut self) -> Parsed<&'a str> {
        let rest = &self.bytes[self.at..];
        let Some(n) = rest.iter().take(256).position(|b| *b == b'\n') else {
            return self.fault("has a name without an end");
        };
        let line = std::str::from_utf8(self.take(n)?)
            .or_else(|_| self.fault("has a name that is no text"))?;
        self.at += 1;
        Ok(line)
    }

    /// A two's-complement number of any length; beyond 64 bits it is inert.
    fn long(&mut self) -> Parsed<Node<'a>> {
        let n = self.number(1)? as usize;
        let digits = self.take(n)?;
        if n > 8 {
            return Ok(Node::Inert);
        }
        let fill = if digits.last().is_some_and(|b| *b >= 0x80) { u64::MAX } else { 0 };
        Ok(
            Node::Int(
                digits.iter().rev().fold(fill, |sum, byte| sum << 8 | u64::from(*byte)) as i64
            ),
        )
    }

    fn push(&mut self, node: Node<'a>) -> Parsed<()> {
        // All inert values are one.
        if matches!(node, Node::Inert) {
            self.stack.push(INERT);
            return Ok(());
        }
        if self.nodes.len() >= MOST_VALUES {
            return self.fault(format!("has a pickle of more than {MOST_VALUES} values"));
        }
        self.stack.push(Id(self.nodes.len() as u32));
        self.nodes.push(node);
        Ok(())
    }

    fn pop(&mut self) -> Parsed<Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return self.fault("has a pickle that takes a value from an empty stack");
        }
        self.stack
            .pop()
            .ok_or(Fault { offset: self.at, reason: "has a pickle without a value".into() })
    }

    /// The last `n` values.
    fn pop_many(&mut self, n: usize) -> Parsed<Vec<Id>> {
        let mut values = (0..n).map(|_| self.pop()).collect::<Parsed<Vec<_>>>()?;
        values.reverse();
        Ok(values)
    }

    /// The values after the last mark.
    fn pop_mark(&mut self) -> Parsed<Vec<Id>> {
        match self.marks.pop() {
            Some(height) => Ok(self.stack.split_off(height)),
            None => self.fault("has a pickle that lacks a mark"),
        }
    }

    /// The value on top, which stays.
    fn top(&mut self) -> Parsed<Id> {
        let id = self.pop()?;
        self.stack.push(id);
        Ok(id)
    }

    fn remember(&mut self, place: u32) -> Parsed<()> {
        let id = self.top()?;
        self.memo.insert(place, id);
        Ok(())
    }

    fn recall(&mut self, place: u32) -> Parsed<()> {
        let Some(id) = self.memo.get(&place) else {
            return self
                .fault(format!("has a pickle that recalls value {place} before it has one"));
        };
        self.stack.push(*id);
        Ok(())
    }

    /// Adds key and value pairs to the dictionary on top; an unknown object swallows them.
    fn set(&mut self, values: &[Id]) -> Parsed<()> {
        let (pairs, []) = values.as_chunks::<2>() else {
            return self.fault("has a key without a value");
        };
        let target = self.top()?;
        if let Node::Dict(entries) = &mut self.nodes[target.0 as usize] {
            entries.extend(pairs.iter().map(|[key, value]| (*key, *value)));
        }
        Ok(())
    }

    fn append(&mut self, values: Vec<Id>) -> Parsed<()> {
        let target = self.top()?;
        if let Node::List(items) = &mut self.nodes[target.0 as usize] {
            items.extend(values);
        }
        Ok(())
    }

    /// The name of a class or function whose module and name lie on the stack.
    fn stack_global(&mut self) -> Parsed<Node<'a>> {
        let (name, module) = (self.pop()?, self.pop()?);
        match (self.node(module), self.node(name)) {
            (Node::Text(module), Node::Text(name)) => Ok(Node::Global(module, name)),
            _ => self.fault("has a class whose name is no text"),
        }
    }

    /// What calling `function` with `arguments` stands for.
    fn call(&mut self) -> Parsed<Node<'a>> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        build::call(self, function, arguments)
    }

    /// One instruction; true after the last.
    fn step(&mut self) -> Parsed<bool> {
        let start = self.at;
        match self.take(1)?[0] {
            b'.' => return Ok(true),
            0x80 => match self.number(1)? {
                2..=5 => {}
                other => {
                    return fault(
                        start,
                        format!("has a pickle of protocol {other}; 2 to 5 are read"),
                    );
                }
            },
            0x95 => drop(self.take(8)?),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_mark()?),
            b'q' => self.number(1).and_then(|place| self.remember(place as u32))?,
            b'r' => self.number(4).and_then(|place| self.remember(place as u32))?,
            0x94 => self.remember(self.memo.len() as u32)?,
            b'h' => self.number(1).and_then(|place| self.recall(place as u32))?,
            b'j' => self.number(4).and_then(|place| self.recall(place as u32))?,
            b'a' => self.pop_many(1).and_then(|values| self.append(values))?,
            b'e' => self.pop_mark().and_then(|values| self.append(values))?,
            b's' => self.pop_many(2).and_then(|values| self.set(&values))?,
            b'u' => self.pop_mark().and_then(|values| self.set(&values))?,
            // What is added to a set is no tensor that has a name.
            0x90 => drop(self.pop_mark()?),
            // An object's further state, such as a module's version numbers, is no tensor.
            b'b' => drop(self.pop().and_then(|_| self.top())?),
            code => {
                let node = self.value(code, start)?;
                self.push(node)?;
            }
        }
        Ok(false)
    }

    /// The value that instruction `code`, at `start`, makes.
    fn value(&mut self, code: u8, start: usize) -> Parsed<Node<'a>> {
        Ok(match code {
            b'N' => Node::Inert,
            0x88 => Node::Bool(true),
            0x89 => Node::Bool(false),
            b'K' => Node::Int(self.number(1)? as i64),
            b'M' => Node::Int(self.number(2)? as i64),
            b'J' => Node::Int(i64::from(self.number(4)? as u32 as i32)),
            0x8a => self.long()?,
            b'G' => self.take(8).map(|_| Node::Inert)?,
            b'X' | b'T' => self.number(4).and_then(|n| self.text(n))?,
            0x8c | b'U' => self.number(1).and_then(|n| self.text(n))?,
            0x8d => self.number(8).and_then(|n| self.text(n))?,
            b'B' => self.number(4).and_then(|n| self.take(n as usize)).map(|_| Node::Inert)?,
            b'C' => self.number(1).and_then(|n| self.take(n as usize)).map(|_| Node::Inert)?,
            b'}' => Node::Dict(Vec::new()),
            b']' => Node::List(Vec::new()),
            0x8f => Node::Inert,
            0x91 => self.pop_mark().map(|_| Node::Inert)?,
            b')' => Node::Tuple(Vec::new()),
            b't' => Node::Tuple(self.pop_mark()?),
            0x85..=0x87 => Node::Tuple(self.pop_many(usize::from(code - 0x84))?),
            b'c' => Node::Global(self.line()?, self.line()?),
            0x93 => self.stack_global()?,
            b'R' | 0x81 => self.call()?,
            b'Q' => {
                let id = self.pop()?;
                build::persistent(self, id)?
            }
            other => {
                return fault(
                    start,
                    format!(
                        "has a pickle with instruction 0x{other:02x}, which torch.save does not write"
                    ),
                );
            }
        })
    }
}
