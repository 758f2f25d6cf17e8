#!/usr/bin/env bash
# Measures the backend of Triton's server on the GPUs of one machine: pictures per second and latencies by clients,
# instances, size and number of GPUs, next to `styleforge bench` in the same run.
#
#   tools/server_load.sh pack           builds everything here and packs it: target/server-load.tar.xz
#   tools/server_load.sh run [SECONDS]  unpacks and measures on the machine with the GPUs; SECONDS a row, 5 by default
#
# The machine with the GPUs needs this script, the pack, NVIDIA's driver, glibc 2.34 and libstdc++ of GCC 12, but no
# network, no Rust and no container. `run` writes a line of JSON for each row to $OUT/rows.jsonl as well, if OUT is set.
# With STYLEFORGE_DEVICE=cpu it measures the processor.
set -euo pipefail
cd "$(dirname "$0")/.."
pack=target/server-load.tar.xz

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
    local program folder library
    cargo build --release --locked --no-default-features
    cargo build --release --locked --package styleforge-triton --lib --example load
    program=$(server)
    folder=$(mktemp --directory)
    trap 'rm -rf "$folder"' EXIT
    mkdir -p "$folder"/{bin,lib,backends/styleforge}
    cp "$program" target/release/styleforge target/release/examples/load "$folder/bin"
    cp target/release/libtriton_styleforge.so "$folder/backends/styleforge"
    cp styles/candy/full.safetensors "$folder"
    # Only what the wheel brings; the rest is part of every system.
    ldd "$program" | awk '/nvidia_pytriton.libs/ { print $3 }' | while read -r library; do
        cp "$library" "$folder/lib"
    done
    strip "$folder"/bin/* "$folder"/lib/*.so* 2>/dev/null || true
    tar --directory "$folder" --create . | xz -6 --threads 0 >"$pack"
    ls -l "$pack"
}

# Writes a model with this many instances on each GPU of a list, or on the processor.
add_model() {
    local name=$1 count=$2 gpus=$3 group
    if [ "$gpus" = cpu ]; then
        group="{ kind: KIND_CPU count: $count }"
    else
        group="{ kind: KIND_GPU count: $count gpus: [ $gpus ] }"
    fi
    mkdir -p "$folder/models/$name/1"
    cp "$folder/full.safetensors" "$folder/models/$name/1"
    printf 'backend: "styleforge"\ninstance_group [%s]\n' "$group" >"$folder/models/$name/config.pbtxt"
}

http() { curl --silent --show-error --fail "http://127.0.0.1:$port$1" "${@:2}"; }

# Measures one row: the name of the model, and load's arguments.
row() {
    local model=$1 line
    shift
    if line=$("$folder/bin/load" --port "$port" --model "$model" --seconds "$seconds" --json "$@"); then
        line="{\"model\":\"$model\",${line#\{}"
        printf '%s\n' "$line"
        [ -z "${OUT:-}" ] || printf '%s\n' "$line" >>"$OUT/rows.jsonl"
    else
        printf 'FAILED: %s %s\n' "$model" "$*"
        tail -n 5 "$folder/log"
    fi
}

measure() {
    seconds=${1:-5} port=${PORT:-8123}
    folder=$(mktemp --directory)
    trap '[ -z "${server_id:-}" ] || kill "$server_id" 2>/dev/null || true; rm -rf "$folder"' EXIT
    tar --directory "$folder" --extract --xz --file "$pack"
    local device=${STYLEFORGE_DEVICE:-cuda} counts=() gpus=cpu all=1 sizes=512x512,1280x720
    if [ "$device" = cuda ]; then
        nvidia-smi --query-gpu=index,name,driver_version --format=csv,noheader
        all=$(nvidia-smi --query-gpu=index --format=csv,noheader | wc -l)
        gpus=0
    fi
    nproc
    for count in 1 2 4; do
        counts+=("$count")
        add_model "instances_$count" "$count" "$gpus"
    done
    for ((used = 2; used <= all; used *= 2)); do
        add_model "gpus_$used" 2 "$(seq --separator , 0 $((used - 1)))"
    done
    LD_LIBRARY_PATH=$folder/lib "$folder/bin/tritonserver" \
        --backend-directory="$folder/backends" --model-repository="$folder/models" \
        --model-control-mode=explicit --exit-on-error=false --allow-gpu-metrics=false \
        --http-address=127.0.0.1 --http-port="$port" --http-thread-count=16 --allow-grpc=false \
        --metrics-address=127.0.0.1 --metrics-port=$((port + 1)) >"$folder/log" 2>&1 &
    server_id=$!
    until http /v2/health/live; do
        kill -0 "$server_id" || { cat "$folder/log"; exit 1; }
        sleep 0.1
    done
    if [ "$device" = cuda ]; then
        "$folder/bin/styleforge" bench --device cuda --style "$folder/full.safetensors" --size 512x512 --size 1280x720
    else
        "$folder/bin/styleforge" bench --device cpu --style "$folder/full.safetensors" --variant fused --frames 5 --size 512x512
        sizes=512x512
    fi
    # One model at a time is loaded, because instances take memory in advance.
    for model in "$folder"/models/*; do
        model=$(basename "$model")
        http "/v2/repository/models/$model/load" --request POST >/dev/null || { tail -n 20 "$folder/log"; continue; }
        for size in ${sizes//,/ }; do
            for clients in 1 4 16; do
                row "$model" --size "$size" --clients "$clients"
            done
            case $model in gpus_*) for clients in 32 64; do row "$model" --size "$size" --clients "$clients"; done ;; esac
        done
        [ "$model" != instances_2 ] || row "$model" --size "640x480,$sizes" --clients 16
        [ "$model" != instances_2 ] || row "$model" --size 512x512 --clients 16 --inline
        http "/v2/repository/models/$model/unload" --request POST >/dev/null
    done
    kill -TERM "$server_id"
    wait "$server_id" || true
    server_id=
    [ -z "${OUT:-}" ] || cp "$folder/log" "$OUT/server.log"
}

case ${1:-} in
    pack) build ;;
    server) server ;;
    run) measure "${2:-5}" ;;
    *) sed -n '2,/^set/p' "$0" | sed '$d; s/^# \{0,1\}//'; exit 2 ;;
esac
