use crate::support::Folder;

#[test]
fn help_covers_every_command_and_completions_are_written() {
    let folder = Folder::new();
    let help = folder.expect(0, "--help");
    let commands = [
        "train",
        "plan",
        "sweep",
        "status",
        "compare",
        "score",
        "generate",
        "draw",
        "record-spectrum",
        "sigma-range",
        "reference",
        "replay",
        "model",
        "data",
        "scorer",
        "completions",
        "export",
        "import",
        "bench",
    ];
    for command in commands {
        assert!(help.contains(command), "{command}");
        folder.expect(0, &format!("{command} --help"));
    }
    // Names that commands had before.
    for command in ["figures", "spectra", "sigma", "stats"] {
        folder.expect(0, &format!("{command} --help"));
    }
    assert!(help.contains("Exit codes"));
    let version = folder.expect(0, "--version");
    assert_eq!(version.trim(), format!("sngan {}", env!("CARGO_PKG_VERSION")));
    for shell in ["bash", "zsh", "fish"] {
        assert!(folder.expect(0, &format!("completions {shell}")).contains("sngan"));
    }
    folder.expect(2, "train");
}

#[test]
fn names_that_do_not_exist_are_answered_with_those_that_do() {
    let folder = Folder::new();
    assert!(folder.expect(1, "plan tabel1").contains("built in: demo, imagenet, imagenet-concat"));
    assert!(folder.expect(1, "plan tiny --scale huge").contains("known: long, quick"));
    assert!(
        folder
            .expect(1, "train tiny --method SN --setting C --set leanring_rate=1")
            .contains("known:")
    );
    assert!(folder.expect(1, "train tiny").contains("6 runs of `tiny`"));
    assert!(folder.expect(1, "train tiny --method XN").contains("known: SN, WN, broken"));
    assert!(folder.expect(1, "sigma nothing").contains("no logged sigma_forward"));
    assert!(folder.expect(1, "figures nothing").contains("nothing is no sweep, no run"));
    assert!(folder.expect(1, "data fetch mnist").contains("cifar10"));
    assert!(folder.expect(1, "scorer train").contains("train-images-idx3-ubyte.gz"));
    assert!(folder.expect(1, "scorer train mnist").contains("fashion-mnist, cifar10"));
    assert!(folder.expect(1, "scorer train cifar10").contains("sngan data fetch cifar10"));
    let check = folder.expect(0, "scorer check");
    assert!(
        check.contains("scorer-fashion, sha256 ba692df3")
            && check.contains("2000 images of fashion-mnist:held-out"),
        "{check}"
    );
    assert!(
        check.contains("scorer-cifar10, sha256") && check.contains("sngan data fetch cifar10"),
        "{check}"
    );
    let plan = folder.expect(0, "plan table1");
    assert!(plan.contains("48 runs"), "{plan}");
    assert_eq!(folder.expect(0, "plan tiny --json").lines().count(), 6);
}

#[test]
fn without_a_gpu_everything_works_and_a_gpu_is_refused_in_one_line() {
    let folder = Folder::new();
    let devices = folder.expect(0, "devices");
    if devices.contains("cuda:0") {
        println!("skipped: this machine has a GPU");
        return;
    }
    assert!(devices.contains("no GPU"), "{devices}");
    let said = folder.expect(1, "train tiny --method SN --setting C --device cuda:0");
    assert!(said.contains("cuda:0") && said.lines().count() == 1, "{said}");
    let said = folder.expect(1, "train tiny --method SN --setting C --device gpu");
    assert!(said.contains("use cpu, cuda, cuda:N or auto"), "{said}");
    // Where there is none, auto says so and takes the CPU.
    let said = folder.expect(0, "train tiny --method SN --setting C --device auto --out run");
    assert!(said.contains("cpu"), "{said}");
}

#[test]
fn a_diverged_run_ends_with_3_and_its_state() {
    let folder = Folder::new();
    let said = folder.expect(3, "train tiny --method broken --setting C --out run");
    assert!(said.contains("diverged at update"), "{said}");
    assert!(folder.path("run/diverged.safetensors").exists());
    assert!(!std::fs::read_to_string(folder.path("run/log.jsonl")).unwrap().contains("NaN"));
}

