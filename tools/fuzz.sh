#!/usr/bin/env bash
# Fuzzes the readers of untrusted bytes (fuzz/fuzz_targets) with cargo-fuzz and the Rust version that builds the
# program. Needs g++ for libFuzzer, and Python.
#
#   tools/fuzz.sh run TARGET SECONDS [OPTION...]  one target; options are passed to libFuzzer
#   tools/fuzz.sh all SECONDS                     every target for SECONDS, two at a time
#   tools/fuzz.sh replay                          every file of the corpus through its target, once
#   tools/fuzz.sh seeds                           adds the seeds of fuzz/seeds.py to the corpus
#   tools/fuzz.sh minimise TARGET                 removes files without additional coverage from the corpus
#   tools/fuzz.sh pack                            writes the corpus to fuzz/corpus.xz
#
# The corpus is in fuzz/corpus, which git ignores; fuzz/corpus.xz is committed. Inputs on which a target fails are in
# fuzz/artifacts/TARGET; fix the error and keep the input as fuzz/corpus/TARGET/found-NAME. SANITIZER=address builds
# with the address sanitizer.
set -euo pipefail
cd "$(dirname "$0")/.."

targets=(checkpoint graphs inspect mjpeg nut onnx painting parts picture pixels pth safetensors settings)
# The version for which the corpus and the options here were made.
cargo_fuzz=0.13.2
# Maximum bytes of the packed corpus.
packed_bytes=$((320 << 10))
sanitizer=${SANITIZER:-none}
# Maximum memory of a program and maximum seconds per input. The address sanitizer keeps freed memory, and is slow.
max_mb=1024 input_seconds=5
[ "$sanitizer" = none ] || max_mb=2048 input_seconds=30
programs=target/fuzz/$sanitizer/$(rustc --print host-tuple)/debug

# One build of the crates for all targets, in its own folder, because its flags differ from those of every other build.
# It has the checks of a test build and less optimisation, because building takes longer than running.
build() {
    local tool=target/tools/bin/cargo-fuzz
    if ! [ "$("$tool" --version 2>/dev/null)" = "cargo-fuzz $cargo_fuzz" ]; then
        CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
            cargo install --quiet --locked --root target/tools --version "$cargo_fuzz" cargo-fuzz
    fi
    RUSTC_BOOTSTRAP=1 CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_OPT_LEVEL=1 \
        "$tool" fuzz build --dev --sanitizer "$sanitizer" --target-dir "target/fuzz/$sanitizer"
}

unpack() {
    local state
    state=$(sha256sum fuzz/corpus.xz)
    if [ "$(cat fuzz/corpus/.packed 2>/dev/null)" != "$state" ]; then
        mkdir -p fuzz/corpus
        python3 fuzz/corpus.py unpack fuzz/corpus.xz fuzz/corpus
        echo "$state" >fuzz/corpus/.packed
    fi
    for target in "${targets[@]}"; do
        mkdir -p "fuzz/corpus/$target" "fuzz/artifacts/$target"
    done
    mkdir -p target/fuzz/networks
    for archive in networks exporters; do
        tar --extract --file "tests/onnx/networks/$archive.tar.xz" --directory target/fuzz/networks --wildcards '*.onnx'
    done
}

# Corpora of other targets that a target reads too.
shared() {
    case $1 in
    checkpoint | inspect) echo fuzz/corpus/onnx fuzz/corpus/pth fuzz/corpus/safetensors ;;
    painting) echo target/fuzz/networks ;;
    picture) echo fuzz/corpus/mjpeg ;;
    esac
}

# Maximum bytes of an input.
longest() {
    case $1 in
    checkpoint | inspect | onnx | painting | pth | safetensors) echo 90000 ;;
    mjpeg | picture) echo 16384 ;;
    *) echo 4096 ;;
    esac
}

# libFuzzer with the limits for every target, and a timeout, because it hangs if a failed allocation ends the program.
fuzzer() {
    local target=$1 most_seconds=$2 leaks=1
    shift 2
    # The AVIF decoder never frees 48 bytes of each picture (re_rav1d 0.1.3, dav1d_picture_unref).
    [ "$target" != picture ] || leaks=0
    # Without a PATH no converter is started for HEIC.
    nice -n 19 timeout --kill-after 10 "$most_seconds" env PATH= ASAN_OPTIONS="detect_leaks=$leaks" \
        "$programs/$target" -rss_limit_mb="$max_mb" -timeout="$input_seconds" \
        -max_len="$(longest "$target")" -artifact_prefix="fuzz/artifacts/$target/" -dict="fuzz/dictionaries/$target.dict" \
        -print_final_stats=1 "$@"
}

