"""Makes the cases for tests of single operators from the ONNX project's own backend tests.

    python tests/onnx/operators.py FOLDER

downloads into FOLDER (once) the wheels of onnx 1.22.0, 1.6.0 and 1.4.1, whose package data contains the tests, adds
those that the code of the installed release makes and the others do not have (each release only contains the newest
operator sets of its time: 28, 25, 11 and 9), and rewrites operators/cases.tar.xz next to this file, which also
contains index.json. Needs the packages of tools/requirements.txt. The data's licences are in operators/CREDITS.md.

Every case becomes a graph with one input map and one output map, both fp32 with four dimensions and a batch of one. It
is kept if ONNX Runtime (or, if that does not support the opset, ONNX's reference evaluator) still computes the expected
result. The changes are

    frozen     every input but the first is an initializer, with its value in the test
    first      only the first sample of a batch is kept
    channel    only the first channel of large maps is kept, if channels are computed separately
    lifted     maps with fewer dimensions get leading ones of size 1: operations on single values are not affected;
               axes of Concat, Slice, Split and Transpose are adjusted
    cast       Pad's int32 maps become fp32
    opset      files older than opset 8 are converted to opset 9 by onnx.version_converter
    part       each output of a Split is a separate case, `NAME.0`, `NAME.1`; of other operations only the first
               output is kept

cases.tar.xz contains NAME.onnx for every entry of `cases`, and values.safetensors with NAME.input and NAME.output, F32
[1, C, H, W]. There may be any number of channels, and values are not levels: a case runs on a map, not on a photo. The
graph has one input (initializers are not listed among its inputs) and one output. The ONNX project's own limit is
|made - expected| <= 1e-7 + 1e-3 * |expected|. index.json:

    versions   of the packages that wrote the files
    cases      name (the release of onnx, a slash, the test's own name), outcome (run, or run_or_refuse, whose
               reason is `why`), operators, opset, changes (the names above)
    ignored    name and reason of every other test of the operations that picture networks usually have. A test of an older release is neither
               kept nor listed if a newer one has it for the same version of its operators
"""

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from archive import index_text, packed
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases
from onnx.reference import ReferenceEvaluator
from safetensors.numpy import save

HERE = Path(__file__).resolve().parent / "operators"

# Release, and the Python version of the wheel that it is taken from.
RELEASES = {"1.22.0": "312", "1.6.0": "37", "1.4.1": "36"}
KINDS = ("node", "pytorch-converted")

BY_VALUE = {
    "Abs", "Add", "Clip", "Div", "Elu", "Erf", "Exp", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Max", "Min",
    "Mul", "Neg", "PRelu", "Pow", "Reciprocal", "Relu", "Sigmoid", "Softplus", "Sqrt", "Sub", "Sum", "Tanh"}
BY_AXIS = {"Concat", "Slice", "Split", "Transpose"}
MAPS = {
    "AveragePool", "BatchNormalization", "Conv", "ConvTranspose", "DepthToSpace", "GlobalAveragePool",
    "GlobalMaxPool", "GroupNormalization", "InstanceNormalization", "MaxPool", "Pad", "Reshape", "Resize",
    "SpaceToDepth", "Upsample"}
BY_CHANNEL = {"AveragePool", "Erf", "MaxPool"}
LARGE, TOO_LARGE = 2048, 1 << 16
# Parts of tests' names for features that no known picture network uses.
RARE = {
    "antialias": "a Resize with antialiasing", "tf_crop_and_resize": "a Resize of a region",
    "exclude_outside": "a cubic Resize that leaves out what lies outside", "wrap_pad": "a Pad that wraps around",
    "not_larger": "a Resize that keeps the aspect", "not_smaller": "a Resize that keeps the aspect",
    "pool_2d_dilations": "a pooling with gaps", "padding_dilation": "a pooling with gaps"}
# Operations that may be refused, in the same forms.
MORE_BY_VALUE = {
    "Ceil", "Celu", "Cos", "Floor", "Identity", "Log", "Mean", "Mish", "Mod", "Round", "Selu", "Shrink", "Sign", "Sin",
    "Softsign", "Swish", "ThresholdedRelu"}
