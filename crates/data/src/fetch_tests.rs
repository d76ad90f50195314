//! Downloads from a server on the loopback interface that can cut, ignore ranges and lie.

use super::*;
use crate::sources::Unpack;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

/// How the server behaves.
#[derive(Clone, Copy)]
enum Server {
    /// Knows ranges.
    Ranges,
    /// Sends everything, whatever was asked for.
    NoRanges,
    /// Closes the connection after this many bytes.
    Cuts(usize),
    /// Knows ranges, and waits a millisecond after each of so many bytes.
    Slow(usize),
}

/// Serves `body` until the test's process ends; returns the address and the `Range` headers it saw.
fn serve(body: Vec<u8>, server: Server) -> (String, Arc<Mutex<Vec<Option<u64>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let ranges = seen.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut range = None;
            for line in BufReader::new(stream.try_clone().unwrap()).lines() {
                // Whoever asked may have been killed, here and below.
                let line = line.unwrap_or_default().to_lowercase();
                if let Some(value) = line.strip_prefix("range: bytes=") {
                    range = Some(value.trim_end_matches('-').parse::<u64>().unwrap());
                }
                if line.is_empty() {
                    break;
                }
            }
            ranges.lock().unwrap().push(range);
            let start =
                if matches!(server, Server::NoRanges) { 0 } else { range.unwrap_or(0) as usize };
            let status = match (start, range) {
                (s, _) if s >= body.len() => "416 Range Not Satisfiable",
                (0, _) => "200 OK",
                _ => "206 Partial Content",
            };
            let rest = &body[start.min(body.len())..];
            let sent = if let Server::Cuts(n) = server { &rest[..n.min(rest.len())] } else { rest };
            let length = rest.len();
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            let (step, pause) = match server {
                Server::Slow(step) => (step, Duration::from_millis(1)),
                Server::Ranges | Server::NoRanges | Server::Cuts(_) => (usize::MAX, Duration::ZERO),
            };
            let _ = stream.write_all(head.as_bytes()).and_then(|()| {
                sent.chunks(step).try_for_each(|part| {
                    std::thread::sleep(pause);
                    stream.write_all(part)
                })
            });
        }
    });
    (address, seen)
}

fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

fn made_up(body: &[u8], unpack: Option<Unpack>) -> Source {
    let sha256: String = Sha256::digest(body).iter().map(|b| format!("{b:02x}")).collect();
    let checksums = Box::leak(Box::new([Checksum::Sha256(leak(sha256))]));
    let files = Box::leak(Box::new([Remote {
        name: "f.tar.gz",
        bytes: Some(body.len() as u64),
        checksums,
        mirrors: &[],
    }]));
    Source { name: "made-up", about: "", base: "", folder: "", files, unpack, well_formed: None }
}

fn body() -> Vec<u8> {
    (0..100_000u32).map(|i| ((i * i) >> 7) as u8).collect()
}

#[test]
fn a_cut_download_resumes_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let source = made_up(&body(), None);
    let (cutting, _) = serve(body(), Server::Cuts(30_000));
    let message =
        fetch_source(&source, &cutting, folder.path(), &mut |_, _| {}).unwrap_err().to_string();
    assert!(message.contains("run it again to resume"), "{message}");
    assert!(!folder.path().join("f.tar.gz").exists());

    let have = fs::metadata(folder.path().join("f.tar.gz.partial")).unwrap().len();
    let (good, seen) = serve(body(), Server::Ranges);
    fetch_source(&source, &good, folder.path(), &mut |_, _| {}).unwrap();
    assert_eq!(*seen.lock().unwrap(), [Some(have)]);
    assert_eq!(fs::read(folder.path().join("f.tar.gz")).unwrap(), body());
    assert!(!folder.path().join("f.tar.gz.partial").exists());
}

#[test]
fn servers_without_ranges_and_too_long_partials_start_over() {
    for (server, partial) in [(Server::NoRanges, 500), (Server::Ranges, 200_000)] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("f.tar.gz.partial"), vec![7; partial]).unwrap();
        let (address, _) = serve(body(), server);
        fetch_source(&made_up(&body(), None), &address, folder.path(), &mut |_, _| {}).unwrap();
        assert_eq!(fs::read(folder.path().join("f.tar.gz")).unwrap(), body());
    }
}

#[test]
fn wrong_bytes_never_get_the_name_and_are_not_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let mut wrong = body();
    wrong[5] ^= 1;
    let (address, _) = serve(wrong, Server::Ranges);
    let message = fetch_source(&made_up(&body(), None), &address, folder.path(), &mut |_, _| {})
        .unwrap_err()
        .to_string();
    assert!(message.contains("sha256"), "{message}");
    // What keeps two fetches apart may stay.
    let names = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name());
    let left: Vec<_> = names.filter(|name| name != ".f.tar.gz.lock").collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn offline_it_says_which_file_to_put_where_and_takes_it() {
    let folder = tempfile::tempdir().unwrap();
    let source = made_up(&body(), None);
    // Nobody listens on port 1.
    let message = fetch_source(&source, "http://127.0.0.1:1/", folder.path(), &mut |_, _| {})
        .unwrap_err()
        .to_string();
    let path = folder.path().join("f.tar.gz");
    assert!(message.contains(&format!("put the file at {}", path.display())), "{message}");
    fs::write(&path, body()).unwrap();
    fetch_source(&source, "http://127.0.0.1:1/", folder.path(), &mut |_, _| {}).unwrap();
    fs::write(&path, b"something else").unwrap();
    let message = fetch_source(&source, "http://127.0.0.1:1/", folder.path(), &mut |_, _| {})
        .unwrap_err()
        .to_string();
    assert!(message.contains("14 bytes instead of 100000"), "{message}");
}

fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar =
        tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (path, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        // Written past the builder's own check, as an attacker would.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        tar.append(&header, *content).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

const UNPACK: Unpack = Unpack { folder: "d", files: &["a.bin", "b.bin"], limit: 4 };

#[test]
fn only_the_expected_files_leave_the_archive() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    let bytes = archive(&[
        ("../evil", b"x"),
        ("d/a.bin", b"aa"),
        ("d/../../evil", b"x"),
        ("d/b.bin", b"bb"),
        ("d/readme", b"r"),
    ]);
    fs::write(data.join("f.tar.gz"), &bytes).unwrap();
    let source = made_up(&bytes, Some(UNPACK));
    fetch_source(&source, "", &data, &mut |_, _| {}).unwrap();
    assert_eq!(fs::read(data.join("d/a.bin")).unwrap(), b"aa");
    assert_eq!(fs::read_dir(data.join("d")).unwrap().count(), 2);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

    archive::compare(&data.join("f.tar.gz"), &UNPACK, &data, &source).unwrap();
    fs::write(data.join("d/b.bin"), b"bc").unwrap();
    let message =
        archive::compare(&data.join("f.tar.gz"), &UNPACK, &data, &source).unwrap_err().to_string();
    assert!(message.contains("b.bin") && message.contains("differs"), "{message}");
}

#[test]
fn archives_that_lack_a_file_are_cut_or_too_large_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.tar.gz");
    let good = archive(&[("d/a.bin", b"aa"), ("d/b.bin", b"bb")]);
    for (bytes, expected) in [
        (archive(&[("d/a.bin", b"aa")]), "lacks b.bin"),
        (archive(&[("d/a.bin", b"aaaaa"), ("d/b.bin", b"")]), "more than 4"),
        (good[..good.len() / 2].to_vec(), "cut or corrupt"),
    ] {
        fs::write(&path, bytes).unwrap();
        let message = archive::unpack(&path, &UNPACK, folder.path()).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn unknown_names_list_the_known() {
    assert!(
        fetch("mnist", Path::new("."), &mut |_, _| {})
            .unwrap_err()
            .to_string()
            .contains("cifar10, stl10, fashion-mnist")
    );
}

#[test]
fn a_mirror_serves_where_the_first_address_has_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // The server answers any path with the body; nobody listens at the first address.
    let (mirror, seen) = serve(body(), Server::Ranges);
    let mirrors = Box::leak(Box::new([leak(format!("{mirror}elsewhere.pth"))]));
    let sha256: String = Sha256::digest(body()).iter().map(|b| format!("{b:02x}")).collect();
    let checksums = Box::leak(Box::new([Checksum::Sha256Prefix(leak(sha256[..8].to_string()))]));
    let files = Box::leak(Box::new([Remote { name: "f.pth", bytes: None, checksums, mirrors }]));
    let source = Source {
        name: "made-up",
        about: "",
        base: "",
        folder: "",
        files,
        unpack: None,
        well_formed: None,
    };
    fetch_source(&source, "http://127.0.0.1:9/", folder.path(), &mut |_, _| {}).unwrap();
    assert_eq!(fs::read(folder.path().join("f.pth")).unwrap(), body());
    assert_eq!(seen.lock().unwrap().len(), 1);

    // Other bytes under that name are refused.
    fs::write(folder.path().join("f.pth"), b"other").unwrap();
    let message = fetch_source(&source, "http://127.0.0.1:9/", folder.path(), &mut |_, _| {})
        .unwrap_err()
        .to_string();
    assert!(message.contains(&format!("expected sha256 {}…", &sha256[..8])), "{message}");
}

/// The environment's names for where a process that will be killed fetches from, and to.
const FROM: &str = "SNGAN_TEST_FETCH_FROM";
const TO: &str = "SNGAN_TEST_FETCH_TO";

#[test]
#[ignore = "the process that `a_fetch_that_is_killed…` kills"]
fn fetch_of_its_own() {
    let of = |name| std::env::var(name).expect("the test that starts this one sets it");
    let source = made_up(&body(), None);
    fetch_source(&source, &of(FROM), Path::new(&of(TO)), &mut |_, _| {}).unwrap();
}

#[test]
fn a_fetch_that_is_killed_at_any_moment_ends_in_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (address, seen) = serve(body(), Server::Slow(1000));
    let start = || {
        std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "fetch::tests::fetch_of_its_own"])
            .env(FROM, &address)
            .env(TO, folder.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap()
    };
    // Moments that differ from run to run: what is promised must hold at any.
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let mut moment = u64::from(since.unwrap().subsec_nanos());
    let path = folder.path().join("f.tar.gz");
    for _ in 0..12 {
        moment = moment.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let mut child = start();
        std::thread::sleep(Duration::from_millis((moment >> 33) % 60));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!path.exists() || fs::read(&path).unwrap() == body());
    }
    assert!(start().wait().unwrap().success());
    assert_eq!(fs::read(&path).unwrap(), body());
    assert!(!folder.path().join("f.tar.gz.partial").exists());
    // Whole, it is not asked for again.
    let before = seen.lock().unwrap().len();
    assert!(start().wait().unwrap().success());
    assert_eq!(seen.lock().unwrap().len(), before);
}
