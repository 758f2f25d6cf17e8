"""The ONNX files of the corpus: variants of the same network, and networks that only look like it.

Every class changes one thing about `StyleGraph` (tools/onnx_graph.py).
"""

import io
import warnings

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx_graph import StyleGraph

# Variants of the same network ---------------------------------------------


class Opset11(StyleGraph):
    """Before opset 13, Resize has a roi input that must not be left out."""

    opset, ir_version = 11, 6

    def upsample(self, x):
        roi = self.constant([], np.float32)
        scales = self.constant([1, 1, 2, 2], np.float32)
        return self.node(
            "Resize", x, roi, scales, mode="nearest",
            coordinate_transformation_mode="asymmetric", nearest_mode="floor",
        )


class Opset9(StyleGraph):
    """Pads in an attribute, Upsample with its scales as an input, and, as in
    IR version 3, every initialiser also listed among the graph's inputs."""

    opset, ir_version = 9, 3

    def pad(self, x, amount):
        return self.node("Pad", x, mode="reflect", pads=[0, 0, amount, amount] * 2)

    def upsample(self, x):
        return self.node("Upsample", x, self.constant([1, 1, 2, 2], np.float32), mode="nearest")

    def inputs(self, shape):
        weights = [
            helper.make_tensor_value_info(t.name, t.data_type, list(t.dims))
            for t in self.initializers
        ]
        return super().inputs(shape) + weights


class Opset8(Opset9):
    """Upsample with its scales in an attribute."""

    opset = 8

    def upsample(self, x):
        return self.node("Upsample", x, mode="nearest", scales=[1.0, 1.0, 2.0, 2.0])


class ShapeChain(Opset9):
    """Scales computed while running, as PyTorch 1.0 wrote F.interpolate: the new
    size is floor(size * 2), the scale is the new size over the old one."""

    def side(self, x, axis):
        index = self.node("Constant", value=numpy_helper.from_array(np.array(axis)))
        size = self.node("Gather", self.node("Shape", x), index, axis=0)
        two = self.node("Constant", value=numpy_helper.from_array(np.float32(2.0)))
        size = self.node("Mul", self.node("Cast", size, to=TensorProto.FLOAT), two)
        size = self.node("Cast", self.node("Floor", size), to=TensorProto.INT64)
        return self.node("Unsqueeze", size, axes=[0])

    def upsample(self, x):
        size = self.node("Concat", self.side(x, 2), self.side(x, 3), axis=0)
        size = self.node("Cast", size, to=TensorProto.FLOAT)
        old = self.node("Slice", self.node("Shape", x), axes=[0], starts=[2], ends=[4])
        ratio = self.node("Div", size, self.node("Cast", old, to=TensorProto.FLOAT))
        ones = self.node("Constant", value=numpy_helper.from_array(np.ones(2, np.float32)))
        return self.node("Upsample", x, self.node("Concat", ones, ratio, axis=0), mode="nearest")


class ResizeSizes(StyleGraph):
    """Resize with the wanted size instead of scales; operands of the residual
    sum swapped."""

    opset = 13

    def upsample(self, x):
        shape = self.node("Shape", x)
        keep = self.node("Slice", shape, self.constant([0]), self.constant([2]))
        sides = self.node("Slice", shape, self.constant([2]), self.constant([4]))
        sizes = self.node("Mul", sides, self.constant([2, 2]))
        sizes = self.node("Concat", keep, sizes, axis=0)
        return self.node(
            "Resize", x, "", "", sizes, mode="nearest",
            coordinate_transformation_mode="asymmetric", nearest_mode="floor",
        )

    def residual_sum(self, changed, original):
        return self.node("Add", original, changed)


