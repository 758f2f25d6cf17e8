#!/usr/bin/env bash
# Builds StyleForge for other computers and packs it: target/package/styleforge-VERSION-MACHINE-linux.tar.xz. The
# program of `cargo build --release` contains folder names of the computer that built it; this one does not.
#
#   tools/package.sh               builds, checks and packs
#   tools/package.sh check FILE    only checks FILE for folder names of this computer
set -euo pipefail
cd "$(dirname "$0")/.."

here=$(pwd -P)
cargo_home=${CARGO_HOME:-$HOME/.cargo}
rust=$(rustc --print sysroot)
rust_version=$(rustc --version --verbose)
field() { sed -n "s/^$1: //p" <<<"$rust_version"; }

# Fails if a program contains folder names of this computer. The entries of the home folder are searched instead of its
# own name, because "/root/" also occurs where one text of a program ends and the next begins.
check() {
    local named
    named=$({
        printf '%s\n' "$here" "$cargo_home" "$rust"
        [ "$HOME" = / ] || find "$HOME" -mindepth 1 -maxdepth 1
    } | grep --text --only-matching --fixed-strings --file=- -- "$1" | sort --unique) || true
    [ -z "$named" ] && return
    printf 'error: %s names folders of this computer:\n%s\n' "$1" "$named" >&2
    return 1
}

if [ "${1:-}" = check ]; then
    check "$2"
    exit
fi

# Path prefixes in panics and messages are replaced; the last one that matches applies. Nothing is built from C.
flags=(
    "--remap-path-prefix=$rust=/rust"
    "--remap-path-prefix=$rust/lib/rustlib/src/rust=/rustc/$(field commit-hash)"
    "--remap-path-prefix=$cargo_home=/cargo"
    "--remap-path-prefix=$here=/styleforge"
)
for folder in "$cargo_home"/registry/src/*; do
    flags+=("--remap-path-prefix=$folder=/cargo/registry")
done
# Its own folder, so that other builds keep theirs. Encoded flags may contain spaces.
CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f' && printf '%s' "${flags[*]}") \
    cargo build --locked --release --bin styleforge --target-dir target/package/build

program=target/package/build/release/styleforge
check "$program"

version=$("$program" --version)
version=${version#styleforge }
name=styleforge-$version-$(field host | sed 's/-.*//')-linux
folder=target/package/$name
rm -rf "$folder"
mkdir -p "$folder/assets"
cp -r "$program" styles README.md docs BENCHMARKS.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE THIRD-PARTY-LICENSES.txt "$folder"
cp assets/CREDITS.md "$folder/assets"

# The same program results in the same archive.
archive=target/package/$name.tar.xz
tar --create --sort=name --owner=0 --group=0 --numeric-owner --mode=u+rwX,go+rX,go-w \
    --mtime="@${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}" --directory target/package "$name" |
    xz -9 --threads=1 >"$archive.part"
mv "$archive.part" "$archive"

# After unpacking, it must contain both sizes of every style and all licences.
unpacked=$(mktemp --directory)
trap 'rm -rf "$unpacked"' EXIT
tar --extract --xz --file "$archive" --directory "$unpacked"
packed=$unpacked/$name/styleforge
"$packed" licences | cmp - <("$program" licences)
for style in styles/*/; do
    (cd "$unpacked" && HOME=$unpacked "$packed" inspect "$(basename "$style")" --model full >/dev/null)
done
ls -l "$archive"
