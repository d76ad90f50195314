use super::*;
use std::os::unix::fs::symlink;

/// A folder that holds these files; those in `links` lead to what is beside them.
fn folder(files: &[&str], links: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, b"no picture").unwrap();
    }
    for (link, target) in links {
        symlink(target, folder.path().join(link)).unwrap();
    }
    folder
}

/// Class and path of each file.
fn found(listing: &Listing) -> Vec<(&str, String)> {
    let class = |label: u32| listing.classes[label as usize].as_str();
    listing.files.iter().map(|(l, path)| (class(*l), path.display().to_string())).collect()
}

#[test]
fn a_flat_folder_is_one_class_and_subfolders_are_classes_however_deep() {
    let flat = folder(&["2.png", "1.JPG", "10.jpeg"], &[]);
    let listing = Listing::of(flat.path()).unwrap();
    let expected = [("all", "1.JPG"), ("all", "10.jpeg"), ("all", "2.png")];
    assert_eq!(found(&listing), expected.map(|(c, f)| (c, f.to_string())));
    assert_eq!(listing.reading(), Reading::NONE);

    let deep = folder(&["b/1.png", "a/x/y/2.png", "a/3.png", "a/x/1.png"], &[]);
    let listing = Listing::of(deep.path()).unwrap();
    let expected = [("a", "a/3.png"), ("a", "a/x/1.png"), ("a", "a/x/y/2.png"), ("b", "b/1.png")];
    assert_eq!(found(&listing), expected.map(|(c, f)| (c, f.to_string())));
    assert_eq!(listing.path(1), deep.path().join("a/x/1.png"));

    let both = folder(&["a/1.png", "0.png"], &[]);
    let listing = Listing::of(both.path()).unwrap();
    assert_eq!(listing.classes, ["all", "a"]);
    assert!(listing.reading().remarks[0].contains("1 picture beside class folders is read"));
    let twice = folder(&["all/1.png", "0.png"], &[]);
    assert!(Listing::of(twice.path()).unwrap_err().to_string().contains("is called so too"));
}

#[test]
fn what_desktops_and_notebooks_leave_behind_is_not_looked_at() {
    let folder = folder(
        &[
            "a/1.png",
            "a/._1.png",
            "a/Thumbs.db",
            "a/desktop.ini",
            "a/.DS_Store",
            ".ipynb_checkpoints/1-checkpoint.png",
            "a/.ipynb_checkpoints/1-checkpoint.png",
            "__MACOSX/a/._1.png",
            "a/@eaDir/1.png/thumb.jpg",
        ],
        &[],
    );
    let listing = Listing::of(folder.path()).unwrap();
    assert_eq!(found(&listing), [("a", "a/1.png".to_string())]);
    assert_eq!(listing.reading(), Reading::NONE);
}

#[test]
fn what_is_left_out_is_counted_and_named() {
    let folder = folder(
        &["a/1.png", "a/2.webp", "a/deep/3.bmp", "notes.txt", "b/only.gif"],
        &[("a/9.png", "nowhere"), ("a/8.jpg", "8.jpg"), ("a/7.png", "1.png"), ("c", "a")],
    );
    let listing = Listing::of(folder.path()).unwrap();
    assert_eq!(listing.classes, ["a", "c"]);
    let names: Vec<String> = found(&listing).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["a/1.png", "a/7.png", "c/1.png", "c/7.png"]);
    let remarks = listing.reading().remarks;
    assert!(remarks[0].starts_with("6 files are neither JPEG nor PNG and are left out: notes.txt"));
    assert!(remarks[0].ends_with(", …") || remarks[0].contains("a/deep/3.bmp"), "{remarks:?}");
    assert!(remarks[1].starts_with("4 links lead nowhere and are left out: a/8.jpg, a/9.png"));
    assert_eq!(remarks[2], "1 class folder holds no picture and is left out: b");
    let said = listing.require_classes_with_pictures().unwrap_err().to_string();
    assert!(said.contains("/b: ") && said.contains("fill them"), "{said}");
}

#[test]
fn a_folder_without_a_picture_says_what_is_there_instead() {
    let folder = folder(&["a/1.webp"], &[("b.png", "nowhere")]);
    let said = Listing::of(folder.path()).unwrap_err().to_string();
    assert!(said.starts_with("no JPEG or PNG picture is in"), "{said}");
    assert!(said.contains("a/1.webp") && said.contains("b.png"), "{said}");
}

#[test]
fn a_link_that_leads_back_is_an_error_and_no_endless_walk() {
    let folder = folder(&["a/1.png"], &[("a/up", "..")]);
    let said = Listing::of(folder.path()).unwrap_err().to_string();
    assert!(said.contains("nest deeper than 24; does a link lead back?"), "{said}");
}
