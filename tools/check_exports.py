"""Checks that exported ONNX files paint what the program paints.

    cargo build --release
    python tools/check_exports.py                 # ONNX's checker and ONNX Runtime on the CPU
    python tools/check_exports.py --tensorrt      # also TensorRT's parser and builder; needs no GPU

Every built-in style in both sizes, networks of the ONNX corpus and a style picture are exported in fp32 and fp16, and
ONNX Runtime paints pictures of several sizes with them, alone and in a batch. A level may differ from `stylize` (fp32) by
one in fp32; for fp16 the largest difference and the share of other levels are printed, and at most --fp16-levels are
allowed. --tensorrt needs `pip install tensorrt-rtx==1.7.1.116`, which builds engines for an NVIDIA GPU of compute
capability 8.6 on any computer.

Needs onnx, onnxruntime, numpy and pillow of tools/requirements.txt.
"""

import argparse
import io
import itertools
import json
import lzma
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
STYLES = ["candy", "mosaic", "udnie", "rain_princess", "starry_night", "great_wave"]
# Columns and rows: odd ones, multiples of 4 and 16, and small ones, which the file extends by several reflections. Not 3 x 2
# and the like: extended, they repeat with a period of two pixels, and a norm then divides rounding errors by each other
# (the program's own variants differ by 60 levels).
SIZES = [(96, 64), (67, 41), (131, 97), (24, 17), (5, 3), (2, 40), (1, 1)]

# Networks of the corpus that have no export: at every size, or in ONNX's positions of pixels.
REFUSED = ["pad_kinds", "resize_axes"]
# TensorRT normalises no map of one pixel.
MIN_ENGINE_SIDE = 16


def program(arguments):
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, arguments))}\n{done.stdout}{done.stderr}")
    return done.stdout


def photo(width, height):
    """A part of the sample photo."""
    with Image.open(ROOT / "assets/sample.jpg") as sample:
        left, top = (sample.width - width) // 2, (sample.height - height) // 2
        return np.asarray(sample.convert("RGB").crop((left, top, left + width, top + height)))


def fixed(size):
    return ["--size", "{}x{}".format(*size)]


