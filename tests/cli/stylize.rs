//! `styleforge stylize`: inputs, outputs, options.

use std::{ffi::OsStr, fs};

use image::{ImageBuffer, Rgb};
use pictures::{decode, encode::Format, scale::scaled};
use values::frame::{Frame, PictureDifference};

use crate::{
    picture_files::opened,
    sandbox::{Run, Sandbox},
};

#[test]
fn a_photo_is_painted_at_its_own_size_with_its_alpha() {
    let s = Sandbox::new();
    let run = s.stylize(&["photo.png", "-o", "out.png"]).ends(0);
    assert_eq!(run.text(), "out.png\n");
    let (photo, painted) = (s.read("photo.png"), s.read("out.png"));
    let difference = PictureDifference::between(&photo, &painted).expect("same size");
    assert!(difference.mean > 5.0, "it was painted: {difference:?}");
    let alpha = |f: &Frame| f.rgba().iter().skip(3).step_by(4).copied().collect::<Vec<_>>();
    assert_eq!(alpha(&photo), alpha(&painted));
}

#[test]
fn auto_announces_its_fallback_once_and_cuda_is_refused() {
    let s = Sandbox::new();
    s.photo("second.png", 9, 9);
    let run = s.stylize(&["photo.png", "second.png", "-o", "out/"]).ends(0);
    // If a GPU can be used, nothing is announced.
    if run.stderr.contains("CPU: ") {
        assert_eq!(run.stderr.matches("CPU: ").count(), 1, "{}", run.stderr);
        let run = s.stylize(&["photo.png", "--device", "cuda", "-o", "cuda.png"]);
        run.ends(2).says("CUDA is not available");
        assert!(!s.path("cuda.png").exists());
    }
    let run = s.stylize(&["photo.png", "--device", "cpu", "-o", "cpu.png"]).ends(0);
    assert_eq!(run.stderr, "");
}

#[test]
fn strength_0_returns_the_photo_and_between_is_a_blend() {
    let s = Sandbox::new();
    s.stylize(&["photo.png", "--strength", "0", "-o", "0.png"]).ends(0);
    assert_eq!(s.read("0.png"), s.read("photo.png"));
    s.stylize(&["photo.png", "--strength", "100", "-o", "100.png"]).ends(0);
    s.stylize(&["photo.png", "--strength", "50", "-o", "50.png"]).ends(0);
    let (none, half, all) = (s.read("0.png"), s.read("50.png"), s.read("100.png"));
    for ((a, b), c) in none.rgba().iter().zip(half.rgba()).zip(all.rgba()) {
        assert!((i32::from(*a) + i32::from(*c) - 2 * i32::from(*b)).abs() <= 1);
    }
    for beyond in ["101", "-1"] {
        s.stylize(&["photo.png", "--strength", beyond, "-o", "x.png"])
            .ends(2)
            .says("use a percentage of 0 to 100");
    }
}

