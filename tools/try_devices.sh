#!/usr/bin/env bash
# Tries what needs several GPUs: how much faster all of them are than one, without files and for a folder of photos, and
# whether both paint the same files.
#
#   tools/try_devices.sh PROGRAM [PHOTOS]
#
# PROGRAM is a release build of styleforge; PHOTOS is how many copies of the sample photo are painted, 2000 by default.
# A folder is also written without painting (strength 0): this is the limit that reading and writing files sets. Exits
# with 1 if the paintings of one GPU and of all differ.
set -euo pipefail
program=$(realpath "$1")
photos=${2:-2000}
cd "$(dirname "$0")/.."
place=$(mktemp --directory)
trap 'rm -rf "$place"' EXIT

"$program" doctor | grep -F "Graphics card"
echo "$(nproc) processors"
"$program" bench --devices all --size 512x512 --size 1280x720 --variant fused --precision auto
"$program" bench --devices all --size 1280x720 --variant fused --precision auto --batch 8

mkdir "$place/photos"
for ((number = 0; number < photos; number++)); do
    cp assets/sample.jpg "$place/photos/$(printf %05d "$number").jpg"
done

# Paints the folder to $place/$1 with the other arguments, and prints photos per second.
paint() {
    local name=$1 began ended
    shift
    began=$(date +%s.%N)
    "$program" stylize "$place/photos" --style candy --quiet -o "$place/$name" "$@"
    ended=$(date +%s.%N)
    awk -v name="$name" -v photos="$photos" -v began="$began" -v ended="$ended" \
        'BEGIN { printf "%-6s %8.1f photos/s, %.1f s\n", name, photos / (ended - began), ended - began }'
}

paint one --devices 0
paint all --devices all
paint files --devices all --strength 0 --quality 92
if ! diff --recursive --brief "$place/one" "$place/all"; then
    echo "error: all GPUs painted other pictures than one"
    exit 1
fi
echo "$(find "$place/all" -type f | wc -l) files of all GPUs are those of one, byte for byte"
