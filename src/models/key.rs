//! The keys of state dicts: what wrappers put in front of them, and the numbers in them. Knows no model.

/// Longest key that may be a weight's, in bytes: some 50 without what wrappers put in front.
const MAX_KEY_BYTES: usize = 256;

/// A key without what wrappers of torch.nn put in front; `None` for one that is too long to be a weight's.
pub(super) fn unwrapped(key: &str) -> Option<&str> {
    // In a pickle, many entries may share one key, so that a long one is not gone through.
    if key.len() > MAX_KEY_BYTES {
        return None;
    }
    let mut rest = key;
    // Nested wrappers repeat it.
    while let Some(inner) =
        ["module.", "_orig_mod."].iter().find_map(|prefix| rest.strip_prefix(prefix))
    {
        rest = inner;
    }
    Some(rest)
}

/// A decimal number without sign or leading zeros, as the names spell it.
pub(super) fn plain_number(text: &str) -> Option<usize> {
    let plain = text == "0" || !text.starts_with('0');
    (plain && text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().ok())?
}

/// Whether a part of a norm is one of its running statistics, which no network uses.
pub(super) fn is_running(part: &str) -> bool {
    matches!(part, "running_mean" | "running_var" | "num_batches_tracked")
}
