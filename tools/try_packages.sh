#!/usr/bin/env bash
# Tries the packages in target/package on fresh Debian systems: installs each, starts the window with photos, paints a
# photo and a video, updates an older version, and removes it again. Screenshots and reports go to target/package/tried.
#
#   tools/try_packages.sh [SUITE]...    by default bookworm and trixie
#
#   MACHINE=aarch64   tries those for 64-bit ARM with small pictures
#
# Needs root, and names tools that are missing. The systems have no display of their own, so nothing of the display is
# installed with them that a package forgot to name.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/package/needs.sh

out=$PWD/target/package
tried=$out/tried
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
machine=${MACHINE:-$(uname --machine)}
debian=$(sed 's/x86_64/amd64/; s/aarch64/arm64/' <<<"$machine")
deb=$out/styleforge_$version-1_$debian.deb
rpm=$out/styleforge-$version-1.$machine.rpm
name=styleforge-$version-$machine-linux
# An emulated program is about 30 times slower.
emulated=()
drawn_after=5
if [ "$machine" != "$(uname --machine)" ]; then
    emulated=(--working-size 64)
    drawn_after=120
fi

work=$(mktemp --directory)
xvfb=
cleanup() {
    [ -z "$xvfb" ] || kill "$xvfb" 2>/dev/null || true
    rm -rf --one-file-system "$work"
}
trap cleanup EXIT
fail() {
    echo "error: $*" >&2
    exit 1
}

