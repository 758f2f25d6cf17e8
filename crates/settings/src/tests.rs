use super::*;
use engine::{camera_out::CameraOutSize, live::CandidateChoice};
use values::mode::{AttentionChoice, DeviceChoice};

fn path_in(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("deep").join("settings.toml")
}

#[test]
fn the_file_is_in_the_home_of_the_user() {
    let home = std::env::home_dir().expect("a home");
    assert!(default_path().expect("a path").starts_with(home));
}

#[test]
fn written_files_are_read_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = path_in(&folder);
    let settings = Settings {
        choices: Choices {
            style: Some("candy".to_owned()),
            mix_own: Some(70),
            mix: vec![("b=w".to_owned(), 0), ("barn".to_owned(), 100)],
            model: ModelSize::Lite,
            working_px: Some(640),
            mode: "baseline fp16".parse().expect("a mode"),
            look: Look::new(35, true),
            steadiness: 40,
            live: Some(LiveStyle {
                style: Some("wave".to_owned()),
                mix: vec![("candy".to_owned(), 30)],
                ..LiveStyle::default()
            }),
            output: OutputSize::LongSide(2048),
            theme: ThemeChoice::Dark,
            reduce_motion: Some(true),
            format: Some(Format::WebP),
            jpeg_quality: 80,
            print_dpi: Some(300),
            has_16_bits: true,
            ask_before_losing: false,
            full_screen_fills: true,
            styles_show_photo: false,
            snapshot_folder: Some(PathBuf::from("/snapshots")),
        },
        state: State {
            open_folder: Some(PathBuf::from("/photos")),
            recent_photos: ["/photos/b.jpg", "/photos/a.jpg"].map(PathBuf::from).to_vec(),
            paintings: vec![PathBuf::from("/paintings/a-candy.jpg")],
            folds_paintings: true,
            save_folder: Some(PathBuf::from("/paintings")),
            window_size: Some((1200.0, 800.0)),
            is_maximized: true,
            shows_photos: true,
            has_seen_hint: true,
            style_order: vec!["wave".to_owned(), "candy".to_owned()],
        },
        live: LiveChoices {
            source: "camera:Front".parse().expect("a source"),
            camera_size: Some((640, 480)),
            mirror: true,
            mirror_preview: false,
            mirror_saved: true,
            size: engine::live::LiveSize::LongSide(384),
            steadiness: 60,
            mode: "fused-norm fp16, naive attention".parse().expect("a mode"),
            candidates: ["fused fp16, tiled", "fused fp16, flash"].map(|mode| CandidateChoice {
                device: DeviceChoice::Cuda,
                mode: mode.parse().expect("a mode"),
            }),
            upscale: false,
            moving_gallery: false,
            repaint_kept: false,
            record_as: RecordAs::Pictures,
            codec: media::codec::Codec::Av1,
            quality: 50,
            microphone: true,
            camera_out_device: Some("/dev/video10".to_owned()),
            camera_out_size: CameraOutSize::Source,
            ..LiveChoices::default()
        },
        ..Settings::default()
    };
    settings.save(&path).expect("written");
    let (read, warnings) = Settings::load(&path);
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(read.choices, settings.choices);
    assert_eq!(read.live, settings.live);
    assert_eq!(read.state, settings.state);
}

#[test]
fn films_take_the_steadiness_of_live_mode_until_they_have_their_own() {
    let of = |text: &str| {
        let (settings, warnings) = Settings::from_text(text).expect("read");
        assert_eq!(warnings, Vec::<String>::new());
        (settings.choices.steadiness, settings.live.steadiness)
    };
    assert_eq!(of("[choices]\nstyle = \"candy\"\n[live]\nsteadiness = 70\n"), (70, 70));
    assert_eq!(of("[live]\nsteadiness = 70\n"), (70, 70));
    assert_eq!(of("[choices]\nsteadiness = 20\n[live]\nsteadiness = 70\n"), (20, 70));
    assert_eq!(of("[choices]\nsteadiness = 20\n"), (20, 0));
}

#[test]
fn modes_that_name_no_attention_leave_it_to_the_variant() {
    let text = "[live]\nmode = \"baseline fp16\"\ncompare_left = \"cuda fused fp16\"\n";
    let (settings, warnings) = Settings::from_text(text).expect("read");
    assert_eq!(warnings, Vec::<String>::new());
    let modes = [settings.live.mode, settings.live.candidates[0].mode];
    assert!(modes.iter().all(|mode| mode.attention == AttentionChoice::Auto));
    let written = settings.to_text().expect("text");
    assert!(written.contains("mode = \"baseline fp16\""), "{written}");
    assert!(!written.contains("attention"), "{written}");
    let wrong = "[live]\nmode = \"fused fp16, quick attention\"\n";
    let (settings, warnings) = Settings::from_text(wrong).expect("read");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(settings.live.mode, LiveChoices::default().mode);
}

