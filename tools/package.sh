#!/usr/bin/env bash
# Builds StyleForge for other computers and packs it into target/package.
#
#   tools/package.sh [deb|rpm|run|tarball|all]...   builds the program and packs it, by default as all of them
#   tools/package.sh zip                            the same for 64-bit Windows, which is not packed with others
#   tools/package.sh wheel                          the Python package, as one wheel for CPUs and GPUs
#   tools/package.sh check PROGRAM                  only checks that a program runs on other computers
#
#   MACHINE=aarch64   builds for 64-bit ARM
#   DEBEMAIL=ADDRESS  names the maintainer of the .deb, with DEBFULLNAME as Debian's tools do
#   PROGRAM=FILE      packs this program instead, stripped and hardly compressed: to try the packages
#   LIBRARY=FILE      packs this library instead, stripped and hardly compressed: to try the wheel
#
# The same program results in the same packages. Tools that are missing are named before anything is built. Those that
# make the packages are built once, in a few minutes, into target/tools.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/package/needs.sh

# The C library of Ubuntu 22.04. Cargo.toml declares the same version for the .rpm.
newest_libc=2.35
max_bytes=$((55 * 1000 * 1000))

here=$(pwd -P)
cargo_home=${CARGO_HOME:-$HOME/.cargo}
machine=${MACHINE:-$(uname --machine)}
target=$machine-unknown-linux-gnu
debian=$(sed 's/x86_64/amd64/; s/aarch64/arm64/' <<<"$machine")
system=linux
package=styleforge
if [ "$*" = wheel ]; then
    package=styleforge-python
    newest_libc=2.34
fi
if [ "$*" = zip ]; then
    system=windows
    machine=x86_64
    target=$machine-pc-windows-gnu
fi
is_cross=false
[ $system = windows ] || [ "$machine" = "$(uname --machine)" ] || is_cross=true
rustup="Rust is at https://rustup.rs"
out=target/package
tree=$out/tree
tools=$PWD/target/tools

# What Cargo installs to pack a format, with options. `parts` is the list of the program's parts.
declare -A cargo_tools=(
    [rpm]="cargo-generate-rpm@0.21.1"
    [parts]="cargo-cyclonedx@0.5.9"
)

# Whether a tool of Cargo is installed in exactly this version.
has_cargo_tool() {
    grep --quiet --fixed-strings "\"${1/@/ } " "$tools/.crates.toml" 2>/dev/null
}

# What the check of a program needs.
need_for_check() {
    need rustc "$rustup"
    [ $system = windows ] || need readelf binutils
}

# What building the program needs.
need_for_build() {
    need cc gcc
    need cargo "$rustup"
    need rustup "$rustup"
    need_for_check
    [ $is_cross = false ] || need "$machine-linux-gnu-gcc" "gcc-${machine/_/-}-linux-gnu"
}

# What the archive for Windows needs.
need_for_windows() {
    need x86_64-w64-mingw32-gcc gcc-mingw-w64-x86-64
    [ -x /usr/lib/wine/wine64 ] || need wine64 wine64
    need zip zip
    need rustc "$rustup"
    if [ -n "${PROGRAM:-}" ]; then
        need x86_64-w64-mingw32-strip binutils-mingw-w64-x86-64
        ! command -v rustc >/dev/null ||
            need "$(rustc --print target-libdir --target "$target")" "rustup target add $target"
    fi
}

# What every other package needs, and those of these formats.
need_for_linux() {
    local format binutils=binutils
    if [ $is_cross = true ]; then
        binutils=binutils-${machine/_/-}-linux-gnu
        need "/usr/$machine-linux-gnu/include" "libc6-dev-$debian-cross"
        need "qemu-$machine" qemu-user
    fi
    [ -z "${PROGRAM:-}" ] || need "$machine-linux-gnu-strip" "$binutils"
    need desktop-file-validate desktop-file-utils
    need appstreamcli appstream
    need rsvg-convert librsvg2-bin
    for format in "$@"; do
        case $format in
        deb) need dpkg-deb dpkg ;;
        tarball) need xz xz-utils ;;
        esac
        # Cargo also tells them about the package, and a tool that it installs may contain C.
        if [ -n "${cargo_tools[$format]:-}" ]; then
            need cargo "$rustup"
            has_cargo_tool ${cargo_tools[$format]} || need cc gcc
        fi
    done
}

