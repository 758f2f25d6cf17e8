"""Times StyleForge's CPU backend against ONNX Runtime on the same network.

    cargo build --release
    python tools/bench_onnxruntime.py --style styles/candy/full.safetensors --threads 2

Both paint the same picture with the same weights on the same number of threads. They take turns in one run (ours, ONNX
Runtime, ours, ...), so that a machine that slows down affects both. The reported time is the median over the rounds of
each round's median time for one picture. Ours is timed from RGBA bytes to RGBA bytes; ONNX Runtime reads and writes
floats, so only our time includes the conversion of pixels. A ratio is only printed next to the PSNR between the two
painted pictures, and only if that is high enough to count them as the same picture. Memory is the peak of a process, if
the system reports it (Linux). For ours it is the whole process while it times, with eight pictures. For ONNX Runtime it
is the increase from painting one picture over Python and its packages.

The exit code is 1 if a ratio fell by more than a tenth below the recorded one (recorded_ratios.py).

Without --style a network with random weights is timed (the time does not depend on their values). Needs the packages of
tools/requirements.txt.
"""

import argparse
import datetime
import itertools
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image
from safetensors.numpy import load_file, save_file

import recorded_ratios
from onnx_graph import StyleGraph

ROOT = Path(__file__).resolve().parents[1]

# Minimum PSNR in decibels at which two pictures count as the same: with int8 products, and otherwise.
SAME_PICTURE_DB = {"int8": 36.0}
SAME_PICTURE_DB_OTHERWISE = 50.0


def random_weights(widths, blocks):
    """Weights of the default network, with names as in pytorch/examples."""
    noise = np.random.default_rng(1)
    a, b, c = widths
    weights = {}

    def conv(key, outputs, inputs, kernel):
        spread = (inputs * kernel * kernel) ** -0.5
        shape = (outputs, inputs, kernel, kernel)
        weights[f"{key}.conv2d.weight"] = noise.normal(0, spread, shape).astype(np.float32)
        weights[f"{key}.conv2d.bias"] = noise.normal(0, 0.1, outputs).astype(np.float32)

    def norm(key, channels):
        weights[f"{key}.weight"] = noise.uniform(0.5, 1.5, channels).astype(np.float32)
        weights[f"{key}.bias"] = noise.normal(0, 0.2, channels).astype(np.float32)

    layers = [("conv1", "in1", a, 3, 9), ("conv2", "in2", b, a, 3), ("conv3", "in3", c, b, 3)]
    for block in range(1, blocks + 1):
        layers += [(f"res{block}.conv{i}", f"res{block}.in{i}", c, c, 3) for i in (1, 2)]
    layers += [("deconv1", "in4", b, c, 3), ("deconv2", "in5", a, b, 3)]
    for key, norm_key, outputs, inputs, kernel in layers:
        conv(key, outputs, inputs, kernel)
        norm(norm_key, outputs)
    conv("deconv3", 3, a, 9)
    weights["deconv3.conv2d.weight"] *= 50
    weights["deconv3.conv2d.bias"] += 128
    return weights


def test_picture(width, height):
    """A smooth colourful picture with grain, RGB8."""
    noise = np.random.default_rng(2)
    y, x = np.mgrid[0:height, 0:width] / 200.0
    planes = [np.sin(x * (1 + k) + y * (2 - k) + k) for k in (0.3, 0.9, 1.7)]
    levels = 127.5 + 100 * np.stack(planes, axis=-1) + noise.normal(0, 12, (height, width, 3))
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


class OnnxRuntime:
    """The network in ONNX Runtime's CPU provider, at one fixed size."""

    def __init__(self, weights, width, height, threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        model = StyleGraph(weights).model(height, width).SerializeToString()
        self.session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )

    def paint(self, picture):
        planes = np.ascontiguousarray(picture.transpose(2, 0, 1)[None], dtype=np.float32)
        result = self.session.run(None, {"input": planes})[0][0]
        height, width = picture.shape[:2]
        result = result[:, :height, :width].transpose(1, 2, 0)
        return np.clip(np.rint(result), 0, 255).astype(np.uint8)

    def times_ms(self, picture, frames):
        planes = np.ascontiguousarray(picture.transpose(2, 0, 1)[None], dtype=np.float32)
        self.session.run(None, {"input": planes})
        times = []
        for _ in range(frames):
            start = time.perf_counter()
            self.session.run(None, {"input": planes})
            times.append((time.perf_counter() - start) * 1e3)
        return times


