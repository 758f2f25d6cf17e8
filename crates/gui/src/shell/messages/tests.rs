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
    // Errors wait for newer messages to leave; notices do not.
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
    assert!(seen(true).is_none(), "only the picture is shown");
    assert!(seen(false).is_some());
}

#[test]
fn an_error_leaves_after_the_user_has_seen_it_and_continues() {
    let mut messages = Messages::default();
    messages.error("Wrong");
    let error = &mut messages.list[0];
    assert!(!error.leaves(1e6, true), "not seen yet");
    error.since = Some(10.0);
    assert!(!error.leaves(9.0 + ERROR_SECONDS, true));
    assert!(!error.leaves(11.0 + ERROR_SECONDS, false), "the user is away");
    assert!(error.leaves(11.0 + ERROR_SECONDS, true));
}

#[test]
fn success_removes_earlier_messages_about_the_same_topic() {
    let mut messages = Messages::default();
    messages.about(Topic::Painting).error("Not painted");
    messages.error("Not saved");
    messages.settle(Topic::Painting);
    let left: Vec<&str> = messages.list.iter().map(|m| m.text.as_str()).collect();
    assert_eq!(left, ["Not saved."]);
}