MORE_BY_AXIS = {
    "CumSum", "Hardmax", "LayerNormalization", "LogSoftmax", "LpNormalization", "RMSNormalization", "ReduceL1",
    "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum",
    "ReduceSumSquare", "Softmax"}
MAY_BE_REFUSED = {"Max", "Min", "Pow", "Reshape", "Slice", "Concat", "Transpose"}


class Ignored(Exception):
    """Why a test cannot become a case."""


def download(folder):
    """The wheels from the package index."""
    folder.mkdir(parents=True, exist_ok=True)
    for release, python in RELEASES.items():
        if list(folder.glob(f"onnx-{release}-*.whl")):
            continue
        platforms = ("manylinux1_x86_64", "manylinux_2_28_x86_64", "manylinux_2_27_x86_64")
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:",
             "--python-version", python, *(f"--platform={p}" for p in platforms), "--dest", folder,
             f"onnx=={release}"], check=True)
    return {release: next(folder.glob(f"onnx-{release}-*.whl")) for release in RELEASES}


def tests_of(wheel):
    """Name, model and arrays of the tests of one release; arrays that are not tensors are None."""
    archive = zipfile.ZipFile(wheel)
    names = set(archive.namelist())
    for path in sorted(names):
        parts = path.split("/")
        if parts[:4] != ["onnx", "backend", "test", "data"] or parts[-1] != "model.onnx" or parts[4] not in KINDS:
            continue
        folder = path.rsplit("/", 1)[0]

        def arrays(kind, folder=folder):
            read = []
            while (member := f"{folder}/test_data_set_0/{kind}_{len(read)}.pb") in names:
                tensor = TensorProto()
                try:
                    tensor.ParseFromString(archive.read(member))
                    read.append(numpy_helper.to_array(tensor))
                except Exception:  # A sequence or an optional.
                    read.append(None)
            return read

        model = onnx.load_from_string(archive.read(path))
        yield parts[4], parts[5], model, arrays("input"), arrays("output")


def made_tests():
    """The tests of the installed release, whose package contains the code that makes them."""
    for case in collect_testcases(None):
        inputs, outputs = case.data_sets[0]
        arrays = [[a if isinstance(a, np.ndarray) else None for a in values] for values in (inputs, outputs)]
        yield "node", case.name, case.model, *arrays


def operators_of(model):
    return sorted({node.op_type for node in model.graph.node})


def is_relevant(kind, name, model):
    """Whether it tests ONNX's own operations, and not what they are composed of."""
    operators = set(operators_of(model))
    if not operators or any(node.domain for node in model.graph.node):
        return False
    if kind == "node" and name.endswith(("_expanded", "_expanded_ver18")):
        return name.startswith(("test_gelu", "test_hardswish", "test_softplus"))
    return True


def is_usual(model):
    """Whether picture networks use all of its operations."""
    return set(operators_of(model)) <= BY_VALUE | BY_AXIS | MAPS


def opset_of(model):
    return next(o.version for o in model.opset_import if not o.domain)


def schemas(model):
    """The versions of the operators that a model uses."""
    return [(op, onnx.defs.get_schema(op, opset_of(model)).since_version) for op in operators_of(model)]


