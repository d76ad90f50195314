//! `sngan fid` through a small network; Inception's own way is compared by `just parity-eval`.

use crate::support::Folder;
use std::path::Path;

fn pngs(folder: &Path, n: u32, width: u32, height: u32, first: u32) {
    std::fs::create_dir_all(folder).unwrap();
    for i in first..first + n {
        let value =
            |x: u32, y: u32, c: u32| ((i * 37 + x * 5 + y * (3 + c) + i * x / 9) % 256) as u8;
        let picture = image::RgbImage::from_fn(width, height, |x, y| {
            image::Rgb([value(x, y, 0), value(x, y, 1), value(x, y, 2)])
        });
        picture.save(folder.join(format!("{i:03}.png"))).unwrap();
    }
}

const SCORER: &str = "--backbone scorer-fashion";

fn value(said: &str) -> f64 {
    let line = said.lines().find_map(|line| line.strip_prefix("FID ")).unwrap();
    line.parse().unwrap()
}

#[test]
fn two_sets_of_any_kind_are_compared() {
    let folder = Folder::new();
    pngs(&folder.path("a"), 70, 16, 16, 0);
    pngs(&folder.path("b"), 80, 16, 16, 200);
    let said = folder.expect(0, &format!("fid a b {SCORER}"));
    assert!(said.contains("a (70 images) and b (80 images) through scorer-fashion"), "{said}");
    // It is the distance of `sngan score`, and symmetric.
    let scored =
        folder.expect(0, &format!("score --images a --reference b --metrics fid --json {SCORER}"));
    let there = scored.split("\"value\":").nth(1).unwrap().split(',').next().unwrap();
    let distance = value(&said);
    assert!((distance - there.parse::<f64>().unwrap()).abs() < 1e-5, "{said} {scored}");
    let back = value(&folder.expect(0, &format!("fid b a {SCORER}")));
    assert!((distance - back).abs() < 1e-5 * distance.max(1.0));
    // Statistics stand for their images, on either side and on both.
    folder.expect(0, &format!("reference b --out b.npz {SCORER}"));
    assert!((value(&folder.expect(0, &format!("fid a b.npz {SCORER}"))) - distance).abs() < 1e-5);
    folder.expect(0, &format!("reference a --out a.npz {SCORER}"));
    let both = folder.expect(0, "fid a.npz b.npz");
    assert!((value(&both) - distance).abs() < 1e-5 && both.contains("a.npz (70 images)"), "{both}");
    // Their provenance names the network.
    let one_line = |said: &str| said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(one_line(&both).contains("through scorer-fashion, resize"), "{both}");
    let json = folder.expect(0, "fid a.npz b.npz --json");
    for part in ["\"backbone\":\"scorer-fashion\"", "\"n\":80", "\"few_samples\":false"] {
        assert!(json.contains(part), "{part}: {json}");
    }
    pngs(&folder.path("many"), 130, 16, 16, 400);
    folder.expect(0, "reference many --out other.npz --backbone scorer-cifar10");
    let said = one_line(&folder.expect(1, "fid a.npz other.npz"));
    assert!(said.contains("a.npz was made through scorer-fashion ("), "{said}");
    assert!(said.contains("other.npz through scorer-cifar10 ("), "{said}");
    std::fs::remove_file(folder.path("b.json")).unwrap();
    let said = folder.expect(0, "fid a.npz b.npz");
    assert!(one_line(&said).contains("through an unknown network"), "{said}");
    let json = folder.expect(0, "fid a.npz b.npz --json");
    assert!(json.contains("\"backbone\":null") && json.contains("\"few_samples\":null"), "{json}");
    let json = folder.expect(0, &format!("fid a fashion-mnist --side 16 --json {SCORER}"));
    for part in ["\"fid\":", "\"n\":70", "\"backbone\":\"scorer-fashion\"", "\"pictures\":\"same\""]
    {
        assert!(json.contains(part), "{part}: {json}");
    }
}

