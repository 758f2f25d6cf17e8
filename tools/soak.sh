#!/bin/sh
# Live painting for hours: the demo scene, a style switch every ten seconds, modes, sizes, a failing camera (the fake
# one of tests/camera), snapshots and a recording every minute. Ends with 1 if memory, threads or handles have grown
# since minute five, if anything panicked, or if a picture of an older frame appeared.
#
#   tools/soak.sh [MINUTES] [DEVICE]
#
# MINUTES defaults to 120, DEVICE to auto (or cpu, cuda). Prints a line per minute and a table at the end.
set -eu
cd "$(dirname "$0")/.."
STYLEFORGE_SOAK_MINUTES=${1:-120} STYLEFORGE_SOAK_DEVICE=${2:-auto} cargo test --release --locked --test soak
