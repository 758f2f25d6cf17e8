#!/usr/bin/env bash
# Checks StyleForge's dependencies: deny.toml's rules for all of them, and that THIRD-PARTY-LICENSES.txt matches
# Cargo.lock.
#
#   tools/supply_chain.sh         checks them, unless nothing has changed since they were last checked
#   tools/supply_chain.sh write   checks them, and writes THIRD-PARTY-LICENSES.txt and what was checked: commit both
#
# Both tools that it uses are built once, in four minutes on two cores, and kept in target/tools.
set -euo pipefail
cd "$(dirname "$0")/.."

file=THIRD-PARTY-LICENSES.txt
tools=$PWD/target/tools
# The digest of everything that decides the result, when it was last right.
checked=tools/licences/checked.sha256

# The dependencies, the rules, the texts and this script. Of the members' manifests only licences, features and
# dependencies matter, so that other lines may change.
digest() {
    {
        sha256sum Cargo.lock deny.toml "$file" assets/fonts/*-LICENSE.txt crates/*/*-LICENSE.txt \
            tools/supply_chain.sh tools/licences/{about.toml,licences.hbs,terms_once.py}
        cargo metadata --locked --no-deps --format-version 1 | python3 -c '
import json, sys
for package in json.load(sys.stdin)["packages"]:
    own = [{key: d[key] for key in d if key != "path"} for d in package["dependencies"]]
    print(package["name"], package["license"], package["features"], own)'
    } | sha256sum
}

if [ "${1:-}" != write ] && [ "$(digest)" = "$(cat "$checked" 2>/dev/null)" ]; then
    echo "unchanged since the last check"
    exit
fi

# They read a few MB, which is fast enough without the slow last steps of an optimised build.
install() {
    CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
        cargo install --quiet --locked --root "$tools" --target-dir "$tools/build" "$@"
}

# cargo-about lists the dependencies and their texts. Texts next to fonts are added, because letters are not the
# dependency's own work, and those of what lies in the project itself.
licences() {
    local fonts
    "$tools/bin/cargo-about" generate --frozen --fail \
        --config tools/licences/about.toml tools/licences/licences.hbs
    fonts=$(dirname "$(cargo metadata --frozen --format-version 1 |
        grep --only-matching '"[^"]*/epaint_default_fonts-[^"/]*/Cargo.toml"' | head -n 1 | tr --delete '"')")/fonts
    for text in Hack-Regular.txt egui-icons.txt emoji-icon-font-mit-license.txt; do
        printf '\n========\n\nThe letters of epaint_default_fonts: %s\n\n--------\n\n' "$text"
        cat "$fonts/$text"
    done
    for font in Inter Phosphor; do
        printf '\n========\n\nThe window: %s\n\n--------\n\n' "$font"
        cat "assets/fonts/$font-LICENSE.txt"
    done
    printf '\n========\n\nThe camera interface: videodev2.h\n\n--------\n\n'
    cat crates/v4l2-sys-mit/videodev2-LICENSE.txt
}

install cargo-deny@0.20.2
install cargo-about@0.9.3 --features cli
rm -rf "$tools/build"
# Both also examine the dependencies for other systems.
cargo fetch --quiet --locked

deny() { "$tools/bin/cargo-deny" --workspace --frozen "$@"; }
deny check --deny warnings licenses sources
# Duplicate versions of a dependency matter on the systems for which the program is built.
for machine in x86_64 aarch64; do
    deny --target "$machine-unknown-linux-gnu" check --deny warnings bans
done

made=$(mktemp)
trap 'rm -f "$made"' EXIT
licences | tr --delete '\r' | fold --spaces --width=104 | sed 's/[[:space:]]*$//' |
    python3 tools/licences/terms_once.py >"$made"
if [ "${1:-}" = write ]; then
    cp "$made" "$file"
    digest >"$made"
    cp "$made" "$checked"
elif ! cmp --silent "$made" "$file"; then
    diff --unified=0 "$file" "$made" | head -n 40 || true
    echo "error: $file does not match Cargo.lock; run tools/supply_chain.sh write and commit it" >&2
    exit 1
fi
[ "$(digest)" = "$(cat "$checked" 2>/dev/null)" ] ||
    echo "NOTE: the dependencies are right; run tools/supply_chain.sh write and commit $checked to skip the check next time"
