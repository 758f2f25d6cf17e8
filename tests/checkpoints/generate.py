"""Makes the corpus of checkpoints that the readers are tested with.

    python tests/checkpoints/generate.py

needs the packages of tools/requirements.txt and rewrites good.tar.xz, foreign.tar.xz and hostile.tar.xz next to it, and
expected.tar.xz, which contains expected.safetensors and index.json.

index.json has one entry per file:

    file      path inside this folder
    kind      good (a style network), foreign (some other network),
              hostile (broken or malicious)
    outcome   run: opens, with the weights and the result given below
              refuse: an error, without a panic, in bounded memory and time
              run_or_refuse: opens and returns exactly that result, or an error
    family    who wrote it: pytorch/examples, StyleForge, yakhyo, rrmina,
              jcjohnson, ours, ONNX, unknown
    names     texts that the error must contain (case-insensitive)
    weights   which weights it contains: "canonical", or absent
    output    which tensor of expected.safetensors it paints from `input`,
              after a clamp to 0..255; at least 50 dB is required
    dtype     the type of the weights in the file
    note      what is special about it

    python tests/checkpoints/generate.py --full-size FOLDER --program target/release/styleforge

writes, into another folder, files of a network of published size (32-64-128, five blocks: our trained Candy) as they
would be published: .pth of both kinds and ONNX exports. It paints a photo with each through the program and prints the
difference from PyTorch's own painting. These files are too large to be kept here.

expected.safetensors contains the canonical weights under pytorch/examples names, `input`, and the results. All
canonical weights are exact in fp16 and in bf16, so every file with them must return exactly these values.
"""

import argparse
import io
import json
import lzma
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
import torch

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "golden"), str(HERE.parent / "onnx"), str(HERE.parents[1] / "tools")]

import onnx_files  # noqa: E402
import torch_files  # noqa: E402
from archive import packed as archived  # noqa: E402
from generate_published import Rrmina, paint  # noqa: E402
from hostile_files import hostile  # noqa: E402
from network import (  # noqa: E402
    ResidualBlock,
    TransformerNet,
    exact_copy,
    random_network,
    random_picture,
    safetensors_bytes,
)

HEIGHT, WIDTH = 22, 29


def representable(net):
    """Rounds the weights to values that both fp16 and bf16 represent exactly."""
    with torch.no_grad():
        for value in net.parameters():
            value.copy_(value.bfloat16().half().float())
            assert torch.equal(value, value.bfloat16().float())
    return net


def painted(net, picture):
    """PyTorch's result in float64, cropped to the picture's size."""
    with torch.no_grad():
        return exact_copy(net)(picture.double())[:, :, :HEIGHT, :WIDTH].float()


def painted_doubling(net, picture):
    """The result if every residual block adds its input twice."""
    plain = ResidualBlock.forward
    ResidualBlock.forward = lambda self, x: plain(self, x) + x
    try:
        return painted(net, picture)
    finally:
        ResidualBlock.forward = plain


def decibels(result, wanted):
    """PSNR in levels after the clamp."""
    difference = np.clip(result, 0, 255) - np.clip(wanted, 0, 255)
    error = float(np.mean(difference.astype(np.float64) ** 2))
    return 200.0 if error == 0 else min(200.0, 10 * np.log10(255**2 / error))


def run_onnx(model, picture):
    """ONNX Runtime's result at the picture's size, regardless of the size in the file."""
    model = type(model).FromString(model.SerializeToString())
    del model.graph.value_info[:]
    for value, names in ((model.graph.input[0], "hw"), (model.graph.output[0], "HW")):
        for axis, name in enumerate(names, 2):
            value.type.tensor_type.shape.dim[axis].dim_param = name
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    given = session.get_inputs()[0]
    dtype = np.float16 if given.type == "tensor(float16)" else np.float32
    result = session.run(None, {given.name: picture.numpy().astype(dtype)})[0]
    return result.astype(np.float32)[:, :, :HEIGHT, :WIDTH]


