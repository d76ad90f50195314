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
        "score",
        "generate",
        "figures",
        "spectra",
        "sigma",
        "replay",
        "model",
        "data",
        "scorer",
        "completions",
    ];
    for command in commands {
        assert!(help.contains(command), "{command}");
        folder.expect(0, &format!("{command} --help"));
    }
    assert!(help.contains("Exit codes"));
    for shell in ["bash", "zsh", "fish"] {
        assert!(folder.expect(0, &format!("completions {shell}")).contains("sngan"));
    }
    folder.expect(2, "train");
}

#[test]
fn names_that_do_not_exist_are_answered_with_those_that_do() {
    let folder = Folder::new();
    assert!(folder.expect(1, "plan tabel1").contains("built in: table1, demo, spectral-stability"));
    assert!(folder.expect(1, "plan tiny --scale huge").contains("known: long, quick"));
    assert!(folder.expect(1, "train tiny --method SN --setting C --set leanring_rate=1").contains("known:"));
    assert!(folder.expect(1, "train tiny").contains("6 runs of `tiny`"));
    assert!(folder.expect(1, "train tiny --method XN").contains("methods: SN, WN, broken"));
    assert!(folder.expect(1, "sigma nothing").contains("no logged sigma_forward"));
    assert_eq!(folder.expect(1, "figures nothing").matches("No such file").count(), 1);
    assert!(folder.expect(1, "data fetch mnist").contains("cifar10"));
    assert!(folder.expect(1, "scorer train").contains("train-images-idx3-ubyte.gz"));
    let plan = folder.expect(0, "plan table1");
    assert!(plan.contains("48 runs"), "{plan}");
    assert_eq!(folder.expect(0, "plan tiny --json").lines().count(), 6);
}

#[cfg(not(feature = "cuda"))]
#[test]
fn cuda_without_the_feature_names_the_build_command() {
    let folder = Folder::new();
    let said = folder.expect(1, "train tiny --method SN --setting C --device cuda:0");
    assert!(said.contains("--features cuda"), "{said}");
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
    assert!(score.contains("is[scorer-fashion]") && score.contains("fid[scorer-fashion]"), "{score}");
    assert!(folder.expect(1, "score run --samples 64").contains("too few"));
    folder.expect(0, "generate run -n 5 --columns 3 --zoom 2 --out grid.png");
    assert!(std::fs::metadata(folder.path("grid.png")).unwrap().len() > 100);
    let sigma = folder.expect(0, "sigma run --from 2");
    assert!(sigma.contains("conv0") && sigma.contains("3 values"), "{sigma}");
    let spectra = folder.expect(0, "spectra run");
    assert!(spectra.contains("conv6") && spectra.contains("effective rank"), "{spectra}");
}
