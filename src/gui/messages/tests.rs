use super::*;

#[test]
fn the_area_is_bounded_and_does_not_repeat_itself() {
    let texts = |messages: &Messages| -> Vec<String> {
        messages.list.iter().map(|m| m.text.clone()).collect()
    };
    let mut messages = Messages::default();
    for n in 0..10 {
        messages.notice(format!("Number {n}"));
        messages.notice(format!("Number {n}"));
    }
    assert_eq!(texts(&messages), ["Number 8.", "Number 9."]);
    // Errors wait behind newer messages; notices do not wait with them.
    for n in 0..10 {
        messages.error(format!("Wrong {n}"));
    }
    assert_eq!(messages.list.len(), MAX_MESSAGES);
    messages.notice("Saved");
    assert_eq!(messages.list.len(), MAX_MESSAGES);
    messages.notice("Copied");
    assert_eq!(texts(&messages)[MAX_MESSAGES - 2..], ["Wrong 9.", "Copied."]);
    assert!(messages.dismiss_newest());
    assert_eq!(texts(&messages)[MAX_MESSAGES - 3..], ["Wrong 8.", "Wrong 9."]);
}

#[test]
fn the_time_of_a_message_begins_when_it_is_seen() {
    let mut messages = Messages::default();
    messages.notice("Number 1");
    let area = egui::Rect::from_min_size(egui::Pos2::ZERO, vec2(800.0, 600.0));
    let mut seen = |is_alone| {
        egui::__run_test_ui(|ui| messages.ui(ui, area, Corner::Bottom, 0.0, is_alone));
        messages.list.first().and_then(|message| message.since)
    };
    assert!(seen(true).is_none(), "the picture stands alone");
    assert!(seen(false).is_some());
}

#[test]
fn an_error_leaves_once_it_was_seen_for_a_while_by_somebody_who_goes_on() {
    let mut messages = Messages::default();
    messages.error("Wrong");
    let error = &mut messages.list[0];
    assert!(!error.leaves(1e6, true), "nobody saw it");
    error.since = Some(10.0);
    assert!(!error.leaves(9.0 + ERROR_SECONDS, true));
    assert!(!error.leaves(11.0 + ERROR_SECONDS, false), "nobody is there");
    assert!(error.leaves(11.0 + ERROR_SECONDS, true));
}

#[test]
fn what_went_well_takes_away_what_was_said_about_it() {
    let mut messages = Messages::default();
    messages.about(Topic::Painting).error("Not painted");
    messages.error("Not saved");
    messages.settle(Topic::Painting);
    let left: Vec<&str> = messages.list.iter().map(|m| m.text.as_str()).collect();
    assert_eq!(left, ["Not saved."]);
}
