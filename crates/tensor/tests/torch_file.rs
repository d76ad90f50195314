//! Files of torch.save in both formats (fixtures/torch_file.py wrote them), and what must happen when they are damaged or hostile.

#![allow(clippy::unwrap_used, reason = "a test's helpers may")]

use proptest::prelude::*;
use sngan_tensor::torch_file::{TorchData, TorchFile, TorchTensor};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;

const OLD: &[u8] = include_bytes!("fixtures/torch-file-old.pth");
const ZIP: &[u8] = include_bytes!("fixtures/torch-file-zip.pth");

/// The same values by the other protocols of Python's pickles.
const PROTOCOLS: [&[u8]; 4] = [
    include_bytes!("fixtures/torch-file-zip-protocol3.pth"),
    include_bytes!("fixtures/torch-file-zip-protocol4.pth"),
    include_bytes!("fixtures/torch-file-zip-protocol5.pth"),
    include_bytes!("fixtures/torch-file-old-protocol5.pth"),
];

thread_local! {
    /// Bytes that this thread holds, and the most since it was last set.
    static HELD: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

/// The system's allocator, counting.
struct Counting;

fn count(bytes: isize) {
    let _ = HELD.try_with(|held| {
        let (now, most) = held.get();
        held.set((now + bytes, most.max(now + bytes)));
    });
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most that `f` held at a time.
fn most_held(f: impl FnOnce()) -> usize {
    HELD.with(|held| held.set((0, 0)));
    f();
    HELD.with(|held| held.get().1) as usize
}

fn read(bytes: &[u8], state_dict: Option<&str>) -> Result<TorchFile, String> {
    TorchFile::from_bytes(Path::new("x.pth"), bytes.to_vec(), state_dict).map_err(|e| e.to_string())
}

/// Reads everything that can be read.
fn exhaust(bytes: &[u8]) {
    for state_dict in [None, Some("state_dict"), Some("ema/generator")] {
        if let Ok(file) = read(bytes, state_dict) {
            for name in file.names().map(str::to_string).collect::<Vec<_>>() {
                let _ = file.tensor(&name);
            }
        }
    }
}

/// A dictionary of a pickle takes 24 bytes an entry and a value 64, while an instruction takes one byte; growing lists hold their double.
const PER_BYTE: usize = 400;
/// Buffers of fixed size, and messages.
const FIXED: usize = 1 << 16;

#[test]
fn both_formats_and_every_protocol_give_the_tensors_that_were_saved() {
    for bytes in [OLD, ZIP].into_iter().chain(PROTOCOLS) {
        let file = read(bytes, Some("state_dict")).unwrap();
        let names: Vec<_> = file.names().collect();
        assert_eq!(
            names,
            [
                "bn.num_batches_tracked",
                "double",
                "empty",
                "half",
                "parameter",
                "single",
                "view",
                "weight"
            ]
        );
        let tensor = |name: &str| file.tensor(name).unwrap();
        let f32s = |shape: &[usize], data: Vec<f32>| TorchTensor {
            shape: shape.to_vec(),
            data: TorchData::F32(data),
        };
        assert_eq!(tensor("weight"), f32s(&[4, 6], (0..24).map(|i| i as f32).collect()));
        // Row i, column j of base.t()[1:4, 1:] is base[j + 1, i + 1].
        assert_eq!(tensor("view"), f32s(&[3, 3], vec![7., 13., 19., 8., 14., 20., 9., 15., 21.]));
        assert_eq!(tensor("single"), f32s(&[], vec![5.0]));
        assert_eq!(tensor("parameter"), f32s(&[2], vec![1.5, -2.5]));
        assert_eq!(tensor("empty"), f32s(&[0, 3], vec![]));
        assert_eq!(
            tensor("double"),
            TorchTensor { shape: vec![2, 1], data: TorchData::F64(vec![0.1, 0.2]) }
        );
        assert_eq!(
            tensor("bn.num_batches_tracked"),
            TorchTensor { shape: vec![], data: TorchData::I64(vec![7]) }
        );
        assert_eq!(file.shape("half"), Some(&[1][..]));
        assert_eq!(
            (file.storage("half"), tensor("half").data),
            (Some("HalfStorage"), TorchData::Half(vec![0.5]))
        );
        assert_eq!(file.others().count(), 0);
        let nested = read(bytes, Some("ema/generator")).unwrap();
        assert_eq!(
            nested.tensor("weight").unwrap(),
            f32s(&[1, 6], (0..6).map(|i| i as f32).collect())
        );
    }
}

#[test]
fn messages_name_the_file_and_what_to_ask_for() {
    for bytes in [OLD, ZIP] {
        let unknown = read(bytes, Some("ema/discriminator")).unwrap_err();
        assert!(
            unknown.starts_with("failed to read x.pth, offset ")
                && unknown.contains("no dictionary `discriminator`")
                && unknown.ends_with("state_dict, ema/generator"),
            "{unknown}"
        );
        let missing =
            read(bytes, Some("state_dict")).unwrap().tensor("bias").unwrap_err().to_string();
        assert!(missing.contains("tensor `bias` is missing"), "{missing}");
    }
    let other = read(b"not a checkpoint", None).unwrap_err();
    assert!(other.contains("is no file of torch.save"), "{other}");
}

#[test]
fn dictionaries_in_the_outermost_are_read_by_path() {
    for bytes in [OLD, ZIP] {
        let file = read(bytes, None).unwrap();
        assert_eq!(
            file.tensor("ema/generator/weight").unwrap(),
            TorchTensor {
                shape: vec![1, 6],
                data: TorchData::F32((0..6u8).map(f32::from).collect())
            }
        );
        assert!(file.names().any(|name| name.starts_with("state_dict/")));
    }
}

/// A tensor that repeats its elements, beside one that does not, a set and a list of many losses.
#[test]
fn one_entry_that_cannot_be_read_keeps_none_of_the_others_from_it() {
    let name = |text: &[u8; 1]| [b"X\x01\x00\x00\x00" as &[u8], text].concat();
    let repeated = [name(b"r"), tensor(b"K\x00K\x03\x85K\x00\x85")].concat();
    let set = [name(b"s"), b"\x8f(K\x01K\x02\x90".to_vec()].concat();
    let frozen = [name(b"f"), b"(K\x01\x91".to_vec()].concat();
    let losses = [b"](" as &[u8], &b"G\x3f\xf0\x00\x00\x00\x00\x00\x00".repeat(1_200_000), b"e"];
    let losses = [name(b"l"), losses.concat()].concat();
    let more = [repeated, set, frozen, losses].concat();
    let file = read(&old_file(&dictionary(b"K\x00K\x02\x85K\x01\x85", &more)), None).unwrap();
    assert_eq!(file.names().collect::<Vec<_>>(), ["w"]);
    assert_eq!(file.others().collect::<Vec<_>>(), ["f", "l", "s"]);
    let [(name, reason)] = file.unreadable().collect::<Vec<_>>()[..] else { panic!("one") };
    assert!(name == "r" && reason.contains("more than its storage of 2 elements"), "{reason}");
}

#[test]
fn every_cut_of_a_file_is_an_error() {
    for bytes in [OLD, ZIP, PROTOCOLS[2]] {
        for n in 0..bytes.len() {
            assert!(read(&bytes[..n], Some("state_dict")).is_err(), "{n} of {} bytes", bytes.len());
        }
    }
}

/// A file in the old format of the value that `pickle` makes, with one storage `k` of two numbers.
fn old_file(pickle: &[u8]) -> Vec<u8> {
    let head = &OLD[..15];
    let system = b"\x80\x02}X\x0d\x00\x00\x00little_endian\x88s.";
    let keys = b"\x80\x02]X\x01\x00\x00\x00ka.";
    let storage = [&2u64.to_le_bytes()[..], &1.0f32.to_le_bytes(), &2.0f32.to_le_bytes()].concat();
    [head, b"\x80\x02M\xe9\x03.", system, b"\x80\x02", pickle, b".", keys, &storage].concat()
}

/// The pickle of a tensor over that storage with the given instructions for offset, sizes and strides.
fn tensor(view: &[u8]) -> Vec<u8> {
    let storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x00kX\x03\x00\x00\x00cpuK\x02NtQ";
    [b"ctorch._utils\n_rebuild_tensor_v2\n(" as &[u8], storage, view, b"\x89}tR"].concat()
}

/// The pickle of a dictionary with that tensor and more.
fn dictionary(view: &[u8], more: &[u8]) -> Vec<u8> {
    [b"}(X\x01\x00\x00\x00w" as &[u8], &tensor(view), more, b"u"].concat()
}

#[test]
fn a_view_must_lie_in_its_storage() {
    let whole = b"K\x00K\x02\x85K\x01\x85";
    let file = read(&old_file(&dictionary(whole, b"")), None).unwrap();
    assert_eq!(file.tensor("w").unwrap().data, TorchData::F32(vec![1.0, 2.0]));

    let refused = |view: &[u8], reason: &str| {
        let message = read(&old_file(&dictionary(view, b"")), None).unwrap_err();
        assert!(message.contains(reason), "{message}");
    };
    refused(b"K\x01K\x02\x85K\x01\x85", "tensor `w` reaches beyond its storage of 2 elements");
    refused(b"K\x00K\x02\x85K\x02\x85", "reaches beyond its storage");
    refused(b"K\x00K\x03\x85K\x00\x85", "more than its storage of 2 elements");
    refused(b"K\x00J\xff\xff\xff\xff\x85K\x01\x85", "no number from 0 on");
    // 2⁴⁰ · 2⁴⁰ · 2⁴⁰ elements, a stride of 2⁶², and sizes without strides.
    let large = b"\x8a\x06\x00\x00\x00\x00\x00\x01";
    refused(
        &[b"K\x00", &large[..], large, large, b"\x87K\x00K\x00K\x00\x87"].concat(),
        "more than its storage",
    );
    refused(
        b"K\x00K\x02\x85\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x40\x85",
        "reaches beyond its storage",
    );
    refused(b"K\x00K\x02\x85)", "1 sizes and 0 strides");
}

#[test]
fn what_a_pickle_would_call_is_not_called() {
    let whole = b"K\x00K\x02\x85K\x01\x85";
    // os.system("true") as the value of `x`: an entry that is no tensor.
    let call = b"X\x01\x00\x00\x00xcos\nsystem\nX\x04\x00\x00\x00true\x85R";
    let file = read(&old_file(&dictionary(whole, call)), None).unwrap();
    assert_eq!(file.others().collect::<Vec<_>>(), ["x"]);
    let twice = read(&old_file(&dictionary(whole, b"X\x01\x00\x00\x00wN")), None).unwrap_err();
    assert!(twice.contains("has `w` twice"), "{twice}");
}

#[test]
fn whole_numbers_are_names_and_a_tensor_alone_is_read() {
    let whole = tensor(b"K\x00K\x02\x85K\x01\x85");
    let file = read(&old_file(&[b"}(K\x07" as &[u8], &whole, b"u"].concat()), None).unwrap();
    assert_eq!(file.names().collect::<Vec<_>>(), ["7"]);
    let file = read(&old_file(&whole), None).unwrap();
    assert_eq!(file.tensor("tensor").unwrap().data, TorchData::F32(vec![1.0, 2.0]));
    let list = read(&old_file(&[b"](" as &[u8], &whole, b"e"].concat()), None).unwrap_err();
    assert!(
        list.contains("no dictionary of tensors in its outermost value")
            && list.contains("state_dict"),
        "{list}"
    );
}

#[test]
fn programs_that_grow_stay_bounded() {
    let ops: &[(&str, Vec<u8>)] = &[
        ("values", vec![b'N'; 200_000]),
        ("marks", vec![b'('; 200_000]),
        ("a list doubled by memo", [b"]q\x00" as &[u8], &b"(h\x00h\x00e".repeat(40_000)].concat()),
        ("tuples of tuples", [b"N" as &[u8], &b"2\x85q\x00h\x00h\x00\x86".repeat(20_000)].concat()),
        ("a text of 4 GiB", b"X\xff\xff\xff\xff".to_vec()),
        ("bytes of 4 GiB", b"B\xff\xff\xff\xff".to_vec()),
        (
            "memo",
            (0..40_000u32).flat_map(|i| [b"N" as &[u8], b"r", &i.to_le_bytes()].concat()).collect(),
        ),
        (
            "one long key again and again",
            [
                b"}X\x00\x00\x01\x00" as &[u8],
                &[b'k'; 1 << 16],
                b"q\x000",
                &b"h\x00}s".repeat(10_000),
            ]
            .concat(),
        ),
    ];
    for (what, program) in ops {
        let file = old_file(program);
        let held = most_held(|| exhaust(&file));
        assert!(
            held <= PER_BYTE * file.len() + FIXED,
            "{what}: {held} bytes for a file of {}",
            file.len()
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn damaged_files_neither_panic_nor_grow(
        zip in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in prop::option::of(any::<prop::sample::Index>()),
        inserted in prop::option::of((any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 1..16))),
    ) {
        let mut bytes = if zip { ZIP } else { OLD }.to_vec();
        for (place, value) in changes {
            let at = place.index(bytes.len());
            bytes[at] = value;
        }
        if let Some((place, new)) = inserted {
            let at = place.index(bytes.len());
            bytes.splice(at..at, new);
        }
        if let Some(place) = cut {
            bytes.truncate(place.index(bytes.len()));
        }
        let held = most_held(|| exhaust(&bytes));
        prop_assert!(held <= PER_BYTE * bytes.len() + FIXED, "{held} bytes for a file of {}", bytes.len());
    }

    #[test]
    fn random_programs_neither_panic_nor_grow(program in prop::collection::vec(prop::sample::select(
        b".(01NKMJGXTUBC}])t\x85\x86\x87lasuebcRQqrhj\x80\x81\x88\x89\x8a\x8c\x93\x94\x95\x00\x01\x02".to_vec()), 0..200)) {
        let file = old_file(&program);
        let held = most_held(|| exhaust(&file));
        prop_assert!(held <= PER_BYTE * file.len() + FIXED, "{held} bytes for a file of {}", file.len());
    }

    #[test]
    fn random_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(read(&bytes, None).is_err());
    }
}