def session(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def run(network, batch):
    """Paintings of pictures (uint8, batch x height x width x 3) by an export with either kind of tensors."""
    if network.get_inputs()[0].type == "tensor(float)":
        batch = batch.transpose(0, 3, 1, 2).astype(np.float32)
        (made,) = network.run(["PAINTING"], {"IMAGE": batch})
        return np.rint(made).astype(np.uint8).transpose(0, 2, 3, 1)
    return network.run(["PAINTING"], {"IMAGE": batch})[0]


def size_of(network):
    """Columns and rows of the pictures of an export, or None if they may have any."""
    image = network.get_inputs()[0]
    height, width = image.shape[2:] if image.type == "tensor(float)" else image.shape[1:3]
    return (width, height) if isinstance(width, int) else None


class Check:
    def __init__(self, options, folder):
        self.options, self.folder, self.failures = options, folder, 0

    def report(self, name, ok, text):
        self.failures += not ok
        print(f"{'ok  ' if ok else 'FAIL'} {name}: {text}", flush=True)

    def stylize(self, style, pixels, name):
        source, made = self.folder / "photo.png", self.folder / "painted.png"
        Image.fromarray(pixels).save(source)
        command = [self.options.binary, "stylize", source, *style, "--margin", "0", "-o", made, "--force", "--quiet"]
        program([*command, "--device", "cpu", "--precision", "fp32", "--working-size", "original"])
        with Image.open(made) as painted:
            return np.asarray(painted.convert("RGB"))

    def style(self, name, exported, painted, sizes, ways):
        """Compares exports (`exported` are the arguments) with the program's paintings (`painted`)."""
        wanted = {}
        for way in ways:
            path = self.folder / "exported.onnx"
            program([self.options.binary, "export", *exported, *way, "-o", path, "--force"])
            label = " ".join([name, *way])
            onnx.checker.check_model(str(path), full_check=True)
            network = session(path)
            most, other, count = 0, 0, 0
            own_size = size_of(network)
            for size in sizes if own_size is None else [own_size]:
                picture = photo(*size)
                if size not in wanted:
                    wanted[size] = self.stylize(painted, picture, name)
                reference = wanted[size]
                for batch in [picture[None], np.stack([picture[:, ::-1], picture])]:
                    made = run(network, batch)[-1]
                    difference = np.abs(made.astype(int) - reference)
                    most = max(most, int(difference.max()))
                    other, count = other + int((difference > 0).sum()), count + difference.size
            allowed = self.options.fp16_levels if "fp16" in way else 1
            share = f"{100 * other / count:.3f} % of the levels differ, by at most {most}"
            self.report(label, most <= allowed, share)
            if self.options.tensorrt:
                if own_size is None or min(own_size) >= MIN_ENGINE_SIDE:
                    self.report(f"{label}, TensorRT", *engine(path, own_size, "float" in way))


def engine(path, size, has_float_pixels):
    """Whether TensorRT builds an engine, and its size or the reason."""
    import tensorrt_rtx as trt

    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse_from_file(str(path)):
        return False, "; ".join(str(parser.get_error(i)) for i in range(parser.num_errors))
    config = builder.create_builder_config()
    config.num_compute_capabilities = 1
    config.set_compute_capability(trt.ComputeCapability.SM86, 0)
    profile = builder.create_optimization_profile()
    sizes = [(96, 64), (320, 240), (640, 480)] if size is None else 3 * [size]

    def sides(batch, width, height):
        return (batch, 3, height, width) if has_float_pixels else (batch, height, width, 3)

    shapes = [sides(batch, *size) for batch, size in zip([1, 1, 2], sizes)]
    profile.set_shape("IMAGE", *shapes)
    config.add_optimization_profile(profile)
    plan = builder.build_serialized_network(network, config)
    return plan is not None, "refused" if plan is None else f"an engine of {plan.nbytes} bytes"


def corpus():
    """The networks of tests/onnx that the program reads: name, bytes, the options that say what
    their values mean, and sizes of pictures."""
    packed = ROOT / "tests/onnx/networks/networks.tar.xz"
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(packed.read_bytes()))) as archive:
        files = {member.name: archive.extractfile(member).read() for member in archive}
    for network in json.loads(files["index.json"])["networks"]:
        if network["outcome"] != "run" or network["name"] in REFUSED:
            continue
        meaning = ["--input-range", network["input_range"], "--output-range", network["output_range"]]
        sizes = [(r["width"], r["height"]) for r in network["references"]]
        yield network["name"], files[f"{network['name']}.onnx"], [*meaning, "--channel-order", network["order"]], sizes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", type=Path, default=ROOT / "target/release/styleforge")
    parser.add_argument("--tensorrt", action="store_true", help="also build engines")
    parser.add_argument("--fp16-levels", type=int, default=1, help="levels that fp16 may differ by")
    parser.add_argument("--only", help="only names that contain this text")
    options = parser.parse_args()
    precisions = [["--precision", precision] for precision in ("fp32", "fp16")]
    with tempfile.TemporaryDirectory() as folder:
        check = Check(options, Path(folder))
        is_wanted = lambda name: options.only is None or options.only in name
        for style, model in itertools.product(STYLES, ["full", "lite"]):
            if is_wanted(f"{style} {model}"):
                chosen = ["--model", model]
                painted = ["--style", style, *chosen]
                check.style(f"{style} {model}", [style, *chosen], painted, SIZES, precisions)
        if is_wanted("style picture"):
            picture = ["--style-picture", ROOT / "assets/any.webp"]
            check.style("style picture", picture, picture, SIZES, precisions)
            for size in [(67, 41), (3, 3)]:
                check.style("style picture", picture, picture, [size], [fixed(size)])
        candy = [["candy"], ["--style", "candy"]]
        if is_wanted("candy float"):
            ways = [["--tensors", "float"], ["--tensors", "float", "--precision", "fp16"]]
            check.style("candy float", *candy, SIZES, ways)
        if is_wanted("candy of one size"):
            for size in [(67, 41), (3, 3), (1, 9)]:
                check.style("candy of one size", *candy, [size], [fixed(size)])
        for name, data, meaning, sizes in corpus():
            if is_wanted(name):
                path = check.folder / "network.onnx"
                path.write_bytes(data)
                check.style(name, [path, *meaning], ["--style", path, *meaning], sizes, precisions[:1])
    sys.exit(check.failures > 0)


if __name__ == "__main__":
    main()
