#!/usr/bin/env python3
"""Times PyTorch and StyleForge on the same GPU, with the same weights and the same photo, in one run.

    python tools/bench_pytorch.py --style styles/candy/full.safetensors \
        --binary target/release/styleforge --json speed_cuda.json --markdown speed_cuda.md

PyTorch runs eager fp32 (both TF32 flags off), eager with TF32 allowed, AMP, fp16 eager in both layouts, fp16 as a CUDA
graph, and torch.compile max-autotune in fp16, channels-last. StyleForge measures all its modes once per round with
`styleforge bench --device cuda --json`, and paints the same photo once in each. Both take turns, round by round; the
median of the rounds' medians is reported. All are timed by events on the GPU, after warm-up, without transfers, with
overwritten caches before every frame.

No ratio without equality: next to every time is the difference (PSNR) from PyTorch's fp32 picture, and a claim of speed
is only printed if both pictures agree as well as their precision allows.

The exit code is 1 if such a ratio fell by more than a tenth below the recorded one (recorded_ratios.py).

With --operations it times the reference shapes of `styleforge bench --kernels` instead: single layers.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
import recorded_ratios
from pytorch_peers import Peer, allow_tf32, matmul_tflops, median_ms, peers, reference_us, sweep_caches
from style_photos import read_picture, to_image

SIZES = ("256x256", "512x512", "640x480", "1280x720", "1920x1080")
VARIANTS = ("baseline", "fused-norm", "fused")
PRECISIONS = ("fp32", "fp16x2", "tf32", "fp16", "bf16", "mixed", "int8")
#: Precisions that only the fused variant has.
FUSED_ONLY = ("fp16x2", "int8")
#: Minimum PSNR between two pictures that count as the same, by the coarser of their precisions.
LEAST_DB = {"fp32": 60.0, "fp16x2": 60.0, "tf32": 50.0, "fp16": 50.0, "mixed": 50.0, "bf16": 38.0, "int8": 36.0}
#: Number of processes that paint at the same time; nothing is timed then.
PAINTERS = 6
#: (what, measured by, compared with the fastest of these): printed as ratios, with the equality check.
CLAIMS = (
    ("fused fp16 against torch.compile", "StyleForge fused fp16", ["PyTorch torch.compile max-autotune fp16"]),
    ("fused fp16 against PyTorch's fp16 graph", "StyleForge fused fp16", ["PyTorch fp16 graph"]),
    ("fused int8 against torch.compile in fp16", "StyleForge fused int8", ["PyTorch torch.compile max-autotune fp16"]),
    ("fused fp32 against eager fp32", "StyleForge fused fp32", ["PyTorch eager fp32"]),
    ("fused fp16x2 against eager fp32", "StyleForge fused fp16x2", ["PyTorch eager fp32"]),
    ("fused fp16 against our baseline fp16, both graphs", "StyleForge fused fp16", ["StyleForge baseline fp16"]),
    ("our baseline fp32 against eager fp32", "StyleForge baseline fp32", ["PyTorch eager fp32"]),
    ("our baseline tf32 against eager TF32", "StyleForge baseline tf32", ["PyTorch eager TF32"]),
    (
        "our baseline fp16 against eager fp16, its better layout",
        "StyleForge baseline fp16",
        ["PyTorch eager fp16", "PyTorch eager fp16 channels-last"],
    ),
)


@dataclass
class Row:
    """One way to paint at one size."""

    name: str
    precision: str
    picture: torch.Tensor
    times_ms: list[float] = field(default_factory=list)
    #: The same launches without a graph; StyleForge only.
    eager_times_ms: list[float] = field(default_factory=list)
    #: StyleForge's name of the mode, including its convolutions.
    label: str = ""

    def ms(self) -> float:
        return statistics.median(self.times_ms)

    def eager_ms(self) -> float | None:
        return statistics.median(self.eager_times_ms) if self.eager_times_ms else None


def psnr(a: torch.Tensor, b: torch.Tensor) -> float | None:
    """dB between two pictures of whole levels; None if they are equal."""
    error = (a.clamp(0, 255).round() - b.clamp(0, 255).round()).square().mean().item()
    return None if error == 0 else 10 * math.log10(255**2 / error)


def same(a: Row, b: Row) -> bool:
    """Whether two pictures agree as well as the coarser precision allows."""
    db = psnr(a.picture, b.picture)
    return db is None or db >= min(LEAST_DB[a.precision], LEAST_DB[b.precision])


class StyleForge:
    """The binary and its arguments."""

    def __init__(self, arguments: argparse.Namespace, folder: Path):
        self.binary, self.style, self.folder = arguments.binary.resolve(), arguments.style, folder
        self.frames = arguments.frames
        variants, precisions = arguments.variant or VARIANTS, arguments.precision or PRECISIONS
        self.modes = [(v, p) for v in variants for p in precisions if p not in FUSED_ONLY or v == "fused"]

    def run(self, *words: object) -> str:
        done = subprocess.run([str(w) for w in (self.binary, *words)], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(map(str, words))} failed: {done.stderr.strip()}")
        return done.stdout

    def bench(self, size: str, *more: object) -> list[dict]:
        """The measurements of all modes at one size; the modes of a variant come from one process."""
        results = []
        for variant in dict.fromkeys(v for v, _ in self.modes):
            modes = [f"--variant={variant}"] + [f"--precision={p}" for v, p in self.modes if v == variant]
            words = ["bench", "--device=cuda", "--style", self.style, f"--size={size}", "--json", *modes, *more]
            results += json.loads(self.run(*words, f"--frames={self.frames}", "--warmup=10"))["results"]
        return results

    def paint(self, mode: tuple[str, str], photo: Path) -> torch.Tensor:
        """The picture of one mode, (1, 3, H, W) levels."""
        variant, precision = mode
        target = self.folder / f"{variant}-{precision}.png"
        words = ["stylize", photo, "--style", self.style, "--margin=0", "--device=cuda", f"--variant={variant}"]
        words += [f"--precision={precision}", "--working-size=original", "--force", "-o", target]
        self.run(*words)
        return read_picture(target).cuda()

    def paint_all(self, photo: Path) -> dict[tuple[str, str], torch.Tensor]:
        """The picture of every mode, several processes in parallel."""
        with ThreadPoolExecutor(PAINTERS) as pool:
            return dict(zip(self.modes, pool.map(lambda mode: self.paint(mode, photo), self.modes)))


def measure(ours: StyleForge, size: str, compiled: bool, arguments: argparse.Namespace) -> list[Row]:
    """Every way to paint at one size, in turn."""
    width, height = map(int, size.split("x"))
    photo = to_image(read_picture(arguments.photo)).resize((width, height))
    photo_file = ours.folder / "photo.png"
    photo.save(photo_file)
    pictures = ours.paint_all(photo_file)
    rows: dict[str, Row] = {}
    for (variant, precision), picture in pictures.items():
        name = f"StyleForge {variant} {precision}"
        rows[name] = Row(name, precision, picture)
    ways: list[Peer] = list(peers(arguments.style, read_picture(photo_file).cuda(), compiled))
    for peer in ways:
        name = f"PyTorch {peer.name}"
        rows[name] = Row(name, peer.precision, peer.run()[..., :height, :width].float().clone())
    for _ in range(arguments.rounds):
        for peer in ways:
            rows[f"PyTorch {peer.name}"].times_ms.append(median_ms(peer.run, ours.frames))
        for result in ours.bench(size):
            row = rows[f"StyleForge {result['variant']} {result['precision']}"]
            row.times_ms.append(result["median_ms"])
            if result.get("eager_p50_ms"):
                row.eager_times_ms.append(result["eager_p50_ms"])
            row.label = result.get("label", "")
    return sorted(rows.values(), key=lambda row: not row.name.startswith("PyTorch"))


def claims(size: str, rows: list[Row]) -> list[dict]:
    """The ratios of pairs whose pictures agree."""
    by_name = {row.name: row for row in rows}
    found = []
    for what, ours, theirs in CLAIMS:
        others = [by_name[name] for name in theirs if name in by_name]
        if ours in by_name and others:
            a, b = by_name[ours], min(others, key=Row.ms)
            ratio = b.ms() / a.ms() if same(a, b) else None
            found.append({"size": size, "claim": what, "ratio": ratio, "psnr_db": psnr(a.picture, b.picture)})
    return found


def db_text(db: float | None) -> str:
    return "same" if db is None else f"{db:.1f} dB"


def markdown(record: dict) -> str:
    """The table for BENCHMARKS.md: a row for each mode, a column for each size."""
    sizes = list(dict.fromkeys(r["size"] for r in record["results"]))
    cells = {(r["name"], r["size"]): r for r in record["results"]}
    lines = [
        f"{record['device']}, driver {record['driver']}, PyTorch {record['torch']}, {record['date']}: milliseconds "
        f"per frame on the GPU's clock, median of {record['rounds']} rounds of {record['frames']} frames; "
        "in brackets the difference to PyTorch's fp32 picture, and, for StyleForge, the time of the same launches "
        "without a graph",
        "",
        "| | " + " | ".join(sizes) + " |",
        "| --- |" + " ---: |" * len(sizes),
    ]
    names = dict.fromkeys(r["name"] for r in record["results"])
    for name in sorted(names, key=lambda name: not name.startswith("PyTorch")):
        row = []
        label = name
        for size in sizes:
            r = cells.get((name, size))
            if r is None:
                row.append("")
                continue
            label = r["label"] or label
            extra = [db_text(r["psnr_db"])]
            if r["eager_ms"]:
                extra.append(f"eager {r['eager_ms']:.3g}")
            row.append(f"{r['median_ms']:.3f} ({', '.join(extra)})")
        lines.append(f"| {label} | " + " | ".join(row) + " |")
    lines += ["", "| times as fast | " + " | ".join(sizes) + " |", "| --- |" + " ---: |" * len(sizes)]
    for what in dict.fromkeys(c["claim"] for c in record["claims"]):
        row = []
        for size in sizes:
            c = next((c for c in record["claims"] if (c["claim"], c["size"]) == (what, size)), None)
            if c is None:
                row.append("")
            elif c["ratio"] is None:
                row.append(f"not comparable ({db_text(c['psnr_db'])})")
            else:
                row.append(f"{c['ratio']:.2f}x ({db_text(c['psnr_db'])})")
        lines.append(f"| {what} | " + " | ".join(row) + " |")
    return "\n".join(lines) + "\n"


DTYPES = {"fp32": torch.float32, "tf32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def operations(ours: StyleForge, size: str) -> list[dict]:
    """The reference shapes, ours next to PyTorch's in both layouts; prints them as they are measured."""
    found = []
    for precision in dict.fromkeys(p for _, p in ours.modes if p in DTYPES):
        allow_tf32(precision == "tf32")
        dtype = DTYPES[precision]
        words = ["bench", "--device=cuda", "--style", ours.style, f"--size={size}", "--json", "--kernels"]
        # In the fused variant a norm is part of the convolution that reads it.
        words += ["--variant=fused-norm", "--variant=fused", f"--precision={precision}", "--frames=10"]
        report = json.loads(ours.run(*words))
        ceiling = matmul_tflops(dtype)
        print(f"\n{size} {precision}: a matrix product in PyTorch reaches {ceiling:.0f} TFLOP/s here")
        head = ("variant", "shape", "maps", "ours us", "graph us", "eager us", "ratio", "TFLOP/s", "of product")
        print("{:10} {:24} {:16} {:>9} {:>9} {:>9} {:>7} {:>8} {:>10}".format(*head))
        for result in report["results"]:
            for row in result["reference_shapes"]:
                # The faster of PyTorch's layouts counts.
                times = [reference_us(row, dtype, last) for last in (False, True)]
                eager_us, graph_us = (min(column) for column in zip(*times))
                rate = row["flops"] / row["us"] / 1e6
                row |= {"variant": result["variant"], "precision": precision}
                found.append(row | {"pytorch_eager_us": eager_us, "pytorch_graph_us": graph_us})
                maps = f"{row['channels']}x{row['height']}x{row['width']}"
                print(
                    f"{row['variant']:10} {row['name']:24} {maps:16} {row['us']:9.1f} {graph_us:9.1f} {eager_us:9.1f} "
                    f"{graph_us / row['us']:6.2f}x {rate:8.1f} {100 * rate / ceiling:9.1f}%"
                )
    return found