#[test]
fn unequal_pictures_need_a_rule() {
    let folder = Folder::new();
    pngs(&folder.path("a"), 70, 16, 16, 0);
    pngs(&folder.path("mixed"), 70, 16, 16, 200);
    pngs(&folder.path("mixed"), 1, 24, 16, 900);
    pngs(&folder.path("large"), 70, 32, 32, 200);
    pngs(&folder.path("wide"), 70, 24, 16, 200);
    let refused = |command: &str, reason: &str| {
        let said = folder.expect(1, &format!("{command} {SCORER}"));
        assert!(said.contains(reason) && said.contains("--pictures crop"), "{command}: {said}");
        // A scorer would refuse it.
        assert!(!said.contains("--pictures each takes"), "{command}: {said}");
        assert!(!said.contains("--pictures each compares"), "{command}: {said}");
    };
    refused("fid a mixed", "900.png: has 24x16 pixels, but");
    refused("fid a large", "a has 16x16 pixels, large 32x32");
    refused("fid a wide", "a has 16x16 pixels, wide 24x16");
    refused("fid wide wide", "takes squares of one size");
    let each = "--pictures each is for Inception; scorer-fashion takes squares of one size";
    refused("fid a mixed --pictures each", each);
    refused("fid mixed a --pictures each", each);
    refused("fid a a --side 16", "--side 16 changes nothing here");
    refused("fid mixed a --side 16", "--side 16 changes nothing here");
    for other in ["mixed", "large", "wide"] {
        let said = folder.expect(0, &format!("fid a {other} --pictures crop --side 16 {SCORER}"));
        assert!(value(&said) > 0.0 && said.contains("pictures crop"), "{said}");
    }
    let same = folder.expect(0, &format!("fid a a --pictures crop --side 16 {SCORER}"));
    assert!(value(&same) < 1e-3, "{same}");
}

#[test]
fn what_cannot_be_compared_says_why() {
    let folder = Folder::new();
    pngs(&folder.path("a"), 3, 16, 16, 0);
    std::fs::create_dir(folder.path("empty")).unwrap();
    std::fs::write(folder.path("bad.npz"), "no archive").unwrap();
    for (command, reason) in [
        (
            "fid a none --backbone scorer-fashion",
            "`none` is neither a file or folder nor a data set",
        ),
        ("fid a empty --backbone scorer-fashion", "empty"),
        ("fid a bad.npz --backbone scorer-fashion", "bad.npz"),
        ("fid a a", "sngan data fetch inception"),
        ("fid a a", "--backbone scorer-fashion or scorer-cifar10 takes a small"),
        ("fid a a --backbone inception-or-scorer", "no Inception weights in data"),
        // Before A is read, which has no pictures.
        ("fid empty none --backbone scorer-fashion", "`none` is neither"),
        ("fid empty a --backbone scorer-xyz", "unknown backbone `scorer-xyz`"),
        ("fid empty a --backbone scorer-fashion --side 8", "--side 8 changes nothing"),
        ("fid a a --weights none.pth", "none.pth"),
        ("fid a a --backbone none", "FID is taken through a network"),
        ("fid a a --half-pixel --backbone scorer-fashion", "--half-pixel is Inception's"),
    ] {
        let said = folder.expect(1, command);
        assert!(said.contains(reason), "{command}: {said}");
    }
    let said = folder.expect(1, "fid a a --weights none.pth");
    assert!(!said.contains("--backbone"), "other weights were asked for: {said}");
    // So few are compared all the same, and it is said.
    let said = folder.expect(0, "fid a a --backbone scorer-fashion");
    assert!(said.contains("3 images are no more than the") && value(&said) < 1e-3, "{said}");
    // The least is what the message of fewer says.
    pngs(&folder.path("one"), 1, 16, 16, 0);
    pngs(&folder.path("two"), 2, 16, 16, 0);
    for command in ["fid a one", "fid one a"] {
        let said = folder.expect(1, &format!("{command} {SCORER}"));
        let reason = "one: 1 image has no covariance; FID needs at least 2 images";
        assert!(said.contains(reason) && !said.contains("129"), "{command}: {said}");
    }
    assert!(folder.expect(0, &format!("fid a two {SCORER}")).contains("two: 2 images are"));
}
