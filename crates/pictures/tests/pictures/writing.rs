//! Results that are written, and that no file is left if writing fails.

use std::{
    borrow::Cow,
    fs,
    path::{Path, PathBuf},
};

use pictures::{
    MediaError, decode,
    encode::{self, Attached, Encoding, Existing, Format, Picture},
};
use values::{disk::WriteError, frame::Frame};

use crate::{
    colors::{difference, display_p3},
    made::*,
};

#[test]
fn lossless_formats_return_every_pixel_at_any_size() {
    for (width, height) in [(1, 1), (1, 9), (7, 1), (7, 5), (338, 531)] {
        for frame in [scene(width, height), translucent(width, height)] {
            for format in [Format::Png, Format::WebP, Format::Bmp, Format::Tiff] {
                let photo = read(&encoded(&frame, format));
                assert_eq!(*photo.frame, frame, "{format} {width} x {height}");
                assert_eq!(photo.natural_format, format);
            }
            let photo = read(&encoded(&frame, Format::Jpeg));
            assert_eq!((photo.frame.width(), photo.frame.height()), (width, height));
        }
    }
}

#[test]
fn jpeg_lays_transparency_on_a_background_and_says_so() {
    let clear = Frame::from_fn(16, 16, |_, _| [0, 0, 0, 0]);
    for (background, name) in [([255; 3], "white"), ([0, 128, 64], "#008040")] {
        let encoding = Encoding { background, ..Encoding::of(Format::Jpeg) };
        let (bytes, notes) = encode::to_bytes("test", &clear, None, encoding).expect("encodes");
        assert!(notes[0].contains(&format!("the background is {name}")), "{notes:?}");
        let pixel = read(&bytes).frame.pixel(8, 8);
        assert!(background.iter().zip(pixel).all(|(a, b)| a.abs_diff(b) < 5), "{pixel:?}");
    }
}

#[test]
fn quality_is_heeded() {
    let frame = Frame::from_fn(64, 64, |x, y| [(x * y) as u8, (x * 7) as u8, (y * 5) as u8, 255]);
    let size = |quality| {
        let encoding = Encoding { quality, ..Encoding::of(Format::Jpeg) };
        encode::to_bytes("test", &frame, None, encoding).expect("encodes").0.len()
    };
    assert!(size(30) < size(92) && size(92) < size(100));
}

#[test]
fn sixteen_bits_are_converted_to_a_profile_and_refused_by_other_formats_with_a_note() {
    let frame = translucent(9, 7);
    let profile = display_p3();
    for format in [Format::Png, Format::Tiff, Format::WebP] {
        let attached = Attached { profile: Some(&profile), ..Attached::default() };
        let encoded = |picture| {
            encode::to_bytes_with("test", picture, attached, Encoding::of(format)).expect("encodes")
        };
        let (narrow, _) = encoded(Picture::Frame(Cow::Borrowed(&frame)));
        let (deep, notes) = encoded(Picture::Deep((&frame).into()));
        assert_eq!(notes.is_empty(), format.has_16_bits(), "{format}: {notes:?}");
        let (narrow, deep) = (read(&narrow), read(&deep));
        assert_eq!(narrow.profile, deep.profile, "{format}");
        let (largest, _) = difference(&narrow.frame, &deep.frame);
        assert!(largest <= 1, "{format}: {largest}");
    }
}

#[test]
fn a_profile_that_cannot_be_written_is_named() {
    let frame = scene(9, 7);
    let notes = |profile: &[u8], format| {
        encode::to_bytes("test", &frame, Some(profile), Encoding::of(format)).expect("encodes").1
    };
    assert!(notes(&display_p3(), Format::Bmp)[0].contains("no colour profile"));
    assert!(notes(&profile(b"RGB "), Format::Png)[0].contains("is saved in sRGB"));
}

#[test]
fn sides_that_a_format_cannot_hold_are_refused() {
    let wide = Frame::from_fn(16_384, 1, |_, _| [1, 2, 3, 255]);
    let wider = Frame::from_fn(65_536, 1, |_, _| [1, 2, 3, 255]);
    for (frame, format) in [(&wide, Format::WebP), (&wider, Format::Jpeg)] {
        let error =
            encode::to_bytes("test", frame, None, Encoding::of(format)).expect_err("too wide");
        assert!(error.to_string().contains("choose PNG"), "{error}");
    }
    assert_eq!(*read(&encoded(&wider, Format::Tiff)).frame, wider);
}

