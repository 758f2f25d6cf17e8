use super::*;
use pictures::encode;

#[test]
fn a_style_of_a_numbered_picture_has_a_word_in_its_name() {
    for (file, name) in [("0077.jpg", "Style 0077"), ("barn 2.jpg", "barn 2")] {
        assert_eq!(picture_name(Path::new(file)), name);
    }
}

#[test]
fn a_picture_is_added_as_a_style_and_shows_itself() {
    let place = tempfile::tempdir().expect("a folder");
    let style_source = Library::of(StyleLibrary::open(&[], place.path().join("user")));
    let file = place.path().join("Red barn.png");
    let picture = Frame::from_fn(60, 40, |x, _| [200, (4 * x) as u8, 30, 255]);
    let encoding = encode::Encoding::of(encode::Format::Png);
    encode::save(&file, &picture, None, encoding, encode::Existing::Keep).expect("saved");
    for id in ["red_barn", "red_barn_1"] {
        let Ok(Import::Added { id: added, warning: None }) =
            style_source.import(&file, PixelChoice::default())
        else {
            panic!("{id} was not added");
        };
        let (cards, problems) = style_source.cards();
        assert!(problems.is_empty(), "{problems:?}");
        let card = cards.iter().find(|card| card.id == added).expect("a card");
        assert!(card.thumbnail.is_some() && card.title.starts_with("Red barn"));
        let loaded = style_source.load(&added, ModelSize::Lite).expect("loaded");
        assert!(loaded.network.graph().check_is_picture_network().is_ok());
    }
    // Two of them can be mixed, and the mix is a style as well.
    let parts = [("red_barn".to_owned(), 70), ("red_barn_2".to_owned(), 30)];
    let mixed = style_source.mix(&parts).expect("mixed");
    assert!(mixed.network.graph().check_is_picture_network().is_ok());
    let keep = |name| style_source.keep_mix(&parts, name, "mix of two");
    assert_eq!(keep("Both"), Ok("both".to_owned()));
    assert!(keep("both").is_err_and(|why| why.contains("already a style or network named both")));
    assert_eq!(style_source.rename("both", "Two"), Ok("two".to_owned()));
    let (cards, _) = style_source.cards();
    let two = cards.iter().find(|card| card.id == "two").expect("a card");
    assert!(two.is_picture() && two.own.is_some() && two.thumbnail.is_some());
    assert_eq!((two.title.as_str(), two.credit.as_str()), ("Two", "mix of two"));
    // Removing a style that is already gone is not an error.
    assert_eq!(style_source.remove("two"), Ok(()));
    assert_eq!(style_source.remove("two"), Ok(()));
    let built_in = [("red_barn".to_owned(), 1), ("candy".to_owned(), 1)];
    let refused = style_source.mix(&built_in);
    assert!(refused.is_err_and(|why| why.contains("made from pictures can be mixed")));
    assert!(style_source.remove("candy").is_err());
    std::fs::write(&file, "no picture").expect("written");
    let refused = style_source.import(&file, PixelChoice::default());
    assert!(refused.is_err_and(|why| why.contains("Red barn.png")));
}

#[test]
fn a_picture_without_strokes_is_kept_with_a_warning() {
    let place = tempfile::tempdir().expect("a folder");
    let style_source = Library::of(StyleLibrary::open(&[], place.path().join("user")));
    for (side, has_warning) in [(8, true), (40, false)] {
        let picture = Frame::from_fn(side, side, |x, y| [(x * 6) as u8, (y * 6) as u8, 9, 255]);
        let import = style_source.import_picture(&picture, "Dot");
        let Ok(Import::Added { warning, .. }) = import else {
            panic!("{import:?}");
        };
        let warning = warning.unwrap_or_default();
        assert_eq!(warning.starts_with("“Dot” is only 8 x 8 pixels"), has_warning, "{warning}");
    }
}

#[test]
fn assumptions_about_a_file_are_shown() {
    let place = tempfile::tempdir().expect("a folder");
    let style_source = Library::of(StyleLibrary::open(&[], place.path().join("user")));
    let golden = crate::home::project().join("tests/golden/published.tar.xz");
    let packed = std::fs::File::open(golden).expect("the archive is there");
    let mut archive = tar::Archive::new(lzma_rust2::XzReader::new(packed, false));
    archive.unpack(place.path()).expect("unpacked");
    for (name, assumed) in [
        ("plain", Some("that it is TransformerNetwork;")),
        ("tanh", Some("that it is TransformerNetworkTanh;")),
        ("unet", None),
        ("yakhyo", None),
    ] {
        let file = place.path().join(format!("{name}.pth"));
        let import = style_source.import(&file, PixelChoice::default());
        let Ok(Import::Added { id, warning }) = import else {
            panic!("{import:?}");
        };
        assert_eq!(id, name);
        let warning = warning.unwrap_or_default();
        let words = assumed.unwrap_or_default();
        assert!(warning.contains(words), "{warning}");
        assert_eq!(warning.contains("It was assumed"), assumed.is_some(), "{warning}");
        assert!(style_source.load(name, ModelSize::Full).is_ok());
    }
}

#[test]
fn a_style_whose_name_is_taken_is_called_after_its_file() {
    let place = tempfile::tempdir().expect("a folder");
    let user = place.path().join("user");
    let style_source = Library::of(StyleLibrary::open(&[], user));
    let candy = crate::home::project().join("styles/candy/lite.safetensors");
    let file = place.path().join("mine.safetensors");
    std::fs::copy(candy, &file).expect("copied");
    for id in ["mine", "mine_2", "mine_3"] {
        let import = style_source.import(&file, PixelChoice::default());
        let Ok(Import::Added { id: added, .. }) = import else {
            panic!("{import:?}");
        };
        assert_eq!(added, id);
    }
}

#[test]
fn a_file_that_is_not_a_style_is_refused_with_what_a_style_is() {
    let found = "it is text".to_owned();
    let text = no_weights(&WeightsError::UnknownFormat { found });
    assert!(text.contains("it is text. A style is an image (PNG"), "{text}");
    let other = no_weights(&WeightsError::Onnx("cut off".to_owned()));
    assert!(other.ends_with("broken ONNX file: cut off."), "{other}");
}

#[test]
fn a_taken_name_is_reported_as_it_is_shown() {
    let taken = LibraryError::Exists { id: "red_barn".to_owned() };
    let text = not_renamed(&taken, |id| (id == "red_barn").then(|| "Red barn".to_owned()));
    assert_eq!(text, "A style named “Red barn” already exists. Choose another name.");
    // A network has no title.
    let text = not_renamed(&taken, |_| None);
    assert!(text.contains("named red_barn"), "{text}");
}