#[test]
fn a_mask_limits_where_is_painted() {
    let s = Sandbox::new();
    let photo = s.read("photo.png");
    let (width, height) = photo.size();
    // Black, grey and white from left to right, and twice as large as the photo.
    let level = |x: usize| [0, 100, 255][3 * x / width];
    let mask = Frame::from_fn(2 * width, 2 * height, |x, _| {
        let level = level(x / 2);
        [level, level, level, 255]
    });
    s.picture("large.png", &mask);
    s.picture("mask.png", &scaled(&mask, width, height));
    s.stylize(&["photo.png", "-o", "all.png"]).ends(0);
    s.stylize(&["photo.png", "--mask", "mask.png", "-o", "masked.png"]).ends(0);
    let (all, masked, mask) = (s.read("all.png"), s.read("masked.png"), s.read("mask.png"));
    let pixels = |frame: &Frame| frame.rgba().as_chunks::<4>().0.to_vec();
    let places = pixels(&photo).into_iter().zip(pixels(&all)).zip(pixels(&mask));
    for (((below, top), mask), to) in places.clone().zip(pixels(&masked)) {
        for c in 0..3 {
            let share = f64::from(mask[0]) / 255.0;
            let blended = f64::from(below[c]) * (1.0 - share) + f64::from(top[c]) * share;
            assert!((blended - f64::from(to[c])).abs() <= 0.51, "{below:?} {top:?} {to:?}");
        }
        assert_eq!(to[3], below[3], "alpha is the photo's");
    }
    // Inverted and at half the strength.
    let inverted = ["--mask", "mask.png", "--mask-invert", "--strength", "50"];
    s.stylize(&[&["photo.png", "-o", "inverted.png"][..], &inverted].concat()).ends(0);
    for (((below, top), mask), to) in places.zip(pixels(&s.read("inverted.png"))) {
        let share = 0.5 * (1.0 - f64::from(mask[0]) / 255.0);
        let blended = f64::from(below[0]) * (1.0 - share) + f64::from(top[0]) * share;
        assert!((blended - f64::from(to[0])).abs() <= 0.51);
    }
    // A mask of another size is scaled, and 16 bits per channel are masked, too.
    s.stylize(&["photo.png", "--mask", "large.png", "-o", "scaled.png"]).ends(0);
    assert_eq!(s.read("scaled.png"), masked);
    let deep = ["photo.png", "--mask", "mask.png", "--bit-depth", "16", "-o", "deep.png"];
    s.stylize(&deep).ends(0);
    let difference = PictureDifference::between(&s.read("deep.png"), &masked).expect("same size");
    assert!(difference.largest <= 1, "{difference:?}");
}

#[test]
fn bad_masks_are_refused_before_anything_is_painted() {
    let s = Sandbox::new();
    fs::write(s.path("rubbish.png"), "no picture").expect("written");
    fs::write(s.path("empty.png"), "").expect("written");
    s.picture("black.png", &Frame::from_fn(8, 8, |_, _| [0, 0, 0, 255]));
    for (mask, why) in [
        ("rubbish.png", "rubbish.png is not a picture"),
        ("empty.png", "empty.png"),
        ("missing.png", "missing.png"),
        ("clip.mp4", "clip.mp4 is a video; a mask is a picture"),
        (".", "."),
    ] {
        s.stylize(&["photo.png", "--mask", mask, "-o", "x.png"]).ends(2).says(why);
    }
    assert!(!s.path("x.png").exists());
    s.stylize(&["photo.png", "--mask", "black.png", "-o", "x.png"])
        .ends(0)
        .says("the mask is black everywhere, so nothing is painted");
    assert_eq!(s.read("x.png"), s.read("photo.png"));
    s.stylize(&["photo.png", "--mask-invert", "-o", "y.png"]).ends(2).says("--mask");
}

#[test]
fn strength_0_copies_the_file() {
    let s = Sandbox::new();
    s.photo("photo.jpg", 40, 30);
    let deep = ImageBuffer::from_fn(11, 7, |x, y| Rgb([x as u16 * 5000, y as u16 * 77, 12_345]));
    deep.save(s.path("deep.png")).expect("saved");
    let bytes = |name: &str| fs::read(s.path(name)).expect("a file");
    for (photo, output) in [("photo.jpg", "0.jpg"), ("deep.png", "0.png")] {
        let run = s.stylize(&[photo, "--strength", "0", "--device", "cpu", "-o", output]).ends(0);
        assert_eq!(bytes(output), bytes(photo), "{photo}");
        assert_eq!(run.stderr, "", "nothing was lost, so nothing is reported");
        s.stylize(&[photo, "--strength", "0", "-o", output]).ends(1);
        let run = s.stylize(&[photo, "--strength", "0", "-o", "-"]).ends(0);
        assert_eq!(run.stdout, bytes(photo), "{photo}");
    }
    // Another format or size is made from the pixels; the network would not fit this limit.
    let tight = ["--strength", "0", "--max-memory", "1kB"];
    s.stylize(&[&["photo.jpg", "-o", "0.bmp"][..], &tight].concat()).ends(0);
    assert_eq!(s.read("0.bmp"), s.read("photo.jpg"));
    let run = s.stylize(&["deep.png", "--strength", "0", "-o", "0.tiff"]);
    run.ends(0).says("reduced to 8 bits");
    let small = ["--output-size", "working", "--working-size", "20"];
    let strength = ["photo.jpg", "--strength", "0", "-o", "small.jpg"];
    s.stylize(&[&strength[..], &small].concat()).ends(0);
    assert_eq!(s.read("small.jpg").width(), 20);
}