#[test]
fn a_trained_run_can_be_scored_sampled_and_taken_apart() {
    let folder = Folder::new();
    folder.expect(0, "train tiny --method SN --setting C --out run");
    let score = folder.expect(0, "score run --samples 70 --splits 2");
    assert!(
        score.contains("is[scorer-fashion]") && score.contains("fid[scorer-fashion]"),
        "{score}"
    );
    assert!(folder.expect(1, "score run --samples 64").contains("too few"));
    let generate = "generate run -n 5 --columns 3 --zoom 2 --out grid.png";
    assert!(
        folder.expect(0, &format!("{generate} --dry-run")).contains("write grid.png: 5 images")
            && !folder.path("grid.png").exists()
    );
    folder.expect(0, generate);
    assert!(folder.expect(0, &format!("{generate} --dry-run")).contains("replace grid.png"));
    // Refused alike before and with the work: a class of none, a place that nothing can be written to.
    for dry in ["", " --dry-run"] {
        assert!(
            folder.expect(1, &format!("generate run --class 4{dry}")).contains("not conditional")
        );
    }
    assert!(folder.expect(1, "generate run --out grid.png/below.png").contains("grid.png"));
    assert!(std::fs::metadata(folder.path("grid.png")).unwrap().len() > 100);
    let sigma = folder.expect(0, "sigma run --from 2");
    assert!(sigma.contains("conv0") && sigma.contains("3 values"), "{sigma}");
    let spectra = folder.expect(0, "spectra run");
    assert!(spectra.contains("conv6") && spectra.contains("effective rank"), "{spectra}");
}

/// Table 3 of the paper: output and parameters (G's batch normalization adds γ and β) of every layer, for CIFAR-10's side and STL-10's.
#[test]
fn the_models_summary_is_the_papers_table_3() {
    let cifar = [
        ("G", 3_812_355),
        ("dense 128 → 8192 512x4x4", 1_056_768),
        ("deconv 4x4 stride 2, 512 → 256, BN, ReLU 256x8x8", 2_097_408 + 512),
        ("deconv 4x4 stride 2, 256 → 128, BN, ReLU 128x16x16", 524_416 + 256),
        ("deconv 4x4 stride 2, 128 → 64, BN, ReLU 64x32x32", 131_136 + 128),
        ("conv 3x3 stride 1, 64 → 3, tanh 3x32x32", 1_731),
        ("D", 2_935_873),
        ("conv 3x3 stride 1, 3 → 64, leaky ReLU 0.1 64x32x32", 1_792),
        ("conv 4x4 stride 2, 64 → 64, leaky ReLU 0.1 64x16x16", 65_600),
        ("conv 3x3 stride 1, 64 → 128, leaky ReLU 0.1 128x16x16", 73_856),
        ("conv 4x4 stride 2, 128 → 128, leaky ReLU 0.1 128x8x8", 262_272),
        ("conv 3x3 stride 1, 128 → 256, leaky ReLU 0.1 256x8x8", 295_168),
        ("conv 4x4 stride 2, 256 → 256, leaky ReLU 0.1 256x4x4", 1_048_832),
        ("conv 3x3 stride 1, 256 → 512, leaky ReLU 0.1 512x4x4", 1_180_160),
        ("dense 8192 → 1 1x1x1", 8_193),
    ];
    let folder = Folder::new();
    assert_eq!(
        summary(&folder.expect(0, "model summary")),
        cifar.map(|(layer, n)| (layer.to_string(), n))
    );
    let stl = summary(&folder.expect(0, "model summary --side 48"));
    assert_eq!(stl[0], ("G".into(), 3_812_355 + 129 * (6 * 6 - 4 * 4) * 512));
    assert_eq!(stl[1], ("dense 128 → 18432 512x6x6".into(), 129 * 18_432));
    assert_eq!(stl[6].1, 2_935_873 + (6 * 6 - 4 * 4) * 512);
    assert_eq!(stl[13].0, "conv 3x3 stride 1, 256 → 512, leaky ReLU 0.1 512x6x6");
    assert_eq!(stl[14], ("dense 18432 → 1 1x1x1".into(), 18_433));
    let narrow = summary(&folder.expect(0, "model summary --side 16 --width-divisor 8"));
    assert_eq!(narrow[1], ("dense 128 → 256 64x2x2".into(), 129 * 256));
    assert!(folder.expect(1, "model summary --side 20").contains("multiple of 8"));
}

