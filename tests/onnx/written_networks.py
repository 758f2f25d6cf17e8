"""The networks of the corpus that are written node by node: forms from other frameworks' converters and older
exporters, and forms that no current exporter writes.

Each function of `NETWORKS` makes one file; its decorator sets its pixel format.
"""

from dataclasses import dataclass

import numpy as np
import onnx
from graph_builder import coarse, constant_nodes
from onnx import TensorProto, numpy_helper

NETWORKS = {}


@dataclass
class Written:
    """A function that makes the file, its opset, and the entry of the index."""

    make: object
    opset: int
    entry: dict


def network(opset, **entry):
    def add(make):
        covers = " ".join(make.__doc__.split()).rstrip(".")
        NETWORKS[make.__name__] = Written(make, opset, {"covers": covers} | entry)
        return make
    return add


def levels(g, x, factor):
    """Scales values around 0 to about 0..255, if `settled` finds no convolution for that."""
    return g("Add", g("Mul", x, g.scalar(factor)), g.scalar(128))


@network(9, order="bgr", output_known="graph", multiple=4)
def chainer_fast_style(g):
    """Chainer's fast-style net: zero padding inside Conv, BatchNorm, Elu, ConvTranspose k4 s2 p1,
    tanh * 150 + 127.5; initializers listed as inputs."""
    def layer(x, inputs, outputs, kernel, stride):
        pad = kernel // 2 if kernel % 2 else 1
        x = g.conv(x, inputs, outputs, kernel, stride, pad)
        return g("Elu", g.batch_norm(x, outputs), alpha=1.0)

    def rise(x, inputs, outputs):
        return g("Elu", g.batch_norm(g.transposed(x, inputs, outputs, 4, pad=1), outputs), alpha=1.0)
    x = layer("input", 3, 8, 9, 1)
    x = layer(layer(x, 8, 10, 4, 2), 10, 12, 4, 2)
    for _ in range(2):
        y = g("Relu", g.batch_norm(g.conv(x, 12, 12), 12))
        x = g("Add", g.batch_norm(g.conv(y, 12, 12), 12), x)
    x = g.conv(rise(rise(x, 12, 10), 10, 8), 8, 3, 9)
    x = g("Add", g("Mul", g("Tanh", x), g.scalar(150)), g.scalar(127.5))
    return g.model(x, inputs_list_weights=True, producer="onnx-chainer")


@network(11, output_known="graph")
def zero_padded_batch_norm(g):
    """Zero padding, BatchNorm, residual blocks, (tanh + 1) * 127.5."""
    x = g("Relu", g.batch_norm(g.conv("input", 3, 8, 9), 8))
    x = g("Relu", g.batch_norm(g.conv(x, 8, 12, 3, 2), 12))
    for _ in range(2):
        y = g("Relu", g.batch_norm(g.conv(x, 12, 12, bias=False), 12, 1e-3))
        x = g("Add", x, g.batch_norm(g.conv(y, 12, 12, bias=False), 12, 1e-3))
    x = g("Relu", g.batch_norm(g.transposed(x, 12, 8, 3, pad=1, output_padding=[1, 1]), 8))
    x = g("Tanh", g.conv(x, 8, 3, 9))
    return g.model(g("Mul", g("Add", x, g.scalar(1)), g.scalar(127.5)))


@network(8, fixed=(32, 48))
def upsample_attribute(g):
    """Opset 8 at a baked size: Upsample with scales in an attribute, Pad in an attribute, nearest and linear."""
    x = g("Relu", g.conv("input", 3, 10, 5, 2))
    x = g("Upsample", x, scales=[1.0, 1.0, 2.0, 2.0], mode="nearest")
    x = g("Pad", x, mode="reflect", pads=[0, 0, 1, 1, 0, 0, 1, 1])
    x = g("Relu", g.instance_norm(g.conv(x, 10, 10, 3, 2, 0), 10))
    x = g("Upsample", x, scales=[1.0, 1.0, 2.0, 2.0], mode="linear")
    x = g("Pad", x, mode="constant", pads=[0, 0, 1, 1, 0, 0, 1, 1], value=1.0)
    return g.model(g.conv(x, 10, 3, 3, 1, 0), (1, 3, 32, 48), inputs_list_weights=True)