#[test]
fn keep_colors_keeps_the_chroma() {
    let s = Sandbox::new();
    s.stylize(&["photo.png", "--keep-colors", "-o", "kept.png"]).ends(0);
    s.stylize(&["photo.png", "-o", "free.png"]).ends(0);
    let (photo, kept, free) = (s.read("photo.png"), s.read("kept.png"), s.read("free.png"));
    let chroma = |f: &Frame| -> Vec<f64> {
        let chroma = |p: &[u8]| {
            let [r, g, b] = [p[0], p[1], p[2]].map(f64::from);
            [-0.1687 * r - 0.3313 * g + 0.5 * b, 0.5 * r - 0.4187 * g - 0.0813 * b]
        };
        f.rgba().chunks(4).flat_map(chroma).collect()
    };
    let distance = |a: &Frame, b: &Frame| {
        let (a, b) = (chroma(a), chroma(b));
        a.iter().zip(&b).map(|(x, y)| (x - y).abs()).sum::<f64>() / a.len() as f64
    };
    assert!(distance(&photo, &kept) < 1.0, "{}", distance(&photo, &kept));
    assert!(distance(&photo, &free) > 5.0);
    assert_ne!(photo, kept);
}

#[test]
fn working_and_output_sizes() {
    let s = Sandbox::new();
    let small = ["photo.png", "--working-size", "18"];
    s.stylize(&[&small[..], &["-o", "same.png"]].concat()).ends(0);
    assert_eq!(s.read("same.png").width(), 24);
    s.stylize(&[&small[..], &["--output-size", "working", "-o", "small.png"]].concat()).ends(0);
    let frame = s.read("small.png");
    assert_eq!((frame.width(), frame.height()), (18, 12));
    s.stylize(&["photo.png", "--working-size", "original", "-o", "o.png"]).ends(0);
    s.stylize(&["photo.png", "--working-size", "3", "-o", "x.png"]).ends(2);
}

#[test]
fn variants_paint_the_same_picture() {
    let s = Sandbox::new();
    s.stylize(&["photo.png", "--variant", "baseline", "-o", "a.png"]).ends(0);
    s.stylize(&["photo.png", "--variant", "fused", "-o", "b.png"]).ends(0);
    let difference = PictureDifference::between(&s.read("a.png"), &s.read("b.png")).expect("size");
    assert!(difference.largest <= 1, "{difference:?}");
}

