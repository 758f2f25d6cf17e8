use std::path::PathBuf;

use super::*;
use crate::{
    choice::NetworkOf,
    jobs::work::{Export, NO_STYLE, Sheet, Unpainted},
};
use media::{
    film::{Codec, Range},
    framing::Framing,
};
use settings::Choices;
use values::{mode::ModelSize, rotation::Rotation};

fn export(output: &str) -> Export {
    Export {
        source: "clip.mp4".into(),
        output: output.into(),
        replaces: false,
        codec: Codec::H264,
        quality: 80,
        range: Range { start: Some(0.1), end: None },
        deinterlaces: true,
        framing: Framing {
            rotate: Rotation::Quarter,
            mirror: true,
            crop: "64x48+2+4".parse().ok(),
        },
        choices: Choices { style: Some("candy".to_owned()), steadiness: 30, ..Choices::default() },
    }
}

fn text(queue: &Queue) -> String {
    toml::to_string(queue).expect("it can be written")
}

fn read(text: &str) -> Result<Queue, String> {
    Queue::from_table(text.parse().expect("a table"))
}

fn queue(outputs: &[&str]) -> Queue {
    let mut queue = Queue::default();
    outputs.iter().for_each(|output| queue.add(Work::Export(export(output)), 5));
    queue
}

fn outputs(queue: &Queue) -> Vec<&str> {
    queue.entries.iter().filter_map(|entry| entry.work.output().to_str()).collect()
}

/// Runs the next export of a queue to this end; returns its output.
fn run(queue: &mut Queue, result: Result<&str, &str>) -> Option<PathBuf> {
    let next = queue.next()?;
    let (id, output) = (next.id, next.work.output().to_owned());
    queue.begin(id);
    assert_eq!(queue.next(), None, "one at a time");
    queue.end(id, result.map(str::to_owned).map_err(str::to_owned));
    Some(output)
}

#[test]
fn exports_run_in_their_order_which_can_be_changed() {
    let mut q = queue(&["a", "b", "c"]);
    q.begin(1);
    assert_eq!([1, 2, 3].map(|id| q.before(id)), [None, None, Some(2)]);
    q.move_before(3, Some(1));
    assert_eq!(outputs(&q), ["a", "c", "b"], "the running one stays first");
    for (id, before, expected) in [
        (3, None, ["a", "b", "c"]),
        (3, Some(2), ["a", "c", "b"]),
        (3, Some(3), ["a", "c", "b"]),
        (1, None, ["a", "c", "b"]),
        (7, Some(1), ["a", "c", "b"]),
    ] {
        q.move_before(id, before);
        assert_eq!(outputs(&q), expected, "{id} before {before:?}");
    }
    q.end(1, Ok(String::new()));
    assert_eq!(outputs(&q), ["c", "b", "a"]);
    q.add(Work::Export(export("d")), 0);
    assert_eq!(outputs(&q), ["c", "b", "d", "a"]);
    q.move_before(4, None);
    assert_eq!(outputs(&q), ["c", "b", "d", "a"], "before those that are done");
    let order: Vec<_> = std::iter::from_fn(|| run(&mut q, Ok(""))).collect();
    assert_eq!(order, [PathBuf::from("c"), "b".into(), "d".into()]);
    assert_eq!(outputs(&q), ["d", "b", "c", "a"], "finished ones, the newest first");
    q.clear_done();
    assert_eq!(q.entries, []);
}

#[test]
fn the_time_of_all_jobs_follows_from_the_one_that_runs() {
    let mut q = queue(&["a", "b"]);
    assert_eq!(q.seconds_left(), None);
    q.begin(1);
    (q.entries[0].progress, q.entries[0].unit_seconds) = ([3, 5], Some(2.0));
    assert_eq!(q.seconds_left(), Some(14.0));
    assert_eq!(q.entries[0].share(), 0.6);
    q.add(Work::Photos(photos()), 4);
    assert_eq!(q.seconds_left(), None, "photos take other times than frames");
}

#[test]
fn a_paused_queue_begins_nothing() {
    let mut q = queue(&["a"]);
    q.is_paused = true;
    assert_eq!(run(&mut q, Ok("")), None);
    q.is_paused = false;
    assert_eq!(run(&mut q, Ok("")), Some("a".into()));
    assert_eq!(q.unfinished(), 0);
}