#[test]
fn every_network_has_a_summary() {
    let folder = Folder::new();
    for (network, parameters) in [
        ("resnet-cifar10", "4276739"),
        ("resnet-stl10", "block2.conv2"),
        ("resnet-imagenet", "block5.conv2"),
    ] {
        assert!(
            folder
                .expect(0, &format!("model summary --architecture {network}"))
                .contains(parameters),
            "{network}"
        );
    }
    let labels = folder.expect(
        0,
        "model summary --architecture resnet-64 --conditioning projection --n-classes 1000",
    );
    assert!(
        labels.contains("embedding of 1000 classes in 1024") && labels.contains("conditional BN"),
        "{labels}"
    );
    assert!(folder.expect(1, "model summary --architecture resnet-65").contains("resnet-64"));
    assert!(folder.expect(1, "model summary --conditioning concat").contains("n_classes"));
}

/// Layer and parameters of each line; a network's own line has its total.
fn summary(printed: &str) -> Vec<(String, usize)> {
    let mut rows: Vec<(String, usize)> = Vec::new();
    let mut network = 0;
    for line in printed.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if line.ends_with("in all") {
            rows[network].1 = words[0].parse().unwrap();
        } else if line.starts_with(' ') {
            rows.push((
                words[1..words.len() - 1].join(" "),
                words[words.len() - 1].parse().unwrap(),
            ));
        } else {
            network = rows.len();
            rows.push((words[0].into(), 0));
        }
    }
    rows
}

#[test]
fn a_run_goes_to_pytorchs_names_and_back() {
    let folder = Folder::new();
    folder.expect(0, "train tiny --method SN --setting C --out run");
    assert!(
        folder
            .expect(0, "export run --format pytorch --out torch.safetensors")
            .contains("SN after 6 updates")
    );
    assert!(folder.expect(0, "import torch.safetensors --out back").contains("back/spec.toml"));
    folder.expect(0, "export back/checkpoints/00000006.safetensors --out again.safetensors");
    let read = |name: &str| std::fs::read(folder.path(name)).unwrap();
    assert!(read("torch.safetensors") == read("again.safetensors"));
    folder.expect(0, "generate back -n 4 --out grid.png");
    folder.expect(0, "train back/spec.toml --set gen_updates=8 --out back --resume");
    assert!(
        folder.expect(1, "import torch.safetensors --out back").contains("holds a run already")
    );
    assert!(folder.expect(1, "export nowhere --out x.safetensors").contains("nowhere"));
    folder.expect(2, "export run --format tensorflow --out x");
}

#[test]
fn a_dry_run_says_what_would_be_written_and_writes_nothing() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("made")).unwrap();
    std::fs::write(folder.path("made/spec.toml"), "").unwrap();
    for (arguments, expected) in [
        ("train tiny --method SN --setting C --out run", "run: start, to"),
        ("sweep tiny --out out", "start"),
        ("figures out", "out/figures"),
        ("figure fig14 --out drawn", "write into drawn: fig14"),
        ("report out", "out/report.html"),
        ("collect out", "out/records"),
        ("score run", "run/scores.jsonl"),
        ("score --images made", "append to made/scores.jsonl"),
        ("score --images made --cache kept", "write into kept"),
        ("score --images made.npy", "nothing"),
        ("score --images made.npy --reference cifar10 --data-dir made", "made/statistics"),
        ("stats fashion-mnist --out s.npz", "s.npz"),
        ("stats fashion-mnist --out s.npz --cache kept", "write into kept"),
        ("export run --out e.safetensors", "e.safetensors"),
        ("data fetch cifar10", "download cifar10 into data"),
        ("scorer train fashion-mnist", "scorer-fashion.safetensors"),
        ("bench figure10 --out timings", "timings"),
    ] {
        let said = folder.expect(0, &format!("{arguments} --dry-run"));
        assert!(
            said.contains(expected) && said.ends_with("nothing was written\n"),
            "{arguments}: {said}"
        );
    }
    let left = |name: &str| {
        let mut names: Vec<_> =
            std::fs::read_dir(folder.path(name)).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(
        (left(""), left("made")),
        (vec!["experiments".into(), "made".into()], vec!["spec.toml".into()])
    );
    // What writes nothing just runs.
    assert!(folder.expect(0, "plan tiny --no-measure --dry-run").contains("6 runs"));
}