#[test]
fn formats_follow_the_name_or_the_flag() {
    let s = Sandbox::new();
    for (name, start) in [
        ("a.png", &b"\x89PNG"[..]),
        ("a.jpg", b"\xff\xd8\xff"),
        ("a.webp", b"RIFF"),
        ("a.bmp", b"BM"),
        ("a.tiff", b"II*\0"),
    ] {
        let run = s.stylize(&["photo.png", "-o", name]).ends(0);
        assert!(fs::read(s.path(name)).expect("written").starts_with(start), "{name}");
        assert_eq!(
            run.stderr.contains("the background is white"),
            name == "a.jpg",
            "{}",
            run.stderr
        );
    }
    s.stylize(&["photo.png", "--format", "bmp", "-o", "odd"]).ends(0);
    assert!(fs::read(s.path("odd")).expect("written").starts_with(b"BM"));
    s.stylize(&["photo.png", "-o", "a.gif"]).ends(2).says("a photo needs .png");
    s.stylize(&["photo.png", "-o", "a.psd"]).ends(2).says("no extension of a supported format");
    // Read, and not written.
    let choices = "use .png, .jpg, .webp, .bmp or .tiff, for a video";
    s.stylize(&["photo.png", "-o", "a.avif"]).ends(2).says(choices);
    let choices = "give one of png, jpeg, webp, bmp, tiff, mp4";
    s.stylize(&["photo.png", "--format", "avif", "-o", "a"]).ends(2).says(choices);
    s.stylize(&["photo.png", "--format", "jpeg", "-o", "b.png"]).ends(2).says("--format is jpeg");
    let size = |quality: &str| {
        let name = format!("q{quality}.jpg");
        s.stylize(&["photo.png", "--jpeg-quality", quality, "-o", &name]).ends(0);
        fs::metadata(s.path(&name)).expect("written").len()
    };
    assert!(size("20") < size("100"));
    for (output, is_lossy) in [("l.jpg", true), ("r.png", false), ("r.webp", false)] {
        let run = s.stylize(&["photo.png", "--quality", "70", "-o", output]);
        if is_lossy {
            run.ends(0);
            assert_eq!(s.read(output).width(), 24);
        } else {
            run.ends(2).says("is written without loss");
        }
    }
}

#[test]
fn a_quality_is_used_at_strength_0_and_paintings_are_next_to_their_photos() {
    let s = Sandbox::new();
    s.stylize(&["photo.png", "--quality", "100", "-o", "large.jpg"]).ends(0);
    let small = ["large.jpg", "--strength", "0", "--quality", "5", "-o", "small.jpg"];
    s.stylize(&small).ends(0);
    let bytes = |name: &str| fs::metadata(s.path(name)).expect("written").len();
    assert!(bytes("small.jpg") < bytes("large.jpg"));
    fs::create_dir_all(s.path("in/below")).expect("folders");
    for name in ["in/a.png", "in/below/b.png"] {
        fs::copy(s.path("photo.png"), s.path(name)).expect("copied");
    }
    s.stylize(&["in", "-r", "-o", "in"]).ends(0);
    assert_eq!(s.names("in"), ["a-tiny.png", "a.png", "below"]);
    assert_eq!(s.names("in/below"), ["b-tiny.png", "b.png"]);
}

#[test]
fn sixteen_bits_keep_fractions_of_levels() {
    let s = Sandbox::new();
    let looks: [&[&str]; 5] = [
        &[],
        &["--keep-colors"],
        &["--strength", "40"],
        &["--output-size", "60"],
        &["--strength", "0"],
    ];
    for look in looks {
        let painted = |depth: &str, name: &str| {
            let output = ["photo.png", "--bit-depth", depth, "-o", name, "--force"];
            s.stylize(&[&output, look].concat()).ends(0);
        };
        painted("8", "8.png");
        let narrow = s.read("8.png");
        for name in ["16.png", "16.tiff"] {
            painted("16", name);
            if look == ["--strength", "0"] && name == "16.png" {
                assert_eq!(fs::read(s.path(name)).ok(), fs::read(s.path("photo.png")).ok());
                continue;
            }
            let deep = opened(&s.path(name));
            assert_eq!(deep.color(), image::ColorType::Rgba16, "{name}");
            let levels = deep.into_rgba16().into_raw();
            let apart: Vec<f32> = (levels.iter().zip(narrow.rgba()))
                .map(|(&deep, &level)| (f32::from(deep) / 257.0 - f32::from(level)).abs())
                .collect();
            assert_eq!(apart.len(), narrow.rgba().len(), "{name} has the same size");
            // Where scaling overshoots, the result depends on the order of rows and columns.
            let apart_at =
                if look.contains(&"60") { 9 * apart.len() / 10 } else { apart.len() - 1 };
            let mut sorted = apart.clone();
            sorted.sort_by(f32::total_cmp);
            let most = sorted[apart_at];
            let between = apart.iter().filter(|&&apart| apart > 0.01).count();
            if look == ["--strength", "0"] {
                assert_eq!(between, 0, "{name}: the photo has 8 bits");
            } else {
                assert!(most <= 1.5, "{name} {look:?}: {most} levels");
                assert!(between > apart.len() / 4, "{name} {look:?}: {between} of {}", apart.len());
            }
        }
    }
    let run = s.stylize(&["photo.png", "--bit-depth", "16", "-o", "a.jpg"]);
    run.ends(2).says("--bit-depth 16 is for PNG and TIFF photos, and everything here has 8 bits");
    s.stylize(&["photo.png", "--bit-depth", "12", "-o", "a.png"]).ends(2).says("8, 16");
}

