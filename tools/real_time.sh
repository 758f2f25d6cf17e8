#!/bin/sh
# Judges what no usual test does, because it depends on the machine and on what else runs on it: how long a
# camera's faults take to be told and to be over, how long a frame of the window and an end may take, what a
# resting window takes of a core, memory after minutes, how long reading a file of weights takes, and on a GPU the rates
# and switches of live pictures.
#
#   tools/real_time.sh [TEST...]
#
# Run it on a machine with nothing else to do. TEST is one of camera, engine, live, gui, pictures, readers, window and
# gpu; all of them unless given. The bounds stand in the tests, as `within` and `real_time::is_judged`
# (tests/support/real_time.rs). STYLEFORGE_LIVE_MINUTES=30 makes the window's live run longer.
set -eu
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- camera engine live gui pictures readers window gpu
for test in "$@"; do
    STYLEFORGE_REAL_TIME=1 cargo test --locked --test "$test" -- --test-threads=1
done