class Decomposed(Opset9):
    """Instance norm in eight nodes; scale and shift already of shape C x 1 x 1."""

    square = "Mul"

    def plane(self, key):
        name = self.fresh()
        array = self.weights[key].reshape(-1, 1, 1)
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def norm(self, x, key):
        mean = self.node("ReduceMean", x, axes=[2, 3], keepdims=1)
        centred = self.node("Sub", x, mean)
        if self.square == "Mul":
            squared = self.node("Mul", centred, centred)
        else:
            squared = self.node("Pow", centred, self.constant(2.0, np.float32))
        variance = self.node("ReduceMean", squared, axes=[2, 3], keepdims=1)
        variance = self.node("Add", variance, self.constant(1e-5, np.float32))
        x = self.node("Div", centred, self.node("Sqrt", variance))
        x = self.node("Mul", x, self.plane(f"{key}.weight"))
        return self.node("Add", x, self.plane(f"{key}.bias"))


class DecomposedUnsqueezed(Decomposed):
    """Instance norm in nodes with Pow, scale and shift of shape C unsqueezed in
    the graph, opset 13 (axes of Unsqueeze as an input)."""

    opset, ir_version, square = 13, 7, "Pow"
    pad, upsample, inputs = StyleGraph.pad, StyleGraph.upsample, StyleGraph.inputs

    def plane(self, key):
        return self.node("Unsqueeze", self.weight(key), self.constant([0, 2, 3]))


class HalfWeights(StyleGraph):
    """fp16 initialisers, each cast to fp32 before its use."""

    opset = 13

    def weight(self, key):
        array = self.weights[key].astype(np.float16)
        self.initializers.append(numpy_helper.from_array(array, key))
        return self.node("Cast", key, to=TensorProto.FLOAT)


class HalfModel(StyleGraph):
    """Everything in fp16, picture and result included; weights as int32_data."""

    opset = 13

    def weight(self, key):
        array = self.weights[key].astype(np.float16)
        bits = array.view(np.uint16).reshape(-1).tolist()
        tensor = TensorProto(data_type=TensorProto.FLOAT16, dims=array.shape, name=key)
        tensor.int32_data.extend(bits)
        self.initializers.append(tensor)
        return key

    def inputs(self, shape):
        return [helper.make_tensor_value_info("input", TensorProto.FLOAT16, shape)]


class ConstantWeights(StyleGraph):
    """Every weight in a Constant node; there are no initialisers at all."""

    opset = 13

    def weight(self, key):
        return self.node("Constant", value=numpy_helper.from_array(self.weights[key]))

    def constant(self, values, dtype=np.int64):
        array = np.asarray(values, dtype=dtype)
        return self.node("Constant", value=numpy_helper.from_array(array))


class Numbered(StyleGraph):
    """Weights named by number, stored in another order than the layers', in
    float_data, some after an Identity; a Clip to 0..255 at the end."""

    opset = 11
    upsample = Opset11.upsample

    def weight(self, key):
        self.count += 1
        name = f"%{self.count}"
        array = self.weights[key]
        tensor = helper.make_tensor(name, TensorProto.FLOAT, array.shape, array.reshape(-1))
        self.initializers.insert(self.count * 7 % (len(self.initializers) + 1), tensor)
        return self.node("Identity", name) if key.startswith("in") else name

    def after(self, x):
        low, high = self.constant(0.0, np.float32), self.constant(255.0, np.float32)
        return self.node("Clip", x, low, high)