@network(9, input="0..1", output="0..1", output_known="graph")
def upsample_scales(g):
    """Opset 9, any size: Upsample with its scales as an input, linear and nearest; Clip with attributes,
    Sigmoid."""
    x = g("Clip", g.conv("input", 3, 10, 5, 2), min=0.0, max=6.0)
    x = g("Upsample", x, g.hold([1, 1, 2, 2]), mode="linear")
    x = g("Clip", g.conv(x, 10, 10, 3, 2), min=0.0)
    x = g("Upsample", x, g.hold([1, 1, 2, 2]), mode="nearest")
    return g.model(g("Sigmoid", g.conv(x, 10, 3)))


# The padding of TensorFlow's SAME for even sides, a kernel of 3 and a stride of 2: nothing at the top and left.
SAME_BELOW = [0, 0, 1, 1]


@network(13, layout="nhwc", input="-1..1", output="-1..1", output_known="graph", multiple=2)
def nhwc_edges(g):
    """As tf2onnx writes it: NHWC in and out, one Transpose at each end, unequal SAME padding, Tanh."""
    x = g("Transpose", "input", perm=[0, 3, 1, 2])
    x = g("LeakyRelu", g.conv(x, 3, 10, 7, 1, 3), alpha=0.2)
    x = g("LeakyRelu", g.conv(x, 10, 12, 3, 2, SAME_BELOW), alpha=0.2)
    for _ in range(2):
        y = g("LeakyRelu", g.conv(x, 12, 12), alpha=0.2)
        x = g("Add", x, g.conv(y, 12, 12))
    x = g.upsample(x, "linear", "half_pixel")
    x = g("Tanh", g.conv(x, 12, 3, 7, 1, 3))
    return g.model(g("Transpose", x, perm=[0, 2, 3, 1]), (1, "height", "width", 3), producer="tf2onnx")


