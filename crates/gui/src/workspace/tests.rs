use super::*;
use media::framing::Rotation;
use pictures::{decode::Photo, metadata::Metadata};
use settings::Choices;
use values::{
    frame::Frame,
    mode::{Mode, ModeChoice},
    timing::RunTiming,
};

fn opened(origin: Origin) -> Opened {
    let frame = Arc::new(Frame::from_fn(100, 50, |_, _| [1, 2, 3, 255]));
    Opened {
        preview: frame.clone(),
        framing: Framing::default(),
        film: None,
        photo: Photo {
            frame,
            profile: None,
            metadata: Metadata::default(),
            notes: Vec::new(),
            is_hdr: false,
            name: "a".to_owned(),
            natural_format: Format::Jpeg,
        },
        origin,
    }
}

fn painting() -> Arc<Painting> {
    Arc::new(Painting {
        painted: Frame::from_fn(100, 50, |_, _| [9, 9, 9, 255]),
        deep: None,
        steady: None,
        notes: Vec::new(),
        mode: Mode::default(),
        run: RunTiming::host(0.0),
        total_ms: 1.0,
    })
}

fn painted(origin: Origin) -> Workspace {
    let choice = Choice {
        mix: Mix::of(Some("candy".to_owned())),
        ..Choice::from_settings(&Choices::default())
    };
    let mut table = Workspace::new(Page::Photo, choice, None);
    table.put_photo(opened(origin));
    let recipe = table.recipe(ModelSize::Full).expect("photo and style");
    table.show(recipe, painting());
    table
}

/// Undoes or redoes one choice; returns `false` if there is none.
fn revert(table: &mut Workspace, is_undo: bool) -> bool {
    let Some(Step::Choice(choice)) = table.history.take(is_undo) else {
        return false;
    };
    let before = std::mem::replace(&mut table.choice, *choice);
    table.history.note_reverted(is_undo, Step::Choice(Box::new(before)));
    true
}

#[test]
fn undo_and_redo_go_through_choices() {
    let mut table = painted(Origin::Clipboard);
    let first = table.choice.clone();
    table.choice.look.strength_percent = 40;
    table.commit(Box::new(first.clone()));
    table.commit(Box::new(table.choice.clone()));
    assert!(revert(&mut table, true));
    assert_eq!(table.choice, first);
    assert!(!revert(&mut table, true));
    assert!(revert(&mut table, false));
    assert_eq!(table.choice.look.strength_percent, 40);
    assert!(!revert(&mut table, false));
    revert(&mut table, true);
    let before = table.choice.clone();
    table.choice.brush = 2;
    table.commit(Box::new(before));
    assert!(!table.history.can_step()[1], "a new choice ends the old future");
}

#[test]
fn results_are_unsaved_until_saved_as_they_are() {
    let mut table = painted(Origin::Clipboard);
    assert!(!table.is_unsaved(), "nothing has changed");
    table.choice.look.strength_percent = 70;
    assert!(table.is_unsaved());
    table.saved.push(table.saved_key().expect("a result"));
    assert!(!table.is_unsaved());
    table.choice.look.strength_percent = 50;
    assert!(table.is_unsaved());
    table.choice.look.strength_percent = 0;
    assert!(!table.is_unsaved(), "strength 0 is the photo");
    assert!(!painted(Origin::Sample).is_unsaved());
}

#[test]
fn a_stopped_run_goes_back_to_the_painting_before_it() {
    let mut table = painted(Origin::Clipboard);
    let before = table.choice.clone();
    // The styles that were skipped have not been painted.
    for style in ["great_wave", "udnie", "mosaic"] {
        let passed = table.choice.clone();
        table.choice.mix = Mix::of(Some(style.to_owned()));
        table.commit(Box::new(passed));
    }
    table.draft = Some(painting());
    assert!(table.finished().is_none(), "a draft is not saved");
    table.revert_choice();
    assert_eq!(table.choice, before);
    assert!(!table.history.can_step()[0]);
    assert!(table.finished().is_some());
}

#[test]
fn turning_is_undone_and_ends_with_its_photo() {
    let mut table = painted(Origin::Clipboard);
    let plain = table.choice.clone();
    table.choice.framing = plain.framing.turned(Rotation::Quarter, (100, 50));
    table.commit(Box::new(plain.clone()));
    assert!(table.finished().is_none(), "not as it is turned");
    let frame = Arc::new(Frame::from_fn(50, 100, |_, _| [1, 2, 3, 255]));
    let preview = frame.clone();
    table.set_framed(table.choice.framing, Whole { frame, preview });
    assert_eq!(table.photo_size(), Some((50, 100)));
    let before = table.put_photo(opened(Origin::Sample)).expect("a photo");
    assert_eq!(before.photo.frame.width(), 100, "as it was opened");
    assert_eq!(before.framing.rotate, Rotation::Quarter);
    assert_eq!(table.choice, plain);
    assert!(!table.history.can_step()[0], "the other photo's step is gone");
    table.put_photo(before);
    assert_eq!(table.choice.framing.rotate, Rotation::Quarter);
    assert_eq!(table.photo_size(), Some((100, 50)), "until it is turned");
}

#[test]
fn kept_paintings_are_bounded() {
    let mut table = painted(Origin::Clipboard);
    let recipe = |n: usize| Recipe {
        photo: 1,
        framing: Framing::default(),
        network: NetworkOf::Style(format!("s{n}"), ModelSize::Full),
        working: (100, 50),
        mode: ModeChoice::default(),
        has_16_bits: false,
    };
    for n in 0..50 {
        table.show(recipe(n), painting());
    }
    assert!(table.kept(&recipe(49)).is_some());
    assert!(table.kept(&recipe(3)).is_none());
    assert_eq!(table.result_stem(), "painting-s49");
}

#[test]
fn only_what_took_time_is_asked_about() {
    let unsaved = |origin, total_ms, changes: usize| {
        let mut table = painted(origin);
        let recipe = table.recipe(ModelSize::Full).expect("photo and style");
        let slow = Painting { total_ms, ..(*painting()).clone() };
        table.show(recipe, Arc::new(slow));
        if changes > 0 {
            table.choice.mix = Mix::of(Some("wave".to_owned()));
        }
        if changes > 1 {
            table.choice.look.strength_percent = 50;
        }
        table.is_unsaved()
    };
    let file = || Origin::File("a.png".into());
    for (origin, total_ms, changes, expected) in [
        (file(), 1.0, 0, false),
        (file(), 1.0, 1, false),
        (file(), 1.0, 2, true),
        (file(), 30_000.0, 1, true),
        (file(), 30_000.0, 0, false),
        // A pasted picture cannot be opened again.
        (Origin::Clipboard, 1.0, 1, true),
        (Origin::Sample, 30_000.0, 2, false),
    ] {
        assert_eq!(
            unsaved(origin, total_ms, changes),
            expected,
            "{total_ms} ms, {changes} changes"
        );
    }
}