class Browser(Opset9):
    """As published for browsers by way of PyTorch 1.0, whose exporter calls itself
    0.4: norm and upsampling spelled out in Reshape, ReduceMean and Concat for a
    fixed size, every constant and shape in a Constant node, weights named by number.
    1e-100 is added, 0 in fp32, so that no node takes one value twice."""

    added = 1e-100
    size = (24, 32)

    def __init__(self, weights):
        super().__init__(weights)
        self.upsampled = 0

    def fresh(self):
        self.count += 1
        return str(self.count)

    def weight(self, key):
        name = self.fresh()
        self.initializers.append(numpy_helper.from_array(self.weights[key], name))
        return name

    def constant(self, values, dtype=np.int64):
        array = np.asarray(values, dtype=dtype)
        return self.node("Constant", value=numpy_helper.from_array(array))

    def reshape(self, x, *sides):
        return self.node("Reshape", x, self.constant(sides))

    def renamed(self, x):
        """The same values under another name."""
        if self.added is None:
            return x
        return self.node("Add", x, self.constant(self.added, np.float32))

    def plane_mean(self, x, channels):
        x = self.reshape(x, 1, channels, 1, -1)
        return self.node("ReduceMean", x, axes=[3], keepdims=1)

    def norm(self, x, key):
        channels = len(self.weights[f"{key}.bias"])
        centred = self.node("Sub", x, self.plane_mean(x, channels))
        squared = self.node("Mul", centred, self.renamed(centred))
        variance = self.plane_mean(squared, channels)
        variance = self.node("Add", variance, self.constant(1e-5, np.float32))
        x = self.node("Div", centred, self.node("Sqrt", variance))
        scale = self.reshape(self.weight(f"{key}.weight"), -1, channels, 1, 1)
        shift = self.reshape(self.weight(f"{key}.bias"), -1, channels, 1, 1)
        return self.node("Add", self.node("Mul", x, scale), shift)

    def repeat(self, x):
        """Every row of a matrix, joined with itself."""
        return self.node("Concat", x, self.renamed(x), axis=1)

    def upsample(self, x):
        self.upsampled += 1
        channels = self.weights[f"deconv{self.upsampled}.conv2d.weight"].shape[1]
        height, width = (side * self.upsampled // 2 for side in self.size)
        x = self.repeat(self.reshape(x, -1, 1))
        x = self.repeat(self.reshape(x, -1, width))
        return self.reshape(x, -1, channels, height, width)

    def model(self, *size):
        model = super().model(*size)
        model.producer_name, model.producer_version = "pytorch", "0.4"
        return model


class BrowserSmallNumber(Browser):
    """As before, but 1e-9 is added."""

    added = 1e-9


class BrowserOneName(Browser):
    """As later ones, which add nothing."""

    added = None


class BrowserFree(BrowserOneName):
    """As before, but every side is computed from Shape, so any size runs."""

    def side(self, x, axis, factor):
        size = self.node("Gather", self.node("Shape", x), self.constant(axis), axis=0)
        size = self.node("Mul", size, self.constant(factor))
        return self.node("Unsqueeze", size, axes=[0])

    def reshape(self, x, *sides):
        if not any(isinstance(side, str) for side in sides):
            return super().reshape(x, *sides)
        parts = [side if isinstance(side, str) else self.constant([side]) for side in sides]
        return self.node("Reshape", x, self.node("Concat", *parts, axis=0))

    def upsample(self, x):
        channels, height, width = (self.side(x, axis, min(axis, 2)) for axis in (1, 2, 3))
        x = self.repeat(self.reshape(x, -1, 1))
        x = self.repeat(self.reshape(x, -1, width))
        return self.reshape(x, -1, channels, height, width)


def is_baked(kind):
    """Whether the nodes of a graph of this class contain its size."""
    return issubclass(kind, Browser) and not issubclass(kind, BrowserFree)


# Networks that only look like ours -----------------------------------------


class Tanh(StyleGraph):
    def activation(self, x):
        return self.node("Tanh", x)


class LeakyRelu(StyleGraph):
    def activation(self, x):
        return self.node("LeakyRelu", x, alpha=0.2)


class ZeroPadding(StyleGraph):
    def pad(self, x, amount):
        return self.node("Pad", x, self.constant([0, 0, amount, amount] * 2))


class EdgePadding(StyleGraph):
    def pad(self, x, amount):
        return self.node("Pad", x, self.constant([0, 0, amount, amount] * 2), mode="edge")


class PaddingInConv(StyleGraph):
    """Zero padding inside the convolution instead of a Pad node."""

    def conv(self, x, key, stride=1):
        kernel = self.weights[f"{key}.weight"].shape[2]
        return self.node(
            "Conv", x, self.weight(f"{key}.weight"), self.weight(f"{key}.bias"),
            kernel_shape=[kernel, kernel], strides=[stride, stride], pads=[kernel // 2] * 4,
        )


class NoResidual(StyleGraph):
    def residual_sum(self, changed, original):
        return changed


class DoubleResidual(StyleGraph):
    """yakhyo's block: adds its input twice."""

    def residual_sum(self, changed, original):
        return self.node("Add", self.node("Add", changed, original), original)


class ReluAfterResidual(StyleGraph):
    def residual_sum(self, changed, original):
        return self.node("Relu", self.node("Add", changed, original))


class OtherEpsilon(StyleGraph):
    def norm(self, x, key):
        scale, shift = self.weight(f"{key}.weight"), self.weight(f"{key}.bias")
        return self.node("InstanceNormalization", x, scale, shift, epsilon=0.1)


class BilinearResize(StyleGraph):
    def upsample(self, x):
        scales = self.constant([1, 1, 2, 2], np.float32)
        return self.node("Resize", x, "", scales, mode="linear")


class CeilNearest(StyleGraph):
    """Nearest, but another pixel is the nearest."""

    def upsample(self, x):
        scales = self.constant([1, 1, 2, 2], np.float32)
        return self.node(
            "Resize", x, "", scales, mode="nearest",
            coordinate_transformation_mode="asymmetric", nearest_mode="ceil",
        )


class TripleUpsample(StyleGraph):
    def upsample(self, x):
        scales = self.constant([1, 1, 3, 3], np.float32)
        return self.node(
            "Resize", x, "", scales, mode="nearest",
            coordinate_transformation_mode="asymmetric", nearest_mode="floor",
        )


class Dilated(StyleGraph):
    """Dilation 2 in the residual blocks, with the padding that fits it."""

    def conv(self, x, key, stride=1):
        if not key.startswith("res"):
            return super().conv(x, key, stride)
        return self.node(
            "Conv", self.pad(x, 2), self.weight(f"{key}.weight"), self.weight(f"{key}.bias"),
            kernel_shape=[3, 3], dilations=[2, 2],
        )


class NormalizedInput(StyleGraph):
    """Wants a picture with a mean taken away and divided, channel by channel."""

    def before(self, x):
        mean = np.array([123.7, 116.3, 103.5]).reshape(1, 3, 1, 1)
        deviation = np.array([58.4, 20.1, 157.4]).reshape(1, 3, 1, 1)
        x = self.node("Sub", x, self.constant(mean, np.float32))
        return self.node("Div", x, self.constant(deviation, np.float32))


class TanhOutput(StyleGraph):
    def after(self, x):
        return self.node("Mul", self.node("Tanh", x), self.constant(150.0, np.float32))


class CustomOperator(StyleGraph):
    def after(self, x):
        return self.node("Sharpen", x, domain="com.example.filters")


class BatchNorm(StyleGraph):
    """Statistics from the file instead of the picture's own."""

    def norm(self, x, key):
        scale, shift = self.weight(f"{key}.weight"), self.weight(f"{key}.bias")
        channels = len(self.weights[f"{key}.bias"])
        mean = self.constant(np.zeros(channels), np.float32)
        variance = self.constant(np.ones(channels), np.float32)
        return self.node("BatchNormalization", x, scale, shift, mean, variance)


class BrowserPlanesBehindEachOther(BrowserFree):
    """The copies are after the map instead of next to every value."""

    def repeat(self, x):
        return self.node("Concat", x, x, axis=0)


class BrowserHalfRows(BrowserFree):
    """Half rows are repeated instead of rows."""

    def upsample(self, x):
        channels, height, width = (self.side(x, axis, min(axis, 2)) for axis in (1, 2, 3))
        row = self.side(x, 3, 1)
        x = self.repeat(self.reshape(x, -1, 1))
        x = self.repeat(self.reshape(x, -1, row))
        return self.reshape(x, -1, channels, height, width)


class BrowserOtherMap(BrowserFree):
    """Beside every value lies another map's."""

    def upsample(self, x):
        double = self.node("Add", x, x)
        channels, height, width = (self.side(x, axis, min(axis, 2)) for axis in (1, 2, 3))
        x = self.node("Concat", self.reshape(x, -1, 1), self.reshape(double, -1, 1), axis=1)
        x = self.repeat(self.reshape(x, -1, width))
        return self.reshape(x, -1, channels, height, width)


class BrowserThreeTimes(BrowserFree):
    """Upsampled by 3."""

    def repeat(self, x):
        return self.node("Concat", x, x, x, axis=1)

    def upsample(self, x):
        channels, height, width = (
            self.side(x, axis, factor) for axis, factor in ((1, 1), (2, 3), (3, 3)))
        x = self.repeat(self.reshape(x, -1, 1))
        x = self.repeat(self.reshape(x, -1, width))
        return self.reshape(x, -1, channels, height, width)


class BrowserBrighter(BrowserFree):
    """What is added to the copies is not nothing."""

    added = 0.5


class BrowserWholeMean(BrowserFree):
    """The mean of all channels together."""

    def plane_mean(self, x, channels):
        return super().plane_mean(x, 1)


class BrowserUncentred(BrowserFree):
    """Squares of the values themselves."""

    def norm(self, x, key):
        channels = len(self.weights[f"{key}.bias"])
        centred = self.node("Sub", x, self.plane_mean(x, channels))
        squares = self.plane_mean(self.node("Mul", x, x), channels)
        squares = self.node("Add", squares, self.constant(1e-5, np.float32))
        x = self.node("Div", centred, self.node("Sqrt", squares))
        scale = self.reshape(self.weight(f"{key}.weight"), -1, channels, 1, 1)
        shift = self.reshape(self.weight(f"{key}.bias"), -1, channels, 1, 1)
        return self.node("Add", self.node("Mul", x, scale), shift)


class BrowserZeroPadding(Browser):
    """Zeros joined to the map, as published for the browser's processor."""

    def conv(self, x, key, stride=1):
        weight = self.weights[f"{key}.weight"]
        # How much smaller than the photo the map is that the layer reads.
        scale = {"conv3": 2, "deconv1": 2, **{f"res{i}": 4 for i in range(1, 9)}}
        scale = scale.get(key.split(".")[0], 1)
        height, width = (side // scale for side in self.size)
        amount = weight.shape[2] // 2
        zeros = [np.zeros((1, weight.shape[1], *sides)) for sides in (
            (height, amount), (amount, width + 2 * amount))]
        for axis, border in ((3, zeros[0]), (2, zeros[1])):
            border = self.constant(border, np.float32)
            x = self.node("Concat", border, x, border, axis=axis)
        return self.node(
            "Conv", x, self.weight(f"{key}.weight"), self.weight(f"{key}.bias"),
            kernel_shape=list(weight.shape[2:]), strides=[stride, stride],
        )


def perceptron():
    """A graph that has nothing to do with pictures."""
    noise = np.random.default_rng(5)
    first = numpy_helper.from_array(noise.normal(size=(16, 8)).astype(np.float32), "fc1.weight")
    second = numpy_helper.from_array(noise.normal(size=(8, 4)).astype(np.float32), "fc2.weight")
    nodes = [
        helper.make_node("MatMul", ["input", "fc1.weight"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("MatMul", ["b", "fc2.weight"], ["output"]),
    ]
    graph = helper.make_graph(
        nodes, "perceptron",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 16])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 4])],
        [first, second],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 7
    return model


# Files written by PyTorch itself --------------------------------------------


def exported(net, picture, opset, folded=True, dynamic=False):
    """What torch.onnx.export's TorchScript exporter writes."""
    axes = {"input": {2: "h", 3: "w"}, "output": {2: "h2", 3: "w2"}} if dynamic else None
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net, (picture,), file, opset_version=opset, dynamo=False,
            input_names=["input"], output_names=["output"], dynamic_axes=axes,
            do_constant_folding=folded,
        )
    return without_source_paths(onnx.load_from_string(file.getvalue()))


