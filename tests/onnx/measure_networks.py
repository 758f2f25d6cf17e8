"""Measures StyleForge on the corpus of ONNX networks, and compares it with ONNX Runtime on the CPU.

    cargo build --release
    python tests/onnx/measure_networks.py --device cpu --threads 2 > cpu.json
    python tests/onnx/measure_networks.py --device cuda > cuda.json
    python tests/onnx/measure_networks.py --table cpu.json cuda.json > tests/onnx/NETWORKS.md

Each network is imported as a style, checked against the program's float64 reference (`check --style`) and timed
(`bench`). On the CPU it also paints a photo, which is compared with ONNX Runtime's result, and both are timed in turn:
the time is the median over rounds of each round's median. Networks of a fixed size run at that size, all others at
--size. Needs numpy, pillow and, on the CPU, onnxruntime (tools/requirements.txt).
"""

import argparse
import json
import lzma
import os
import platform
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
IMAGENET_MEAN, IMAGENET_DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
CAFFE_MEAN = np.array([123.68, 116.779, 103.939])


class Program:
    """The program, with its own folder of styles."""

    def __init__(self, binary, folder):
        self.binary = binary
        self.environment = {**os.environ, "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}

    def run(self, *arguments, accepted=(0,)):
        """Returns standard output; raises with the last message if the exit code is not one of those accepted."""
        done = subprocess.run([self.binary, *arguments], env=self.environment, capture_output=True, text=True)
        if done.returncode not in accepted or not done.stdout and "--json" in arguments:
            raise RuntimeError((done.stderr or done.stdout).strip().splitlines()[-1])
        return done.stdout

    def import_style(self, network, path):
        said = []
        for side in ("input", "output"):
            if network[f"{side}_known"] == "nothing":
                said.append(f"--{side}-range={network[f'{side}_range']}")
        if network["order"] == "bgr" and network["input_known"] == "nothing":
            said.append("--channel-order=bgr")
        self.run("styles", "import", str(path), "--name", network["name"], *said)


def photo_of(width, height):
    return Image.open(ROOT / "assets/sample.jpg").convert("RGB").resize((width, height), Image.LANCZOS)


def read_values(network, levels):
    """Converts levels (height, width, 3), RGB, to the network's input range, channel order and layout."""
    spread = {"0..255": levels, "0..1": levels / 255, "-1..1": levels / 127.5 - 1,
              "imagenet": (levels / 255 - IMAGENET_MEAN) / IMAGENET_DEVIATION, "caffe": levels - CAFFE_MEAN}
    values = spread[network["input_range"]]
    values = values[:, :, ::-1] if network["order"] == "bgr" else values
    return values if network["layout"] == "nhwc" else values.transpose(2, 0, 1)


def made_levels(network, values):
    """Converts the network's output to levels (height, width, 3), RGB."""
    values = values if network["layout"] == "nhwc" else values.transpose(1, 2, 0)
    values = values[:, :, ::-1] if network["order"] == "bgr" else values
    return {"0..255": values, "0..1": values * 255, "-1..1": (values + 1) * 127.5}[network["output_range"]]


class OnnxRuntime:
    def __init__(self, network, path, photo, threads):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        (given,) = self.session.get_inputs()
        levels, times = np.asarray(photo, np.float64), network["scale"]
        height, width, _ = levels.shape
        levels = levels.reshape(height // times, times, width // times, times, 3).mean(axis=(1, 3))
        values = read_values(network, levels).astype(DTYPES[given.type])
        self.given = {given.name: np.ascontiguousarray(values[None] if len(given.shape) == 4 else values)}
        self.network = network

    def levels(self):
        made = np.asarray(self.session.run(None, self.given)[0], np.float64)
        return made_levels(self.network, made.reshape(made.shape[-3:]))

    def median_ms(self, count):
        times = []
        for turn in range(count + 2):
            start = time.perf_counter()
            self.session.run(None, self.given)
            times.append((time.perf_counter() - start) * 1000)
        return statistics.median(times[2:])


def psnr_db(a, b):
    mean = float(np.mean((np.asarray(a, np.float64) - np.asarray(b, np.float64)) ** 2))
    return None if mean == 0 else round(float(10 * np.log10(255**2 / mean)), 1)


def worst(checks):
    """Whether all passed, and the lowest PSNR to the reference in decibels (None: equal)."""
    decibels = [check["psnr_db"] for check in checks if check["psnr_db"] is not None]
    return all(check["passed"] for check in checks), round(min(decibels), 1) if decibels else None


def measured(program, network, path, options, folder):
    row = {key: network[key] for key in ("name", "covers", "opset", "exporter")}
    fixed = network["sizes"] if isinstance(network["sizes"], list) else None
    height, width = (network["scale"] * side for side in fixed) if fixed else options.size
    row["size"] = f"{width}x{height}"
    try:
        program.import_style(network, path)
    except RuntimeError as error:
        # The folder is removed, because it differs between runs.
        return {**row, "refused": str(error).replace(f"error: {path}: ", "")}
    where = ["--device", options.device] + (["--threads", str(options.threads)] if options.device == "cpu" else [])
    precisions = ["fp32"] if options.device == "cpu" else ["fp32", "fp16"]
    try:
        modes = [word for precision in precisions for word in ("--precision", precision)]
        checks = json.loads(program.run("check", "--style", network["name"], "--json", *where, *modes,
                                        accepted=(0, 1)))["checks"]
        for precision in precisions:
            row[f"check_{precision}"] = worst([c for c in checks if c["precision"] == precision])
    except (RuntimeError, json.JSONDecodeError) as error:
        return {**row, "not_checked": str(error)}

    def times_ms():
        report = program.run("bench", "--style", network["name"], "--size", row["size"], "--variant", "fused", *modes, *where,
                             "--frames", str(options.frames), "--warmup", "2", "--json")
        return {r["precision"]: r["median_ms"] for r in json.loads(report)["results"]}

    if options.device == "cuda":
        return {**row, "ms": times_ms()}
    photo = photo_of(width, height)
    other = OnnxRuntime(network, path, photo, options.threads)
    photo.save(folder / "photo.png")
    program.run("stylize", str(folder / "photo.png"), "--style", network["name"], "--working-size", "original", "--force",
                "--precision", "fp32", *where, "-o", str(folder / "painted.png"))
    painted = np.asarray(Image.open(folder / "painted.png").convert("RGB"))
    expected = np.clip(np.floor(other.levels() + 0.5), 0, 255)
    # A network that pads its input returns a larger image at unsuitable sizes; ours is cropped.
    row["psnr_db"] = psnr_db(painted, expected[:height, :width])
    rounds = [(times_ms()["fp32"], other.median_ms(options.frames)) for _ in range(options.rounds)]
    row["ms"] = {"fp32": round(statistics.median(own for own, _ in rounds), 3)}
    row["onnxruntime_ms"] = round(statistics.median(ms for _, ms in rounds), 3)
    return row


def files_of_corpus(folder):
    archive = lzma.decompress((ROOT / "tests/onnx/networks/networks.tar.xz").read_bytes())
    (folder / "corpus.tar").write_bytes(archive)
    with tarfile.open(folder / "corpus.tar") as files:
        files.extractall(folder, filter="data")
    return json.loads((folder / "index.json").read_text())["networks"]


def decibels(value):
    return "equal" if value is None else f"{value:.0f} dB"


def table(cpu, cuda):
    """A Markdown table with a row for each network."""
    on_gpu = {row["name"]: row for row in cuda["networks"]}
    lines = [
        "# Measurements of the ONNX corpus",
        "",
        "Written by `measure_networks.py`; its header lists the commands. The networks are small, with a few channels, and together they",
        "contain every operation, so most of their time is spent outside the convolutions. BENCHMARKS.md has ratios of networks of usual",
        "size. On the CPU: `fused` fp32 and ONNX Runtime in turn, with the same number of threads; \"PSNR\" compares the painted levels",
        "with ONNX Runtime's. On the GPU: `fused`, device events, after a warm-up. The last column is the lowest PSNR to the float64",
        "reference, of fp32 and fp16.",
        "",
        f"| network | opset | size | {cpu['machine']}, ms | ONNX Runtime, ms | ratio | PSNR | {cuda['machine']}: fp32, fp16, ms | to the reference |",
        "| --- | ---: | --- | ---: | ---: | ---: | --- | --- | --- |",
    ]
    ratios = []
    for row in cpu["networks"]:
        start = f"| {row['name']}: {row['covers']} | {row['opset']} | {row['size']} |"
        gpu = on_gpu.get(row["name"], {})
        if "ms" not in row:
            lines.append(f"{start} {row.get('refused') or row.get('not_checked')} | | | | | |")
            continue
        own, other = row["ms"]["fp32"], row["onnxruntime_ms"]
        ratios.append(other / own)
        if "ms" in gpu:
            right = [gpu[f"check_{p}"] for p in ("fp32", "fp16")]
            device = f"{gpu['ms']['fp32']:.3f}, {gpu['ms']['fp16']:.3f}"
            judged = ", ".join(("" if passed else "WRONG ") + decibels(least) for passed, least in right)
        else:
            device, judged = f"CPU only: {gpu.get('not_checked', 'not measured')}", ""
        lines.append(f"{start} {own:.1f} | {other:.1f} | {other / own:.2f}x | {decibels(row['psnr_db'])} | {device} | {judged} |")
    lines.append("")
    count = f"{len(ratios)} networks measured of {len(cpu['networks'])}"
    lines.append(f"{count}; ratio: median {statistics.median(ratios):.2f}x, lowest {min(ratios):.2f}x.")
    return "\n".join(lines)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--binary", default=str(ROOT / "target/release/styleforge"))
    options.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    options.add_argument("--threads", type=int, default=os.cpu_count())
    options.add_argument("--size", default="480x480", help="HEIGHTxWIDTH")
    options.add_argument("--frames", type=int, default=5)
    options.add_argument("--rounds", type=int, default=2)
    options.add_argument("--machine", default=platform.machine(), help="its name in the table")
    options.add_argument("--only", nargs="*", help="names of networks")
    options.add_argument("--table", nargs=2, type=Path, metavar=("CPU", "CUDA"))
    options = options.parse_args()
    if options.table:
        print(table(*(json.loads(path.read_text()) for path in options.table)))
        return
    options.size = [int(side) for side in options.size.split("x")]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        program = Program(options.binary, folder / "home")
        for network in files_of_corpus(folder):
            if options.only and network["name"] not in options.only:
                continue
            rows.append(measured(program, network, folder / f"{network['name']}.onnx", options, folder))
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    print(json.dumps({"machine": options.machine, "threads": options.threads, "networks": rows}, indent=1))


if __name__ == "__main__":
    main()
