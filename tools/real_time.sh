#!/bin/sh
# Runs the checks that normal test runs skip, because they depend on the machine and its load: how long it takes to
# report a camera's fault and to recover, how long a frame of the window and its shutdown take, the CPU use of an idle
# window, memory after minutes, how long reading a file of weights takes, and on a GPU the rates and switches of live
# painting.
#
#   tools/real_time.sh [TEST...]
#
# Run it on a machine without other work. TEST is one of camera, engine, live, gui, pictures, readers, window and gpu;
# the default is all of them. The limits are in the tests, as `within` and `real_time::is_judged`
# (tests/support/real_time.rs). STYLEFORGE_LIVE_MINUTES=30 makes the window's live run longer.
set -eu
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- camera engine live gui pictures readers window gpu
for test in "$@"; do
    STYLEFORGE_REAL_TIME=1 cargo test --locked --test "$test" -- --test-threads=1
done
