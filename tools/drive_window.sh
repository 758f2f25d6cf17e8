#!/bin/sh
# Drives the window and takes the screenshots of the documents; tests/window checks the window's behaviour.
#
#   tools/drive_window.sh [PROGRAM] [FOLDER]
#
# PROGRAM defaults to target/release/styleforge. Without FOLDER, the screenshots that documents show are written to
# assets/screenshots; with it, all of them are written there. Needs xvfb, xdotool, imagemagick and ffmpeg. The program runs on
# its own display with empty settings and data folders; a fake zenity answers file dialogs. Ends with 1 and a reason if
# the window does not work as needed. If STYLE_PICTURE=painting.jpg is set in the environment, that picture is also used
# as a style for live painting.
set -eu
cd "$(dirname "$0")/.."
program=$(realpath "${1:-target/release/styleforge}")
shots=$(mkdir -p "${2:-assets/screenshots}" && realpath "${2:-assets/screenshots}")
kept=" dropped gallery compare performance painted film brush light folder "
[ -z "${2:-}" ] || kept=
for tool in Xvfb xdotool import ffmpeg; do
    command -v "$tool" >/dev/null || { echo "$tool is missing: apt-get install xvfb xdotool imagemagick ffmpeg" >&2; exit 1; }
done

work=$(mktemp -d)
xvfb= app=
cleanup() {
    [ -z "$app" ] || kill "$app" 2>/dev/null || true
    [ -z "$xvfb" ] || kill "$xvfb" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT
fail() { echo "drive_window: $*" >&2; exit 1; }

# Answers every dialog with the path in $work/answer.
mkdir "$work/bin" "$work/config" "$work/data" "$work/home" "$work/album"
cat >"$work/bin/zenity" <<ZENITY
#!/bin/sh
sleep 0.3
cat "$work/answer"
ZENITY
chmod +x "$work/bin/zenity"

export HOME="$work/home" XDG_CONFIG_HOME="$work/config" XDG_DATA_HOME="$work/data"
export PATH="$work/bin:$PATH" LIBGL_ALWAYS_SOFTWARE=1
unset WAYLAND_DISPLAY DBUS_SESSION_BUS_ADDRESS

# Xvfb chooses a free display and writes its number once it is ready.
: >"$work/display"
Xvfb -noreset -displayfd 3 -screen 0 1280x800x24 3>"$work/display" >/dev/null 2>&1 &
xvfb=$!
for _ in $(seq 100); do
    [ -s "$work/display" ] && break
    sleep 0.1
done
[ -s "$work/display" ] || fail "Xvfb did not start"
export DISPLAY=":$(cat "$work/display")"

# The window is in the upper left corner, without a window manager.
open_window() {
    "$program" "$@" >"$work/log" 2>&1 &
    app=$!
    window=
    for _ in $(seq 100); do
        window=$(xdotool search --onlyvisible --pid "$app" 2>/dev/null | head -n 1) && [ -n "$window" ] && break
        kill -0 "$app" 2>/dev/null || fail "the program ended: $(cat "$work/log")"
        sleep 0.1
    done
    [ -n "$window" ] || fail "no window came up"
    # The pointer stays where nothing has a tooltip.
    xdotool windowmove "$window" 0 0 windowsize "$window" 1280 800 windowfocus "$window" mousemove 700 798
}

# Live painting is never idle.
start_live() {
    open_window
    sleep 8
}

ticks() { awk '{ print $14 + $15 }' "/proc/$app/stat"; }

# Waits until the program is idle: an idle window takes no CPU time.
settle() {
    quiet=0
    for _ in $(seq 240); do
        before=$(ticks)
        sleep 0.5
        [ $(($(ticks) - before)) -le 2 ] && quiet=$((quiet + 1)) || quiet=0
        [ "$quiet" -ge 3 ] && return
    done
    fail "the window never becomes idle"
}

keys() { xdotool windowfocus "$window" key --delay 60 "$@"; sleep 0.3; }
shot() {
    case "${kept:- $1 }" in *" $1 "*) ;; *) return ;; esac
    # Screenshots that documents show in three columns are smaller.
    size=84%
    case $1 in brush | folder | light) size=64% ;; esac
    import -window "$window" -strip -resize "$size" -define webp:method=6 -quality 14 "$shots/$1.webp"
    echo "took $shots/$1.webp"
}
# The window for 14 seconds as an animation without the status line, with all styles and the gallery.
record() {
    ffmpeg -loglevel error -y -f x11grab -draw_mouse 0 -framerate 12 -video_size 1280x800 -t 14 -i "$DISPLAY" \
        -c:v ffv1 "$work/live.mkv" &
    recording=$!
    sleep 1.5
    for key in 2 3 4 5 6; do keys "$key"; sleep 1.4; done
    keys g
    sleep 2.2
    keys g 1
    wait "$recording"
    ffmpeg -loglevel error -y -i "$work/live.mkv" -vf mpdecimate,fps=6,crop=1280:772:0:0,scale=840:-2:flags=lanczos \
        -c:v libwebp_anim -quality 20 -compression_level 6 -loop 0 "$shots/live.webp"
    echo "took $shots/live.webp"
}
saved() { [ -s "$1" ] || fail "$1 was not saved"; }
finish() {
    keys ctrl+q
    for _ in $(seq 50); do
        kill -0 "$app" 2>/dev/null || { wait "$app" || fail "the program failed: $(cat "$work/log")"; app=; return; }
        sleep 0.1
    done
    fail "the window does not close"
}

