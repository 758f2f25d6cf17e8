#!/usr/bin/env python3
"""Times the network for any style picture in PyTorch and in StyleForge, on one GPU and in one run.

    python tools/bench_any.py --binary target/release/styleforge --style-picture assets/sample.jpg

Both use the weights of assets/any.safetensors, the same style code and the same photo. PyTorch runs in fp16 as a CUDA
graph, and compiled with max-autotune (a minute per size); StyleForge by `styleforge bench --device cuda --json`. All
are timed by events on the GPU, after warm-up, without transfers, with overwritten caches before every frame; the median
is reported. Next to every time is the difference (PSNR) from PyTorch's fp32 picture, and ratios are only given for
pictures that agree to 50 dB. The exit code is 1 if a ratio fell by more than a tenth below the recorded one
(recorded_ratios.py).
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
import recorded_ratios
from any_net import read_any
from pytorch_peers import allow_tf32, in_graph, median_ms
from style_photos import read_picture, to_image

ASSETS = Path(__file__).parent.parent / "assets"
#: Minimum PSNR of two pictures that count as the same.
LEAST_DB = 50.0
#: The shorter side at which StyleForge reads a style picture, and the maximum of the longer one, in pixels.
STYLE_PX, LONG_STYLE_PX = 512, 1024


def psnr_db(picture: torch.Tensor, reference: torch.Tensor) -> float:
    """PSNR of levels after rounding."""
    error = (picture.float().clamp(0, 255).round() - reference.float().clamp(0, 255).round()).square().mean().item()
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def resized(picture: torch.Tensor, height: int, width: int) -> torch.Tensor:
    return torch.nn.functional.interpolate(picture, (height, width), mode="bilinear", antialias=True).round().clamp(0, 255)


def ours(binary: Path, style: Path, photo: Path, size: str, frames: int) -> tuple[list[tuple[str, float]], torch.Tensor]:
    """(mode, median ms) of StyleForge at one size, and its fused fp16 painting of the photo."""

    def run(*words: object) -> str:
        done = subprocess.run([str(word) for word in (binary, *words)], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(map(str, words))} failed: {done.stderr.strip()}")
        return done.stdout

    of = ("--style-picture", style, "--device=cuda")
    modes = ("--variant=baseline", "--variant=fused", "--precision=fp16", "--precision=fp32")
    found = json.loads(run("bench", *of, f"--size={size}", *modes, f"--frames={frames}", "--warmup=10", "--json"))
    target = photo.with_name("painted.png")
    run("stylize", photo, *of, "--margin=0", "--variant=fused", "--precision=fp16", "--working-size=original", "--force", "-o", target)
    rows = [(f"StyleForge {row['variant']} {row['precision']}", row["median_ms"]) for row in found["results"]]
    return rows, read_picture(target).cuda()


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--style-picture", type=Path, required=True)
    parser.add_argument("--photo", type=Path, default=ASSETS / "sample.jpg")
    parser.add_argument("--size", action="append", help="WxH; 512x512 and 1280x720 when none is given")
    parser.add_argument("--no-compile", action="store_true", help="leaves torch.compile out")
    parser.add_argument("--frames", type=int, default=30)
    recorded_ratios.add_arguments(parser)
    arguments = parser.parse_args()
    ratios: dict[str, float | None] = {}
    allow_tf32(False)
    net = read_any(ASSETS / "any.safetensors")[0].cuda().eval()
    short = read_any(ASSETS / "any.safetensors")[0].cuda().half().to(memory_format=torch.channels_last).eval()
    style = read_picture(arguments.style_picture).cuda()
    scale = min(STYLE_PX / min(style.shape[-2:]), LONG_STYLE_PX / max(style.shape[-2:]))
    # Both get the picture at that size, because they scale with different filters.
    style = resized(style, round(style.shape[-2] * scale), round(style.shape[-1] * scale))
    code = net.code(style)
    print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}, medians of {arguments.frames}, 10 for warm-up")
    for size in arguments.size or ("512x512", "1280x720"):
        width, height = map(int, size.split("x"))
        photo = resized(read_picture(arguments.photo).cuda(), height, width)
        reference = net.paint(photo, code)
        input_half, code_half = photo.half().to(memory_format=torch.channels_last), code.half()
        peers = [("PyTorch fp16 CUDA graph", in_graph(lambda: short.paint(input_half, code_half)))]
        if not arguments.no_compile:
            torch._dynamo.reset()
            compiled = torch.compile(short.paint, mode="max-autotune", dynamic=False)
            peers.append(("torch.compile max-autotune fp16", lambda: compiled(input_half, code_half)))
        rows = [(name, median_ms(run, arguments.frames), psnr_db(run(), reference)) for name, run in peers]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "photo.png"
            to_image(photo).save(path)
            looked_at = Path(folder) / "style.png"
            to_image(style).save(looked_at)
            own, painting = ours(arguments.binary, looked_at, path, size, arguments.frames)
        fastest = min(time for _, time, agreement in rows if agreement >= LEAST_DB)
        agreement = psnr_db(painting, reference)
        for name, time, found in rows:
            print(f"{size} {name:34} {time:7.3f} ms {found:6.1f} dB", flush=True)
        for name, time in own:
            is_fast = name.endswith("fused fp16")
            shown = f"{agreement:6.1f} dB" if is_fast else ""
            if is_fast and not arguments.no_compile:
                ratios[f"{size} any, {name}"] = fastest / time if agreement >= LEAST_DB else None
            ratio = f"{fastest / time:5.2f}x the fastest above" if is_fast and agreement >= LEAST_DB else ""
            print(f"{size} {name:34} {time:7.3f} ms {shown} {ratio}", flush=True)
    recorded_ratios.check(torch.cuda.get_device_name(), ratios, arguments)


if __name__ == "__main__":
    main()