[ "$(id --user)" -eq 0 ] || fail "start it as root, because it makes systems in folders"
need mmdebstrap mmdebstrap
need rpm rpm
need Xvfb xvfb
need xdotool xdotool
need import imagemagick
need xz xz-utils
if [ ${#emulated[@]} -gt 0 ]; then
    need "qemu-$machine-static" qemu-user-static
    need arch-test arch-test
fi
end_if_missing
for file in "$deb" "$rpm" "$out/$name.run" "$out/$name.tar.xz"; do
    [ -e "$file" ] || fail "$file is missing; run tools/package.sh"
done
mkdir -p "$tried"

# Xvfb chooses a free display and writes its number once it is ready.
: >"$work/display"
Xvfb -displayfd 3 -ac -noreset -screen 0 1280x800x24 3>"$work/display" >/dev/null 2>&1 &
xvfb=$!
for _ in $(seq 600); do
    [ -s "$work/display" ] && break
    sleep 0.1
done
DISPLAY=:$(cat "$work/display")
export DISPLAY

# Runs a command in the system $root, as root or as its user.
inside() {
    local user=$1 home=/root
    shift
    [ "$user" = root ] || home=/home/user
    unshare --mount --pid --fork --kill-child sh -c '
        mount -t proc proc "$0/proc"
        mkdir -p "$0/tmp/.X11-unix"
        mount --bind /tmp/.X11-unix "$0/tmp/.X11-unix"
        user=$1 home=$2
        shift 2
        exec chroot --userspec="$user" "$0" env -i -C "$home" HOME="$home" DISPLAY="$DISPLAY" LANG=C.UTF-8 \
            DEBIAN_FRONTEND=noninteractive LIBGL_ALWAYS_SOFTWARE=1 \
            PATH="$home/.local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" "$@"
    ' "$root" "$user" "$home" "$@"
}

# Files and folders of the system, without what package managers keep for themselves.
files() {
    find "$root" -xdev \( -path "$root/proc" -o -path "$root/home" -o -path "$root/tmp" -o -path "$root/root" \
        -o -path "$root/var/lib/apt" -o -path "$root/var/lib/dpkg" -o -path "$root/var/cache" \
        -o -path "$root/var/log" \) -prune -o -printf '%P\n' | sort
}

# Waits until a window has this text in its title; takes a screenshot and closes it.
see() {
    local title=$1 shot=$2 window=
    shift 2
    inside user "$@" >"$work/window.log" 2>&1 &
    local program=$!
    for _ in $(seq 6000); do
        window=$(xdotool search --onlyvisible --name "$title" 2>/dev/null | head -n 1) && [ -n "$window" ] && break
        kill -0 "$program" 2>/dev/null || fail "the program ended: $(cat "$work/window.log")"
        sleep 0.1
    done
    [ -n "$window" ] || fail "no window with $title: $(cat "$work/window.log")"
    sleep "$drawn_after"
    import -window root "$tried/$shot.png"
    xdotool windowfocus "$window" key ctrl+q
    wait "$program" || fail "the window ended with an error: $(cat "$work/window.log")"
}

# The program of a package works: command line, photo, video, window with no file, one, several, a video.
works() {
    local what=$1 program=$2
    inside user "$program" --version | grep --quiet "$version" || fail "$what: wrong version"
    inside user "$program" doctor >"$tried/$what-doctor.txt" || fail "$what: doctor failed"
    inside user "$program" stylize photo.jpg --style candy --model full "${emulated[@]}" -o "$what.png"
    inside user "$program" stylize clip.mp4 --style candy "${emulated[@]}" -o "$what.mp4"
    [ "$(inside user ffprobe -v error -count_frames -show_entries stream=nb_read_frames -of csv=p=0 "$what.mp4")" -eq 10 ] ||
        fail "$what: the video is not complete"
    see StyleForge "$what-window" "$program"
    see photo.jpg "$what-photo" "$program" /home/user/photo.jpg
    see clip.mp4 "$what-video" "$program" /home/user/clip.mp4
    see StyleForge "$what-photos" "$program" /home/user/photo.jpg /home/user/other.jpg
    echo "$what works"
}

# An older version of the Debian package with a file that the new one lacks.
older=$work/older.deb
dpkg-deb --raw-extract "$deb" "$work/older"
sed --in-place 's/^Version: .*/Version: 0.0.1-1/' "$work/older/DEBIAN/control"
touch "$work/older/usr/share/styleforge/gone"
dpkg-deb --build --root-owner-group -Znone "$work/older" "$older" >/dev/null
rm -r "$work/older"

# Fedora's and openSUSE's archives are not used, so what the .rpm needs is not installed with it.
try_rpm() {
    local database=(--root "$root" --dbpath /tmp/rpm)
    rpm "${database[@]}" --initdb
    rpm "${database[@]}" --install --nodeps ${emulated:+--ignorearch} "$rpm"
    rpm "${database[@]}" --verify --nodeps styleforge || fail "the .rpm does not match its files"
    works "$1-rpm" styleforge
    diff <(rpm --query --list --package "$rpm" | sort) <(dpkg-deb --fsys-tarfile "$deb" | tar --list |
        sed -n 's,^\./\(.*[^/]\)$,/\1,p' | sort) || fail ".rpm and .deb contain different files"
    rpm --query --requires --recommends --package "$rpm" >"$tried/rpm-needs.txt"
    rpm "${database[@]}" --erase --nodeps styleforge
    ! find "$root/usr" -path '*styleforge*' | grep . || fail "files of the .rpm are left"
}

try_debian() {
    local suite=$1
    root=$work/$suite
    mmdebstrap --quiet --variant=minbase --mode=root --architectures="$debian" "$suite" "$root"
    inside root useradd --create-home user
    cp assets/sample.jpg "$root/home/user/photo.jpg"
    cp assets/sample.jpg "$root/home/user/other.jpg"
    inside root apt-get update -qq
    # ffmpeg stays, for the packages that do not install it.
    inside root apt-get install -qq --yes ffmpeg >/dev/null
    inside user ffmpeg -v error -f lavfi -i testsrc2=size=320x240:rate=10:duration=1 clip.mp4
    cp "$older" "$deb" "$root/tmp/"
    files >"$work/before"

    inside root apt-get install -qq --yes /tmp/older.deb >"$tried/$suite-install.txt"
    [ -e "$root/usr/share/styleforge/gone" ] || fail "the older version is not complete"
    see StyleForge "$suite-older" styleforge
    inside root apt-get install -qq --yes "/tmp/${deb##*/}" >"$tried/$suite-update.txt"
    [ ! -e "$root/usr/share/styleforge/gone" ] || fail "the update keeps a file of the older version"
    works "$suite-deb" styleforge

    # The others use the libraries that came with the Debian package, but not its files.
    inside root dpkg --remove --force-depends styleforge >/dev/null
    try_rpm "$suite"
    tar --extract --xz --file "$out/$name.tar.xz" --directory "$root/home/user"
    chown -R --reference="$root/home/user" "$root/home/user/$name"
    works "$suite-tarball" "./$name/bin/styleforge"
    rm -r "${root:?}/home/user/$name"
    cp "$out/$name.run" "$root/home/user/"
    inside user sh "$name.run"
    inside user sh "$name.run" | tail -n 1
    works "$suite-run" styleforge
    inside user sh "$name.run" --remove
    ! inside user find .local -type l -o -path '.local/lib*' | grep . || fail "files of the .run are left"

    inside root apt-get install -qq --yes "/tmp/${deb##*/}" >/dev/null
    inside root apt-get purge -qq --yes --auto-remove styleforge >"$tried/$suite-remove.txt"
    files >"$work/after"
    diff "$work/before" "$work/after" >"$tried/$suite-left.txt" || true
    ! grep --ignore-case styleforge "$tried/$suite-left.txt" || fail "files are left in $suite"
    [ -e "$root/home/user/.config/styleforge" ] || fail "the user's settings are gone"
    rm -rf --one-file-system "$root"
    echo "$suite: installed, updated, used and removed"
}

[ $# -gt 0 ] || set -- bookworm trixie
for suite in "$@"; do
    try_debian "$suite"
done