def peak_bytes():
    """Peak memory of this process, if the system reports it (ru_maxrss would start with the parent's value)."""
    status = Path("/proc/self/status")
    return 1024 * int(status.read_text().split("VmHWM:")[1].split()[0]) if status.exists() else None


def peak_growth(weights, picture, threads):
    """Bytes by which one picture in ONNX Runtime raises the peak of this new process."""
    before = peak_bytes()
    OnnxRuntime(weights, picture.shape[1], picture.shape[0], threads).paint(picture)
    return None if before is None else peak_bytes() - before


class Ours:
    """The release binary, called like by a user."""

    def __init__(self, binary, style, variant, precision, threads):
        self.binary, self.precision = binary, precision
        self.common = ["--device", "cpu", "--variant", variant, "--precision", precision,
                       "--threads", str(threads), "--style", str(style)]

    def call(self, *arguments):
        command = [str(self.binary), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stderr}")
        return done.stdout

    def version(self):
        return self.call("--version").strip()

    def paint(self, picture, folder):
        height, width = picture.shape[:2]
        source, painted = folder / "source.png", folder / "painted.png"
        Image.fromarray(picture).save(source)
        self.call("stylize", source, *self.common, "--margin=0", "--working-size", max(width, height),
                  "--output-size", "working", "--force", "-o", painted)
        return np.asarray(Image.open(painted).convert("RGB"))

    def measure(self, width, height, frames):
        """Median milliseconds of a picture, and the process's peak in bytes."""
        report = self.call("bench", *self.common, "--size", f"{width}x{height}",
                           "--frames", frames, "--json")
        result = json.loads(report)["results"][0]
        return result["median_ms"], result["process_peak_bytes"]


def decibels(a, b):
    error = np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def megabytes(count):
    return None if count is None else count / 1e6


def compare(width, height, threads, weights, all_ours, args, folder):
    """One row for each of our modes: all sides in turn at one size."""
    picture = test_picture(width, height)
    theirs = OnnxRuntime(weights, width, height, threads)
    our_rounds, their_rounds = [[] for _ in all_ours], []
    for _ in range(args.rounds):
        for ours, rounds in zip(all_ours, our_rounds):
            rounds.append(ours.measure(width, height, args.frames))
        their_rounds.append(statistics.median(theirs.times_ms(picture, args.frames)))
    with multiprocessing.get_context("spawn").Pool(1) as fresh:
        their_bytes = fresh.apply(peak_growth, (weights, picture, threads))
    common = {
        "size": f"{width}x{height}",
        "threads": threads,
        "onnxruntime_median_ms": statistics.median(their_rounds),
        "onnxruntime_rounds_ms": their_rounds,
        "onnxruntime_peak_mb": megabytes(their_bytes),
    }
    rows = []
    for ours, rounds in zip(all_ours, our_rounds):
        times, peaks = zip(*rounds)
        painted, median = ours.paint(picture, folder), statistics.median(times)
        psnr_db = decibels(painted, theirs.paint(picture))
        is_same = psnr_db >= SAME_PICTURE_DB.get(ours.precision, SAME_PICTURE_DB_OTHERWISE)
        rows.append(common | {
            "precision": ours.precision,
            "ours_median_ms": median,
            "ours_rounds_ms": times,
            "ours_peak_mb": megabytes(max(peaks, key=lambda peak: peak or 0)),
            "ratio": common["onnxruntime_median_ms"] / median if is_same else None,
            "psnr_db": psnr_db,
        })
    return rows or [common]


#: By the CPU's flags, the widest first, because CPUs of the same name have different flags.
INSTRUCTION_SETS = {"avx512_vnni": "AVX-512 with VNNI", "avx512f": "AVX-512", "avx2": "AVX2"}


