//! Event files, read back by a reader of their own.

use crate::support::{Folder, draw_samples, log, protocol, score, spec, write_lines};
use sngan_experiment::RunDir;
use sngan_experiment::method::Method;
use sngan_experiment::protobuf::{Value, fields};
use sngan_experiment::records::{
    FORMAT_VERSION, LogRecord, Metric, Protocol, Reference, ScoreRecord, TimingRecord,
};
use sngan_plot::Comparison;
use sngan_plot::records::RunRecords;
use sngan_plot::tensorboard::Board;
use std::collections::BTreeMap;
use std::path::Path;

/// CRC-32C bit by bit, as RFC 3720 defines it.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8)
            .fold(crc ^ u32::from(*byte), |c, _| (c >> 1) ^ (0x82f6_3b78 & (c & 1).wrapping_neg()))
    })
}

fn masked(bytes: &[u8]) -> [u8; 4] {
    crc(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

/// The messages of a file of records, each with right checksums.
fn messages(mut rest: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_at(8);
        let (check, after) = after.split_at(4);
        assert_eq!(check, masked(length), "length of record {}", found.len());
        let n = u64::from_le_bytes(length.try_into().unwrap()) as usize;
        let (message, after) = after.split_at(n);
        let (check, after) = after.split_at(4);
        assert_eq!(check, masked(message), "record {}", found.len());
        found.push(message);
        rest = after;
    }
    found
}

fn field<'a>(message: &'a [u8], number: u32) -> Option<Value<'a>> {
    fields(message).unwrap().into_iter().find(|(n, _)| *n == number).map(|(_, value)| value)
}

fn bytes(message: &[u8], number: u32) -> &[u8] {
    match field(message, number) {
        Some(Value::Bytes(bytes)) => bytes,
        other => panic!("field {number}: {other:?}"),
    }
}

/// What a file says: scalars by tag and step, steps of pictures, wall times by step.
#[derive(Default)]
struct Said {
    scalars: BTreeMap<(String, u64), f32>,
    pictures: Vec<u64>,
    times: BTreeMap<u64, f64>,
    texts: Vec<String>,
}

fn read(path: &Path) -> Said {
    let file = std::fs::read(path).unwrap();
    let events = messages(&file);
    assert_eq!(bytes(events[0], 3), b"brain.Event:2");
    assert_eq!(field(bytes(events[1], 7), 1), Some(Value::Varint(1)), "a new session");
    let mut said = Said::default();
    for event in &events[2..] {
        let Some(Value::Fixed64(time)) = field(event, 1) else { panic!("no time") };
        let Some(Value::Varint(step)) = field(event, 2) else { panic!("no step") };
        said.times.insert(step, f64::from_le_bytes(time));
        for (_, value) in fields(bytes(event, 5)).unwrap() {
            let Value::Bytes(value) = value else { panic!("no value") };
            let tag = String::from_utf8(bytes(value, 1).to_vec()).unwrap();
            match (field(value, 2), field(value, 4), field(value, 8)) {
                (Some(Value::Fixed32(x)), None, None) => {
                    let before = said.scalars.insert((tag, step), f32::from_le_bytes(x));
                    assert_eq!(before, None, "written twice");
                }
                (None, Some(Value::Bytes(picture)), None) => {
                    let png = image::load_from_memory(bytes(picture, 4)).unwrap();
                    let side = |n| match field(picture, n) {
                        Some(Value::Varint(side)) => side as u32,
                        other => panic!("{other:?}"),
                    };
                    assert_eq!((png.height(), png.width()), (side(1), side(2)));
                    said.pictures.push(step);
                }
                (None, None, Some(Value::Bytes(text))) => {
                    said.texts.push(String::from_utf8(bytes(text, 8).to_vec()).unwrap());
                }
                other => panic!("{tag}: {other:?}"),
            }
        }
    }
    said
}

fn write_log(dir: &RunDir, records: &[LogRecord]) {
    write_lines(&dir.log_path(), records);
    let time = |r: &LogRecord| TimingRecord {
        version: FORMAT_VERSION,
        gen_update: r.gen_update,
        seconds: r.gen_update as f64 / 2.0,
    };
    write_lines(&dir.timing_path(), &records.iter().map(time).collect::<Vec<_>>());
}

fn line(gen_update: u64, loss: f64) -> LogRecord {
    LogRecord { loss_d: Some(loss), ..log(gen_update, 1.0) }
}

fn event_files(dir: &RunDir) -> usize {
    let names = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name());
    names.filter(|n| n.to_string_lossy().contains("tfevents")).count()
}

