use super::{is_short, within_memory};
use engine::inspection::inspection_text;
use values::text::{is_unseen, json_escaped, one_line};
use weights::{Budget, Checkpoint, WeightsError, describe_bytes, style_network};

/// Prints a file as `styleforge inspect` does, whether it is a valid checkpoint or not.
pub fn inspect(bytes: &[u8]) {
    let facts = within_memory(bytes.len(), || describe_bytes(bytes));
    facts.refused.iter().for_each(|reason| is_short(reason));
    // If a file has several errors, either may be found first.
    let is_refused = match Checkpoint::from_bytes(bytes) {
        Err(WeightsError::StyleNetwork) => {
            let budget = Budget::for_file(bytes.len());
            style_network::from_bytes(bytes, &budget).is_err()
        }
        Err(WeightsError::PixelValues { .. }) => false,
        read => read.is_err(),
    };
    assert_eq!(facts.refused.is_some(), is_refused);
    for line in inspection_text(&facts) {
        assert!(!one_line(&line).contains(is_unseen), "{line:?}");
    }
    let json = match serde_json::to_string_pretty(&facts) {
        Ok(json) => json,
        Err(error) => panic!("a report that is no JSON: {error}"),
    };
    let shown = json_escaped(&json);
    assert!(!shown.contains(|c| c != '\n' && is_unseen(c)), "{shown:?}");
    let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    assert!(parsed(&shown).is_some());
    assert_eq!(parsed(&shown), parsed(&json));
}
