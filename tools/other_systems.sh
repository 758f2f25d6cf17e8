#!/usr/bin/env bash
# Checks that the crates up to the backend for any GPU compile for Windows and macOS, as far as that is known without
# their systems: nothing is linked. The window and cameras need SDKs of Apple and Microsoft, and are left out.
set -euo pipefail
cd "$(dirname "$0")/.."

targets=(x86_64-pc-windows-gnu aarch64-apple-darwin)
rustup target add "${targets[@]}"
for target in "${targets[@]}"; do
    cargo check --locked --target "$target" --package any_gpu
done
