//! The keys of state dicts: the prefixes of wrappers, and the numbers in keys. This module knows no model.

/// Maximum length of a weight's key; published ones have about 50 bytes without the prefixes of wrappers.
const MAX_KEY_BYTES: usize = 256;

/// A key without the prefixes that wrappers of torch.nn add; `None` if it is too long for a weight.
pub fn unwrapped(key: &str) -> Option<&str> {
    // In a pickle, many entries may share one key, so do not search a long one.
    if key.len() > MAX_KEY_BYTES {
        return None;
    }
    let mut rest = key;
    // Nested wrappers repeat the prefix.
    while let Some(inner) =
        ["module.", "_orig_mod."].iter().find_map(|prefix| rest.strip_prefix(prefix))
    {
        rest = inner;
    }
    Some(rest)
}

/// Parts of the longest name: `residual_blocks.4.conv2.norm.running_mean`.
const MAX_PARTS: usize = 5;

/// The parts of a name. The last part keeps the dots of a name with more parts, so such a name matches no weight.
pub fn parts(name: &str) -> Vec<&str> {
    name.splitn(MAX_PARTS, '.').collect()
}

/// A decimal number without sign or leading zeros.
pub fn plain_number(text: &str) -> Option<usize> {
    let plain = text == "0" || !text.starts_with('0');
    (plain && text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().ok())?
}

/// True if a part of a key is one of a norm's running statistics, which no network uses.
pub fn is_running(part: &str) -> bool {
    matches!(part, "running_mean" | "running_var" | "num_batches_tracked")
}
