//! Bounds in real time. They depend on the machine and on what else runs on it, so they are judged only where
//! `STYLEFORGE_REAL_TIME` is set, by `tools/real_time.sh` on a machine that has nothing else to do; everywhere
//! else only what happens counts, not when.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::time::Duration;

/// Set where bounds in real time are judged.
const VARIABLE: &str = "STYLEFORGE_REAL_TIME";
/// Why a test that judges nothing else is ignored elsewhere.
pub const IGNORED: &str = "judges real time: tools/real_time.sh";

/// Longest wait for what has to happen: only against hanging for ever.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// Whether bounds in real time are judged.
pub fn is_judged() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// `what` has taken less than `limit`, where that is judged.
#[track_caller]
pub fn within(what: &str, took: Duration, limit: Duration) {
    assert!(!is_judged() || took < limit, "{what} took {took:?}, allowed are {limit:?}");
}