#[test]
fn a_quiet_run_prints_only_errors() {
    let s = Sandbox::new();
    fs::create_dir(s.path("in")).expect("a folder");
    fs::copy(s.path("photo.png"), s.path("in/a.png")).expect("copied");
    fs::write(s.path("in/b.txt"), "no photo").expect("written");
    let run = s.stylize(&["in", "-q", "--format", "jpeg", "-o", "out"]).ends(0);
    assert_eq!((run.text(), run.stderr), (String::new(), String::new()));
    assert_eq!(s.names("out"), ["a-tiny.jpg"]);
    let run = s.stylize(&["in/b.txt", "--quiet", "-o", "b.png"]).ends(1);
    assert!(run.stderr.starts_with("error: "), "{}", run.stderr);
}

#[test]
fn a_size_that_a_photo_cannot_have_is_noted() {
    let s = Sandbox::new();
    let run = s.stylize(&["photo.png", "--output-size", "200", "-o", "large.png"]).ends(0);
    run.says("photo.png: enlarged to 96x64 instead of 200 pixels");
    let run = s.stylize(&["photo.png", "--output-size", "96", "-o", "exact.png"]).ends(0);
    assert!(!run.stderr.contains("enlarged"), "{}", run.stderr);
}

#[test]
fn a_painting_is_in_srgb_or_keeps_the_colour_profile() {
    let s = Sandbox::new();
    let wide = crate::home::project().join("tests/pictures/colors/display_p3.png");
    fs::copy(wide, s.path("wide.png")).expect("copied");
    let profile = decode::from_path(&s.path("wide.png")).expect("a picture").profile;
    assert!(profile.is_some());
    for to in [Format::Png, Format::Jpeg, Format::WebP, Format::Tiff] {
        let output = format!("to.{}", to.extension());
        let painted = |choice: &[&str]| {
            s.stylize(&[&["wide.png", "-o", &output, "--force"], choice].concat()).ends(0);
            decode::from_path(&s.path(&output)).expect("a picture")
        };
        let plain = painted(&[]);
        assert_eq!(plain.profile, None, "{to}");
        let kept = painted(&["--color-profile", "keep"]);
        assert_eq!(kept.profile, profile, "{to}");
        let difference = PictureDifference::between(&plain.frame, &kept.frame).expect("same size");
        let most = if to == Format::Jpeg { 6.0 } else { 1.0 };
        assert!(difference.mean < most, "{to}: {difference:?}");
    }
    let bmp = ["wide.png", "-o", "to.bmp", "--color-profile", "keep"];
    s.stylize(&bmp).ends(0).says("BMP has no colour profile");
}

#[test]
fn existing_files_are_replaced_only_with_force() {
    let s = Sandbox::new();
    s.photo("out.png", 9, 9);
    let before = fs::read(s.path("out.png")).expect("there");
    s.stylize(&["photo.png", "-o", "out.png"]).ends(1).says("already exists").says("--force");
    assert_eq!(fs::read(s.path("out.png")).expect("there"), before);
    s.stylize(&["photo.png", "--force", "-o", "out.png"]).ends(0);
    assert_ne!(fs::read(s.path("out.png")).expect("there"), before);
    s.stylize(&["photo.png", "-o", "no/such/folder.png"]).ends(1).says("does not exist");
}