def machine():
    model, flags = platform.processor() or platform.machine(), []
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                model = value.strip()
            if key.strip() == "flags":
                flags = value.split()
                break
    except OSError:
        pass
    widest = next((name for flag, name in INSTRUCTION_SETS.items() if flag in flags), "no AVX2")
    return {"cpu": f"{model} {widest}", "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 2)}


def table(report):
    lines = [
        f"{report['cpu']}, {report['cores']} cores, {report['date']}, "
        f"ONNX Runtime {report['onnxruntime']}, {report['ours'] or 'ours not run'}, "
        f"{report['rounds']} rounds of {report['frames']} frames, "
        f"load before the run {report['load']}", "",
        "| network | size | threads | precision | ours, median ms | ONNX Runtime, median ms | ratio | PSNR, dB | "
        "ours, peak MB | ONNX Runtime, peak MB |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    cell = lambda row, key, digits: "" if row.get(key) is None else f"{row[key]:.{digits}f}"
    for row in report["results"]:
        lines.append(
            f"| {row['network']} | {row['size']} | {row['threads']} | {row.get('precision', '')} | "
            f"{cell(row, 'ours_median_ms', 1)} | {cell(row, 'onnxruntime_median_ms', 1)} | "
            f"{ratio(row)} | {cell(row, 'psnr_db', 1)} | "
            f"{cell(row, 'ours_peak_mb', 0)} | {cell(row, 'onnxruntime_peak_mb', 0)} |"
        )
    return "\n".join(lines)


def ratio(row):
    if "ratio" not in row:
        return ""
    return "another picture" if row["ratio"] is None else f"{row['ratio']:.2f}x"


def size(text):
    width, height = text.lower().split("x")
    return int(width), int(height)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--style", type=Path, nargs="+", help="safetensors files, pytorch/examples names")
    parser.add_argument("--widths", default="32-64-128", help="of the random network")
    parser.add_argument("--blocks", type=int, default=5, help="of the random network")
    parser.add_argument("--sizes", type=size, nargs="+", default=[(512, 512), (1280, 720)])
    parser.add_argument("--threads", type=int, nargs="+", default=[os.cpu_count()])
    parser.add_argument("--variant", default="fused", help="of ours")
    parser.add_argument("--precision", nargs="+", default=["fp32"], help="of ours, for example fp32 int8")
    parser.add_argument("--frames", type=int, default=10, help="per round and side")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--binary", type=Path, default=ROOT / "target/release/styleforge")
    parser.add_argument("--onnxruntime-only", action="store_true", help="do not run ours")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    recorded_ratios.add_arguments(parser)
    return parser.parse_args()


def main():
    args = arguments()
    if not args.onnxruntime_only and not args.binary.exists():
        sys.exit(f"{args.binary} is missing: run `cargo build --release` first")
    report = machine() | {
        "date": datetime.date.today().isoformat(), "onnxruntime": onnxruntime.__version__, "ours": None,
        "frames": args.frames, "rounds": args.rounds, "results": [],
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        styles = args.style or [folder / f"random {args.widths}, {args.blocks} blocks.safetensors"]
        if not args.style:
            save_file(random_weights(map(int, args.widths.split("-")), args.blocks), styles[0])
        for style, threads in itertools.product(styles, args.threads):
            weights = load_file(style)
            precisions = [] if args.onnxruntime_only else args.precision
            ours = [Ours(args.binary, style, args.variant, x, threads) for x in precisions]
            if ours:
                report["ours"] = f"{ours[0].version()} {args.variant}"
            for width, height in args.sizes:
                rows = compare(width, height, threads, weights, ours, args, folder)
                report["results"] += [{"network": style.stem} | row for row in rows]
    print(json.dumps(report, indent=1) if args.json else table(report))
    ratios = {
        f"{x['network']} {args.variant} {x['precision']}, {x['size']}, {x['threads']} threads": x["ratio"]
        for x in report["results"] if "ratio" in x
    }
    recorded_ratios.check(f"{report['cpu']}, {report['cores']} cores", ratios, args)


if __name__ == "__main__":
    main()
