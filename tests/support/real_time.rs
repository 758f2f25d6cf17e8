//! Limits in real time. They depend on the machine and its load, so they are only checked if `STYLEFORGE_REAL_TIME` is
//! set, by `tools/real_time.sh` on a machine without other work. Otherwise tests check what happens, not when.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::time::Duration;

/// Set if limits in real time are checked.
const VARIABLE: &str = "STYLEFORGE_REAL_TIME";
/// The reason why a test that checks nothing else is ignored otherwise.
pub const IGNORED: &str = "judges real time: tools/real_time.sh";

/// Longest wait for what must happen; only guards against a hang.
pub const PATIENCE: Duration = Duration::from_secs(300);

pub fn is_judged() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// Checks that `what` took less than `limit`, if real time is checked.
#[track_caller]
pub fn within(what: &str, took: Duration, limit: Duration) {
    assert!(!is_judged() || took < limit, "{what} took {took:?}, allowed are {limit:?}");
}
