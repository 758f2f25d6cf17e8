#!/usr/bin/env bash
# Tests sound in recordings with a real sound server: starts PulseAudio with a silent output, and records what it plays.
# Beeps must be heard when flashes are seen (tests/live/microphone.rs). SECONDS_RECORDED=600 makes the recording longer.
#
# Needs Debian's packages pulseaudio, pulseaudio-utils and ffmpeg.
set -euo pipefail
cd "$(dirname "$0")/.."
XDG_RUNTIME_DIR=$(mktemp --directory)
export XDG_RUNTIME_DIR
trap 'pulseaudio --kill; rm -rf "$XDG_RUNTIME_DIR"' EXIT
pulseaudio --start --exit-idle-time=-1 -n -L module-native-protocol-unix -L 'module-null-sink sink_name=silent'
cargo test --test live -- --ignored --nocapture --test-threads 1 microphone
