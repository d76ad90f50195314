use crate::support::Folder;
use std::path::Path;

/// Lines of more than 80 columns, but for those of one word, which is not broken: a long path.
fn wide(said: &str) -> Vec<&str> {
    let is_wide = |line: &&str| line.chars().count() > 80 && line.trim().contains(' ');
    said.lines().filter(is_wide).collect()
}

#[test]
fn every_table_fits_eighty_columns_and_breaks_no_word() {
    let folder = Folder::new();
    let runs = ["wn-a-s0-a26a1a70", "broken-uncorrected-custom-s0-b5a6b536"];
    let mut said = folder.expect(0, "sweep tiny --out out --threads 2");
    said += &folder.expect(0, "status out");
    let plan = folder.expect(0, "plan tiny --no-measure");
    let status = folder.expect(0, "status out");
    let compared = folder.expect(0, "compare out --out drawn");
    for text in [&plan, &status, &compared] {
        assert!(runs.iter().all(|run| text.contains(run)), "{text}");
    }
    let sn = "out/runs/sn-c-s0-c59758d8";
    for text in [
        said,
        plan,
        status,
        compared,
        folder.expect(0, "claims out --only 1"),
        folder.expect(0, "devices"),
        folder.expect(0, "model summary"),
        folder.expect(
            0,
            "model summary --architecture resnet-64 --conditioning projection --n-classes 1000",
        ),
        folder.expect(0, &format!("spectrum {sn} --images 8")),
        folder.expect(0, &format!("score {sn} --samples 70 --splits 2")),
        folder.expect(0, "figures out"),
        folder.expect(0, "plan table1 --no-measure"),
    ] {
        assert_eq!(wide(&text), Vec::<&str>::new());
    }
    // As a file has it.
    assert!(folder.expect(0, "claims out --only 1 --markdown").contains("| 1 |"));
}

#[test]
fn every_help_text_fits_eighty_columns() {
    let folder = Folder::new();
    let help = folder.expect(0, "--help");
    assert_eq!(wide(&help), Vec::<&str>::new());
    let (_, commands) = help.split_once("Commands:").unwrap();
    let named = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
    let commands = commands.lines().take_while(|line| !line.starts_with("Options")).filter(named);
    let mut seen = 0;
    let names = commands.filter_map(|line| line.split_whitespace().next());
    for command in names.filter(|name| *name != "help") {
        assert_eq!(wide(&folder.expect(0, &format!("{command} --help"))), Vec::<&str>::new());
        seen += 1;
    }
    assert!(seen > 20, "{seen} commands");
}

/// A terminal of `script` from util-linux: nothing is coloured but the help, and that not where
/// NO_COLOR asks for it.
#[test]
fn no_color_is_honoured_on_a_terminal() {
    if !Path::new("/usr/bin/script").exists() {
        println!("skipped: there is no `script`");
        return;
    }
    let help = |no_color: &str| {
        let mut command = std::process::Command::new("/usr/bin/script");
        command.args(["-qec", &format!("{} --help", env!("CARGO_BIN_EXE_sngan")), "/dev/null"]);
        command.env("TERM", "xterm-256color").env("NO_COLOR", no_color);
        String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned()
    };
    assert!(help("").contains("\u{1b}["), "{}", help(""));
    let plain = help("1");
    assert!(plain.contains("sngan") && !plain.contains("\u{1b}[1m"), "{plain}");
}

#[test]
fn commands_say_what_to_do_next() {
    let folder = Folder::new();
    let last = |arguments: &str| {
        let output = folder.run(arguments);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        said.lines().last().unwrap_or_default().to_string()
    };
    for arguments in [
        "plan tiny --no-measure",
        "train tiny --method SN --setting C --out run",
        "sweep tiny --out out",
        "status out",
        "status run",
        "figures out",
        "report out",
    ] {
        let line = last(arguments);
        assert!(
            line.starts_with("Next: ") && line.contains('`') | line.contains("open"),
            "{arguments}: {line}"
        );
    }
    let said = folder.expect(0, "sweep tiny --out out");
    assert!(said.contains("best fid[scorer-fashion]: "), "{said}");
}
