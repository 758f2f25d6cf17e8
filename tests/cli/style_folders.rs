//! The folders that are searched for styles, what they may contain, and valid style names.
#![cfg(unix)]

use std::fs;

use serde_json::Value;

use crate::sandbox::{Run, Sandbox};

/// The styles of a `styles --json` report.
fn styles(report: &Value) -> &Vec<Value> {
    report["styles"].as_array().expect("a list")
}

fn style<'a>(report: &'a Value, id: &str) -> Option<&'a Value> {
    styles(report).iter().find(|style| style["id"] == id)
}

/// Makes a pipe without a writer, and the folders for it.
fn pipe(s: &Sandbox, name: &str) {
    let path = s.path(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("folder");
    let made = s.command("mkfifo").arg(path).status().expect("mkfifo");
    assert!(made.success());
}

#[test]
fn the_current_folder_contributes_no_styles() {
    let s = Sandbox::new();
    s.style("styles/candy/full.safetensors", &[("title", "Trap")]);
    s.style("styles/trap/full.safetensors", &[]);
    let report = s.styleforge(&["styles", "--json"]).ends(0).json();
    assert_eq!(style(&report, "trap"), None);
    assert_eq!(style(&report, "candy").expect("built in")["title"], "Candy");
    s.styleforge(&["inspect", "trap"]).ends(2);
}

#[test]
fn two_folders_up_count_only_in_a_build_of_styleforge() {
    let s = Sandbox::new();
    s.style("styles/candy/full.safetensors", &[("title", "Trap")]);
    s.style("styles/trap/full.safetensors", &[]);
    let title = |program: &str| {
        let run = s.copy_of_styleforge(program, &["styles", "--json"]).ends(0);
        let report = run.json();
        let candy = style(&report, "candy").expect("there")["title"].clone();
        assert_eq!(style(&report, "trap").is_some(), candy == "Trap");
        candy
    };
    for program in ["opt/bin/styleforge", "target/release/styleforge"] {
        assert_eq!(title(program), "Candy", "{program}");
    }
    let manifest = s.path("Cargo.toml");
    for other in [
        "",
        "[package]\nname = \"other\"\n",
        "[package]\nname = \"styleforge-tools\"\n",
        "name = \"styleforge\"\n",
        "[dependencies]\nname = \"styleforge\"\n",
        "not toml [",
    ] {
        fs::write(&manifest, other).expect("written");
        assert_eq!(title("target/release/styleforge"), "Candy", "{other}");
    }
    fs::write(&manifest, "[package]\nname = \"styleforge\"\nversion = \"0.1.0\"\n")
        .expect("written");
    assert_eq!(title("opt/bin/styleforge"), "Candy");
    for program in [
        "target/release/styleforge",
        "target/debug/deps/styleforge",
        "target/aarch64-unknown-linux-gnu/release/styleforge",
    ] {
        assert_eq!(title(program), "Trap", "{program}");
    }
    fs::remove_file(&manifest).expect("removed");
    pipe(&s, "Cargo.toml");
    assert_eq!(title("target/release/styleforge"), "Candy");
}

#[test]
fn only_plain_files_are_opened() {
    let s = Sandbox::new();
    let beside = "app/styles";
    let own = "home/.local/share/styleforge/styles";
    for folder in [beside, own] {
        pipe(&s, &format!("{folder}/piped/full.safetensors"));
        pipe(&s, &format!("{folder}/thumb/thumbnail.jpg"));
        s.style(&format!("{folder}/thumb/lite.safetensors"), &[]);
        s.style(&format!("{folder}/half/full.safetensors"), &[]);
        pipe(&s, &format!("{folder}/half/lite.safetensors"));
        for (name, target) in [
            ("linked", "../piped/full.safetensors"),
            ("zero", "/dev/zero"),
            ("nowhere", "not/there"),
        ] {
            fs::create_dir(s.path(format!("{folder}/{name}"))).expect("folder");
            let link = s.path(format!("{folder}/{name}/full.safetensors"));
            std::os::unix::fs::symlink(target, link).expect("linked");
        }
        fs::create_dir_all(s.path(format!("{folder}/folder/full.safetensors"))).expect("folder");
        pipe(&s, &format!("{folder}/pipe_for_a_folder"));
    }
    pipe(&s, &format!("{own}/loose.safetensors"));
    pipe(&s, &format!("{own}/loose.pth"));
    let run = |arguments: &[&str]| s.copy_of_styleforge("app/styleforge", arguments);
    let report = run(&["styles", "--json"]).ends(0).json();
    for id in ["piped", "linked", "zero", "nowhere", "folder", "loose"] {
        assert_eq!(style(&report, id), None, "{id}");
    }
    assert_eq!(style(&report, "half").expect("there")["models"], serde_json::json!(["full"]));
    assert!(style(&report, "thumb").is_some());
    let problems = report["problems"].to_string();
    for name in [
        "app/styles/piped/full.safetensors",
        "app/styles/linked/full.safetensors",
        "app/styles/zero/full.safetensors",
        "app/styles/half/lite.safetensors",
        "styleforge/styles/loose.safetensors",
        "styleforge/styles/loose.pth",
    ] {
        let message = format!("{name} is not a regular file");
        assert!(problems.contains(&message), "no '{message}' in {problems}");
    }
    run(&["styles"]).ends(0);
    run(&["doctor"]).ends(0);
    run(&["inspect", "candy"]).ends(0);
    run(&["inspect", "piped"]).ends(2);
    run(&["stylize", "photo.png", "--style", "half", "-o", "x.png"]).ends(0);
    run(&["stylize", "photo.png", "--style", "app/styles/piped/full.safetensors", "-o", "y.png"])
        .ends(2)
        .says("not a regular file");
    run(&["styles", "import", "app/styles/piped/full.safetensors"])
        .ends(1)
        .says("not a regular file");
}

#[test]
fn a_style_that_hides_another_says_so() {
    let s = Sandbox::new();
    s.style("app/styles/candy/full.safetensors", &[("title", "Other sweets")]);
    s.style("share/styleforge/styles/candy/lite.safetensors", &[]);
    let run = |arguments: &[&str]| s.copy_of_styleforge("app/styleforge", arguments);
    let report = run(&["styles", "--json"]).ends(0).json();
    let candy = style(&report, "candy").expect("there");
    assert_eq!(candy["title"], "Other sweets");
    let hides = candy["hides"].as_array().expect("what it hides");
    let hidden = |kind: &str| hides.iter().any(|origin| origin["kind"] == kind);
    assert!(hidden("embedded") && hidden("installed"), "{hides:?}");
    let text = run(&["styles"]).ends(0).text();
    let line = text.lines().find(|line| line.starts_with("candy ")).expect("listed");
    assert!(line.contains("app/styles/candy"), "{line}");
    assert!(line.contains(", in place of the one in "), "{line}");
    assert!(line.contains("the one built in"), "{line}");
    assert!(line.contains("share/styleforge/styles/candy"), "{line}");
    let line = text.lines().find(|line| line.starts_with("mosaic ")).expect("listed");
    assert!(!line.contains("app/styles"), "{line}");
}

#[test]
fn no_style_takes_a_name_that_means_something_else() {
    let s = Sandbox::new();
    for name in ["all", "none", "ALL", " None! ", "_all_"] {
        s.styleforge(&["styles", "import", "tiny.safetensors", "--name", name])
            .ends(1)
            .says("means")
            .says("choose another name with --name");
    }
    for name in ["", ".", "..", "/", "\u{1b}"] {
        s.styleforge(&["styles", "import", "tiny.safetensors", "--name", name])
            .ends(1)
            .says("letters or digits");
    }
    let titled = [("title", "All")];
    s.style("titled.safetensors", &titled);
    s.styleforge(&["styles", "import", "titled.safetensors"]).ends(1).says("--name");
    fs::copy(s.path("tiny.safetensors"), s.path("None.safetensors")).expect("copied");
    s.styleforge(&["styles", "import", "None.safetensors"]).ends(1).says("--name");
    let own = "home/.local/share/styleforge/styles";
    assert!(!s.path(own).exists() || s.names(own).is_empty());
    // A style that was copied there by hand is reported, because its name is reserved.
    s.style(&format!("{own}/none.safetensors"), &[]);
    s.style(&format!("{own}/all/full.safetensors"), &[]);
    let run = s.styleforge(&["styles"]).ends(0).says("rename");
    assert_eq!(run.stderr.matches("means").count(), 2, "{}", run.stderr);
    let report = s.styleforge(&["styles", "--json"]).ends(0).json();
    assert_eq!((style(&report, "none"), style(&report, "all")), (None, None));
    s.styleforge(&["styles", "import", "tiny.safetensors", "--name", "All of it"]).ends(0);
}

/// Anyone who can write to the current folder or the folder of temporary files could put styles there.
#[test]
fn without_a_home_only_absolute_folders_are_trusted() {
    let s = Sandbox::new();
    let own = "styleforge/styles/trap/full.safetensors";
    for folder in ["relative/.local/share", "data", "."] {
        s.style(&format!("{folder}/{own}"), &[]);
    }
    let run = |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut command = s.command(env!("CARGO_BIN_EXE_styleforge"));
        command.args(arguments).env("HOME", "relative");
        for (name, folder) in variables {
            command.env(name, folder);
        }
        Run::from(command.output().expect("starts"))
    };
    let relative = [("XDG_DATA_HOME", "data"), ("XDG_CONFIG_HOME", "data")];
    for variables in [&[][..], &relative] {
        let report = run(variables, &["styles", "--json"]).ends(0).json();
        assert_eq!(style(&report, "trap"), None, "{variables:?}");
        assert!(report["problems"].to_string().contains("set HOME or XDG_DATA_HOME"), "{report}");
        let refused = run(variables, &["styles", "import", "./tiny.safetensors"]).ends(1);
        refused.says("no folder for your styles").says("set HOME or XDG_DATA_HOME");
    }
    assert_eq!(s.names("relative"), [".local"]);
    // A data folder is sufficient.
    let data = s.path("own");
    let absolute = [("XDG_DATA_HOME", data.to_str().expect("text"))];
    run(&absolute, &["styles", "import", "./tiny.safetensors"]).ends(0);
    assert_eq!(s.names("own/styleforge/styles"), ["tiny"]);
}