def full_size(folder, program):
    """Writes files of a network of published size and paints with each through the program."""
    from PIL import Image
    from safetensors.torch import load_file

    folder.mkdir(parents=True, exist_ok=True)
    root = HERE.parents[1]
    state = load_file(root / "styles" / "candy" / "full.safetensors")
    net = TransformerNet()
    net.load_state_dict({key: value.float() for key, value in state.items()})
    net.eval()
    # Neither square nor a multiple of four.
    photo = Image.open(root / "assets" / "sample.jpg").convert("RGB").resize((531, 338))
    photo.save(folder / "photo.png")
    picture = torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None].float()
    with torch.no_grad():
        wanted = net(picture)[:, :, : photo.height, : photo.width].numpy()

    modules = {f"module.{key}": value for key, value in net.state_dict().items()}
    files = {
        "legacy.pth": torch_files.saved(
            torch_files.stale_statistics(net.state_dict()), _use_new_zipfile_serialization=False),
        "zip.pth": torch_files.saved(net.state_dict()),
        "zip_wrapped_module.pth": torch_files.saved({"state_dict": modules}),
        "zip_fp16.pth": torch_files.saved({k: v.half() for k, v in net.state_dict().items()}),
    }
    for name, model in (
        ("opset11_unfolded.onnx", onnx_files.exported(net, picture, 11, folded=False)),
        ("opset13_dynamic.onnx", onnx_files.exported(net, picture, 13, dynamic=True)),
        ("opset17.onnx", onnx_files.exported(net, picture, 17)),
        ("dynamo_opset18.onnx", onnx_files.exported_dynamo(net, picture, 18)),
    ):
        files[name] = model.SerializeToString()
    for name, data in files.items():
        (folder / name).write_bytes(data)
        painting = folder / f"{name}.png"
        subprocess.run(
            [program, "stylize", folder / "photo.png", "--style", folder / name, "--device", "cpu",
             "--working-size", "original", "--force", "-o", painting],
            check=True, stdout=subprocess.DEVNULL)
        result = np.array(Image.open(painting).convert("RGB")).astype(np.float32)
        agreement = decibels(result.transpose(2, 0, 1)[None], wanted)
        print(f"{name:24} {len(data):9} bytes {agreement:5.1f} dB beside torch {torch.__version__}")
        # Rounding to levels alone limits the agreement to 58.9 dB.
        assert agreement > 50, name


