#!/usr/bin/env python3
"""Times PyTorch and StyleForge on the same GPU, the same weights and the same photo, in one run.

    python tools/bench_pytorch.py --style styles/candy/full.safetensors --binary target/release/styleforge \
        --json speed_cuda.json

PyTorch runs eager fp32 (both TF32 flags off), eager with TF32 allowed, AMP fp16, fp16 in a CUDA graph,
and torch.compile max-autotune in fp16, channels-last. StyleForge is asked by `styleforge bench
--device cuda --json` for its modes at the same size, and paints the same photo, so that no ratio is
printed without the difference of the pictures beside it: PSNR against PyTorch's fp32 picture.

PyTorch is timed by CUDA events, StyleForge by its driver's events, both after warm-up, frames only,
no transfers; the median of rounds taken in turn.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
from style_net import read_network
from style_photos import read_picture, to_image

SIZES = ((256, 256), (512, 512), (640, 480), (1280, 720), (1920, 1080))
WARMUP = 20
FRAMES = 50
ROUNDS = 5


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    """dB between two pictures of whole levels."""
    error = (a.clamp(0, 255).round() - b.clamp(0, 255).round()).square().mean()
    return float(10 * torch.log10(255**2 / error)) if error > 0 else float("inf")


def median_ms(run) -> float:
    """Median of FRAMES calls by events."""
    for _ in range(WARMUP):
        run()
    marks = [torch.cuda.Event(enable_timing=True) for _ in range(FRAMES + 1)]
    marks[0].record()
    for mark in marks[1:]:
        run()
        mark.record()
    torch.cuda.synchronize()
    return statistics.median(a.elapsed_time(b) for a, b in zip(marks, marks[1:]))


def in_graph(net, photo):
    """The forward pass as one CUDA graph; (replay, its output)."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            net(photo)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        output = net(photo)
    return graph.replay, output


def peers(path: Path, photo: torch.Tensor, compiled: bool):
    """(name, call) of every way to run the network in PyTorch."""
    torch.backends.cudnn.benchmark = True

    def fresh(dtype=torch.float32, channels_last=False):
        net = read_network(path)[0].cuda().to(dtype)
        return net.to(memory_format=torch.channels_last) if channels_last else net

    net = fresh()

    def flags(allowed: bool):
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = allowed

    def eager(tf32: bool, amp: bool = False):
        def run():
            flags(tf32)
            with torch.autocast("cuda", torch.float16, enabled=amp):
                return net(photo)

        return run

    yield "eager fp32", eager(False)
    yield "eager tf32", eager(True)
    yield "AMP fp16", eager(True, True)
    half_photo = photo.half()
    half_net = fresh(torch.float16)
    replay, output = in_graph(half_net, half_photo)

    def graph():
        replay()
        return output

    yield "fp16 graph", graph
    if compiled:
        last = half_photo.to(memory_format=torch.channels_last)
        fast = torch.compile(fresh(torch.float16, True), mode="max-autotune")
        yield "torch.compile max-autotune fp16", lambda: fast(last)


def ours(binary: Path, style: Path, size: tuple[int, int], photo_file: Path, folder: Path) -> dict:
    """StyleForge's medians by mode, and its pictures."""
    width, height = size
    command = [binary, "bench", "--device", "cuda", "--style", style, "--size", f"{width}x{height}", "--json"]
    command += ["--frames", str(FRAMES), "--warmup", str(WARMUP)]
    for variant in ("baseline", "fused-norm", "fused"):
        command += ["--variant", variant]
    results = {}
    for precision in ("fp32", "tf32", "fp16", "bf16", "mixed"):
        run = subprocess.run(
            list(map(str, command)) + ["--precision", precision], capture_output=True, text=True, check=True
        )
        for row in json.loads(run.stdout)["results"]:
            target = folder / f"{row['variant']}-{precision}.png"
            paint = [binary, "stylize", photo_file, "--style", style, "--device", "cuda", "--variant", row["variant"]]
            paint += ["--precision", precision, "--working-size", "original", "--force", "-o", target]
            subprocess.run(list(map(str, paint)), capture_output=True, check=True)
            results[f"{row['variant']} {precision}"] = (row["median_ms"], read_picture(target).cuda())
    return results


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--style", type=Path, required=True)
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--photo", type=Path, default=Path(__file__).parent.parent / "assets/sample.jpg")
    parser.add_argument("--size", action="append", help="WxH; all five when none is given")
    parser.add_argument("--no-compile", action="store_true", help="leaves torch.compile out (it takes minutes)")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    sizes = [tuple(map(int, s.split("x"))) for s in arguments.size or []] or SIZES
    record = {"device": torch.cuda.get_device_name(), "torch": torch.__version__, "frames": FRAMES, "results": []}
    print(f"{record['device']}, PyTorch {record['torch']}, median of {ROUNDS} rounds of {FRAMES} frames")
    for width, height in sizes:
        photo = to_image(read_picture(arguments.photo)).resize((width, height))
        with tempfile.TemporaryDirectory() as folder:
            photo_file = Path(folder) / "photo.png"
            photo.save(photo_file)
            levels = read_picture(photo_file).cuda()
            runs = list(peers(arguments.style, levels, not arguments.no_compile))
            reference = runs[0][1]()[..., :height, :width].float()
            times = {name: [] for name, _ in runs}
            our_times: dict[str, list[float]] = {}
            pictures = {}
            for _ in range(ROUNDS):
                for name, run in runs:
                    times[name].append(median_ms(run))
                for mode, (ms, picture) in ours(
                    arguments.binary, arguments.style, (width, height), photo_file, Path(folder)
                ).items():
                    our_times.setdefault(mode, []).append(ms)
                    pictures[mode] = picture
            fp32_ms = statistics.median(times["eager fp32"])
            rows = []
            for name, run in runs:
                picture = run()[..., :height, :width].float()
                rows.append((f"PyTorch {name}", statistics.median(times[name]), psnr(picture, reference)))
            for mode, list_ms in our_times.items():
                rows.append((f"StyleForge {mode}", statistics.median(list_ms), psnr(pictures[mode], reference)))
            for name, ms, db in rows:
                print(f"{width}x{height}  {name:38} {ms:8.3f} ms  {fp32_ms / ms:6.2f}x eager fp32  {db:5.1f} dB")
                record["results"].append({"size": f"{width}x{height}", "name": name, "median_ms": ms, "psnr_db": db})
    if arguments.json:
        arguments.json.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
