#!/usr/bin/env bash
# Measures the backend of Triton's server: pictures per second and latencies by route, clients, instances, size and number
# of GPUs, next to `styleforge bench` in the same run; and its memory under load and over reloads.
#
#   tools/server_load.sh build            builds everything: target/server-load/
#   tools/server_load.sh pack             also packs it for another machine: target/server-load.tar.xz
#   tools/server_load.sh run [SECONDS]    measures; SECONDS a row, 5 by default
#   tools/server_load.sh hour [MINUTES]   paints under load, 60 minutes by default, and writes the server's memory every 30 s
#   tools/server_load.sh reloads [COUNT]  loads, uses and unloads a model, 100 times by default
#   tools/server_load.sh server           prints the path of the server's program
#
# The machine that measures needs this script, the pack, glibc 2.34 and libstdc++ of GCC 12, and for GPUs NVIDIA's driver,
# but no network, no Rust and no container. `run` writes a line of JSON for each row to $OUT/rows.jsonl as well, if OUT is
# set. STYLEFORGE_DEVICE=cpu measures the processor, INSTANCES="4 8" CLIENTS="16 32" these numbers of instances on each GPU
# and of clients. STYLEFORGE_PROFILE=dev builds with that profile of Cargo.
set -euo pipefail
cd "$(dirname "$0")/.."
parts=target/server-load
pack=target/server-load.tar.xz
port=${PORT:-8123}
device=${STYLEFORGE_DEVICE:-cuda}

# The program of the server, from the wheel that triton/requirements.txt names; downloaded once.
server() {
    local wheel
    wheel=target/tritonserver/$(sha256sum triton/requirements.txt | cut --characters 1-16)
    if ! [ -e "$wheel/complete" ]; then
        rm -rf "$wheel"
        python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore \
            --no-deps --only-binary :all: --target "$wheel" --requirement triton/requirements.txt >&2
        chmod +x "$wheel/pytriton/tritonserver/bin/tritonserver"
        touch "$wheel/complete"
    fi
    printf '%s\n' "$PWD/$wheel/pytriton/tritonserver/bin/tritonserver"
}

