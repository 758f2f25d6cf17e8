#!/usr/bin/env python3
"""Times attention, attention layers and feed-forward parts in PyTorch and in StyleForge, on one GPU and in one run.

    python tools/bench_attention.py --binary target/release/styleforge

8 heads, one picture, random weights; medians in microseconds. StyleForge's times are sums of the steps of `styleforge
bench --kernels`, each between two events, in a network of 8 heads that is written for it; `styleforge check` verifies
the results. PyTorch's times are CUDA graphs between two events with the same work: scaled_dot_product_attention with
each of its backends, and norm, nn.MultiheadAttention or two linear layers with GELU, and sum. The exit code is 1 if a
ratio to the fastest backend fell by more than a tenth below the recorded one (recorded_ratios.py).
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Callable

import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

sys.path.insert(0, str(Path(__file__).parent))
import recorded_ratios
from any_net import AnyNet, Spec, save_any
from pytorch_peers import allow_tf32, in_graph, median_ms

HEADS = 8
#: Pixels of a token's side: small, so that a picture with many tokens is not large.
STRIDE = 8
TOKENS = (64, 256, 1024, 4096, 16384)
#: Names of the backends as in PyTorch's documentation.
BACKENDS = {
    "cuDNN": SDPBackend.CUDNN_ATTENTION,
    "flash": SDPBackend.FLASH_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
    "math": SDPBackend.MATH,
}
#: Maximum bytes of scores for which the math backend is run.
MOST_SCORE_BYTES = 1 << 30


def graph_us(run: Callable[[], torch.Tensor], inputs: list[torch.Tensor], replays: int) -> float:
    """Median microseconds of one run in a graph whose inputs were written just before."""
    return 1e3 * median_ms(in_graph(run), replays, lambda: [x.mul_(1) for x in inputs])


def parts(kernels: list[dict]) -> dict[str, float]:
    """Microseconds of attention, its layer and the feed-forward part of the first block, from the steps of `styleforge
    bench`."""
    first = next(row["layer"] for row in kernels if row["layer"].endswith(".attention"))
    block = first.removesuffix(".attention")
    layer = [row for row in kernels if row["layer"].startswith(first)]
    names = {
        "attention": [row for row in layer if row["kernel"].startswith("attention_")],
        "attention-layer": layer,
        "feed-forward": [row for row in kernels if row["layer"] in (f"{block}.ffn", f"{block}.up", f"{block}.down")],
    }
    return {name: 1e3 * sum(row["ms"] for row in rows) for name, rows in names.items()}


def theirs(tokens: int, head: int, dtype: torch.dtype, replays: int) -> dict[str, float]:
    """Microseconds of attention by backend, without backends that do not support it."""
    query, key, value = (torch.randn(1, HEADS, tokens, head, device="cuda", dtype=dtype) for _ in range(3))
    found = {}
    for name, backend in BACKENDS.items():
        if name == "math" and HEADS * tokens**2 * query.element_size() > MOST_SCORE_BYTES:
            continue
        try:
            with sdpa_kernel(backend):
                found[name] = graph_us(
                    lambda: F.scaled_dot_product_attention(query, key, value), [query, key, value], replays
                )
        except RuntimeError:
            torch.cuda.synchronize()
    return found


def their_layers(tokens: int, dim: int, ffn: int, dtype: torch.dtype, replays: int) -> dict[str, float]:
    """Microseconds of the layers around attention."""
    x = torch.randn(1, tokens, dim, device="cuda", dtype=dtype)
    norm, attention = nn.LayerNorm(dim), nn.MultiheadAttention(dim, HEADS, batch_first=True)
    feed = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, ffn), nn.GELU(), nn.Linear(ffn, dim))
    for module in (norm, attention, feed):
        module.cuda().to(dtype).eval()

    def attend(y: torch.Tensor) -> torch.Tensor:
        return attention(y, y, y, need_weights=False)[0]

    runs = {
        "nn.MultiheadAttention": lambda: attend(x),
        "the same with norm and sum": lambda: x + attend(norm(x)),
        "feed-forward": lambda: x + feed(x),
    }
    return {name: graph_us(run, [x], replays) for name, run in runs.items()}


def ours(binary: Path, folder: Path, head: int, precision: str, way: str, tokens: list[int], replays: int) -> list[dict]:
    """The results of `styleforge bench`, one for each number of tokens."""
    network, picture = folder / f"heads_of_{head}.safetensors", folder / "style.png"
    if not network.exists():
        torch.manual_seed(1)
        save_any(network, AnyNet(Spec.plain(64, HEADS * head, HEADS, 1, 4 * HEADS * head, STRIDE)), {"name": network.stem})
    Image.effect_noise((64, 64), 80).convert("RGB").save(picture)
    words = [binary, "bench", "--device=cuda", "--variant=fused", f"--precision={precision}", "--kernels", "--json"]
    words += [f"--frames={replays}", "--warmup=1", f"--style-picture={picture}", f"--style-network={network}", f"--attention={way}"]
    words += [f"--size={STRIDE * side}x{STRIDE * side}" for side in map(math.isqrt, tokens)]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"styleforge bench failed: {done.stderr.strip()}")
    return json.loads(done.stdout)["results"]


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--replays", type=int, default=10)
    recorded_ratios.add_arguments(parser)
    arguments = parser.parse_args()
    allow_tf32(False)
    ratios: dict[str, float | None] = {}
    print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}, medians of {arguments.replays}, microseconds")
    plans = [(64, "fp32", ["online", "tiled"]), (64, "fp16", ["flash", "naive"]), (128, "fp16", ["flash"])]
    with tempfile.TemporaryDirectory() as folder:
        for head, precision, ways in plans:
            dtype = torch.float16 if precision == "fp16" else torch.float32
            peers, layers = {}, {}
            for tokens in TOKENS:
                peers[tokens] = theirs(tokens, head, dtype, arguments.replays)
                shown = ", ".join(f"{name} {us:.1f}" for name, us in peers[tokens].items())
                print(f"{precision} heads of {head}, {tokens} tokens: PyTorch {shown}", flush=True)
                layers[tokens] = their_layers(tokens, HEADS * head, 4 * HEADS * head, dtype, arguments.replays)
                print("  " + ", ".join(f"{name} {us:.1f}" for name, us in layers[tokens].items()), flush=True)
            for way in ways:
                # Scores of many tokens in memory take long in every implementation.
                of_way = [tokens for tokens in TOKENS if way != "naive" or tokens in peers and "math" in peers[tokens]]
                for result in ours(arguments.binary, Path(folder), head, precision, way, of_way, arguments.replays):
                    tokens = (result["width"] // STRIDE) ** 2
                    found = parts(result["kernels"])
                    name = f"{precision} heads of {head}, {tokens} tokens"
                    print(f"{name}, {way}: " + ", ".join(f"{part} {us:.1f}" for part, us in found.items()), flush=True)
                    rival = peers[tokens]["math"] if way == "naive" else min(peers[tokens].values())
                    ratios[f"{name}, attention {way}"] = rival / found["attention"]
                    if way == ways[0]:
                        whole = layers[tokens]["the same with norm and sum"]
                        ratios[f"{name}, attention layer"] = whole / found["attention-layer"]
                        ratios[f"{name}, feed-forward"] = layers[tokens]["feed-forward"] / found["feed-forward"]
    for name, ratio in ratios.items():
        print(f"{ratio:6.2f}x {name}")
    recorded_ratios.check(torch.cuda.get_device_name(), ratios, arguments)


if __name__ == "__main__":
    main()
