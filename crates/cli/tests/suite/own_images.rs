use crate::support::Folder;
use image::{Rgb, RgbImage};

/// Sizes at which a run takes a second.
const TINY: &str = "--side 16 --scale smoke --set gen_updates=2";

/// Pictures of several sizes.
fn pictures(folder: &Folder, place: &str, n: u32) {
    let place = folder.path(place);
    std::fs::create_dir_all(&place).unwrap();
    for i in 0..n {
        let (width, height) = (20 + i % 5, 18 + i % 3);
        RgbImage::from_fn(width, height, |x, y| Rgb([(i * 9) as u8, (x * 8) as u8, (y * 8) as u8]))
            .save(place.join(format!("{i}.png")))
            .unwrap();
    }
}

fn moved(folder: &Folder, from: &str, to: &str) {
    std::fs::rename(folder.path(from), folder.path(to)).unwrap();
}

#[test]
fn a_flat_folder_is_trained_on_with_one_command_and_found_again() {
    let folder = Folder::new();
    pictures(&folder, "pets", 90);
    let said = folder.expect(0, &format!("train --data pets {TINY} --out run"));
    for part in [
        "pets: 90 pictures; brought to 16x16, for which the networks are standard-cnn",
        "90 images of folder:pets",
        "will find no network for this run: Inception is not in data",
        "completed 2 updates",
        "Next: `sngan generate run`",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let spec = std::fs::read_to_string(folder.path("run/spec.toml")).unwrap();
    assert!(spec.contains("dataset = \"folder\"") && spec.contains("label = \"SN\""), "{spec}");
    let record = std::fs::read_to_string(folder.path("run/images.json")).unwrap();
    assert!(record.contains("folder:pets") && record.contains("\"n\": 90"), "{record}");
    // No path where records are gathered from.
    assert!(
        !std::fs::read_to_string(folder.path("run/provenance.json")).unwrap().contains("/pets")
    );

    // A scorer of other images is taken where it is named, and never otherwise.
    let said = folder.expect(1, "score run --samples 70 --splits 2");
    assert!(said.contains("no scorer is known to go with these images"), "{said}");
    let said = folder.expect(0, "status run");
    assert!(said.contains("score run --backbone scorer-cifar10"), "one that is there: {said}");
    let score = "score run --backbone scorer-fashion --samples 70 --splits 2";
    let said = folder.expect(0, score);
    assert!(said.contains("fid_70_ref90"), "{said}");
    let said = folder.expect(0, "status run");
    assert!(said.contains("fid[scorer-fashion]"), "{said}");
    assert!(said.contains("Next: `sngan report run`"), "nothing is left to score: {said}");
    folder.expect(0, &format!("{score} --reference pets"));
    // Two numbers of one metric are told apart.
    let said = folder.expect(0, "status run");
    for name in ["fid_70_ref90[scorer-fashion]", "fid_70_images90[scorer-fashion]"] {
        assert!(said.contains(name), "{said}");
    }
    let said = folder.expect(1, "sweep tiny --data pets --out out --method SN");
    assert!(said.contains("`scorer-fashion` is a classifier of fashion-mnist"), "{said}");
    let said = folder.expect(
        1,
        "train tiny --method SN --setting C --set dataset=folder --eval-every 2 --data-dir split",
    );
    assert!(said.contains("split"), "{said}");
    std::fs::create_dir(folder.path("split")).unwrap();
    pictures(&folder, "split/train", 5);
    let said = folder.expect(
        1,
        "train tiny --method SN --setting C --set dataset=folder --eval-every 2 --data-dir split",
    );
    assert!(said.contains("`scorer-fashion` is a classifier of fashion-mnist"), "{said}");

    folder.expect(0, "generate run -n 4 --out grid.png");
    assert!(folder.expect(0, "spectrum run --images 8").contains("Lipschitz"));
    let said = folder.expect(0, "train run --resume --set gen_updates=4");
    assert!(said.contains("completed 4 updates"), "{said}");

    moved(&folder, "pets", "animals");
    let said = folder.expect(1, score);
    assert!(said.contains("were in") && said.contains("--data DIR"), "{said}");
    folder.expect(0, &format!("{score} --data animals"));
    folder.expect(0, "train run --resume --set gen_updates=5 --data animals");
    assert!(folder.expect(0, "spectrum run --images 8").contains("Lipschitz"));
    // Other pictures are not taken for the run's, be it where they were or elsewhere.
    pictures(&folder, "animals", 95);
    let said = folder.expect(1, "train run --resume --set gen_updates=6");
    assert!(said.contains("was trained on folder:animals"), "{said}");
    for command in [score, "spectrum run --images 8"] {
        let said = folder.expect(1, command);
        assert!(said.contains("trained on other pictures") && said.contains("animals"), "{said}");
    }
    pictures(&folder, "elsewhere/animals", 91);
    let said = folder.expect(1, &format!("{score} --data elsewhere/animals"));
    assert!(said.contains("--reference compares with others"), "{said}");
    folder.expect(0, &format!("{score} --reference elsewhere/animals"));
}

#[test]
fn a_sweep_on_pictures_is_not_dropped_by_the_same_command_without_them() {
    let folder = Folder::new();
    pictures(&folder, "pets", 8);
    let file = "name = \"mine\"\nmethods = [{ label = \"SN\", method = \"sn\" }]\n[run]\n\
                dataset = \"fashion-mnist\"\nside = 8\nwidth_divisor = 64\nbatch = 2\ngen_batch = 2\n\
                gen_updates = 2\n[scales.quick]\n";
    std::fs::write(folder.path("experiments/mine.toml"), file).unwrap();
    folder.expect(0, "sweep mine --data pets --side 16 --out out");
    let said = folder.expect(1, "sweep mine --out out");
    assert!(said.contains("name the folder of pictures again"), "{said}");
    assert!(folder.expect(0, "status out").contains("1 run;"));
    folder.expect(0, "sweep mine --data pets --side 16 --out out");
}

#[test]
fn a_run_never_goes_where_pictures_or_other_runs_are() {
    let folder = Folder::new();
    pictures(&folder, "pets", 6);
    for out in ["pets", "pets/run", "pets/../pets/a/b"] {
        for command in ["train", "sweep --method SN --setting C"] {
            let said = folder.expect(1, &format!("{command} --data pets {TINY} --out {out}"));
            assert!(said.contains("lies in the folder of pictures"), "{said}");
        }
    }
    assert_eq!(std::fs::read_dir(folder.path("pets")).unwrap().count(), 6);
    std::fs::write(folder.path("dogs.png"), "").unwrap();
    let said = folder.expect(1, &format!("train --data pets {TINY} --out dogs.png"));
    assert!(said.contains("it is a file"), "{said}");
    folder.expect(0, &format!("train --data pets {TINY} --out run"));
    let said = folder.expect(1, "sweep tiny --out run");
    assert!(said.contains("holds a single run"), "{said}");
    folder.expect(0, "sweep tiny --scale watched --out out");
    let said = folder.expect(1, "train tiny --method SN --setting C --out out");
    assert!(said.contains("holds a sweep"), "{said}");
}

#[test]
fn a_folder_a_class_makes_a_conditional_run_with_classes_by_name() {
    let folder = Folder::new();
    pictures(&folder, "pets/cat", 12);
    pictures(&folder, "pets/dog", 10);
    let said = folder.expect(0, &format!("train --data pets {TINY} --out plain"));
    assert!(said.contains("22 pictures in 2 class folders, whose labels are not used"), "{said}");
    let said =
        folder.expect(0, &format!("train --data pets {TINY} --conditioning projection --out run"));
    assert!(said.contains("22 pictures of 2 classes: cat, dog;"), "{said}");
    folder.expect(0, "generate run -n 4 --class dog --out dogs.png");
    folder.expect(0, "generate run -n 4 --class 1 --out ones.png");
    let read = |name: &str| std::fs::read(folder.path(name)).unwrap();
    assert!(read("dogs.png") == read("ones.png"));
    let said = folder.expect(1, "generate run --class cow");
    assert!(said.contains("none of the run's: cat, dog"), "{said}");
    let said = folder.expect(1, &format!("train --data pets {TINY} --conditioning labels"));
    assert!(said.contains("none, concat, projection and ac-gan"), "{said}");
    std::fs::create_dir(folder.path("pets/cow")).unwrap();
    assert!(
        folder.expect(1, &format!("train --data pets {TINY}")).contains("class folder holds none")
    );
}

#[test]
fn the_side_decides_the_networks_and_the_folders_name_the_run() {
    let folder = Folder::new();
    pictures(&folder, "pets", 6);
    let said = folder.expect(0, "train --data pets --side 64 --dry-run");
    assert!(said.contains("runs/pets-sn-c-s0-") && said.contains("to 1000 updates"), "{said}");
    let plan = folder.expect(0, "plan --data pets --side 64 --method SN --setting C --json");
    assert!(plan.contains("resnet-64") && plan.lines().count() == 1, "{plan}");
    let said = folder.expect(1, "train --data pets --side 20");
    assert!(said.contains("`side`") && said.contains("multiple of 8"), "{said}");
    assert!(folder.expect(1, "train --data nowhere").contains("nowhere"));
    folder.expect(2, "train tiny --side 64");
    folder.expect(2, "train");
}

#[test]
fn reference_pictures_of_any_size_are_brought_to_the_runs_side_and_the_score_says_so() {
    let folder = Folder::new();
    pictures(&folder, "others", 80);
    folder.expect(0, "train tiny --method SN --setting C --out run");
    let said = folder.expect(0, "score run --reference others --samples 70 --splits 2");
    assert!(said.contains("reference-cropped-and-resized"), "{said}");
    let stamped = std::fs::read_to_string(folder.path("run/scores.jsonl")).unwrap();
    assert!(stamped.contains("\"name\":\"others\""), "{stamped}");
    // Images that are no run's have no training rule.
    let said = folder.expect(1, "score --images others --backbone scorer-fashion");
    assert!(said.contains("resize all images") || said.contains("crop or resize"), "{said}");
}

#[test]
fn a_sweep_compares_methods_on_own_images() {
    let folder = Folder::new();
    pictures(&folder, "pets", 20);
    let grid = "--method SN --method WN --setting C --set lr=[1e-4,2e-4]";
    let said = folder.expect(0, &format!("sweep --data pets {TINY} {grid} --out out"));
    for part in ["4 completed", "no scores: Inception is not in", "brought to 16x16"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let score = "--backbone scorer-fashion --metrics is --samples 20 --splits 2";
    let said = folder.expect(0, &format!("score out {score}"));
    assert!(said.contains("Next: `sngan compare out`"), "{said}");
    assert_eq!(said.matches("is[scorer-fashion]").count(), 4, "a sweep stands for its runs");
    let said = folder.expect(1, "generate out");
    assert!(said.contains("it is a sweep, and its runs are in out/runs"), "{said}");
    let runs = std::fs::read_dir(folder.path("out/runs")).unwrap().count();
    assert_eq!(runs, 4);
    let run = std::fs::read_dir(folder.path("out/runs")).unwrap().next().unwrap().unwrap().path();
    assert!(run.join("images.json").exists());
}