#[cfg(unix)]
#[test]
fn standard_input_and_output() {
    let s = Sandbox::new();
    let paint = "$STYLEFORGE stylize - --style ./tiny.safetensors --device cpu -o -";
    s.stylize(&["photo.png", "-o", "file.png"]).ends(0);
    let run = s.shell(&format!("{paint} < photo.png")).ends(0);
    assert_eq!(run.stderr, "");
    assert_eq!(run.stdout, fs::read(s.path("file.png")).expect("written"));
    let run = s.shell(&format!("{paint} --format webp < photo.png")).ends(0);
    assert!(run.stdout.starts_with(b"RIFF"));
    let run = s.shell(&format!("echo nonsense | {paint}")).ends(1);
    assert!(run.stdout.is_empty() && run.stderr.contains("standard input"), "{}", run.stderr);
    s.shell(&format!("{paint} - < photo.png")).ends(2).says("given twice");
}

#[test]
fn a_folder_is_painted_by_name_one_level_deep() {
    let s = Sandbox::new();
    s.photo("in/b.jpg", 10, 8);
    s.photo("in/a.bmp", 8, 10);
    s.photo("in/deeper/c.png", 8, 8);
    fs::write(s.path("in/notes.txt"), "no picture").expect("file");
    let run = s.stylize(&["in", "-o", "new/out"]).ends(0).says("in: 1 subfolder is not painted");
    let separator = std::path::MAIN_SEPARATOR;
    assert_eq!(run.text(), format!("new/out{separator}a-tiny.bmp\nnew/out{separator}b-tiny.jpg\n"));
    assert_eq!(s.names("new/out"), ["a-tiny.bmp", "b-tiny.jpg"]);
    s.stylize(&["in/deeper", "in/b.jpg", "--format", "png", "-o", "new/out"]).ends(0);
    assert_eq!(s.names("new/out").len(), 4);
    fs::create_dir(s.path("empty")).expect("folder");
    s.stylize(&["empty", "-o", "out"]).ends(2).says("no photos or videos in the folder empty");
    // The paintings' own folder is not worth a word.
    let run = s.stylize(&["in/deeper", "-o", "in/deeper/painted"]).ends(0);
    assert!(!run.stderr.contains("not painted"), "{}", run.stderr);
    let again = ["in/deeper", "--force", "-o", "in/deeper/painted"];
    let run = s.stylize(&again).ends(0);
    assert!(!run.stderr.contains("not painted"), "{}", run.stderr);
    s.stylize(&["in", "-o", "out.png"]).ends(2).says("give a folder");
}

#[test]
fn a_photo_is_never_replaced_by_its_painting() {
    let s = Sandbox::new();
    let bytes = |name: &str| fs::read(s.path(name)).expect("a file");
    let before = bytes("photo.png");
    for arguments in
        [&["photo.png", "-o", "photo.png"][..], &["photo.png", "-o", "./home/../photo.png"]]
    {
        s.stylize(&[arguments, &["--force"]].concat())
            .ends(2)
            .says("photo.png is one of the inputs");
    }
    fs::copy(s.path("photo.png"), s.path("photo-tiny.png")).expect("copied");
    s.stylize(&["photo.png", "photo-tiny.png", "--force", "-o", "."])
        .ends(2)
        .says("photo-tiny.png is one of the inputs");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(s.path("photo.png"), s.path("link.png")).expect("a link");
        s.stylize(&["photo.png", "--force", "-o", "link.png"])
            .ends(2)
            .says("link.png is one of the inputs");
    }
    assert!(before == bytes("photo.png") && before == bytes("photo-tiny.png"));
}