def exported_dynamo(net, picture, opset):
    """What torch.onnx.export's newer exporter writes, with free sides."""
    sides = {2: torch.export.Dim("h", min=5), 3: torch.export.Dim("w", min=5)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            net, (picture,), opset_version=opset, dynamo=True, verbose=False,
            input_names=["input"], output_names=["output"], dynamic_shapes=(sides,),
        )
    return without_source_paths(program.model_proto)


def without_source_paths(model):
    """Drops what only describes the machine that wrote the file."""
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for value in [*model.graph.value_info, *model.graph.input, *model.graph.output]:
        del value.metadata_props[:]
    for tensor in model.graph.initializer:
        del tensor.metadata_props[:]
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.graph.value_info[:]
    return model


SAME_NETWORK = {
    "onnx_opset8_upsample_attribute": (Opset8, "fixed size, initialisers listed as inputs (IR 3)"),
    "onnx_opset9_upsample_scales": (Opset9, "scales as an input, IR 3"),
    "onnx_opset9_shape_chain": (ShapeChain, "scales computed from Shape, Gather, Floor, Div"),
    "onnx_opset11_resize": (Opset11, "Resize with an empty roi"),
    "onnx_opset13_resize_sizes": (ResizeSizes, "Resize with sizes computed from Shape"),
    "onnx_opset17": (StyleGraph, "plain, free size"),
    "onnx_decomposed_norm": (Decomposed, "ReduceMean, Sub, Mul, ReduceMean, Add, Sqrt, Div"),
    "onnx_decomposed_norm_unsqueeze": (DecomposedUnsqueezed, "with Pow and Unsqueeze"),
    "onnx_fp16_weights": (HalfWeights, "fp16 initialisers with Cast"),
    "onnx_fp16_model": (HalfModel, "all fp16, int32_data; fp16 arithmetic elsewhere"),
    "onnx_constant_weights": (ConstantWeights, "weights in Constant nodes"),
    "onnx_numbered_weights_clip": (Numbered, "names like %12, shuffled, float_data, Clip"),
    "onnx_browser": (Browser, "norm and upsampling by Reshape and Concat, adds 1e-100"),
    "onnx_browser_adds_1e9": (BrowserSmallNumber, "the same, adds 1e-9"),
    "onnx_browser_adds_nothing": (BrowserOneName, "the same, takes one value twice"),
    "onnx_browser_free_size": (BrowserFree, "the same, sides computed from Shape"),
}

