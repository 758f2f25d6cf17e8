"""Makes the corpus of picture networks that the import of any ONNX network is tested with.

    python tests/onnx/generate.py [--without-torch]

needs the packages of tools/requirements.txt (the versions pinned there are those of networks.tar.xz) and rewrites
networks/networks.tar.xz, networks/exporters.tar.xz and networks/refused.tar.xz next to it; `--without-torch` rewrites
the last two only. The same versions produce the same bytes. All networks
are this project's own, with random weights; their architectures are common published ones, narrowed to 8 to 16
channels.

networks.tar.xz and exporters.tar.xz contain index.json, NAME.onnx for every entry of `networks`, and expected.safetensors:

    picture.HxW   U8  [H, W, 3]    the picture of that size, RGB, the same for all networks
    NAME.HxW      I16 [3, N]       ONNX Runtime's result (CPU, fp32) for picture.HxW: planes in the order red, green,
                                   blue, regardless of the file's order and layout; in quarters of a level, before
                                   any clamp; of the result's H' x W' pixels every third one, row by row: those whose
                                   row and column add up to a multiple of 3, which are at all places of blocks of
                                   2, 4 and 8 pixels

refused.tar.xz contains index.json and NAME.onnx for every entry of `refused`. index.json:

    versions      of the packages that wrote the files
    networks      one entry for each file:
      name, covers       what the network is and which operations it covers
      outcome            run: must run and agree; run_or_refuse: agrees, or is refused by name
      opset, ir_version, exporter ("torch legacy", "torch dynamo", "written"), bytes,
      operators          all op types, sorted
      layout             nchw or nhwc, of input and output
      order              rgb or bgr, of input and output
      input_dtype        f32, f16 or u8
      input_range        0..255, 0..1, -1..1, imagenet (0..1 minus its mean, divided by its deviation), caffe
                         (0..255 minus the mean levels)
      input_scale, input_shift   for red, green, blue: the network reads level * scale + shift
      output_range       0..255, 0..1 or -1..1; its width is the peak of the PSNR
      input_known, output_known  whether the range can be found: by the graph (arithmetic at its ends, a last Tanh
                         or Sigmoid), by the file's metadata, or by nothing: then the user must choose
      sizes              free, or [H, W]: the only size at which the file runs
      multiple           both sides must be multiples of this for the result to have the picture's size
      scale              sides of the result relative to those of the picture; if a network rounds sides up, the
                         result is larger than that, and its top left counts
      references         the stored results: height, width (the picture's), output_height, output_width, tensor
      unoptimised_psnr_db  the lowest agreement of ONNX Runtime with itself without its graph optimisations
      tolerance          exact, level, quantised or dynamic: how close the result must be (exporter_networks.py)
      spread             standard deviation of the results, as a share of the output range; shows that they are not
                         constant
    refused       one entry for each file: name, content, and the texts that the error must contain
                  (case-insensitive)
"""

import io
import itertools
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, numpy_helper
from safetensors.numpy import save

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "checkpoints"), str(HERE.parent / "golden"), str(HERE.parents[1] / "tools")]

import exporter_networks  # noqa: E402
import refused_networks  # noqa: E402
import written_networks  # noqa: E402
from archive import index_text, packed  # noqa: E402
from graph_builder import Graph, checked, coarse  # noqa: E402

SIZES = [(16, 24), (17, 21)]
# These networks are also compared at a larger size.
LARGER = {"transposed_k3_instance_norm": (40, 56), "unet_resize_to_skip_bilinear": (37, 53)}
# One value that is rounded another way changes at most 27 levels of the result, less than 1 % at these sizes.
QUANTISED_SIZES = [(32, 48), (37, 53)]

MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
INPUTS = {
    "0..255": (np.ones(3), np.zeros(3)),
    "0..1": (np.full(3, 1 / 255), np.zeros(3)),
    "-1..1": (np.full(3, 1 / 127.5), np.full(3, -1.0)),
    "imagenet": (1 / 255 / DEVIATION, -MEAN / DEVIATION),
    "caffe": (np.ones(3), -np.array([123.68, 116.779, 103.939])),
}
OUTPUTS = {"0..255": (0, 255), "0..1": (0, 1), "-1..1": (-1, 1)}
DTYPES = {TensorProto.FLOAT: "f32", TensorProto.FLOAT16: "f16", TensorProto.UINT8: "u8"}
DEFAULTS = {
    "outcome": "run", "layout": "nchw", "order": "rgb", "input": "0..255", "output": "0..255",
    "input_known": "nothing", "output_known": "nothing", "multiple": 1, "scale": 1, "fixed": (),
    "input_dtype": "f32", "float_twin": False, "tolerance": "exact",
}


def picture_of(height, width):
    """Smooth colours with edges and a little grain, uint8 RGB."""
    noise = np.random.default_rng(height * 1000 + width)
    y, x = np.mgrid[0:height, 0:width] / 16
    planes = []
    for _ in range(3):
        a, b, c, d = noise.uniform(0.5, 2, 4)
        plane = 128 + 55 * np.sin(a * x + b * y) + 45 * np.sign(np.sin(c * x - d * y))
        planes.append(plane + noise.normal(0, 8, plane.shape))
    return np.clip(np.stack(planes, -1), 0, 255).round().astype(np.uint8)


def fed(picture, entry):
    """The picture as the network reads it."""
    scale, shift = INPUTS[entry["input"]]
    values = (picture * scale + shift).astype(np.float32)
    if entry["order"] == "bgr":
        values = values[:, :, ::-1]
    if entry["layout"] == "nchw":
        values = values.transpose(2, 0, 1)
    dtype = {"f32": np.float32, "f16": np.float16, "u8": np.uint8}[entry["input_dtype"]]
    return np.ascontiguousarray(values[None]).astype(dtype)


def planes_of(result, entry):
    """The network's result as red, green and blue planes."""
    planes = result[0].astype(np.float32)
    if entry["layout"] == "nhwc":
        planes = planes.transpose(2, 0, 1)
    return np.ascontiguousarray(planes[::-1] if entry["order"] == "bgr" else planes)


def run(model, values, optimised=True):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"input": values})[0]


def decibels(a, b, peak):
    error = float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))
    return 200.0 if error == 0 else min(200.0, 10 * np.log10(peak**2 / error))


def settled(model, values, ending):
    """Scales the last convolution so that its results have the mean and spread of `ending`, if its weights are stored
    as an initializer."""
    stored = {t.name: t for t in model.graph.initializer}
    convs = [n for n in model.graph.node if n.op_type in ("Conv", "ConvTranspose")]
    last = convs[-1]
    if last.input[1] not in stored or stored[last.input[1]].data_type != TensorProto.FLOAT:
        return
    probe = type(model).FromString(model.SerializeToString())
    del probe.graph.output[:]
    probe.graph.output.append(onnx.helper.make_tensor_value_info(last.output[0], TensorProto.FLOAT, None))
    result = run(probe, values)
    mean, spread = ending
    weight = stored[last.input[1]]
    means = result.mean(axis=(0, 2, 3), keepdims=True)
    factor = 2.0 ** np.round(np.log2(spread / (result - means).std()))
    scaled = numpy_helper.to_array(weight) * np.float32(factor)
    weight.CopyFrom(numpy_helper.from_array(scaled, weight.name))
    if len(last.input) > 2:
        bias = stored[last.input[2]]
        moved = numpy_helper.to_array(bias) * factor
        step = 2.0 ** np.floor(np.log2(spread) - 3)
        moved = np.round((moved + mean - means.ravel() * factor) / step) * step
        bias.CopyFrom(numpy_helper.from_array(moved.astype(np.float32), bias.name))


def ending_of(model, output):
    """Mean and spread of the last convolution's results so that the network's result fills its range."""
    after = []
    for node in reversed(model.graph.node):
        if node.op_type in ("Conv", "ConvTranspose"):
            break
        after.append(node.op_type)
    if {"Tanh", "Sigmoid", "HardSigmoid"} & set(after):
        return 0.0, 1.0
    low, high = OUTPUTS[output]
    return (low + high) / 2, (high - low) / 5