#[test]
fn a_failed_export_waits_for_the_user_and_is_tried_again() {
    let mut q = queue(&["a", "b"]);
    assert_eq!(run(&mut q, Err("disk full")), Some("a".into()));
    assert_eq!(q.entries[0].state, State::Failed("disk full".to_owned()));
    assert!(q.writes("a".as_ref()), "its name is still in use");
    assert_eq!(run(&mut q, Ok("")), Some("b".into()));
    assert_eq!(q.next(), None);
    assert!(!q.writes("b".as_ref()));
    q.retry(1);
    assert_eq!(run(&mut q, Ok("")), Some("a".into()));
    q.retry(1);
    assert_eq!(q.next(), None, "only failed ones run again");
}

#[test]
fn a_cancelled_export_keeps_its_parts_until_it_is_removed() {
    let mut q = queue(&["a", "b", "c"]);
    q.begin(1);
    q.entries[0].progress[0] = 3;
    q.cancel(1);
    assert_eq!(q.entries[0].state, State::Cancelled(" at 3 of 5 frames".to_owned()));
    q.cancel(2);
    assert_eq!(outputs(&q), ["a", "c"], "it had no parts");
    assert_eq!(run(&mut q, Ok("")), Some("c".into()));
    q.retry(1);
    assert_eq!(run(&mut q, Err("disk full")), Some("a".into()));
    assert!(q.remove(1).is_some_and(|entry| entry.has_parts));
    assert!(!q.has(1));
}

#[test]
fn a_queue_survives_a_restart() {
    let mut q = queue(&["a", "b", "c"]);
    run(&mut q, Ok("a note"));
    run(&mut q, Err("disk full"));
    let mut again = read(&text(&q)).expect("read");
    let states = |q: &Queue| -> Vec<_> {
        q.entries.iter().map(|e| (e.work.clone(), e.state.clone(), e.has_parts)).collect()
    };
    assert_eq!(states(&again), states(&q));
    assert!(!again.is_paused);
    assert_eq!(run(&mut again, Ok("")), Some("c".into()));
    let ids: std::collections::HashSet<_> = again.entries.iter().map(|e| e.id).collect();
    assert_eq!(ids.len(), 3);
    // The window was closed while one was running.
    q.begin(3);
    assert!(q.stop());
    let mut closed = read(&text(&q)).expect("read");
    assert!(closed.entries[1].has_parts);
    assert_eq!(run(&mut closed, Ok("")), Some("c".into()));
    // The program was killed instead.
    q.begin(3);
    let mut killed = read(&text(&q)).expect("read");
    assert!(killed.is_paused && killed.was_killed && !closed.was_killed);
    assert_eq!(run(&mut killed, Ok("")), None);
    let two = text(&queue(&["a", "b"])).replace("\"Waiting\"", "\"Running\"");
    let mut two = read(&two).expect("read");
    assert!(two.is_paused);
    two.is_paused = false;
    assert_eq!(run(&mut two, Ok("")), Some("a".into()));
}

/// The choices of the first job, an export.
fn choices(queue: &mut Queue) -> &mut Choices {
    match &mut queue.entries[0].work {
        Work::Export(export) => &mut export.choices,
        Work::Photos(photos) => &mut photos.choices,
    }
}

/// Two photos in two styles.
fn photos() -> Photos {
    let style = |id: &str| NetworkOf::Style(id.to_owned(), ModelSize::Full);
    let sources = vec!["in/bad.png".into(), "in/large.png".into()];
    let styles = vec![style("candy"), NetworkOf::Mix(vec![("wave".to_owned(), 70)])];
    Photos::new(sources, styles, "out".into(), Choices::default())
}