def main():
    torch.set_num_threads(1)
    index, total = [], 0
    # These are many small, almost identical files: one archive takes a fraction of their size.
    packed = {kind: io.BytesIO() for kind in ("good", "foreign", "hostile")}
    archives = {kind: tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT)
                for kind, file in packed.items()}

    def add(kind, name, data, **entry):
        member = tarfile.TarInfo(name)
        member.size = len(data)
        archives[kind].addfile(member, io.BytesIO(data))
        index.append({"file": f"{kind}/{name}", "kind": kind} | entry)

    picture = random_picture(21, HEIGHT, WIDTH)
    net = representable(random_network(21, (2, 4, 5), 2, picture))
    state = net.state_dict()
    arrays = {key: value.numpy() for key, value in state.items()}
    tiny = representable(random_network(22, (1, 2, 3), 1, picture, first=3, last=3))
    tiny_arrays = {key: value.numpy() for key, value in tiny.state_dict().items()}

    expected = dict(state)
    expected["input"] = picture
    expected["output"] = painted(net, picture)
    expected["yakhyo.output"] = painted_doubling(net, picture)
    rrmina = Rrmina((1, 2, 3), 1, "plain", ends=3)
    rrmina.load_state_dict(torch_files.rrmina_names(tiny.state_dict()))
    expected["rrmina.output"] = paint(rrmina, picture).float()

    # Good: state dicts
    scratch = tempfile.TemporaryDirectory()
    same = {"outcome": "run", "weights": "canonical", "output": "output"}
    dtypes = {"zip_fp16.pth": "fp16", "zip_bf16.pth": "bf16", "zip_float64.pth": "fp64"}
    for name, data, family, note in torch_files.good(net):
        add("good", name, data, family=family, dtype=dtypes.get(name, "fp32"), note=note, **same)
    for name, data, note, assumed in torch_files.wrapped(arrays):
        said = {"assumed": assumed} if assumed else {}
        add("good", name, data, family="pytorch/examples", dtype="fp32", note=note, **said, **same)
    for label, dtype in (("fp32", torch.float32), ("fp16", torch.float16),
                         ("bf16", torch.bfloat16)):
        path = Path(scratch.name) / f"{label}.safetensors"
        write_safetensors(path, {k: v.to(dtype) for k, v in state.items()}, {
            "title": "Test pattern", "artist": "nobody", "year": "2026",
            "credit": "random weights", "licence": "CC0-1.0",
        })
        add("good", path.name, path.read_bytes(), family="ours", dtype=label,
            note="safetensors with metadata", **same)
    path = Path(scratch.name) / "no_metadata_module.safetensors"
    write_safetensors(path, {f"module.{k}": v for k, v in state.items()}, {})
    add("good", path.name, path.read_bytes(), family="pytorch/examples", dtype="fp32",
        note="empty metadata, `module.` prefix", **same)

    # Good: ONNX
    models = {}
    for name, (kind, note) in onnx_files.SAME_NETWORK.items():
        is_fixed = issubclass(kind, onnx_files.Opset9) and kind is not onnx_files.BrowserFree
        fixed = (24, 32) if is_fixed else ()
        models[name] = (kind(arrays).model(*fixed), note)
    for name, opset, folded, dynamic, note in (
        ("onnx_exported_opset11_unfolded", 11, False, False, "every pad computed from Shape"),
        ("onnx_exported_opset13_dynamic", 13, True, True, "dynamic axes; pads computed"),
        ("onnx_exported_opset17", 17, True, False, "fixed size; pads computed"),
    ):
        model = onnx_files.exported(net, picture, opset, folded, dynamic)
        models[name] = (model, f"torch.onnx.export, {note}")
    models["onnx_exported_dynamo_opset18"] = (
        onnx_files.exported_dynamo(net, picture, 18), "torch.onnx.export(dynamo=True)")
    # A file with its size in its nodes only runs at that size.
    baked = random_picture(23, *onnx_files.Browser.size)
    for name, (model, note) in models.items():
        kind = onnx_files.SAME_NETWORK.get(name, (object,))[0]
        given = baked if onnx_files.is_baked(kind) else picture
        agreement = decibels(run_onnx(model, given), painted(net, given).numpy())
        assert agreement > 50, (name, agreement)
        add("good", f"{name}.onnx", model.SerializeToString(), family="ONNX",
            dtype="fp16" if "fp16" in name else "fp32", note=note,
            onnxruntime_psnr_db=round(agreement, 1), **same)

    # Foreign
    for name, data, family, output, names, note in torch_files.foreign(net, tiny):
        entry = {"outcome": "run_or_refuse", "output": output} if output else {
            "outcome": "refuse"}
        add("foreign", name, data, family=family, names=names, note=note, **entry)
    for name, (kind, named) in onnx_files.LOOK_ALIKES.items():
        given = baked if onnx_files.is_baked(kind) else picture
        model = kind(tiny_arrays).model(*(kind.size if given is baked else ()))
        entry = {"outcome": "refuse", "names": [named] if named else []}
        if named is None:
            entry["outcome"], entry["output"] = "run_or_refuse", f"{name}.output"
        if kind is not onnx_files.CustomOperator:
            # These run in other programs, but paint differently from our network.
            result = run_onnx(model, given)
            assert decibels(result, painted(tiny, given).numpy()) < 45, name
            if named is None:
                expected[f"{name}.output"] = torch.from_numpy(result.copy())
        add("foreign", f"{name}.onnx", model.SerializeToString(), family="ONNX",
            note=(kind.__doc__ or name).split("\n\n")[0].replace("\n    ", " "), **entry)
    add("foreign", "two_sets_of_weights.pth", torch_files.ambiguous(arrays), family="pytorch/examples",
        outcome="refuse", names=["'net'", "'generator'"], note="two sets of weights that fit")
    add("foreign", "onnx_perceptron.onnx", onnx_files.perceptron().SerializeToString(),
        family="ONNX", outcome="refuse", names=["MatMul"],
        note="a graph that has nothing to do with pictures")

    # Hostile: written, never read back here.
    for name, data, names, note in hostile(tiny_arrays):
        add("hostile", name, data, outcome="refuse", names=names, note=note)
    for kind, archive in archives.items():
        archive.close()
        data = lzma.compress(packed[kind].getvalue(), preset=9)
        (HERE / f"{kind}.tar.xz").write_bytes(data)
        total += len(data)

    expectations = safetensors_bytes(expected, {
        "what": "canonical weights, `input`, and what the files of index.json paint from it",
        "output": f"before any clamp; native result cropped top left to {HEIGHT} x {WIDTH}; "
        "`output`, `yakhyo.output` and `rrmina.output` by PyTorch in float64, onnx_*.output by ONNX Runtime",
        "torch": torch.__version__, "onnxruntime": onnxruntime.__version__, "seeds": "21, 22",
    })
    assert len({entry["file"] for entry in index}) == len(index)
    text = json.dumps(index, indent=1) + "\n"
    (HERE / "expected.tar.xz").write_bytes(
        archived({"index.json": text.encode(), "expected.safetensors": expectations}))
    total += (HERE / "expected.tar.xz").stat().st_size
    kinds = [entry["kind"] for entry in index]
    print({kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}, f"{total} bytes in all")


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--full-size", type=Path, metavar="FOLDER")
    options.add_argument("--program", type=Path, default=HERE.parents[1] / "target/release/styleforge")
    options = options.parse_args()
    if options.full_size:
        full_size(options.full_size, options.program)
    else:
        main()