#[test]
fn events_are_the_records_and_grow_with_them() {
    let mut folder = Folder::new("table1", "quick");
    let dir = folder.run(&spec(Method::Sn, "C", 0), &[]);
    write_log(&dir, &[line(1, 0.5), line(2, 0.25)]);
    let records = || RunRecords::read(dir.path()).unwrap();
    let mut board = Board::begin(&records(), dir.path()).unwrap();
    let said = read(board.path());
    assert!(said.texts[0].contains("normalization = \"spectral\""), "{:?}", said.texts);
    let loss = |said: &Said, step| said.scalars.get(&("loss/D".to_string(), step)).copied();
    assert_eq!((loss(&said, 1), loss(&said, 2), loss(&said, 3)), (Some(0.5), Some(0.25), None));
    // Not finite in the record, so not a number here; a quantity that the run has not is not there.
    assert!(said.scalars[&("loss/G".to_string(), 1)].is_nan());
    assert!(!said.scalars.keys().any(|(tag, _)| tag.contains("classifier")));
    let layer = |name: &str| said.scalars[&(format!("{name}/conv2"), 2)];
    assert_eq!((layer("sigma"), layer("stable rank")), (1.002, 3.0));
    assert!((said.times[&2] - said.times[&1] - 0.5).abs() < 1e-6, "{:?}", said.times);

    write_log(&dir, &[line(1, 0.5), line(2, 0.25), line(4, 0.125)]);
    write_lines(&dir.scores_path(), &score(4, 3.0, 20.0));
    draw_samples(&dir);
    let path = board.path().to_path_buf();
    for _ in 0..2 {
        board.follow(&records()).unwrap();
    }
    let said = read(&path);
    assert_eq!((board.path(), loss(&said, 4)), (path.as_path(), Some(0.125)));
    assert_eq!(said.scalars[&("score/is_100[made-up]".to_string(), 4)], 3.0);
    assert_eq!(said.scalars[&("score/is_100[made-up] std".to_string(), 4)], 0.25);
    assert_eq!(said.pictures, [10]);
}

#[test]
fn scores_against_several_sets_of_as_many_images_have_names_of_their_own() {
    let against = |set: &str, sha256: &str, value: f64| ScoreRecord {
        value: Some(value),
        protocol: Protocol {
            name: "fid_100_images800".into(),
            reference: Some(Reference { name: set.into(), n: 800, sha256: sha256.into() }),
            ..protocol(Metric::Fid)
        },
        ..score(10, 3.0, 20.0)[1].clone()
    };
    let scores = [against("other", "5e82187b6e", 1.0), against("other2", "1a2b3c4d5e", 2.0)];
    let mut folder = Folder::new("table1", "quick");
    let dir = folder.run(&spec(Method::Sn, "C", 0), &scores);
    let board = Board::begin(&RunRecords::read(dir.path()).unwrap(), dir.path()).unwrap();
    let names = ["other 5e82187b", "other2 1a2b3c4d"]
        .map(|set| format!("fid_100_images800[made-up] against {set}"));
    let said = read(board.path()).scalars;
    let of = |name: &String| said[&(format!("score/{name}"), 10)];
    assert_eq!([of(&names[0]), of(&names[1])], [1.0, 2.0]);
    let lines = Comparison::read(&[dir.path().to_path_buf()]).unwrap().scores();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(names.iter().all(|name| lines.iter().any(|(line, _)| line == name)), "{lines:?}");
}

#[test]
fn a_run_that_goes_back_gets_a_file_without_what_was_undone() {
    let mut folder = Folder::new("table1", "quick");
    let dir = folder.run(&spec(Method::Sn, "C", 0), &[]);
    let records = || RunRecords::read(dir.path()).unwrap();
    write_log(&dir, &[line(1, 0.5), line(2, 0.25), line(3, 9.0)]);
    let mut board = Board::begin(&records(), dir.path()).unwrap();
    // Shorter; as long, but otherwise.
    for undone in [vec![line(1, 0.5)], vec![line(7, 0.5)]] {
        let (before, step) = (board.path().to_path_buf(), undone[0].gen_update);
        write_log(&dir, &undone);
        board.follow(&records()).unwrap();
        assert_ne!(board.path(), before);
        let said = read(board.path());
        let steps: Vec<u64> =
            said.scalars.keys().filter(|(tag, _)| tag == "loss/D").map(|(_, s)| *s).collect();
        assert_eq!((steps, event_files(&dir)), (vec![step], 1));
    }
    // Another program's file stays.
    std::fs::write(dir.path().join("events.out.tfevents.1.host"), "x").unwrap();
    Board::begin(&records(), dir.path()).unwrap();
    assert_eq!(event_files(&dir), 2);
}