# File, class, and text that the refusal must contain (None: may also run exactly).
LOOK_ALIKES = {
    "onnx_tanh_activation": (Tanh, "Tanh"),
    "onnx_leaky_relu": (LeakyRelu, "LeakyRelu"),
    "onnx_zero_padding": (ZeroPadding, "pad"),
    "onnx_edge_padding": (EdgePadding, "edge"),
    "onnx_padding_in_conv": (PaddingInConv, "pad"),
    "onnx_no_residual": (NoResidual, None),
    "onnx_double_residual": (DoubleResidual, None),
    "onnx_relu_after_residual": (ReluAfterResidual, "Relu"),
    "onnx_epsilon": (OtherEpsilon, "epsilon"),
    "onnx_bilinear_resize": (BilinearResize, "linear"),
    "onnx_ceil_nearest": (CeilNearest, "ceil"),
    "onnx_triple_upsample": (TripleUpsample, "3"),
    "onnx_dilated": (Dilated, "dilation"),
    "onnx_normalized_input": (NormalizedInput, "Sub"),
    "onnx_tanh_output": (TanhOutput, "Tanh"),
    "onnx_custom_operator": (CustomOperator, "Sharpen"),
    "onnx_batch_norm": (BatchNorm, "BatchNormalization"),
    "onnx_browser_behind_each_other": (
        BrowserPlanesBehindEachOther, "repeats neither every pixel nor every row of a map once"),
    "onnx_browser_half_rows": (
        BrowserHalfRows, "repeats neither every pixel nor every row of a map once"),
    "onnx_browser_other_map": (BrowserOtherMap, "joins different maps"),
    "onnx_browser_three_times": (BrowserThreeTimes, "repeats a map more than twice"),
    "onnx_browser_brighter": (BrowserBrighter, "adds 0.5 to every value"),
    "onnx_browser_whole_mean": (BrowserWholeMean, "ReduceMean"),
    "onnx_browser_uncentred": (BrowserUncentred, "Mul"),
    "onnx_browser_zero_padding": (BrowserZeroPadding, "zero padding"),
}
