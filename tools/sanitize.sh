#!/usr/bin/env bash
# Runs NVIDIA's compute-sanitizer over every kernel in every mode on pictures of a few pixels, one tool and one
# precision at a time, and ends with an error if any of them finds something. Needs a GPU, compute-sanitizer (part of
# the CUDA toolkit) and Python; takes a few minutes.
#
#   tools/sanitize.sh [PROGRAM] [FOLDER] [TESTS]
#
# PROGRAM is the built styleforge (target/release/styleforge). FOLDER gets a log of every run (default: a new folder
# in the system's temporary folder). TESTS is the built test `gpu`, for the kernel whose tiles only take turns on
# larger pictures, for the kernels that compose and steady and for those of camera frames. SANITIZE_TOOLS and
# SANITIZE_PRECISIONS select runs. SANITIZE_LIMIT is the maximum seconds per run (300), SANITIZE_LAUNCHES the number
# of launches of each kernel that racecheck examines (6), SANITIZE_JOBS the number of kernels that it examines in
# parallel (6), and SANITIZE_BENCH contains additional arguments for `bench`. For the kernels of older GPUs, on
# Hopper:
#   SANITIZE_BENCH="--variant fused --kernels-of 8.0" SANITIZE_PRECISIONS="fp32 tf32 fp16 bf16 mixed int8" \
#     tools/sanitize.sh
set -euo pipefail
cd "$(dirname "$0")/.."
program=${1:-target/release/styleforge}
logs=${2:-$(mktemp --directory)}
tests=${3:-}
read -ra tools <<<"${SANITIZE_TOOLS:-memcheck initcheck synccheck racecheck}"
read -ra more <<<"${SANITIZE_BENCH:-}"
read -ra precisions <<<"${SANITIZE_PRECISIONS:-fp32 tf32 fp16 bf16 mixed fp16x2 int8}"
limit=${SANITIZE_LIMIT:-300}
mkdir --parents "$logs"
# A cuDNN that cannot be loaded hides the installed one while racecheck runs.
hidden=$(mktemp --directory)
trap 'rm --recursive "$hidden"; rm --force "$verdicts"' EXIT
touch "$hidden/libcudnn.so.9"

# The verdicts, one per line.
verdicts=$(mktemp)
# Runs the command after TOOL, NAME (of the log) and WHAT (for the report) under the tool, and reports the findings.
judge() {
    local tool=$1 name=$2 what=$3 found=0 last errors unseen verdict
    shift 3
    local log=$logs/$tool-$name.log libraries=${LD_LIBRARY_PATH:-}
    if [ "$tool" = racecheck ]; then
        # racecheck itself fails on cuDNN's kernels ("failed to handle a hardware exception"), even if it is limited to
        # others. Without cuDNN the plain variants run our direct kernels.
        libraries=$hidden${libraries:+:$libraries}
    fi
    LD_LIBRARY_PATH=$libraries timeout "$limit" compute-sanitizer --tool "$tool" --error-exitcode 9 "$@" >"$log" 2>&1 || found=$?
    last=$(grep -E 'SUMMARY' "$log" | tail -n 1) || last="no summary: see $log"
    # The tool counts launches that it had no memory to track as errors.
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
    printf '%-9s %-34s %-6s %s (%s)\n' "$tool" "$name" "$what" "$verdict" "${last#========= }" | tee --append "$verdicts"
}

# racecheck slows kernels down by thousands of times. So each kernel runs alone, only its first launches, on a smaller
# picture that still has more than one tile in every layer that has the picture's size.
race() {
    local precision=$1 network=$2 size=21x18 kernels names kernel
    shift 2
    local ask=("$program" bench --device cuda --size "$size" --frames 1 --warmup 0 --precision "$precision" "${more[@]}" "$@")
    kernels=$logs/kernels-$network-$precision.csv
    LD_LIBRARY_PATH=$hidden${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} "${ask[@]}" --kernels --csv "$kernels" --force >/dev/null
    # Names of modes have commas.
    names=$(python3 -c 'import csv, sys; print(*sorted({row["kernel"] for row in csv.DictReader(sys.stdin)}))' <"$kernels")
    [ -n "$names" ]
    for kernel in $names; do
        while (($(jobs -rp | wc -l) >= ${SANITIZE_JOBS:-6})); do wait -n; done
        judge racecheck "$kernel" "$size" --kernel-name "kne=$kernel" --launch-count "${SANITIZE_LAUNCHES:-6}" "${ask[@]}" &
    done
    wait
}

# Every variant of a network, as a graph and launch by launch, and the reference shapes.
look_at() {
    local tool=$1 precision=$2 network=$3 size=41x38
    shift 3
    if [ "$tool" = racecheck ]; then
        race "$precision" "$network" "$@"
    else
        judge "$tool" "$network-$precision" "$size" "$program" bench --device cuda --size "$size" --frames 1 --warmup 0 \
            --kernels --precision "$precision" "${more[@]}" "$@"
    fi
}

for tool in "${tools[@]}"; do
    for precision in "${precisions[@]}"; do
        look_at "$tool" "$precision" styles
        case $precision in
        # The kernels of tokens, and the plain ones.
        fp32 | fp16 | bf16) look_at "$tool" "$precision" any --style-picture assets/sample.jpg ;;
        esac
    done
    if [ -n "$tests" ]; then
        judge "$tool" turns 75x70 --kernel-name kns=wgmma_256x128 "$tests" --exact tiles_that_take_turns_are_right_too
        for tile in {,leading_}{64,128,192}x128; do
            judge "$tool" "tiles-$tile" 75x70 --kernel-name "kns=wgmma_$tile" "$tests" --exact tiles_of_all_sizes_are_right
        done
        # The first sizes, each in every look.
        judge "$tool" compose 64x48 --kernel-name kne=compose --launch-count 120 "$tests" --exact \
            paintings_are_composed_as_by_the_processor
        judge "$tool" steady 64x48 --kernel-name kns=steady_ --launch-count 400 "$tests" --exact \
            paintings_are_steadied_as_by_the_processor
        for kernel in raw_frame shrink; do
            judge "$tool" "$kernel" 64x48 --kernel-name "kne=$kernel" --launch-count 120 "$tests" --exact \
                camera_frames_are_decoded_as_by_the_processor
        done
    fi
done
echo "logs: $logs"
! grep -Eqv ' (clean|found nothing;.*) \(' "$verdicts"