def lifted(model, rank):
    """Adjusts axes for `4 - rank` leading dimensions of size 1."""
    more = 4 - rank
    (node,) = model.graph.node
    stored = {t.name: t for t in model.graph.initializer}

    def attribute(name):
        return next((a for a in node.attribute if a.name == name), None)

    def anew(axes):
        return [axis + more if axis >= 0 else axis for axis in axes]

    if node.op_type in MORE_BY_AXIS:
        if attribute("axes"):
            attribute("axes").ints[:] = anew(attribute("axes").ints)
        elif attribute("axis"):
            attribute("axis").i = anew([attribute("axis").i])[0]
        elif node.op_type.startswith(("Reduce", "CumSum")) and len(node.input) > 1 and node.input[1]:
            axes = stored[node.input[1]]
            values = numpy_helper.to_array(axes)
            axes.CopyFrom(numpy_helper.from_array(np.array(anew(values.reshape(-1)), values.dtype).reshape(values.shape), axes.name))
    elif node.op_type in ("Concat", "Split"):
        axis = attribute("axis")
        if axis is None:
            node.attribute.append(helper.make_attribute("axis", more))
        else:
            axis.i = anew([axis.i])[0]
    elif node.op_type == "Transpose":
        order = attribute("perm")
        old = list(order.ints) if order else list(range(rank))[::-1]
        if order:
            node.attribute.remove(order)
        node.attribute.append(helper.make_attribute("perm", [*range(more), *(axis + more for axis in old)]))
    elif node.op_type == "Slice" and attribute("starts"):
        axes = attribute("axes")
        old = list(axes.ints) if axes else list(range(len(attribute("starts").ints)))
        if axes:
            node.attribute.remove(axes)
        node.attribute.append(helper.make_attribute("axes", anew(old)))
    elif node.op_type == "Slice":
        if len(node.input) > 3 and node.input[3]:
            axes = stored[node.input[3]]
            values = numpy_helper.to_array(axes)
            axes.CopyFrom(numpy_helper.from_array(np.array(anew(values), values.dtype), axes.name))
        else:
            count = numpy_helper.to_array(stored[node.input[1]]).size
            model.graph.initializer.append(
                numpy_helper.from_array(np.arange(more, more + count), "axes_of_a_map"))
            del node.input[3:]
            node.input.append("axes_of_a_map")
    if node.op_type in BY_AXIS:
        for name in node.input[1:]:
            if node.op_type == "Concat":
                values = numpy_helper.to_array(stored[name])
                stored[name].CopyFrom(numpy_helper.from_array(values.reshape((1,) * more + values.shape), name))


def spreads(shape, over):
    """Whether numbers of a shape can be broadcast to a map, aligned at the last side. Old PRelu slopes are aligned at
    the second side instead."""
    return all(a == b or 1 in (a, b) for a, b in zip(reversed(shape), reversed(over), strict=False))


def check(model, name, values, expected):
    """Raises an error if a frozen graph does not compute the test's expected result in ONNX Runtime or, if that does
    not support the opset, in the reference evaluator."""

    def agrees(made):
        return made.shape == expected.shape and np.allclose(made, expected, 1e-3, 1e-7, equal_nan=True)

    def reference():
        return ReferenceEvaluator(model).run(None, {name: values})[0]

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        made = session.run(None, {name: values})[0]
    except Exception:
        try:
            made = reference()
        except Exception as error:
            raise Ignored(f"neither ONNX Runtime nor the reference runs it ({type(error).__name__})") from error
    if agrees(made):
        return
    try:
        is_right = agrees(reference())
    except Exception:
        is_right = False
    raise Ignored("ONNX Runtime computes something else" if is_right else
                  "neither ONNX Runtime nor the reference of today computes what the test expects")