@network(11, layout="nhwc", fixed=(32, 48), multiple=2, input_known="graph")
def nhwc_everywhere(g):
    """An unoptimised conversion: Transpose around every Conv, bias and norm as NHWC Add and Mul, weights
    transposed from HWIO by a Transpose of a constant, Resize on a transposed map; baked size, 0..255."""
    def conv(x, inputs, outputs, kernel, stride=1, pad=None):
        weights = g.conv_weights(inputs, outputs, kernel).transpose(2, 3, 1, 0)
        held = g("Transpose", g.hold(weights), perm=[3, 2, 0, 1])
        pads = pad or [kernel // 2] * 4
        x = g("Transpose", x, perm=[0, 3, 1, 2])
        x = g("Conv", x, held, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=pads)
        x = g("Transpose", x, perm=[0, 2, 3, 1])
        return g("Add", x, g.draw(outputs, spread=0.2))

    def scaled(x, channels):
        x = g("Mul", x, g.near_one(channels))
        return g("Add", x, g.draw(1, 1, 1, channels, spread=0.3))
    x = g("Sub", g("Mul", "input", g.scalar(1 / 127.5)), g.scalar(1))
    x = g("Relu", scaled(conv(x, 3, 10, 5, 2, [1, 1, 2, 2]), 10))
    x = g("Add", x, g("Relu", scaled(conv(x, 10, 10, 3), 10)))
    x = g("Transpose", x, perm=[0, 3, 1, 2])
    x = g("Resize", x, g.hold([]), g.hold([]), g.ints(1, 10, 32, 48), mode="nearest",
          coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    x = g("Transpose", x, perm=[0, 2, 3, 1])
    x = levels(g, conv(x, 10, 3, 3), 80)
    return g.model(x, (1, 32, 48, 3), producer="tf2onnx")


@network(13, layout="nhwc", input="-1..1", output="-1..1")
def nhwc_decomposed_norm(g):
    """Norms as TensorFlow's moments, over axes 1 and 2 of NHWC maps: ReduceMean, Sub, Mul, ReduceMean, Add,
    Sqrt, Reciprocal, Mul, Mul, Sub, Add; linear Resize asymmetric."""
    def norm(x, channels):
        mean = g("ReduceMean", x, axes=[1, 2], keepdims=1)
        centred = g("Sub", x, mean)
        variance = g("ReduceMean", g("Mul", centred, centred), axes=[1, 2], keepdims=1)
        factor = g("Reciprocal", g("Sqrt", g("Add", variance, g.scalar(1e-3))))
        factor = g("Mul", factor, g.near_one(channels))
        shift = g("Sub", g.draw(channels, spread=0.3), g("Mul", mean, factor))
        return g("Add", g("Mul", x, factor), shift)

    def conv(x, *arguments):
        x = g("Transpose", x, perm=[0, 3, 1, 2])
        return g("Transpose", g.conv(x, *arguments), perm=[0, 2, 3, 1])
    x = g("Relu", norm(conv("input", 3, 10, 5), 10))
    x = g("Relu", norm(conv(x, 10, 12, 3, 2), 12))
    x = g("Add", x, norm(conv(x, 12, 12), 12))
    x = g("Transpose", x, perm=[0, 3, 1, 2])
    x = g("Transpose", g.upsample(x, "linear", "asymmetric"), perm=[0, 2, 3, 1])
    return g.model(conv(x, 12, 3, 3), (1, "height", "width", 3), producer="tf2onnx")


@network(18)
def decomposed_norm_axes_input(g):
    """Decomposed norm of opset 18: ReduceMean with its axes as an input, Pow 2, Div, Unsqueeze of weights."""
    def norm(x, channels):
        mean = g("ReduceMean", x, g.ints(2, 3), keepdims=1)
        centred = g("Sub", x, mean)
        squares = g("Pow", centred, g.scalar(2))
        variance = g("ReduceMean", squares, g.ints(-2, -1), keepdims=1)
        x = g("Div", centred, g("Sqrt", g("Add", variance, g.scalar(1e-5))))
        scale = g("Unsqueeze", g.near_one(channels), g.ints(1, 2))
        shift = g("Unsqueeze", g.draw(channels, spread=0.3), g.ints(0, 2, 3))
        return g("Add", g("Mul", x, scale), shift)
    x = g("Relu", norm(g.conv("input", 3, 10, 5, 2), 10))
    x = g("Add", x, norm(g.conv(x, 10, 10), 10))
    return g.model(g.conv(g.upsample(x), 10, 3))


@network(11, multiple=4)
def auto_padding(g):
    """auto_pad SAME_UPPER and SAME_LOWER with strides, VALID, and ConvTranspose SAME_UPPER."""
    x = g("Relu", g.conv("input", 3, 10, 3, 2, auto_pad="SAME_UPPER"))
    x = g("Relu", g.conv(x, 10, 10, 4, 2, auto_pad="SAME_LOWER"))
    x = g("Relu", g.conv(x, 10, 10, 1, auto_pad="VALID"))
    for _ in range(2):
        spread = (1.6 * 4 / 160) ** 0.5
        x = g("ConvTranspose", x, g.draw(10, 10, 4, 4, spread=spread), g.draw(10, spread=0.2),
              kernel_shape=[4, 4], strides=[2, 2], auto_pad="SAME_UPPER")
    return g.model(g.conv(x, 10, 3, 3, auto_pad="SAME_UPPER"))


@network(13, multiple=2)
def resize_nearest_kinds(g):
    """Nearest Resize by 0.5, 2, 1.5 and 3: floor, ceil, round_prefer_floor, round_prefer_ceil; asymmetric,
    half_pixel, align_corners."""
    x = g("Relu", g.conv("input", 3, 8, 3))
    kinds = [("asymmetric", "floor"), ("asymmetric", "ceil"), ("half_pixel", "round_prefer_floor"),
             ("half_pixel", "round_prefer_ceil"), ("align_corners", "round_prefer_floor"), ("half_pixel", "floor")]
    both = []
    for coordinates, nearest in kinds:
        y = g.upsample(x, "nearest", coordinates, 0.5, nearest_mode=nearest)
        y = g("Relu", g.conv(y, 8, 4))
        both.append(g.upsample(y, "nearest", coordinates, 3.0, nearest_mode=nearest))
    joined = g("Concat", *both, axis=1)
    x = g("Relu", g.conv(joined, 24, 8, 3, 3))
    return g.model(g.conv(g.upsample(x, scale=2.0), 8, 3))


@network(11)
def resize_linear_kinds(g):
    """Linear Resize by 2 of opset 11: half_pixel, pytorch_half_pixel, align_corners, asymmetric."""
    x = g("Relu", g.conv("input", 3, 8, 3, 2))
    both = [g.upsample(g("Relu", g.conv(x, 8, 4)), "linear", coordinates)
            for coordinates in ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")]
    return g.model(g.conv(g("Concat", *both, axis=1), 16, 3))


@network(19, fixed=(29, 43))
def resize_axes(g):
    """Resize of opset 19: axes 2 and 3 only, by sizes and by scales, half_pixel_symmetric; baked odd size."""
    x = g("Relu", g.conv("input", 3, 10, 3, 2))
    x = g("Resize", x, "", g.hold([2, 1.5]), axes=[2, 3], mode="linear",
          coordinate_transformation_mode="half_pixel_symmetric")
    x = g("Relu", g.conv(x, 10, 10))
    x = g("Resize", x, "", "", g.ints(29, 43), axes=[2, 3], mode="nearest", nearest_mode="floor",
          coordinate_transformation_mode="asymmetric", keep_aspect_ratio_policy="stretch")
    return g.model(g.conv(x, 10, 3), (1, 3, 29, 43))


@network(13, multiple=4)
def depth_to_space_dcr(g):
    """SpaceToDepth by 4 and by 2, DepthToSpace DCR and CRD."""
    x = g("Relu", g.conv(g("SpaceToDepth", "input", blocksize=4), 48, 12))
    x = g("Add", x, g("Relu", g.conv(x, 12, 12)))
    x = g("DepthToSpace", g.conv(x, 12, 32, 1), blocksize=2, mode="DCR")
    x = g("Relu", g.conv(x, 8, 12))
    return g.model(g("DepthToSpace", g.conv(x, 12, 12), blocksize=2, mode="CRD"))


@network(13)
def swapped_inside_split(g):
    """Turns RGB into BGR and back by Split and Concat."""
    def swap(x):
        red, green, blue = g("Split", x, outputs=3, axis=1)
        return g("Concat", blue, green, red, axis=1)
    x = g("Relu", g.instance_norm(g.conv(swap("input"), 3, 10, 5), 10))
    return g.model(swap(g.conv(x, 10, 3)))


@network(12, input_known="graph", output_known="graph")
def scaled_inside(g):
    """Takes 0..255 by Mul 1/127.5 and Sub 1, gives 0..255 by Tanh, Add 1, Mul 127.5, Clip."""
    x = g("Sub", g("Mul", "input", g.scalar(1 / 127.5)), g.scalar(1))
    x = g("Relu", g.conv(x, 3, 12, 5))
    x = g("Add", x, g("Relu", g.conv(x, 12, 12)))
    x = g("Tanh", g.conv(x, 12, 3))
    x = g("Mul", g("Add", x, g.scalar(1)), g.scalar(127.5))
    return g.model(g("Clip", x, g.scalar(0), g.scalar(255)))


@network(13, order="bgr", input="caffe")
def caffe_mean(g):
    """Takes BGR less ImageNet's mean levels, as networks from Caffe's VGG do; gives 0..255."""
    x = g("Relu", g.conv("input", 3, 12, 5))
    x = g("Add", x, g("Relu", g.conv(x, 12, 12)))
    return g.model(g.conv(x, 12, 3))


@network(13)
def half_weights(g):
    """fp16 initializers, each before a Cast."""
    x = g("Relu", g.conv("input", 3, 12, 5, 2))
    x = g("Add", x, g("Relu", g.instance_norm(g.conv(x, 12, 12), 12)))
    model = g.model(g.conv(g.upsample(x), 12, 3))
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) in (1, 4) and tensor.dims[0] != 4:
            values, name = numpy_helper.to_array(tensor), tensor.name
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
            casts.append(onnx.helper.make_node(
                "Cast", [f"{name}_half"], [name], name=f"cast_{name}", to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


@network(17, input="0..1", output="0..1", output_known="graph", float_twin=True)
def half_model(g):
    """All fp16, input and output too; the reference is that of the same weights in fp32 arithmetic."""
    x = g("Relu", g.conv("input", 3, 12, 5, 2))
    x = g("Add", x, g("Relu", g.instance_norm(g.conv(x, 12, 12), 12)))
    return g.model(g("Sigmoid", g.conv(g.upsample(x), 12, 3)))


@network(13)
def computed_weights(g):
    """Weights that constants compute: weight norm (Mul of g and v / |v|), Transpose, Reshape, Concat, Constant
    nodes."""
    def conv(x, weights, kernel):
        return g("Conv", x, weights, pads=[kernel // 2] * 4)
    v = g.draw(12, 3, 5, 5)
    squares = g("ReduceSum", g("Mul", v, v), g.ints(1, 2, 3), keepdims=1)
    weights = g("Mul", g("Div", v, g("Sqrt", squares)), g.near_one(12, 1, 1, 1))
    x = g("Relu", conv("input", weights, 5))
    flat = g("Reshape", g.draw(12 * 12 * 9, spread=0.1), g.ints(12, 12, 3, 3))
    x = g("Add", x, g("Relu", conv(x, flat, 3)))
    upper, lower = g.draw(1, 3, 3, 12, spread=0.1), g.draw(2, 3, 3, 12, spread=0.1)
    weights = g("Transpose", g("Concat", upper, lower, axis=0), perm=[0, 3, 1, 2])
    return constant_nodes(g.model(levels(g, conv(x, weights, 3), 2)))


@network(12)
def dropout_identity(g):
    """Dropout with ratio and an unused mask, Identity, Cast from fp32 to fp32, an unused initializer."""
    g.hold([1, 2, 3], np.int64, "unused")
    x = g("Relu", g("Identity", g.conv(g("Cast", "input", to=TensorProto.FLOAT), 3, 12, 5)))
    x, _ = g("Dropout", x, g.scalar(0.3), outputs=2)
    y = g("Dropout", g.conv(x, 12, 12))
    return g.model(g.conv(g("Add", g("Identity", x), y), 12, 3))


@network(14)
def broadcast_arithmetic(g):
    """Constants by channel, scalar, from the left and from the right of Add, Sub, Mul, Div; Neg, Abs, Sqrt,
    Reciprocal, Exp, Pow 2 and Sum."""
    x = g("Div", g("Sub", "input", g.hold([[[120]], [[110]], [[100]]])), g.scalar(64))
    a = g("Relu", g.conv(x, 3, 10, 5))
    b = g("Sub", g.draw(1, 10, 1, 1), a)
    c = g("Div", g.draw(10, 1, 1), g("Add", g("Abs", b), g.scalar(1)))
    d = g("Sqrt", g("Add", g("Pow", b, g.scalar(2)), g.hold([[[[0.5]]]])))
    e = g("Exp", g("Neg", g("Mul", g.near_one(10, 1, 1), g("Abs", c))))
    f = g("Reciprocal", g("Add", g.scalar(1), g("Mul", a, a)))
    x = g("Sum", g("Mul", c, d), e, f)
    x = g("Div", x, g("Add", g("GlobalAveragePool", d), g.scalar(0.25)))
    return g.model(g.conv(x, 10, 3))


@network(11, input="-1..1", output="-1..1")
def maximum_leaky(g):
    """Leaky ReLU as Keras writes it: Max(x, 0.2 x)."""
    def leaky(x):
        return g("Max", x, g("Mul", x, g.scalar(0.2)))
    x = leaky(g.conv("input", 3, 12, 5))
    x = g("Add", x, leaky(g.conv(x, 12, 12)))
    return g.model(g.conv(x, 12, 3))


@network(11)
def hard_swish_parts(g):
    """HardSwish as x * Clip(x + 3, 0, 6) / 6, and HardSigmoid with other numbers."""
    def swish(x):
        y = g("Clip", g("Add", x, g.scalar(3)), g.scalar(0), g.scalar(6))
        return g("Div", g("Mul", x, y), g.scalar(6))
    x = swish(g.conv("input", 3, 12, 5))
    y = g("HardSigmoid", g.conv(x, 12, 12), alpha=0.1667, beta=0.4)
    return g.model(g.conv(g("Mul", x, y), 12, 3))


@network(8, order="bgr", input_known="metadata", output_known="metadata", fixed=(32, 48))
def windows_metadata(g):
    """Windows ML's metadata: Image.BitmapPixelFormat Bgr8, Image.NominalPixelRange 0_255, image denotations."""
    x = g("Relu", g.instance_norm(g.conv("input", 3, 10, 5), 10))
    model = g.model(g.conv(x, 10, 3), (1, 3, 32, 48), (1, 3, 32, 48), inputs_list_weights=True, metadata={
        "Image.BitmapPixelFormat": "Bgr8", "Image.ColorSpaceGamma": "SRGB",
        "Image.NominalPixelRange": "NominalRange_0_255"})
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.denotation = "IMAGE"
        names = ("DATA_BATCH", "DATA_CHANNEL", "DATA_FEATURE", "DATA_FEATURE")
        for dim, name in zip(value.type.tensor_type.shape.dim, names, strict=True):
            dim.denotation = name
    return model


@network(13, input="0..1", output="0..1", input_known="metadata", output_known="metadata")
def windows_metadata_normalised(g):
    """The same with Rgb8 and Normalized_0_1; free sizes."""
    x = g("Relu", g.conv("input", 3, 10, 5))
    return g.model(g.conv(x, 10, 3), metadata={
        "Image.BitmapPixelFormat": "Rgb8", "Image.NominalPixelRange": "Normalized_0_1"})


@network(13, layout="nhwc", input_known="graph", output_known="graph", input_dtype="u8", outcome="run_or_refuse")
def bytes_in(g):
    """Takes uint8 NHWC and casts it; Clip 0..255 at the end."""
    x = g("Cast", "input", to=TensorProto.FLOAT)
    x = g("Transpose", x, perm=[0, 3, 1, 2])
    x = g("Relu", g.instance_norm(g.conv(x, 3, 10, 5), 10))
    x = g("Clip", g.conv(x, 10, 3), g.scalar(0), g.scalar(255))
    x = g("Transpose", x, perm=[0, 2, 3, 1])
    return g.model(x, (1, "height", "width", 3), dtype=TensorProto.UINT8, output_dtype=TensorProto.FLOAT)


@network(13, outcome="run_or_refuse")
def quantised_weights(g):
    """int8 weights before DequantizeLinear with a scale for each channel."""
    def conv(x, inputs, outputs, kernel):
        weights = g.noise.integers(-40, 41, (outputs, inputs, kernel, kernel))
        scales = g.hold(coarse(g.noise.uniform(0.5, 1.5, outputs) / 20 / (inputs * kernel**2 / 1.6) ** 0.5))
        held = g("DequantizeLinear", g.hold(weights, np.int8), scales, g.hold(np.zeros(outputs), np.int8), axis=0)
        return g("Conv", x, held, g.draw(outputs, spread=0.2), pads=[kernel // 2] * 4)
    x = g("Relu", conv("input", 3, 10, 5))
    return g.model(levels(g, conv(g("Add", x, g("Relu", conv(x, 10, 10, 3))), 10, 3, 3), 0.5))


@network(21)
def opset_21_shapes(g):
    """Opset 21: Shape with start and end, Split by num_outputs, Reshape with allowzero, Resize to a computed
    size, ConstantOfShape, Expand."""
    size = g("Shape", "input", start=2, end=4)
    x = g("Relu", g.conv("input", 3, 12, 3, 2))
    left, right = g("Split", x, outputs=2, axis=1, num_outputs=2)
    x = g("Concat", g("Mul", left, g("Sigmoid", right)), right, axis=1)
    start = g("Shape", x, start=0, end=2)
    x = g("Resize", x, "", "", g("Concat", start, size, axis=0), mode="nearest", nearest_mode="floor",
          coordinate_transformation_mode="asymmetric")
    twos = g("ConstantOfShape", g.ints(1), value=numpy_helper.from_array(np.array([2], np.float32)))
    x = g("Mul", x, g("Expand", twos, g.ints(1, 12, 1, 1)))
    x = g("Reshape", x, g("Shape", x), allowzero=1)
    return g.model(g.conv(x, 12, 3))


@network(10)
def sliced_inputs(g):
    """Opset 10: Slice with its numbers as inputs, negative ends and axes, Resize with scales only."""
    x = g("Relu", g.conv("input", 3, 12, 5, 1, 4))
    x = g("Slice", x, g.ints(2, 2), g.ints(-2, -2), g.ints(2, 3))
    upper = g("Slice", x, g.ints(6), g.ints(2**31 - 1), g.ints(-3))
    x = g("Add", g("Slice", x, g.ints(0), g.ints(6), g.ints(1)), upper)
    x = g("Relu", g.conv(x, 6, 10, 3, 2))
    return g.model(g.conv(g("Resize", x, g.hold([1, 1, 2, 2]), mode="nearest"), 10, 3))
