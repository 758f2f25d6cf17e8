#!/usr/bin/env bash
# Tests sound in recordings with a real sound server: starts PulseAudio with a silent output, and records what it plays.
# Beeps must be heard when flashes are seen (crates/engine/tests/live/microphone.rs). SECONDS_RECORDED=600 makes the
# recording longer. Works for root too. On a busy computer the player is late; the test measures how late, and leaves it
# out.
#
# Needs Debian's packages pulseaudio, pulseaudio-utils and ffmpeg.
set -euo pipefail
cd "$(dirname "$0")/.."
# A server of its own, whatever the user's settings are.
unset PULSE_SERVER PULSE_RUNTIME_PATH PULSE_COOKIE
XDG_RUNTIME_DIR=$(mktemp --directory)
export XDG_RUNTIME_DIR XDG_CONFIG_HOME=$XDG_RUNTIME_DIR
trap 'pulseaudio --kill; rm -rf "$XDG_RUNTIME_DIR"' EXIT
pulseaudio --start --exit-idle-time=-1 -n -L module-native-protocol-unix -L 'module-null-sink sink_name=silent'
# Tests only use a sound server that is named.
PULSE_SERVER=unix:$XDG_RUNTIME_DIR/pulse/native \
    cargo test --test live -- --ignored --nocapture --test-threads 1 microphone