build() {
    local program library profile=${STYLEFORGE_PROFILE:-release} folder
    folder=target/${profile/#dev/debug}
    cargo build --profile "$profile" --locked --package styleforge --no-default-features
    cargo build --profile "$profile" --locked --package styleforge-triton --lib --example load
    program=$(server)
    rm -rf "$parts"
    mkdir -p "$parts"/{bin,lib,backends/styleforge}
    cp "$program" "$folder/styleforge" "$folder/examples/load" "$parts/bin"
    cp "$folder/libtriton_styleforge.so" "$parts/backends/styleforge"
    cp styles/candy/full.safetensors assets/any.webp assets/sample.jpg "$parts"
    # Only what the wheel brings; the rest is part of every system.
    ldd "$program" | awk '/nvidia_pytriton.libs/ { print $3 }' | while read -r library; do
        cp "$library" "$parts/lib"
    done
    strip "$parts"/bin/* "$parts"/lib/*.so* "$parts"/backends/*/*.so 2>/dev/null || true
}

# Adds a model: its name, its group of instances, and its parameters as pairs of names and values.
add_model() {
    local name=$1 group=$2
    shift 2
    mkdir -p "$folder/models/$name/1"
    {
        printf 'backend: "styleforge"\ninstance_group [{ %s }]\n' "$group"
        while [ $# -gt 0 ]; do
            printf 'parameters { key: "%s" value { string_value: "%s" } }\n' "$1" "$2"
            shift 2
        done
    } >"$folder/models/$name/config.pbtxt"
}

http() { curl --silent --show-error --fail "http://127.0.0.1:$port$1" "${@:2}"; }

load_model() { http "/v2/repository/models/$1/load" --request POST >/dev/null || { tail -n 20 "$folder/log"; return 1; }; }

unload_model() {
    http "/v2/repository/models/$1/unload" --request POST >/dev/null
    # Unloading does not wait for its end.
    while http "/v2/models/$1/ready" >/dev/null 2>&1; do sleep 0.05; done
}

# Starts the server with no model loaded.
start() {
    [ -d "$parts" ] || { mkdir -p "$parts"; tar --directory "$parts" --extract --xz --file "$pack"; }
    folder=$(mktemp --directory)
    trap '[ -z "${server_id:-}" ] || kill "$server_id" 2>/dev/null || true; rm -rf "$folder"' EXIT
    mkdir "$folder/models"
    LD_LIBRARY_PATH=$parts/lib "$parts/bin/tritonserver" \
        --backend-directory="$PWD/$parts/backends" --model-repository="$folder/models" \
        --model-control-mode=explicit --exit-on-error=false --allow-gpu-metrics=false \
        --http-address=127.0.0.1 --http-port="$port" --http-thread-count=16 --allow-grpc=false \
        --metrics-address=127.0.0.1 --metrics-port=$((port + 1)) >"$folder/log" 2>&1 &
    server_id=$!
    until http /v2/health/live 2>/dev/null; do
        kill -0 "$server_id" || { cat "$folder/log"; exit 1; }
        sleep 0.1
    done
}

stop() {
    kill -TERM "$server_id"
    wait "$server_id" || true
    server_id=
    [ -z "${OUT:-}" ] || cp "$folder/log" "$OUT/server.log"
}

resident_mb() { awk '/^VmRSS/ { print int($2 / 1024) }' "/proc/$server_id/status"; }

# Measures one row: the name of the model, and load's arguments.
row() {
    local model=$1 line
    shift
    if line=$("$parts/bin/load" --port "$port" --model "$model" --seconds "$seconds" --json "$@"); then
        line="{\"model\":\"$model\",${line#\{}"
        printf '%s\n' "$line"
        [ -z "${OUT:-}" ] || printf '%s\n' "$line" >>"$OUT/rows.jsonl"
    else
        printf 'FAILED: %s %s\n' "$model" "$*"
        tail -n 5 "$folder/log"
    fi
}

measure_gpus() {
    local all count used size clients model
    nvidia-smi --query-gpu=index,name,driver_version --format=csv,noheader
    nproc
    all=$(nvidia-smi --query-gpu=index --format=csv,noheader | wc -l)
    for count in ${INSTANCES:-1 2 4 8}; do
        for ((used = 1; used <= all; used *= 2)); do
            model=${used}_gpus_${count}_instances
            add_model "$model" "kind: KIND_GPU count: $count gpus: [ $(seq --separator , 0 $((used - 1))) ]"
            cp "$parts/full.safetensors" "$folder/models/$model/1"
        done
    done
    "$parts/bin/styleforge" bench --device cuda --style "$parts/full.safetensors" --size 512x512 --size 1280x720
    # One model at a time is loaded, because instances take memory in advance.
    for model in "$folder"/models/*; do
        model=$(basename "$model")
        load_model "$model" || continue
        for size in 512x512 1280x720; do
            for clients in ${CLIENTS:-1 4 16 32}; do
                row "$model" --size "$size" --clients "$clients"
            done
        done
        [ "$model" != 1_gpus_2_instances ] || row "$model" --size 640x480,512x512,1280x720 --clients 16
        [ "$model" != 1_gpus_2_instances ] || row "$model" --size 512x512 --clients 16 --route http
        unload_model "$model"
    done
}

measure_processor() {
    local count kind route size clients pictures
    nproc
    "$parts/bin/styleforge" bench --device cpu --style candy --model lite --variant fused --frames 20 --size 256x256 --size 512x512
    for count in 1 2; do
        for kind in pixels files; do
            pictures=${kind}_$count
            add_model "$pictures" "kind: KIND_CPU count: $count" style candy model lite pictures "$kind"
            load_model "$pictures"
            for route in $([ "$kind" = pixels ] && echo shared http || echo png jpeg); do
                for size in 256x256 512x512; do
                    for clients in 1 4 16; do
                        row "$pictures" --route "$route" --size "$size" --clients "$clients"
                    done
                done
            done
            unload_model "$pictures"
        done
    done
}

measure() {
    seconds=${1:-5}
    start
    if [ "$device" = cuda ]; then measure_gpus; else measure_processor; fi
    uptime
    stop
}

# Two models of the device under load at once: pixels of several sizes, and files.
hour() {
    local seconds=$((${1:-60} * 60)) group="kind: KIND_CPU count: 1" clients first=0 now=0 begun id ids=()
    [ "$device" = cpu ] || group="kind: KIND_GPU count: 2 gpus: [ 0 ]"
    start
    add_model pixels "$group" style candy model lite
    add_model files "$group" style candy model lite pictures files
    load_model pixels
    load_model files
    for clients in "pixels --size 256x256,512x512,640x480 --clients 3" "files --route jpeg --size 256x256,400x300 --clients 2"; do
        # Words on purpose.
        # shellcheck disable=SC2086
        "$parts/bin/load" --port "$port" --seconds "$seconds" --model $clients &
        ids+=($!)
    done
    begun=$SECONDS
    while kill -0 "${ids[@]}" 2>/dev/null; do
        now=$(resident_mb)
        printf '%5d s  %d MB\n' $((SECONDS - begun)) "$now"
        # Sessions of all sizes are open by then.
        [ "$first" != 0 ] || [ $((SECONDS - begun)) -lt 120 ] || first=$now
        sleep 30
    done
    for id in "${ids[@]}"; do
        wait "$id"
    done
    stop
    check_growth "${first/#0/$now}" "$now"
}

# A style picture: its network of 40 MB shows if it is kept.
reloads() {
    local count=${1:-100} number first=0 now=0
    start
    add_model reloaded "kind: KIND_CPU count: 1" style style.webp pictures files working_size 64
    cp "$parts/any.webp" "$folder/models/reloaded/1/style.webp"
    for ((number = 1; number <= count; number++)); do
        load_model reloaded
        http /v2/models/reloaded/infer --data-binary "@$parts/sample.jpg" --output /dev/null \
            --header 'Content-Type: application/octet-stream' --header 'Inference-Header-Content-Length: 0'
        unload_model reloaded
        now=$(resident_mb)
        [ $((number % 10)) != 0 ] || printf '%5d reloads  %d MB\n' "$number" "$now"
        [ "$number" != 10 ] || first=$now
    done
    stop
    check_growth "${first/#0/$now}" "$now"
}

# Fails if the resident memory has grown by more than the allocator keeps for the next pictures. A hundred networks that
# are kept would be 4,000 MB.
check_growth() {
    printf 'from %d MB to %d MB\n' "$1" "$2"
    [ "$2" -lt $(($1 + 200)) ] || { echo 'the memory grows'; exit 1; }
}

case ${1:-} in
    build) build ;;
    pack)
        build
        tar --directory "$parts" --create . | xz -6 --threads 0 >"$pack"
        ls -l "$pack"
        ;;
    server) server ;;
    run) measure "${2:-5}" ;;
    hour) hour "${2:-60}" ;;
    reloads) reloads "${2:-100}" ;;
    *) sed -n '2,/^set/p' "$0" | sed '$d; s/^# \{0,1\}//'; exit 2 ;;
esac
