#!/bin/sh
# Live pictures for hours: the demo scene, a style switch every ten seconds, modes, sizes, a camera that fails
# (the fake one of tests/camera), snapshots and a recording every minute. Ends with 1 when memory, threads or
# handles have grown since minute five, when something panicked, or when a picture of an older frame came.
#
#   tools/soak.sh [MINUTES] [DEVICE]
#
# MINUTES is 120 unless given, DEVICE auto (or cpu, cuda). Prints a line a minute and a table at the end.
set -eu
cd "$(dirname "$0")/.."
STYLEFORGE_SOAK_MINUTES=${1:-120} STYLEFORGE_SOAK_DEVICE=${2:-auto} cargo test --release --locked --test soak
