#!/usr/bin/env bash
# Runs NVIDIA's compute-sanitizer over every kernel in every mode on pictures of a few pixels, one tool
# and one precision at a time, and ends with an error when any of them has found something.
# Needs a GPU and compute-sanitizer (part of the CUDA toolkit); takes a few minutes.
#
#   tools/sanitize.sh [PROGRAM] [FOLDER] [TESTS]
#
# PROGRAM is the built styleforge (target/release/styleforge); FOLDER gets a log of every run (a new
# one in the system's temporary folder). SANITIZE_TOOLS and SANITIZE_PRECISIONS choose some of the runs,
# SANITIZE_LIMIT the seconds that one may take (300; racecheck in fp32 takes longest).
set -euo pipefail
cd "$(dirname "$0")/.."
program=${1:-target/release/styleforge}
logs=${2:-$(mktemp --directory)}
tests=${3:-}
read -ra tools <<<"${SANITIZE_TOOLS:-memcheck initcheck synccheck racecheck}"
read -ra precisions <<<"${SANITIZE_PRECISIONS:-fp32 tf32 fp16 bf16 mixed}"
limit=${SANITIZE_LIMIT:-300}
mkdir --parents "$logs"
# A cuDNN that cannot be loaded stands before the installed one where racecheck runs.
hidden=$(mktemp --directory)
trap 'rm --recursive "$hidden"' EXIT
touch "$hidden/libcudnn.so.9"

failed=0
# Runs what comes behind TOOL, NAME (of the log) and WHAT (for the report) under the tool, and says what it found.
judge() {
    local tool=$1 name=$2 what=$3 found=0 last errors unseen verdict
    shift 3
    local log=$logs/$tool-$name.log libraries=${LD_LIBRARY_PATH:-}
    if [ "$tool" = racecheck ]; then
        # racecheck itself fails on cuDNN's kernels ("failed to handle a hardware exception"), even where it is told to
        # look at others only. Without cuDNN the plain variants run our direct kernels.
        libraries=$hidden${libraries:+:$libraries}
    fi
    LD_LIBRARY_PATH=$libraries timeout "$limit" compute-sanitizer --tool "$tool" --error-exitcode 9 "$@" >"$log" 2>&1 || found=$?
    last=$(grep -E 'SUMMARY' "$log" | tail -n 1) || last="no summary: see $log"
    # The tool counts launches as errors that it had no memory to follow.
    errors=$(sed -n 's/.* ERROR SUMMARY: \([0-9]*\) error.*/\1/p' "$log" | tail -n 1)
    unseen=$(grep -c 'Internal Sanitizer Error.*track' "$log") || unseen=0
    case $found in
    0) verdict=clean ;;
    9)
        verdict="FOUND SOMETHING"
        if [ -n "$errors" ] && ((errors <= unseen)); then
            verdict="found nothing; could not follow $unseen launches"
        elif grep -q 'Sanitizer failed to handle' "$log"; then
            verdict="THE TOOL ITSELF FAILED"
        fi
        ;;
    124) verdict="TOOK LONGER THAN $limit s" ;;
    *) verdict="ENDED WITH $found" ;;
    esac
    case $verdict in clean | "found nothing"*) ;; *) failed=1 ;; esac
    printf '%-9s %-5s %-6s %s (%s)\n' "$tool" "$name" "$what" "$verdict" "${last#========= }"
}

for tool in "${tools[@]}"; do
    for precision in "${precisions[@]}"; do
        # Every variant, as a graph and launch by launch.
        size=41x38
        options=(--kernels)
        filter=()
        if [ "$tool" = racecheck ]; then
            # It slows a kernel down by hundreds of times: a smaller picture, which still has more tiles than
            # one in every layer that has the size, each launch once, and of ours those that share memory.
            size=21x18
            options=(--variant fused-norm --variant fused)
            for name in wgmma_ conv_ norm_ mean_ variance_; do filter+=(--kernel-name "kns=$name"); done
        fi
        judge "$tool" "$precision" "$size" "${filter[@]}" "$program" bench --device cuda --size "$size" --frames 1 \
            --warmup 0 "${options[@]}" --precision "$precision"
    done
    if [ -n "$tests" ]; then
        judge "$tool" turns 75x70 --kernel-name kns=wgmma_256x128 "$tests" --exact tiles_that_take_turns_are_right_too
    fi
done
echo "logs: $logs"
exit "$failed"