#[test]
fn photos_survive_a_restart_and_continue() {
    let mut q = queue(&[]);
    q.add(Work::Photos(photos()), 4);
    q.begin(1);
    q.entries[0].progress[0] = 2;
    q.stop();
    let mut again = read(&text(&q)).expect("read");
    assert_eq!(again.entries[0].work, q.entries[0].work);
    assert_eq!(again.entries[0].done_text(), "2 of 4 pictures");
    again.begin(1);
    assert_eq!(again.entries[0].progress, [2, 4]);
    again.end(1, Err("no".to_owned()));
    again.retry(1);
    assert_eq!(again.entries[0].progress, [0, 4], "from the beginning");
    again.rename_style("candy", "sweets");
    let names = again.entries[0].work.photos().map(|p| p.styles[0].label());
    assert_eq!(names.as_deref(), Some("sweets"));
    for (from, to) in [("items = [0, 1, 2, 3]", "items = [9]"), ("progress = [2", "progress = [7")]
    {
        let damaged = text(&q).replacen(from, to, 1);
        assert_ne!(damaged, text(&q), "{from}");
        assert!(read(&damaged).is_err(), "{to}");
    }
}

#[test]
fn a_sheet_starts_again_and_skipped_photos_are_replaced_alone() {
    let mut q = queue(&[]);
    let sheet = Some(Sheet { framing: Framing::default(), photo: None });
    q.add(Work::Photos(Photos { sheet, ..photos() }), 4);
    q.begin(1);
    q.entries[0].progress[0] = 2;
    q.stop();
    q.begin(1);
    assert_eq!(q.entries[0].progress, [0, 4]);
    let mut skipping = photos();
    skipping.note(3, ("large.png".to_owned(), "Wave"), Err(Unpainted::Exists("x".into())));
    q.add(Work::Photos(skipping), 4);
    q.replace_skipped(2);
    let again = q.entries[1].work.photos().expect("photos");
    assert_eq!((&*again.items, again.replaces, again.results.skipped.len()), (&[3][..], true, 0));
}

#[test]
fn a_photo_that_fails_in_every_style_for_one_reason_is_listed_once() {
    let mut photos = photos();
    let mut failed = |item, photo: &str, style, why: &str| {
        photos.note(item, (photo.to_owned(), style), Err(Unpainted::Failed(why.to_owned())));
    };
    failed(0, "bad.png", "Candy", "it is damaged");
    failed(1, "large.png", "Candy", "no memory for Candy");
    failed(2, "bad.png", "Wave", "it is damaged");
    failed(3, "large.png", "Wave", "no memory for Wave");
    for item in [2, 3] {
        photos.note(item, ("x.png".to_owned(), "Wave"), Err(Unpainted::NoStyle));
    }
    let listed = |name: &str, why: &str| (name.to_owned(), why.to_owned());
    assert_eq!(
        photos.results.failures,
        [
            listed("bad.png", "it is damaged"),
            listed("large.png in Candy", "no memory for Candy"),
            listed("large.png in Wave", "no memory for Wave"),
            listed("Wave", NO_STYLE),
        ]
    );
}

#[test]
fn exports_follow_a_style_that_is_renamed() {
    let mut q = queue(&["a"]);
    choices(&mut q).mix = vec![("candy".to_owned(), 20), ("wave".to_owned(), 80)];
    q.rename_style("candy", "sweets");
    let choices = choices(&mut q);
    assert_eq!(choices.style.as_deref(), Some("sweets"));
    assert_eq!(choices.mix, [("sweets".to_owned(), 20), ("wave".to_owned(), 80)]);
}

#[test]
fn an_export_had_its_steadiness_next_to_its_choices() {
    let written = text(&queue(&["a"]));
    let moved = written.replacen("steadiness = 30\n", "", 1);
    assert_ne!(moved, written);
    let before = moved.replacen("quality = 80\n", "quality = 80\nsteadiness = 30\n", 1);
    let mut read = read(&before).expect("read");
    assert_eq!(choices(&mut read).steadiness, 30);
    assert_eq!(text(&read), written);
}

#[test]
fn a_damaged_file_is_refused() {
    let text = text(&queue(&["a"]));
    for (from, to) in [
        ("\"h264\"", "\"mpeg1\""),
        ("\"Quarter\"", "\"Eighth\""),
        ("quality = 80", "quality = 800"),
        ("output = ", "input = "),
        ("\"Waiting\"", "\"Lost\""),
        ("start = 0.1", "start = nan"),
        ("start = 0.1", "start = inf"),
        ("start = 0.1", "start = -1.0"),
    ] {
        let damaged = text.replacen(from, to, 1);
        assert_ne!(damaged, text, "{from} is not in {text}");
        assert!(read(&damaged).is_err(), "{to}");
    }
}