# Live: the demo scene, all styles at once, two modes, the Lab. Without a GPU the automatic size would be too small for
# a screenshot.
mkdir -p "$work/config/styleforge"
printf '[live]\nworking_px = 384\n[state]\nhas_seen_hint = true\n' >"$work/config/styleforge/settings.toml"
start_live
record
if [ -n "${STYLE_PICTURE:-}" ]; then
    realpath "$STYLE_PICTURE" >"$work/answer"
    keys ctrl+i
    sleep 16
    shot dropped
fi
keys 5
sleep 3
keys v
sleep 1
shot wipe
keys g
sleep 8
shot gallery
keys g 3 b
sleep 10
shot compare
keys Escape v p
sleep 8
shot performance
keys p f
sleep 2
shot full
keys Escape 1

# Photos.
keys l
settle
shot start

# The painted sample, with the divider in the middle.
keys ctrl+e
settle
keys 1
settle
shot painted

# Only the painting, in another style, saved through the dialog.
keys 5
settle
keys v
echo "$work/saved.png" >"$work/answer"
keys ctrl+s
settle
saved "$work/saved.png"
sleep 8
settle
shot starry

# A closer view with a broader brush and the photo's colours.
keys v v bracketleft bracketleft k
settle
keys plus plus
settle
shot brush
keys bracketright bracketright k ctrl+0
settle

# The light theme.
keys t
sleep 0.5
shot light
keys t

# A file that is not a picture is refused with a message.
echo "no picture" >"$work/notes.txt"
echo "$work/notes.txt" >"$work/answer"
keys ctrl+o
settle
shot refused
keys Escape

# A folder of photos, one of them broken.
for name in one two three; do cp "$work/saved.png" "$work/album/$name.png"; done
echo "broken" >"$work/album/broken.png"
echo "$work/album" >"$work/answer"
keys ctrl+b
settle
shot folder
keys Escape

# A network whose file does not contain its value range: the most likely one is chosen.
tar -xJf tests/onnx/networks/networks.tar.xz -C "$work" mobilenet_relu6.onnx
echo "$work/mobilenet_relu6.onnx" >"$work/answer"
keys ctrl+i
settle
shot asked
keys Return
settle
saved "$work/data/styleforge/styles/mobilenet_relu6/full.safetensors"

# Narrow: the controls collapse. This is the smallest size.
xdotool windowsize "$window" 1024 700
settle
shot small
xdotool windowsize "$window" 720 480
settle
shot smallest
finish

# A film: a pan over the sample, with an in and an out point, while it is exported.
ffmpeg -loglevel error -y -loop 1 -i assets/sample.jpg -frames:v 120 -pix_fmt yuv420p -vf \
    "scale=2048:-2,crop=2048:1536:0:0,zoompan=z=1.2:x='(iw-iw/zoom)*on/119':y=0:d=120:s=640x480:fps=20" \
    "$work/portrait.mp4"
open_window "$work/portrait.mp4"
settle
keys 3
settle
seek() { xdotool mousemove "$1" 548 click 1; settle; }
seek 380
keys i
seek 830
keys o
seek 500
xdotool mousemove 270 749 click 1 mousemove 700 798
settle
keys Return
sleep 6
shot film
finish
