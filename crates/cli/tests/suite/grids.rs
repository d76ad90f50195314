use crate::support::Folder;

const GRID: &str = r#"
name = "grid"
methods = [{ label = "SN", method = "sn" }, { label = "WN", method = "weight-norm" }]
[run]
dataset = "fashion-mnist"
side = 8
width_divisor = 64
batch = [2, 4]
gen_batch = 2
gen_updates = 4
[scales.quick]
run = { lr = [1e-4, 4e-4] }
"#;

fn grid(text: &str) -> Folder {
    let folder = Folder::new();
    std::fs::write(folder.path("experiments/grid.toml"), text).unwrap();
    folder
}

/// Folder names of the runs of a plan, without their identities.
fn planned(folder: &Folder, arguments: &str) -> Vec<String> {
    let specs = folder.expect(0, &format!("plan {arguments} --json"));
    let name = |line: &str| {
        let spec: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| spec[key].as_str().unwrap().to_string();
        format!("{} | {} | {}", text("label"), text("setting"), spec["seed"])
    };
    specs.lines().map(name).collect()
}

#[test]
fn lists_in_a_file_make_runs_that_are_named_after_what_varies() {
    let folder = grid(GRID);
    assert_eq!(
        planned(&folder, "grid"),
        [
            "SN, batch=2 | lr=0.0001 | 0",
            "SN, batch=2 | lr=0.0004 | 0",
            "SN, batch=4 | lr=0.0001 | 0",
            "SN, batch=4 | lr=0.0004 | 0",
            "WN, batch=2 | lr=0.0001 | 0",
            "WN, batch=2 | lr=0.0004 | 0",
            "WN, batch=4 | lr=0.0001 | 0",
            "WN, batch=4 | lr=0.0004 | 0",
        ]
    );
    let said = folder.expect(0, "sweep grid --out out");
    assert!(
        said.contains("scores through scorer-fashion") && said.contains("8 completed"),
        "{said}"
    );
    let said = folder.expect(0, "figures out");
    assert!(said.contains("tables: table1"), "{said}");
    let table = std::fs::read_to_string(folder.path("out/tables/table1.md")).unwrap();
    assert!(table.contains("SN, batch=4") && table.contains("lr=0.0004"), "{table}");
}

#[test]
fn lists_on_the_command_line_go_before_the_files() {
    let folder = grid(GRID);
    assert_eq!(
        planned(&folder, "grid --set batch=8 --set lr=1e-3 --set seed=0..2 --method SN"),
        ["SN | custom | 0", "SN | custom | 1"]
    );
    assert_eq!(
        planned(&folder, "tiny --method SN --set beta1=[0,0.9] --set loss=[standard,hinge]"),
        [
            "SN | A, beta1=0 | 0",
            "SN, hinge | A, beta1=0 | 0",
            "SN | A, beta1=0.9 | 0",
            "SN, hinge | A, beta1=0.9 | 0",
            "SN | C, beta1=0 | 0",
            "SN, hinge | C, beta1=0 | 0",
            "SN | C, beta1=0.9 | 0",
            "SN, hinge | C, beta1=0.9 | 0",
        ]
    );
    // Beside runs that are planned already.
    folder.expect(0, "sweep tiny --method SN --setting C --out out");
    let said =
        folder.expect(0, "sweep tiny --method SN --setting C --set lr=[1e-4,4e-4] --out out");
    assert!(said.contains("2 completed") && !said.contains("count no longer"), "{said}");
    assert!(folder.expect(0, "status out").contains("3 runs"));
    let said = folder.expect(1, "train tiny --method SN --setting C --set lr=[1e-4,4e-4]");
    assert!(said.contains("2 runs of `tiny`") && said.contains("sngan sweep"), "{said}");
    let said = folder.expect(1, "plan tiny --seeds 1 --set seed=2");
    assert!(said.contains("a list of seeds"), "{said}");
    folder.expect(2, "plan tiny --set lr=[]");
}

#[test]
fn a_setting_may_be_custom_and_seeds_a_range() {
    let folder = grid(
        &GRID
            .replace("[run]", "settings = [\"custom\"]\nseeds = \"0..2\"\n[run]\nbeta2 = 0.99")
            .replace("batch = [2, 4]", "batch = 2")
            .replace("lr = [1e-4, 4e-4]", "lr = 3e-4"),
    );
    assert_eq!(planned(&folder, "grid --method WN"), ["WN | custom | 0", "WN | custom | 1"]);
}

#[test]
fn a_wrong_value_is_named_with_its_file_line_and_key() {
    for (from, to, said) in [
        ("batch = [2, 4]", "batch = [2, \"many\"]", "line 8, key `run.batch`: invalid type"),
        ("side = 8", "side = \"8\"", "line 6, key `run.side`: invalid type"),
        ("gen_batch = 2", "gen_batch = 0", "line 9, key `run.gen_batch`: is 0"),
        ("width_divisor", "width_dvisor", "line 7, key `run.width_dvisor`: is unknown; known: "),
        ("[1e-4, 4e-4]", "[]", "line 12, key `run.lr`: is empty"),
        ("[1e-4, 4e-4]", "[-1.0]", "line 12, key `run.lr`: is -1; it must be a positive"),
        ("name = \"grid\"", "name = \"grid\"\nsettings = \"C\"", "line 3"),
        ("name = \"grid\"", "name = \"grid\"\nseeds = \"x\"", "expected a list such as [0, 1]"),
    ] {
        let folder = grid(&GRID.replace(from, to));
        let message = folder.expect(1, "plan grid --no-measure");
        assert!(message.contains(said) && message.contains("grid.toml"), "{message}");
    }
    let folder = grid(GRID);
    let message = folder.expect(1, "plan grid --no-measure --set batch=many");
    assert!(message.contains("batch=many"), "{message}");
}

#[test]
fn a_value_has_one_name_however_it_is_written() {
    let folder = grid(&GRID.replace("batch = [2, 4]", "batch = 2"));
    let of_file = planned(&folder, "grid");
    for written in ["[1e-4,4e-4]", "[0.0001,0.0004]", "[1E-4,0.4e-3]"] {
        assert_eq!(planned(&folder, &format!("grid --set lr={written}")), of_file);
    }
    let said = folder.expect(1, "plan grid --set seed=0..");
    assert!(said.contains("0..5, its end left out"), "{said}");
}
