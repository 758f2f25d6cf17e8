#!/usr/bin/env bash
# Runs a command in a home with what makes tests fail if they look there: styles without a thumbnail, broken, or named
# like a built-in one, a broken network, settings that cannot be read, and temporary files of a killed program, which
# the program removes. Fails if the command fails or changes anything in that home, which it must not use: each test
# program has a home of its own.
#
#   tools/full_home.sh COMMAND [ARGUMENT]...    for example: tools/full_home.sh cargo test
set -euo pipefail
cd "$(dirname "$0")/.."
if [ $# -eq 0 ]; then
    sed -n '2,/^set/{s/^# \{0,1\}//p}' "$0" >&2
    exit 2
fi

work=$(mktemp --directory)
trap 'rm -rf --one-file-system "$work"' EXIT
home=$work/home
data=$home/.local/share/styleforge
config=$home/.config/styleforge
pictures=$home/Pictures
mkdir -p "$data"/styles/{holiday,candy,broken} "$data/networks/broken" "$config" "$pictures/StyleForge"
cp styles/mosaic/*.safetensors "$data/styles/holiday"
cp styles/udnie/* "$data/styles/candy"
echo "no weights" | tee "$data/styles/broken/full.safetensors" >"$data/networks/broken/network.safetensors"
echo "no settings" >"$config/settings.toml"
# Named as in crates/values/src/disk/temporary.rs.
for folder in "$data/styles" "$data/networks" "$config" "$pictures/StyleForge"; do
    echo "half a file" >"$folder/.styleforge-killed.part"
done
cp -r "$home" "$work/before"

# Cargo and rustup keep their folders.
export CARGO_HOME=${CARGO_HOME:-$HOME/.cargo} RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup}
export HOME=$home XDG_DATA_HOME=$home/.local/share XDG_CONFIG_HOME=$home/.config XDG_PICTURES_DIR=$pictures
"$@"
if ! diff -r "$work/before" "$home"; then
    echo "error: the command changed the home of the user who runs it" >&2
    exit 1
fi
