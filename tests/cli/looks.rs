//! Looks: saved from a painting, and used for everything that is painted.

use std::fs;

use crate::{
    film::{checksums, ffmpeg},
    sandbox::Sandbox,
};

const OPTIONS: [&str; 7] =
    ["--style", "tiny", "--strength", "70", "--keep-colors", "--working-size", "16"];
const LOOK: [&str; 2] = ["--look", "Warm light"];

/// A photo that was painted with [`OPTIONS`], and its look.
fn with_look() -> Sandbox {
    let s = Sandbox::new();
    s.styleforge(&["styles", "import", "tiny.safetensors"]).ends(0);
    s.styleforge(&[&["stylize", "photo.png", "-o", "p.png"], &OPTIONS[..]].concat()).ends(0);
    s.styleforge(&["looks", "import", "p.png", "--name", "Warm light"]).ends(0);
    s
}

#[test]
fn the_look_of_a_painting_paints_everything_as_its_options_do() {
    let s = with_look();
    s.photo("in/a.png", 40, 30);
    s.photo("in/b.jpg", 12, 50);
    ffmpeg(&s, "-f lavfi -i testsrc2=s=48x32:r=10 -frames:v 4 -c:v ffv1 film.mkv");
    for (number, (arguments, of_options, of_look)) in [
        (&["stylize", "in", "-o"][..], &OPTIONS[..], &LOOK[..]),
        (&["stylize", "photo.png", "--contact-sheet", "-o"], &OPTIONS, &LOOK),
        // The rate decides the detail.
        (
            &["live", "--source", "photo.png", "--working-size", "16", "--frames", "1", "--record"],
            &OPTIONS[..5],
            &LOOK,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let painted = [(of_options, "options"), (of_look, "look")].map(|(style, by)| {
            let folder = format!("{by}_{number}");
            s.styleforge(&[arguments, &[&format!("{folder}/")], style].concat()).ends(0);
            let pictures = s.names(&folder).into_iter().filter(|name| !name.ends_with(".csv"));
            pictures
                .map(|name| {
                    (name.clone(), fs::read(s.path(folder.clone()).join(name)).expect("read"))
                })
                .collect::<Vec<_>>()
        });
        assert!(painted[0] == painted[1] && !painted[0].is_empty(), "{arguments:?}");
    }
    // Every frame of a film.
    let film = |by: &str, style: &[&str]| {
        s.styleforge(&[&["stylize", "film.mkv", "-o", by], style].concat()).ends(0);
        checksums(&s, by)
    };
    assert_eq!(film("options.mkv", &OPTIONS), film("look.mkv", &LOOK));
    // A painting is a look, and options win.
    let painted = |name: &str, words: &[&str]| {
        s.styleforge(&[&["stylize", "photo.png", "-o", name], words].concat()).ends(0);
        s.read(name)
    };
    let full = ["--strength", "100", "--keep-colors=false"];
    let by_options = painted("1.png", &[&OPTIONS[..2], &OPTIONS[5..]].concat());
    assert!(by_options == painted("2.png", &[&["--look", "./p.png"], &full[..]].concat()));
    assert!(by_options != painted("3.png", &LOOK));
}

#[test]
fn a_look_takes_its_style_picture_along_and_names_a_style_that_is_missing() {
    let s = with_look();
    s.photo("other.png", 33, 64);
    s.styleforge(&["stylize", "photo.png", "--style-picture", "other.png", "-o", "1.png"]).ends(0);
    s.styleforge(&["looks", "import", "1.png"])
        .ends(2)
        .says("the style other of this look is missing");
    let import = ["looks", "import", "1.png", "--name", "b", "--style", "./other.png"];
    s.styleforge(&import).ends(0);
    s.styleforge(&import).ends(2).says("already exists").says("--force");
    s.styleforge(&["looks", "export", "b", "-o", "b.png"]).ends(0);
    fs::remove_file(s.path("other.png")).expect("removed");
    s.styleforge(&["looks", "remove", "b"]).ends(0);
    s.styleforge(&["looks", "import", "b.png", "--name", "Night"]).ends(0);
    s.styleforge(&["stylize", "photo.png", "--look", "night", "-o", "2.png"]).ends(0);
    assert!(s.read("1.png") == s.read("2.png"));
    s.styleforge(&["looks", "rename", "night", "warm_light"]).ends(1).says("already exists");
    s.styleforge(&["looks", "rename", "night", "dusk"]).ends(0);
    let list = s.styleforge(&["looks", "list"]).ends(0).text();
    assert!(list.contains("dusk") && list.contains("warm_light  tiny"), "{list}");
    let shown = s.styleforge(&["looks", "show", "Warm light"]).ends(0).text();
    assert!(shown.contains("Detail: 16\nStrength: 70 %"), "{shown}");
    s.styleforge(&["styles", "remove", "tiny"]).ends(0);
    for arguments in [&["stylize", "photo.png", "-o", "3.png"][..], &["live"]] {
        let run = s.styleforge(&[arguments, &LOOK].concat()).ends(2);
        run.says("the style tiny of this look is missing; add it with styleforge styles import FILE --name tiny");
    }
    fs::write(s.path("text.png"), "not a look").expect("written");
    for (look, words) in [
        ("nowhere", "no look is named nowhere; use one of dusk, warm_light"),
        ("./nowhere.png", "no such file"),
        ("text.png", "text.png contains no look"),
        ("photo.png", "photo.png contains no look"),
        ("/dev/zero", "/dev/zero contains no look"),
    ] {
        s.styleforge(&["live", "--look", look]).ends(2).says(words);
    }
}
