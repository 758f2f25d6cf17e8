use super::*;

#[test]
fn the_list_is_bounded_and_does_not_repeat_itself() {
    let mut messages = Messages::default();
    for n in 0..2 * MAX_MESSAGES {
        messages.notice(format!("Number {n}"));
        messages.notice(format!("Number {n}"));
    }
    let texts: Vec<&str> = messages.list.iter().map(|m| m.text.as_str()).collect();
    assert_eq!((texts.len(), texts[MAX_MESSAGES - 2]), (MAX_MESSAGES, "Number 58."));
    assert_eq!(messages.unread(), (MAX_MESSAGES, false));
    messages.dismiss_shown();
    assert_eq!(messages.list.last().map(|m| m.text.as_str()), Some("Number 58."));
}

#[test]
fn the_time_of_a_message_begins_when_it_is_seen() {
    let mut messages = Messages::default();
    messages.error("Number 1");
    messages.notice("Number 2");
    assert!(messages.has_line(0.0, false, true), "only the error, over a picture that is alone");
    let since = |messages: &Messages| messages.list.iter().map(|m| m.since).collect::<Vec<_>>();
    assert_eq!(since(&messages), [Some(0.0), None]);
    assert_eq!(messages.unread(), (1, false));
    assert!(messages.has_line(1.0, false, false));
    assert_eq!(since(&messages), [Some(0.0), Some(1.0)]);
    assert_eq!(messages.unread(), (0, false));
}

#[test]
fn only_offers_about_files_outlast_the_time_of_a_notice() {
    let mut messages = Messages::default();
    let file = Intent::Shell(ShellCommand::Play("film.mp4".into()));
    messages.offer("Exported", ("Play", file.clone()));
    messages.offer("Removed", ("Undo", Intent::Shell(ShellCommand::HideHint)));
    assert!(messages.has_line(0.0, false, false));
    messages.turn_page();
    assert!(!messages.has_line(0.0, false, false));
    let offers: Vec<_> = messages.list.iter().flat_map(|m| &m.offers).collect();
    assert_eq!(offers, [&("Play", file)]);
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
