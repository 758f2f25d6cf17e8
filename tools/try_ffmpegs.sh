#!/usr/bin/env bash
# Tries videos with every colour tag, and parts of videos, with the newest ffmpeg and the ffprobe of Debian 13.
#
#   tools/try_ffmpegs.sh [PROGRAM]    by default target/release/styleforge
#
# Needs pip and mmdebstrap, which download both; nothing is installed. Ends with 1 if something is not painted.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/package/needs.sh
program=$(realpath "${1:-target/release/styleforge}")
need mmdebstrap mmdebstrap
need pip python3-pip
need unzip unzip
end_if_missing
work=$(mktemp --directory)
trap 'rm -rf --one-file-system "$work"' EXIT
cd "$work"

mmdebstrap --quiet --variant=apt --include=ffmpeg trixie root
pip download --quiet --no-deps imageio-ffmpeg
unzip -q ./*.whl 'imageio_ffmpeg/binaries/*'
mkdir bin
mv imageio_ffmpeg/binaries/ffmpeg-* bin/ffmpeg
# Its libraries are newer than those here.
folders=$(find "$work/root/usr/lib" -name '*.so*' -printf '%h\n' | sort -u | paste -s -d :)
printf '#!/bin/sh\nexec %s --library-path %s %s "$@"\n' "$(echo "$work"/root/usr/lib/*/ld-linux-*.so.*)" "$folders" \
    "$work/root/usr/bin/ffprobe" >bin/ffprobe
chmod +x bin/*
export PATH=$work/bin:$PATH HOME=$work
ffmpeg -version | head -n 1
ffprobe -version | head -n 1

failed=0
# paints OPTIONS...: paints film.* as painted.mp4, and checks that it has this many frames.
paints() {
    local what=$1 frames=$2 found
    shift 2
    if "$program" stylize film.* --style candy --model lite --device cpu --strength 0 --force --quiet -o painted.mp4 "$@" &&
        found=$(ffprobe -v error -count_frames -show_entries stream=nb_read_frames -of csv=p=0 painted.mp4) &&
        [ "$found" = "$frames" ]; then
        echo "$what: painted"
    else
        echo "$what: FAILED, ${found:-no} frames" >&2
        failed=1
    fi
    rm -f film.* painted.mp4
}
make() {
    ffmpeg -nostdin -v error -f lavfi -i "$1" "${@:2}"
}

# The names of the values of an option of setparams.
values() {
    ffmpeg -v error -h filter=setparams | awk -v option="$1" \
        '$2 == "<int>" { found = $1 == option } found && $2 ~ /^[0-9]+$/ { print $1 }'
}
for option in color_primaries color_trc colorspace range; do
    tags=$(values "$option")
    [ -n "$tags" ] || { echo "error: ffmpeg lists no values of $option" >&2; exit 1; }
    for tag in $tags; do
        format=yuv444p
        case $tag in gbr | rgb) format=gbrp ;; esac
        make "color=gray:s=32x32:r=5:d=0.4,format=$format,setparams=$option=$tag" -c:v ffv1 film.mkv
        paints "$option $tag" 2
    done
done
for options in 'mkv -c:v libx264' 'mp4 -c:v libx264' 'ts -c:v libx264 -g 100' 'mpg -c:v mpeg2video' 'avi -c:v mpeg4 -bf 2'; do
    read -r -a words <<<"$options"
    make testsrc2=s=48x32:r=25:d=4 "${words[@]:1}" -pix_fmt yuv420p "film.${words[0]}"
    paints "a part of ${words[0]}" 10 --start 2.22 --end 2.62
done
exit $failed