def driver_version() -> str:
    asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    return subprocess.run(asked, capture_output=True, text=True).stdout.split("\n")[0].strip()


def write(record: dict, arguments: argparse.Namespace) -> None:
    """Writes the requested files with the measurements so far."""
    if arguments.json:
        arguments.json.write_text(json.dumps(record, indent=1) + "\n")
    if arguments.markdown and record["results"]:
        arguments.markdown.write_text(markdown(record))


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--style", type=Path, required=True)
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--photo", type=Path, default=Path(__file__).parent.parent / "assets/sample.jpg")
    parser.add_argument("--size", action="append", help="WxH; all five when none is given")
    parser.add_argument("--variant", action="append", choices=VARIANTS, help="ours; all when none is given")
    parser.add_argument("--precision", action="append", choices=PRECISIONS, help="ours; all when none is given")
    parser.add_argument("--compile-sizes", help="sizes at which torch.compile runs too, with commas between them, or "
                        "none; it takes up to a minute each [default: all]")
    parser.add_argument("--frames", type=int, default=30, help="measured frames of a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--operations", action="store_true", help="times the reference shapes instead of the network")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    recorded_ratios.add_arguments(parser)
    arguments = parser.parse_args()
    sizes = arguments.size or SIZES
    compile_sizes = sizes if arguments.compile_sizes is None else arguments.compile_sizes.split(",")
    record = {
        "device": torch.cuda.get_device_name(),
        "driver": driver_version(),
        "torch": torch.__version__,
        "cudnn": torch.backends.cudnn.version(),
        "date": datetime.date.today().isoformat(),
        "frames": arguments.frames,
        "rounds": arguments.rounds,
        "results": [],
        "claims": [],
        "operations": [],
    }
    print(f"{record['device']}, driver {record['driver']}, PyTorch {record['torch']}, cuDNN {record['cudnn']}")
    sweep_caches()
    for size in sizes:
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            ours = StyleForge(arguments, Path(folder))
            if arguments.operations:
                record["operations"] += [{"size": size} | row for row in operations(ours, size)]
                continue
            rows = measure(ours, size, size in compile_sizes, arguments)
        reference = next(row for row in rows if row.name == "PyTorch eager fp32")
        for row in rows:
            db = psnr(row.picture, reference.picture)
            eager = row.eager_ms()
            beside = "" if eager is None else f"  without graph {eager:8.3f} ms"
            print(f"{size:10} {row.name:40} {row.ms():8.3f} ms  {db_text(db):>9}{beside}")
            record["results"].append({
                "size": size, "name": row.name, "label": row.label, "median_ms": row.ms(), "eager_ms": eager,
                "psnr_db": db, "rounds_ms": row.times_ms,
            })  # fmt: skip
        found = claims(size, rows)
        record["claims"] += found
        for c in found:
            text = "not comparable" if c["ratio"] is None else f"{c['ratio']:.2f}x as fast"
            print(f"{size:10} {c['claim']}: {text} ({db_text(c['psnr_db'])})")
        print(f"{size:10} took {time.monotonic() - started:.0f} s", flush=True)
        # Written after each size, so that an interrupted run keeps the sizes before.
        write(record, arguments)
    write(record, arguments)
    found = {f"{c['size']} {c['claim']}": c["ratio"] for c in record["claims"]}
    recorded_ratios.check(record["device"], found, arguments)


if __name__ == "__main__":
    main()