# Fails if a program uses a library that Cargo.toml does not name for the .rpm: those that it is linked to, and those
# that it loads. Left out are the C library, those that come with another one, and those that are used if they exist.
check_libraries() {
    local library undeclared=()
    for library in $(grep --text --only-matching --extended-regexp 'lib[A-Za-z0-9_+-]+\.so\.[0-9]+' "$1" |
        sed 's/.*lib/lib/' | sort --unique); do
        case $library in
        libc.* | libm.* | libXrender.* | libxcb.* | libdbus-1.* | libcudnn.* | libnvidia-ml.*) ;;
        *) grep --quiet --fixed-strings "\"$library()(64bit)\"" Cargo.toml || undeclared+=("$library") ;;
        esac
    done
    [ ${#undeclared[@]} -eq 0 ] && return
    echo "error: $1 uses libraries that Cargo.toml does not name: ${undeclared[*]}" >&2
    return 1
}

# Fails if a program contains folder names of this computer, needs a newer C library or is too large. The entries of the
# home folder are searched instead of its own name, because "/root/" also occurs where one text of a program ends and
# the next begins.
check() {
    local program=$1 rust named libc=$newest_libc bytes
    rust=$(rustc --print sysroot)
    [ $system = windows ] || [ $package != styleforge ] || check_libraries "$program"
    named=$({
        printf '%s\n' "$here" "$cargo_home" "$rust"
        [ "$HOME" = / ] || find "$HOME" -mindepth 1 -maxdepth 1
    } | grep --text --only-matching --fixed-strings --file=- -- "$program" | sort --unique) || true
    [ $system = windows ] || libc=$({
        readelf --wide --version-info "$program" | grep --only-matching 'GLIBC_[0-9.]*' | cut --delimiter=_ --fields=2
        echo "$newest_libc"
    } | sort --version-sort | tail -n 1)
    bytes=$(stat --format=%s "$program")
    if [ -n "$named" ]; then
        printf 'error: %s names folders of this computer:\n%s\n' "$program" "$named" >&2
    elif [ "$libc" != "$newest_libc" ]; then
        echo "error: $program needs glibc $libc, and the packages declare $newest_libc; build on an older system" >&2
    elif [ "$bytes" -gt "$max_bytes" ]; then
        echo "error: $program has $bytes bytes; at most $max_bytes are wanted" >&2
    else
        return 0
    fi
    return 1
}

# Path prefixes in panics and messages are replaced; the last one that matches applies. Nothing is built from C.
build() {
    local folder rust commit
    rust=$(rustc --print sysroot)
    commit=$(rustc --version --verbose | sed -n 's/^commit-hash: //p')
    local flags=(
        "--remap-path-prefix=$rust=/rust"
        "--remap-path-prefix=$rust/lib/rustlib/src/rust=/rustc/$commit"
        "--remap-path-prefix=$cargo_home=/cargo"
        "--remap-path-prefix=$here=/styleforge"
    )
    for folder in "$cargo_home"/registry/src/*; do
        flags+=("--remap-path-prefix=$folder=/cargo/registry")
    done
    if [ "$machine" = aarch64 ]; then
        export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
    fi
    rustup target add "$target"
    # Its own folder, so that other builds keep theirs. Encoded flags may contain spaces.
    CARGO_INCREMENTAL=0 CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f' && printf '%s' "${flags[*]}") \
        cargo build --locked --profile dist --package "$package" --target "$target" --target-dir "$out/build"
}

# Runs the program without the user's own styles and settings.
run() {
    local emulator=()
    [ $is_cross = false ] || emulator=("qemu-$machine" -L "/usr/$machine-linux-gnu")
    [ $system = linux ] || emulator=(tools/package/wine.sh)
    env -u XDG_DATA_HOME -u XDG_CONFIG_HOME HOME="$here/$out/home" "${emulator[@]}" "$@"
}

# Copies the documents for users and their pictures to a folder. Their links to other files become plain text, because
# those are only in the source. Fails if a picture is missing.
document() {
    local share=$1
    mkdir -p "$share"
    cp --parents README.md BENCHMARKS.md CHANGELOG.md LICENSE-* docs/*.md assets/CREDITS.md assets/*.webp \
        assets/screenshots/*.webp "$share"
    perl -0777 -i -pe '
        my ($folder) = $ARGV =~ m{(.*)/};
        s{(!?)\[([^\[\]]*)\]\(([^)#:]+)(#[^)]*)?\)}{$1 || -e "$folder/$3" ? $& : $2}ge;
    ' "$share"/*.md "$share"/*/*.md
    perl -0777 -ne '
        my ($folder) = $ARGV =~ m{(.*)/};
        for (/\]\(([^)#:]+)[)#]/g, /(?:src|href)="([^":]+)"/g) {
            -e "$folder/$_" or $dead += print STDERR "error: $ARGV: $_ is not in the package\n";
        }
        END { exit !!$dead }
    ' "$share"/*.md "$share"/*/*.md
}

# What the archive for Windows contains.
gather_for_windows() {
    rm -rf "$tree" "$out/home"
    mkdir -p "$tree" "$out/home"
    install --mode=644 "$program" "$tree/styleforge.exe"
    [ -z "${PROGRAM:-}" ] || x86_64-w64-mingw32-strip "$tree/styleforge.exe"
    rustc --edition 2024 --target "$target" -O -C strip=symbols -C panic=abort -o "$tree/styleforge-window.exe" \
        tools/package/window.rs
    check "$tree/styleforge-window.exe"
    cp -r styles "$tree/"
    document "$tree"
    run "$tree/styleforge.exe" licences >"$tree/LICENCES.txt"
}

# What every other package contains, in the folders `bin` and `share`.
gather() {
    local size page shell
    rm -rf "$tree" "$out/home"
    mkdir -p "$tree/share/styleforge" "$out/home"
    install -D ${PROGRAM:+--strip --strip-program="$machine-linux-gnu-strip"} "$program" "$tree/bin/styleforge"
    cp -r styles "$tree/share/styleforge/"
    local share=$here/$tree/share
    local put="install -D --mode=644"
    desktop-file-validate assets/desktop/styleforge.desktop
    appstreamcli validate --no-net assets/desktop/*.metainfo.xml
    $put assets/desktop/styleforge.desktop --target-directory="$share/applications"
    $put assets/desktop/io.github.styleforge.StyleForge.metainfo.xml --target-directory="$share/metainfo"
    $put assets/icon.svg "$share/icons/hicolor/scalable/apps/styleforge.svg"
    for size in 16 24 32 48 64 128 256 512; do
        rsvg-convert --width "$size" --output "$out/home/icon.png" assets/icon.svg
        $put "$out/home/icon.png" "$share/icons/hicolor/${size}x$size/apps/styleforge.png"
    done
    document "$share/doc/styleforge"
    run "$program" licences >"$share/doc/styleforge/copyright"

    mkdir -p "$share/man/man1"
    run "$program" manual-pages | csplit --quiet --prefix="$out/home/page-" - '/^\.ie /' '{*}'
    find "$out/home" -name 'page-*' -empty -delete
    for page in "$out"/home/page-*; do
        gzip -9 --no-name <"$page" >"$share/man/man1/$(sed -n 's/^\.TH \([^ ]*\) .*/\1/p' "$page").1.gz"
    done
    for shell in bash fish zsh; do
        run "$program" completions "$shell" >"$out/home/$shell"
    done
    $put "$out/home/bash" "$share/bash-completion/completions/styleforge"
    $put "$out/home/fish" "$share/fish/vendor_completions.d/styleforge.fish"
    # Debian's folder and everyone else's.
    $put "$out/home/zsh" "$share/zsh/vendor-completions/_styleforge"
    $put "$out/home/zsh" "$share/zsh/site-functions/_styleforge"
}

# Installs a tool of Cargo. They write few MB, which is fast enough without the slow last steps of an optimised build.
install_cargo_tool() {
    has_cargo_tool "$@" && return
    CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
        cargo install --quiet --locked --root "$tools" --target-dir "$tools/build" "$@"
    rm -rf "$tools/build"
}

pack_deb() {
    local root=$out/deb maintainer="The StyleForge developers"
    [ -z "${DEBEMAIL:-}" ] || maintainer="${DEBFULLNAME:-$maintainer} <$DEBEMAIL>"
    rm -rf "$root"
    mkdir -p "$root/DEBIAN"
    cp -r --preserve=mode,timestamps "$tree" "$root/usr"
    sed "s/@VERSION@/$version/; s/@ARCHITECTURE@/$debian/; s|@MAINTAINER@|$maintainer|; s/@LIBC@/$newest_libc/
        s/@KIB@/$(du --summarize --apparent-size --block-size=1K "$root/usr" | cut --fields=1)/" \
        tools/package/control >"$root/DEBIAN/control"
    dpkg-deb --root-owner-group -Zxz -z"$level" --threads-max=1 --build "$root" \
        "$out/styleforge_$version-1_$debian.deb" >/dev/null
    rm -rf "$root"
}

pack_rpm() {
    "$tools/bin/cargo-generate-rpm" --target "$target" --output "$out/"
}

# The tree as a tar archive, with other names by an expression of sed.
archive() {
    tar --create --sort=name --owner=0 --group=0 --numeric-owner --mode=u+rwX,go+rX,go-w --format=gnu \
        --mtime="@$SOURCE_DATE_EPOCH" --directory "$tree" --transform="$1" bin share
}

pack_tarball() {
    archive "s,^,$name/," | xz "-$level" --threads=1 >"$out/$name.tar.xz"
}

# gzip is on every system, xz is not.
pack_run() {
    {
        sed "s/@NAME@/$name/" tools/package/install.sh
        archive "" | gzip "-$level" --no-name
    } >"$out/$name.run"
    chmod +x "$out/$name.run"
}

# The tree as an archive that Windows opens.
pack_zip() {
    ln --symbolic --force --no-target-directory tree "$out/$name"
    (cd "$out" && find "$name/" -type f | sort | TZ=UTC zip -X -q "-$level" -@ "$name.zip")
    rm "$out/$name"
}

# What the program is made of, in CycloneDX. cargo-cyclonedx writes next to the manifest of each package.
write_parts() {
    "$tools/bin/cargo-cyclonedx" cyclonedx --quiet --format json --no-build-deps --target "$target" \
        --override-filename parts.cdx
    sed "s,file://$here,file:///styleforge," parts.cdx.json >"$out/$name.cdx.json"
    rm -f {.,fuzz,python,triton}/parts.cdx.json
}

if [ "${1:-}" = check ]; then
    need_for_check
    end_if_missing
    check "$2"
    exit
fi
if [ $package = styleforge-python ]; then
    need python3 python3
    [ -n "${SOURCE_DATE_EPOCH:-}" ] || need git git
    need "$machine-linux-gnu-strip" binutils
    [ -n "${LIBRARY:-}" ] || need_for_build
    end_if_missing
    export MACHINE=$machine SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
    rm -f "$out"/styleforge-*.whl
    mkdir -p "$out"
    if [ -n "${LIBRARY:-}" ]; then
        "$machine-linux-gnu-strip" --strip-unneeded -o "$out/_native.so" "$LIBRARY"
        export LEVEL=1
    else
        build
        cp "$out/build/$target/dist/lib_native.so" "$out/_native.so"
        check "$out/_native.so"
    fi
    # Everything else would be missing on other systems.
    readelf --dynamic "$out/_native.so" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
        { ! grep --extended-regexp --invert-match '^(libc|libm|libgcc_s|ld-linux-.*)\.so\.[0-9]+$'; } ||
        { echo "error: the library needs what is named above" >&2; exit 1; }
    python3 tools/package/wheel.py "$out/_native.so" "$out" "$newest_libc"
    rm "$out/_native.so"
    (cd "$out" && sha256sum styleforge-*.whl | tee wheel.SHA256SUMS)
    exit
fi
formats=("$@")
[[ $# -gt 0 && "${formats[*]}" != all ]] || formats=(deb rpm run tarball)
known="deb rpm run tarball"
[ $system = linux ] || known=zip
for format in "${formats[@]}"; do
    if [[ " $known " != *" $format "* ]]; then
        sed -n '2,/^set/{s/^# \{0,1\}//p}' "$0" >&2
        exit 2
    fi
done

[ -n "${SOURCE_DATE_EPOCH:-}" ] || need git git
need perl perl-base
[ -n "${PROGRAM:-}" ] || need_for_build
if [ $system = windows ]; then
    need_for_windows
else
    need_for_linux "${formats[@]}"
fi
end_if_missing
steps=("${formats[@]}")
[ -n "${PROGRAM:-}" ] || steps+=(parts)
for step in "${steps[@]}"; do
    [ -z "${cargo_tools[$step]:-}" ] || install_cargo_tool ${cargo_tools[$step]}
done

export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
level=9
program=$out/build/$target/dist/styleforge
[ $system = linux ] || program+=.exe
if [ -n "${PROGRAM:-}" ]; then
    program=$PROGRAM
    level=1
    [ $system = windows ] || check_libraries "$program"
else
    build
    check "$program"
fi
if [ $system = windows ]; then
    installed=$tree/styleforge.exe
    gather_for_windows
else
    installed=$tree/bin/styleforge
    gather
    # It must contain all licences.
    run "$installed" licences | cmp - "$tree/share/doc/styleforge/copyright"
fi
chmod -R u=rwX,go=rX "$tree"
find "$tree" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
# It must find both sizes of every style.
for style in styles/*/; do
    run "$installed" inspect "$(basename "$style")" --model full >/dev/null
done

version=$(run "$installed" --version | tr --delete '\r')
version=${version#styleforge }
name=styleforge-$version-$machine-$system
stale=("$out/$name"*)
[ $system = windows ] || stale+=("$out"/styleforge_*"_$debian.deb" "$out"/styleforge-*".$machine.rpm")
rm -f "${stale[@]}"
for format in "${formats[@]}"; do
    "pack_$format"
done
[ -n "${PROGRAM:-}" ] || write_parts
(cd "$out" && sha256sum styleforge[-_]*"$version"* | tee SHA256SUMS)
ls -l "$out"/styleforge[-_]*