#[test]
fn endings_name_formats() {
    for (name, format) in [
        ("a.JPG", Some(Format::Jpeg)),
        ("a.b.Tif", Some(Format::Tiff)),
        ("a.gif", None),
        ("png", None),
    ] {
        assert_eq!(Format::from_path(Path::new(name)), format, "{name}");
    }
}

fn save(path: &Path, frame: &Frame, existing: Existing) -> Result<Vec<String>, MediaError> {
    encode::save(path, frame, None, Encoding::of(Format::Png), existing)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> =
        fs::read_dir(folder).expect("folder").map(|e| e.expect("entry").path()).collect();
    paths.sort();
    paths
}

#[test]
fn files_that_exist_are_replaced_only_on_request() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("out.png");
    save(&path, &scene(4, 4), Existing::Keep).expect("new");
    let error = save(&path, &scene(5, 5), Existing::Keep).expect_err("exists");
    assert!(matches!(error, MediaError::Write(WriteError::Exists { .. })), "{error}");
    assert_eq!(decode::from_path(&path).expect("there").frame.width(), 4);
    assert!(encode::check_target(&path, Existing::Keep).is_err());
    save(&path, &scene(5, 5), Existing::Replace).expect("replaced");
    assert_eq!(decode::from_path(&path).expect("there").frame.width(), 5);
    assert_eq!(entries(folder.path()), [path]);
}

#[cfg(unix)]
#[test]
fn links_stay_links_and_devices_stay_devices() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let folder = tempfile::tempdir().expect("folder");
    let (real, link) = (folder.path().join("real.png"), folder.path().join("link.png"));
    save(&real, &scene(4, 4), Existing::Keep).expect("new");
    let mode = |p: &Path| fs::metadata(p).expect("there").permissions().mode() & 0o777;
    assert_ne!(mode(&real) & 0o044, 0, "others may read a picture as any new file");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).expect("permissions");
    symlink(&real, &link).expect("link");
    save(&link, &scene(6, 6), Existing::Replace).expect("replaced");
    assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
    assert_eq!(decode::from_path(&real).expect("there").frame.width(), 6);
    assert_eq!(mode(&real), 0o640);
    let error = save(Path::new("/dev/null"), &scene(4, 4), Existing::Replace).expect_err("device");
    assert!(matches!(error, MediaError::Write(WriteError::NotReplaceable { .. })), "{error}");
    let dangling = folder.path().join("dangling.png");
    symlink(folder.path().join("nowhere.png"), &dangling).expect("link");
    assert!(save(&dangling, &scene(4, 4), Existing::Keep).is_err());
}

#[test]
fn places_that_cannot_be_written_are_named_and_left_clean() {
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("file");
    fs::write(&file, "in the way").expect("file");
    let cases = [
        (folder.path().join("missing/out.png"), "does not exist"),
        (file.join("out.png"), "is not a folder"),
        (folder.path().to_owned(), "not a regular file"),
    ];
    for (path, word) in cases {
        for error in [
            save(&path, &scene(4, 4), Existing::Replace).expect_err("cannot be written"),
            encode::check_target(&path, Existing::Replace).expect_err("cannot be written"),
        ] {
            assert!(error.to_string().contains(word), "{error}");
        }
    }
    if cfg!(target_os = "linux") {
        let path = Path::new("/proc/out.png");
        let error = save(path, &scene(4, 4), Existing::Replace).expect_err("read-only");
        assert!(error.to_string().contains("/proc/out.png"), "{error}");
        assert!(!error.to_string().contains("does not exist"), "{error}");
    }
    // A picture that the format cannot store leaves no file either.
    let wide = Frame::from_fn(16_384, 1, |_, _| [1, 2, 3, 255]);
    let path = folder.path().join("wide.webp");
    assert!(encode::save(&path, &wide, None, Encoding::of(Format::WebP), Existing::Keep).is_err());
    assert_eq!(entries(folder.path()), [file]);
}

#[cfg(all(unix, not(target_os = "macos")))]
#[test]
fn names_that_are_not_utf8_work() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join(OsStr::from_bytes(b"caf\xe9.png"));
    save(&path, &scene(4, 3), Existing::Keep).expect("saved");
    assert!(decode::has_picture_name(&path));
    assert_eq!(*decode::from_path(&path).expect("read").frame, scene(4, 3));
}