#[test]
fn keys_of_other_versions_survive() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("settings.toml");
    fs::write(
        &path,
        "future = 1\n[choices]\nstyle = \"udnie\"\ncamera = \"front\"\n[live]\nfps = 30\n",
    )
    .expect("written");
    let (mut settings, warnings) = Settings::load(&path);
    assert!(warnings.is_empty(), "{warnings:?}");
    settings.choices.style = None;
    settings.save(&path).expect("written");
    let text = fs::read_to_string(&path).expect("read");
    for kept in ["future = 1", "camera = \"front\"", "[live]", "fps = 30"] {
        assert!(text.contains(kept), "{kept} is gone from {text}");
    }
    assert!(!text.contains("udnie"), "{text}");
}

#[test]
fn a_file_that_cannot_be_read_is_reported_and_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("settings.toml");
    let large = "#".repeat(MAX_BYTES as usize + 1);
    for (bytes, why) in [
        (&b"[choices\nstyle="[..], "cannot be read: "),
        (b"\xff\xfe\x00", "it is not text"),
        (b"version = 2\n[choices]\nstyle = \"mine\"", "a newer StyleForge wrote it"),
        (b"version = \"two\"", "a newer StyleForge wrote it"),
        (b"choices = 3", "choices is not a table"),
        (large.as_bytes(), "it is larger than"),
    ] {
        fs::write(&path, bytes).expect("written");
        let (mut settings, warnings) = Settings::load(&path);
        assert_eq!(settings.choices, Choices::default());
        assert_eq!(warnings.len(), 1);
        let named = warnings[0].contains(&path.display().to_string());
        assert!(named && warnings[0].contains(why), "{}", warnings[0]);
        settings.choices.style = Some("udnie".to_owned());
        settings.save(&path).expect("nothing to do");
        assert!(fs::read(&path).expect("there") == bytes, "{why}");
        assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 1);
    }
    fs::remove_file(&path).expect("removed");
    fs::create_dir(&path).expect("made");
    let (settings, warnings) = Settings::load(&path);
    assert!(warnings[0].contains("it is a folder"), "{}", warnings[0]);
    settings.save(&path).expect("nothing to do");
    assert!(path.is_dir());
}

#[cfg(unix)]
#[test]
fn a_link_to_the_file_stays_a_link() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("settings.toml");
    fs::create_dir(folder.path().join("dotfiles")).expect("made");
    for target in ["dotfiles/there.toml", "dotfiles/not_yet.toml"] {
        let kept = folder.path().join(target);
        if target.contains("there") {
            fs::write(&kept, "future = 1\n").expect("written");
        }
        std::os::unix::fs::symlink(target, &path).expect("linked");
        let (mut settings, warnings) = Settings::load(&path);
        assert_eq!(warnings, Vec::<String>::new());
        settings.choices.style = Some("udnie".to_owned());
        settings.save(&path).expect("written");
        assert_eq!(fs::read_link(&path).expect("a link"), Path::new(target));
        let text = fs::read_to_string(&kept).expect("read");
        assert!(text.contains("udnie"), "{text}");
        assert_eq!(text.contains("future = 1"), target.contains("there"));
        fs::remove_file(&path).expect("removed");
    }
}

#[test]
fn values_that_make_no_sense_are_not_lost_until_they_are_changed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("settings.toml");
    let newer = "[choices]\ntheme = \"sepia\"\nstrength = 400\nformat = \"jxl\"\n";
    fs::write(&path, newer).expect("written");
    let (mut settings, warnings) = Settings::load(&path);
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    settings.choices.look.strength_percent = 70;
    settings.save(&path).expect("written");
    settings.save(&path).expect("written again");
    let text = fs::read_to_string(&path).expect("read");
    for kept in ["theme = \"sepia\"", "format = \"jxl\"", "strength = 70"] {
        assert!(text.contains(kept), "{kept} is gone from {text}");
    }
}

#[test]
fn values_that_make_no_sense_fall_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("settings.toml");
    fs::write(
        &path,
        "[choices]\nstrength = 400\ntheme = \"pink\"\nkeep_colors = true\nstate = 3\n",
    )
    .expect("written");
    let (settings, warnings) = Settings::load(&path);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert_eq!(settings.choices.look.strength_percent, 100);
    assert!(settings.choices.look.keep_colors);
}

#[test]
fn no_more_is_written_than_is_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = path_in(&folder);
    let of = |ids: usize| Settings {
        state: State {
            style_order: (0..ids).map(|n| format!("{n:064}")).collect(),
            ..State::default()
        },
        ..Settings::default()
    };
    of(10).save(&path).expect("written");
    let message = of(20_000).save(&path).expect_err("too long").to_string();
    assert!(message.contains("at most 1048576 can be read again"), "{message}");
    let (kept, warnings) = Settings::load(&path);
    assert_eq!((kept.state, warnings), (of(10).state, Vec::new()));
}

#[test]
fn a_list_of_files_fits_into_the_settings_file() {
    let mut paths: Vec<_> = (0..5000).map(|n| PathBuf::from(format!("{n:0100}.png"))).collect();
    paths.insert(0, paths[1].clone());
    let newest = paths[0].clone();
    keep_newest(&mut paths, usize::MAX);
    assert_eq!((paths.len(), &paths[0]), (MAX_LIST_BYTES / 104 - 1, &newest));
}