#[cfg(target_os = "linux")]
#[test]
fn unwritable_targets_are_found_before_painting() {
    let s = Sandbox::new();
    fs::write(s.path("broken.jpg"), b"no photo").expect("file");
    // The photo is not even read.
    let run = s
        .stylize(&["broken.jpg", "-o", "/proc/out.png"])
        .ends(1)
        .says("cannot create files in /proc");
    assert!(!run.stderr.contains("broken.jpg"), "{}", run.stderr);
    for folder in ["/proc/out/", "/proc/deep/er/", "photo.png/out/"] {
        let run = s.stylize(&["broken.jpg", "-o", folder]).ends(2);
        assert!(!run.stderr.contains("broken.jpg"), "{}", run.stderr);
    }
    s.styleforge(&["compare", "baseline", "fused", "--csv", "/proc/out.csv"])
        .ends(2)
        .says("cannot create files in /proc");
    let left: Vec<String> = s.names(".");
    assert!(!left.iter().any(|name| name.contains("part")), "{left:?}");
}

#[test]
fn several_styles_are_several_pictures() {
    let s = Sandbox::new();
    fs::copy(s.path("tiny.safetensors"), s.path("other.safetensors")).expect("copied");
    s.stylize(&["photo.png", "--style", "./other.safetensors", "-o", "out"]).ends(0);
    assert_eq!(s.names("out"), ["photo-other.png", "photo-tiny.png"]);
    s.stylize(&["photo.png", "--style", "./other.safetensors", "-o", "-"])
        .ends(2)
        .says("takes one image");
}

#[test]
fn wrong_styles_and_models_are_wrong_use() {
    let s = Sandbox::new();
    let run = s.styleforge(&["stylize", "photo.png", "--style", "nonesuch", "-o", "x.png"]);
    run.ends(2).says("'nonesuch' is neither a style nor a file");
    for typo in ["cnady", "starry"] {
        let run = s.styleforge(&["stylize", "photo.png", "--style", typo, "-o", "t.png"]);
        let meant = if typo == "cnady" { "candy" } else { "starry_night" };
        run.ends(2).says(&format!("did you mean {meant}?"));
    }
    s.stylize(&["photo.png", "--max-memory", "10", "-o", "t.png"]).ends(2).says("with its unit");
    s.stylize(&["photo.png", "--model", "full", "-o", "x.png"]).ends(2).says("--model");
    fs::write(s.path("bad.safetensors"), "nothing").expect("file");
    let run =
        s.styleforge(&["stylize", "photo.png", "--style", "./bad.safetensors", "-o", "x.png"]);
    run.ends(2).says("bad.safetensors");
    assert!(!s.path("x.png").exists());
    s.styleforge(&["stylize", "photo.png", "-o", "x.png"]).ends(2).says("--style");
    s.styleforge(&["stylize", "--style", "x", "-o", "x.png"]).ends(2);
}

#[test]
fn a_lone_lite_style_says_so_and_full_is_refused() {
    let s = Sandbox::new();
    let folder = s.path("home/.local/share/styleforge/styles/small_one");
    fs::create_dir_all(&folder).expect("folder");
    fs::copy(s.path("tiny.safetensors"), folder.join("lite.safetensors")).expect("copied");
    let base = ["stylize", "photo.png", "--style", "small_one", "-o"];
    s.styleforge(&[&base[..], &["a.png"]].concat()).ends(0).says("lite");
    s.styleforge(&[&base[..], &["b.png", "--model", "full"]].concat()).ends(2).says("full");
    let run = s.styleforge(&[&base[..], &["c.png", "--model", "lite"]].concat()).ends(0);
    assert!(!run.stderr.contains("lite"), "{}", run.stderr);
}

#[cfg(all(unix, not(target_os = "macos")))]
#[test]
fn names_that_are_not_utf8_are_painted() {
    use std::os::unix::ffi::OsStrExt;

    let s = Sandbox::new();
    let name = |bytes: &[u8]| s.path(OsStr::from_bytes(bytes));
    fs::rename(s.path("photo.png"), name(b"caf\xe9.png")).expect("renamed");
    let output = s
        .command(env!("CARGO_BIN_EXE_styleforge"))
        .args(["stylize", "--style", "./tiny.safetensors", "-o", "out/"])
        .arg(OsStr::from_bytes(b"caf\xe9.png"))
        .output();
    Run::from(output.expect("starts")).ends(0);
    assert!(name(b"out/caf\xe9-tiny.png").exists());
}