def frozen(name, model, inputs, outputs):
    """The cases that a test becomes: part, model, input, output, changes."""
    operators = set(operators_of(model))
    if not inputs or any(array is None for array in (*inputs, *outputs)):
        raise Ignored("its values are no tensors, or it has no input")
    if any(a.name == "training_mode" and a.i for node in model.graph.node for a in node.attribute):
        raise Ignored("trains: it normalises by the batch")
    changes = []
    values, results = inputs[0], list(outputs)
    if operators == {"Pad"} and values.dtype == np.int32:
        inputs = [a.astype(np.float32) if a.dtype == np.int32 else a for a in inputs]
        values, results = inputs[0], [a.astype(np.float32) for a in results]
        changes.append("cast")
    if values.dtype != np.float32 or results[0].dtype != np.float32:
        raise Ignored(f"maps are {values.dtype} and {results[0].dtype}")
    if values.ndim == 0 or values.ndim > 4:
        raise Ignored(f"its map has {values.ndim} dimensions")
    if opset_of(model) < 8:
        model = onnx.version_converter.convert_version(model, 9)
        changes.append("opset")
    graph = model.graph
    stored = {t.name for t in graph.initializer}
    given = [value.name for value in graph.input if value.name not in stored]
    if len(given) > 1:
        for key, array in zip(given[1:], inputs[1:], strict=True):
            graph.initializer.append(numpy_helper.from_array(array, key))
        changes.append("frozen")

    rank = values.ndim
    if rank < 4:
        others = [array.ndim for array in inputs[1:]]
        by_value = (operators <= BY_VALUE | MORE_BY_VALUE or "expanded" in name) and max(others, default=0) <= rank
        if not by_value and not (len(graph.node) == 1 and operators <= BY_AXIS | MORE_BY_AXIS):
            raise Ignored(f"its map has {rank} dimensions")
        if by_value and not all(spreads(tensor.dims, values.shape) for tensor in graph.initializer):
            raise Ignored("its slopes go by the second of fewer than four sides")
        if not by_value:
            lifted(model, rank)
        results = [array.reshape((1,) * (4 - rank) + array.shape) for array in results]
        values = values.reshape((1,) * (4 - rank) + values.shape)
        changes.append("lifted")
    if values.shape[0] > 1:
        batch = values.shape[0]
        if any(array.ndim != 4 or array.shape[0] != batch for array in results):
            raise Ignored("the result is no map for each sample of the batch")
        values, results = values[:1], [array[:1] for array in results]
        changes.append("first")
    if values.size > TOO_LARGE:
        raise Ignored(f"its map has {values.size} values")
    if operators <= BY_CHANNEL and values.size > LARGE:
        values, results = values[:, :1], [array[:, :1] for array in results]
        changes.append("channel")

    parts = range(len(results)) if operators == {"Split"} else [0]
    produced = [value.name for value in graph.output]
    if operators == {"Split"}:
        changes.append("part")
    else:
        for node in graph.node:
            if produced[0] in node.output and len(node.output) > 1:
                del node.output[1:]
    del graph.input[:]
    graph.input.append(helper.make_tensor_value_info(given[0], TensorProto.FLOAT, values.shape))
    del graph.value_info[:]
    model.ir_version = max(model.ir_version, 4)
    for part in parts:
        output = results[part]
        if output.ndim != 4 or output.shape[0] != 1:
            raise Ignored(f"the result has shape {list(output.shape)}")
        if 0 in output.shape or 0 in values.shape:
            raise Ignored("a map without values")
        del graph.output[:]
        graph.output.append(helper.make_tensor_value_info(produced[part], TensorProto.FLOAT, output.shape))
        check(model, given[0], values, output)
        copy = type(model).FromString(model.SerializeToString())
        yield (f".{part}" if operators == {"Split"} else ""), copy, values, output, list(changes)


def main(folder):
    cases, ignored, files, arrays, known = [], [], {}, {}, set()
    releases = {release: tests_of(wheel) for release, wheel in download(folder).items()}
    for release, tests in (releases | {onnx.__version__: made_tests()}).items():
        for kind, name, model, inputs, outputs in tests:
            if not is_relevant(kind, name, model):
                continue
            try:
                key = (name, tuple(schemas(model)))
            except onnx.defs.SchemaError:  # An experiment of 2018.
                continue
            if key in known:
                continue
            known.add(key)
            title = f"{release}/{name}"
            try:
                for part, made, values, output, changes in frozen(name, model, inputs, outputs):
                    operators = operators_of(made)
                    rare = next((why for piece, why in RARE.items() if piece in name), None)
                    may_be_refused = sorted(set(operators) - (BY_VALUE | BY_AXIS | MAPS) | set(operators) & MAY_BE_REFUSED)
                    why = rare or ("shapes and arithmetic: " + ", ".join(may_be_refused) if may_be_refused else "")
                    cases.append({"name": title + part, "outcome": "run_or_refuse" if why else "run",
                                  "operators": operators, "opset": opset_of(made), "changes": changes}
                                 | ({"why": why} if why else {}))
                    files[f"{title}{part}.onnx"] = made.SerializeToString()
                    arrays[f"{title}{part}.input"] = np.ascontiguousarray(values)
                    arrays[f"{title}{part}.output"] = np.ascontiguousarray(output)
            except Ignored as why:
                if is_usual(model):
                    ignored.append({"name": title, "reason": str(why)})
    files["values.safetensors"] = save(dict(sorted(arrays.items())))
    versions = {"onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__}
    index = index_text(versions, cases=cases, ignored=ignored)
    (HERE / "cases.tar.xz").write_bytes(packed({"index.json": index.encode()} | files))
    print(len(cases), "cases", len(ignored), "ignored", {p.name: p.stat().st_size for p in HERE.iterdir()})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