def halved(model):
    """The same network all in fp16, as converters write it: Resize keeps its fp32 scales."""
    half = type(model).FromString(model.SerializeToString())
    kept = {n.input[i] for n in half.graph.node if n.op_type == "Resize" for i in (1, 2) if i < len(n.input)}
    for tensor in half.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and tensor.name not in kept:
            values = numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    for value in (*half.graph.input, *half.graph.output):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    return half


def sizes_of(entry):
    if entry["fixed"]:
        return [tuple(entry["fixed"])]
    if entry["tolerance"] == "quantised":
        return QUANTISED_SIZES
    sizes = [*SIZES, *([LARGER[entry["name"]]] if entry["name"] in LARGER else [])]
    if entry["scale"] > 1:
        sizes = [(12, 16), (9, 13)] if entry["scale"] == 2 else [(10, 12), (7, 9)]
    px = entry["multiple"]
    return [(-(-h // px) * px, -(-w // px) * px) for h, w in sizes]


def torch_model(name, written, entry):
    import torch
    from onnx_files import exported_dynamo, without_source_paths
    from torch_layers import randomise

    net = randomise(written.make(), zlib.crc32(name.encode()), coarse)
    height, width = sizes_of(entry)[0]
    sample = torch.from_numpy(fed(picture_of(height, width), entry))
    if written.exporter == "dynamo":
        return exported_dynamo(net, sample, written.opset)
    axes = None if written.fixed else {"input": {2: "h", 3: "w"}, "output": {2: "h2", 3: "w2"}}
    file = io.BytesIO()
    mode = torch.onnx.TrainingMode
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net, (sample,), file, opset_version=written.opset, dynamo=False, dynamic_axes=axes,
            input_names=["input"], output_names=["output"],
            training=mode.PRESERVE if written.keeps_norms else mode.EVAL)
    return without_source_paths(onnx.load_from_string(file.getvalue()))


def described(model, entry, exporter):
    """The entry of the index, without results."""
    scale, shift = INPUTS[entry["input"]]
    elem_type = model.graph.input[0].type.tensor_type.elem_type
    return {
        "name": entry["name"], "covers": entry["covers"], "outcome": entry["outcome"],
        "opset": next(o.version for o in model.opset_import if not o.domain), "ir_version": model.ir_version,
        "exporter": exporter, "operators": sorted({n.op_type for n in model.graph.node}),
        "bytes": model.ByteSize(), "layout": entry["layout"], "order": entry["order"],
        "input_dtype": DTYPES[elem_type], "input_range": entry["input"],
        "input_scale": [float(np.float32(s)) for s in scale], "input_shift": [float(np.float32(s)) for s in shift],
        "output_range": entry["output"], "input_known": entry["input_known"],
        "output_known": entry["output_known"], "sizes": list(entry["fixed"]) or "free",
        "multiple": entry["multiple"], "scale": entry["scale"], "tolerance": entry["tolerance"],
    }


def in_quarters(planes, low, high):
    """Values of an output range as quarters of a level, which limits the PSNR to 71 dB and takes a third of the bytes
    of fp32."""
    levels = np.rint((planes.astype(np.float64) - low) / (high - low) * 255 * 4)
    assert np.abs(levels).max() < 2**15, "a result far beyond the range"
    row, column = np.indices(levels.shape[1:])
    return levels.astype(np.int16)[:, (row + column) % 3 == 0]


def judged(model, entry, expected):
    """Adds the results at all sizes to `expected` and returns their entries in the index."""
    low, high = OUTPUTS[entry["output"]]
    references, agreements, spreads = [], [], []
    for height, width in sizes_of(entry):
        picture = picture_of(height, width)
        expected[f"picture.{height}x{width}"] = picture
        values = fed(picture, entry)
        result = run(model, values)
        other = run(model, values, optimised=False)
        planes = planes_of(result, entry)
        assert planes.shape[0] == 3 and np.isfinite(planes).all(), entry["name"]
        agreements.append(decibels(result, other, high - low))
        spreads.append(float(planes.std()) / (high - low))
        least = [side * entry["scale"] for side in (height, width)]
        beyond = [side - px for side, px in zip(planes.shape[1:], least, strict=True)]
        assert all(0 <= px < 8 for px in beyond), (entry["name"], planes.shape, least)
        key = f"{entry['name']}.{height}x{width}"
        expected[key] = in_quarters(planes, low, high)
        references.append({"height": height, "width": width, "output_height": planes.shape[1],
                           "output_width": planes.shape[2], "tensor": key})
    least = 90 if entry["tolerance"] == "exact" else 40
    assert min(agreements) > least, (entry["name"], agreements)
    assert min(spreads) > 0.05, (entry["name"], spreads)
    return {"references": references, "unoptimised_psnr_db": round(min(agreements), 1),
            "spread": round(min(spreads), 3)}


def made_by_torch(only):
    """Every network that PyTorch makes: its entry, its file and its exporter."""
    import torch_networks

    for name, written in torch_networks.NETWORKS.items():
        if not only or name in only:
            entry = DEFAULTS | {"name": name, "fixed": written.fixed} | written.entry
            yield entry, torch_model(name, written, entry), f"torch {written.exporter}"


def made_by_hand(networks, only):
    """Every network that is written node by node."""
    for name, written in networks.items():
        if not only or name in only:
            entry = DEFAULTS | {"name": name} | written.entry
            yield entry, written.make(Graph(written.opset, zlib.crc32(name.encode()))), "written"


def write(archive, made, versions, is_dry):
    """Writes the archive of networks with their results."""
    files, expected, networks = {}, {}, []
    for entry, model, exporter in made:
        height, width = sizes_of(entry)[0]
        values = fed(picture_of(height, width), entry)
        ending = entry.get("ending") or ending_of(model, entry["output"])
        settled(model, values, ending)
        judged_model = checked(model)
        if entry["float_twin"]:
            model = checked(halved(model))
        if "after" in entry:
            model = judged_model = checked(entry["after"](model, values))
        about = described(model, entry, exporter)
        results = judged(judged_model, entry, expected)
        networks.append(about | results)
        files[f"{entry['name']}.onnx"] = model.SerializeToString()
        print(f"{entry['name']:36} opset {about['opset']:2} {about['bytes']:6} bytes "
              f"{results['unoptimised_psnr_db']:6.1f} dB spread {results['spread']:.2f}", *about["operators"])
    if is_dry:
        return
    files["expected.safetensors"] = save({k: np.ascontiguousarray(v) for k, v in sorted(expected.items())})
    index = index_text(versions, networks=networks)
    (HERE / "networks" / archive).write_bytes(packed({"index.json": index.encode()} | files))
    print(len(networks), "networks")


def main(*only, without_torch=False):
    versions = {p.__name__: p.__version__ for p in (np, onnx, onnxruntime)}
    if not without_torch:
        import torch

        torch.set_num_threads(1)
        made = itertools.chain(made_by_torch(only), made_by_hand(written_networks.NETWORKS, only))
        write("networks.tar.xz", made, versions | {"torch": torch.__version__}, bool(only))
    write("exporters.tar.xz", made_by_hand(exporter_networks.NETWORKS, only), versions, bool(only))
    if only:
        return
    refused, broken = [], {}
    for name, (make, opset, names, holds) in refused_networks.FILES.items():
        broken[f"{name}.onnx"] = make(Graph(opset, 7)).SerializeToString()
        refused.append({"name": name, "holds": holds, "names": names})
    index = index_text(versions, refused=refused)
    (HERE / "networks" / "refused.tar.xz").write_bytes(packed({"index.json": index.encode()} | broken))
    print(len(refused), "refused;", {p.name: p.stat().st_size for p in sorted((HERE / "networks").iterdir())})


if __name__ == "__main__":
    arguments = [word for word in sys.argv[1:] if word != "--without-torch"]
    main(*arguments, without_torch="--without-torch" in sys.argv)