# Runs one target with its output in a log, and prints the important part.
run() {
    local target=$1 seconds=$2 log status=0
    shift 2
    log=target/fuzz/$target.log
    # shellcheck disable=SC2046 # several folders
    fuzzer "$target" $((seconds + 300)) -max_total_time="$seconds" "$@" "fuzz/corpus/$target" $(shared "$target") \
        >"$log" 2>&1 || status=$?
    if ((status)); then
        tail --lines 40 "$log"
        echo "$target fails; the failing inputs are in fuzz/artifacts/$target" >&2
        return "$status"
    fi
    awk -v target="$target" '
        / cov: / { for (i = 1; i < NF; i++) if ($i ~ /^(cov|ft|corp):$/) last[$i] = $(i + 1) }
        /^stat::number_of_executed_units/ { count = $2 }
        /^stat::average_exec_per_sec/ { rate = $2 }
        /^stat::peak_rss_mb/ { peak = $2 }
        END {
            sub(/\/.*/, "", last["corp:"])
            printf "%-12s %9d executions, %6d a second, cov %d, ft %d, corpus %d, %d MB\n",
                target, count, rate, last["cov:"], last["ft:"], last["corp:"], peak
        }' "$log"
}

is_target() {
    local target
    for target in "${targets[@]}"; do
        [ "$target" != "${1:-}" ] || return 0
    done
    echo "name a target: ${targets[*]}" >&2
    return 2
}

case ${1:-} in
run)
    is_target "${2:-}"
    build
    unpack
    run "$2" "${3:?give the seconds}" "${@:4}"
    ;;
all)
    build
    unpack
    # Two at a time; a line is printed when a target is done.
    printf '%s\n' "${targets[@]}" |
        xargs --max-procs 2 --replace "$0" built-run '{}' "${2:?give the seconds}"
    ;;
built-run)
    run "$2" "$3"
    ;;
replay)
    build
    unpack
    for target in "${targets[@]}"; do
        # Files may be longer than in other runs, so that none is truncated, and on a busy machine each takes longer.
        run "$target" 0 -runs=0 -max_len=1048576 -timeout=120
    done
    ;;
seeds)
    unpack
    python3 fuzz/seeds.py fuzz/corpus
    ;;
minimise)
    is_target "${2:-}"
    build
    unpack
    kept=$(mktemp --directory)
    trap 'rm -rf "$kept"' EXIT
    # Coverage by other corpora counts as already present.
    for folder in $(shared "$2"); do
        find "$folder" -type f -exec cp '{}' "$kept" ';'
    done
    find "fuzz/corpus/$2" -type f '(' -name 'found-*' -o -name 'shape-*' ')' -exec cp '{}' "$kept" ';'
    find "$kept" -type f -printf '%f\n' | sort >"$kept.there"
    # Only edges count; with counters of each edge there would be ten times the files.
    fuzzer "$2" 3600 -merge=1 -use_counters=0 "$kept" "fuzz/corpus/$2" >"target/fuzz/$2.log" 2>&1
    find "$kept" -type f -printf '%f\n' | sort | comm -13 "$kept.there" - >"$kept.new"
    before=$(find "fuzz/corpus/$2" -type f | wc --lines)
    find "fuzz/corpus/$2" -type f ! -name 'found-*' ! -name 'shape-*' -delete
    while read -r name; do cp "$kept/$name" "fuzz/corpus/$2"; done <"$kept.new"
    rm -f "$kept.there" "$kept.new"
    echo "$2: $(find "fuzz/corpus/$2" -type f | wc --lines) of $before files are left"
    ;;
pack)
    python3 fuzz/corpus.py pack fuzz/corpus fuzz/corpus.xz
    bytes=$(stat --format %s fuzz/corpus.xz)
    echo "fuzz/corpus.xz has $bytes bytes"
    ((bytes <= packed_bytes)) || { echo "that is more than $packed_bytes; minimise first" >&2; exit 1; }
    ;;
*)
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
