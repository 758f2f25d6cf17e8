//! Files of networks that are recognised by their tensor names, from inspection to picture.

use std::{fs, path::Path};

use crate::sandbox::Sandbox;

#[test]
fn assumptions_about_a_file_are_reported_and_can_be_overridden() {
    let s = Sandbox::new();
    published("tanh.pth", &s.path("retro.pth"));
    let assumed = "assumed that it is TransformerNetworkTanh; if its paintings look wrong, import it with \
                   --network TransformerNetwork or TransformerNetworkV2";
    let inspected = s.styleforge(&["inspect", "retro.pth"]).ends(0).text();
    for part in ["rrmina", "bgr", "that it is TransformerNetworkTanh", "1 tanh"] {
        assert!(inspected.contains(part), "no {part} in {inspected}");
    }
    s.styleforge(&["styles", "import", "retro.pth"]).ends(0).says(&format!("note: {assumed}"));
    let list = s.styleforge(&["styles", "--json"]).ends(0).json();
    let styles = list["styles"].as_array().expect("a list");
    let own = styles.iter().find(|style| style["id"] == "retro").expect("listed")["assumed"]
        .as_str()
        .expect("a text");
    assert_eq!(format!("assumed {own}"), assumed);
    s.styleforge(&[
        "styles",
        "import",
        "retro.pth",
        "--name",
        "plain",
        "--network",
        "TransformerNetwork",
    ])
    .ends(0);
    let painted = |style: &str, out: &str| {
        let run = s.styleforge(&["stylize", "photo.png", "--style", style, "-o", out]);
        (run.ends(0), s.read(out))
    };
    let (run, from_file) = painted("./retro.pth", "file.png");
    run.says(&format!("note: ./retro.pth: {assumed}"));
    // The imported style has the file's weights and the options that were given.
    assert_eq!(painted("retro", "kept.png").1, from_file);
    assert_ne!(painted("plain", "plain.png").1, from_file);
    for (network, code, words) in [
        ("TransformerNetworkV3", 2, "'TransformerNetworkV3' is not a published network"),
        ("TransformerResNextNetwork", 1, "the file contains TransformerNetwork, not"),
    ] {
        s.styleforge(&["styles", "import", "retro.pth", "--network", network])
            .ends(code)
            .says(words);
    }
}

/// Writes a file of the archive of published networks.
fn published(name: &str, to: &Path) {
    let path = crate::home::project().join("tests/golden/published.tar.xz");
    let packed = fs::File::open(path).expect("the archive is there");
    let mut archive = tar::Archive::new(lzma_rust2::XzReader::new(packed, false));
    let mut entries =
        archive.entries().expect("well formed").map(|entry| entry.expect("well formed"));
    let found =
        entries.find(|entry| entry.path().is_ok_and(|path| path.as_ref() == Path::new(name)));
    found.expect("it is there").unpack(to).expect("unpacked");
}
