"""Networks of the corpus in the forms that exporters and quantisers write since 2023, and what people add to networks by
hand: rounding, colours kept, attention over channels.

Each function of `NETWORKS` makes one file; its decorator sets its pixel format and how close the result must be:

    exact      as for other networks
    level      the same levels after rounding, or one level off
    quantised  at most two levels off, and at most 1 % of all levels differ
    dynamic    at most nine levels off, because ONNX Runtime rounds maps to 8 bits
"""

import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import quantization
from written_networks import Written

NETWORKS = {}


def network(opset, **entry):
    def add(make):
        covers = " ".join(make.__doc__.split()).rstrip(".")
        NETWORKS[make.__name__] = Written(make, opset, {"covers": covers} | entry)
        return make
    return add


def start(g, channels=8):
    return g("Relu", g.instance_norm(g.conv("input", 3, channels, 5, 1), channels))


# Rounding --------------------------------------------------------------------


@network(13, output_known="graph", tolerance="level")
def clip_round_cast(g):
    """Clip to 0..255, Round and Cast to uint8, as people end a network for a phone."""
    x = g("Clip", g.conv(start(g), 8, 3), g.scalar(0), g.scalar(255))
    x = g("Cast", g("Round", x), to=TensorProto.UINT8)
    return g.model(x, output_dtype=TensorProto.UINT8)


@network(13, output_known="graph", tolerance="level")
def clip_cast(g):
    """Clip to 0..255 and Cast to uint8, which cuts fractions off."""
    x = g("Clip", g.conv(start(g), 8, 3), g.scalar(0), g.scalar(255))
    return g.model(g("Cast", x, to=TensorProto.UINT8), output_dtype=TensorProto.UINT8)


@network(20)
def posterised(g):
    """Floor, Ceil and Round of the photo's levels: fewer colours before the network."""
    x = g("Mul", "input", g.scalar(1 / 32))
    x = g("Concat", g("Floor", x), g("Ceil", x), g("Round", x), axis=1)
    return g.model(g.conv(g("Relu", g.conv(x, 9, 8)), 8, 3))


# Over channels -----------------------------------------------------------------


@network(20)
def luma_kept(g):
    """The photo's brightness kept: ReduceSum over channels of a weighted difference."""
    made = g.conv(start(g), 8, 3)
    weights = g.hold(np.reshape([0.25, 0.625, 0.125], (1, 3, 1, 1)))
    lost = g("ReduceSum", g("Mul", g("Sub", "input", made), weights), g.ints(1), keepdims=1)
    return g.model(g("Add", made, lost))


@network(13)
def means_of_channels(g):
    """ReduceMean, ReduceMax and ReduceMin over channels, with and without the side: attention as in CBAM."""
    x = start(g)
    mean = g("ReduceMean", x, axes=[1], keepdims=1)
    least = g("Unsqueeze", g("ReduceMin", x, axes=[1], keepdims=0), g.ints(1))
    most = g("ReduceMax", x, axes=[1], keepdims=1)
    gate = g("Sigmoid", g.conv(g("Concat", mean, least, most, axis=1), 3, 1, 7))
    return g.model(g.conv(g("Mul", x, gate), 8, 3))


@network(18)
def unit_length(g):
    """Features divided by their length: ReduceL2 and ReduceSumSquare over channels, with axes as an input."""
    x = start(g)
    length = g("Add", g("ReduceL2", x, g.ints(1), keepdims=1), g.scalar(0.125))
    squares = g("Sqrt", g("Add", g("ReduceSumSquare", x, g.ints(1), keepdims=1), g.scalar(1)))
    x = g("Concat", g("Div", x, length), g("Div", x, squares), axis=1)
    return g.model(g.conv(x, 16, 3))


@network(13)
def softmax_of_channels(g):
    """A choice of features: Softmax over channels first."""
    x = start(g)
    shares = g("Softmax", g.conv(x, 8, 8), axis=1)
    return g.model(g.conv(g("Mul", x, shares), 8, 3))


@network(11)
def softmax_of_channels_last(g):
    """Softmax before opset 13, over channels last."""
    x = start(g)
    last = g("Transpose", g.conv(x, 8, 8), perm=[0, 2, 3, 1])
    shares = g("Transpose", g("Softmax", last, axis=3), perm=[0, 3, 1, 2])
    return g.model(g.conv(g("Mul", x, shares), 8, 3))


@network(17)
def layer_norm_of_channels(g):
    """LayerNormalization over channels last, as in ConvNeXt."""
    x = g("Transpose", g.conv(start(g), 8, 8), perm=[0, 2, 3, 1])
    x = g("LayerNormalization", x, g.near_one(8), g.draw(8, spread=0.3), axis=-1, epsilon=1e-3)
    x = g("Relu", g("Transpose", x, perm=[0, 3, 1, 2]))
    return g.model(g.conv(x, 8, 3))


@network(17, fixed=(16, 24))
def layer_norm_of_all(g):
    """LayerNormalization over channels, rows and columns, with weights for each value; one size."""
    x = g.conv(start(g), 8, 8)
    x = g("LayerNormalization", x, g.near_one(8, 16, 24), g.draw(8, 16, 24, spread=0.3), axis=1)
    return g.model(g.conv(x, 8, 3), (1, 3, 16, 24))


# Indices and shapes --------------------------------------------------------------


@network(13)
def channels_gathered(g):
    """Channels in another order: Gather along channels, and GatherND as PyTorch writes an index by a list."""
    x = g("Gather", "input", g.ints(2, 1, 0), axis=1)
    x = g("Relu", g.conv(x, 3, 8))
    first = g("Transpose", x, perm=[1, 0, 2, 3])
    picked = g("GatherND", first, g.hold([[7], [0], [3], [3]], np.int64))
    return g.model(g.conv(g("Transpose", picked, perm=[1, 0, 2, 3]), 4, 3))


@network(13)
def squeezed_by_if(g):
    """PyTorch's squeeze: an If on a shape, with Squeeze in one branch and Identity in the other."""
    x = g("Unsqueeze", start(g), g.ints(1))
    side = g("Gather", g("Shape", x), g.hold(1, np.int64), axis=0)
    fact = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    one = numpy_helper.from_array(np.array([1], np.int64), "one")
    then = helper.make_graph([helper.make_node("Squeeze", [x, "one"], ["y"])], "then", [], [fact], [one])
    other = helper.make_graph([helper.make_node("Identity", [x], ["y"])], "else", [], [fact])
    x = g("If", g("Equal", side, g.hold(1, np.int64)), then_branch=then, else_branch=other)
    return g.model(g.conv(x, 8, 3))


@network(13)
def if_of_a_constant(g):
    """An If whose condition is an initializer."""
    x = start(g)
    fact = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    branches = {f"{word}_branch": helper.make_graph([helper.make_node(op, [x], ["y"])], word, [], [fact])
                for word, op in (("then", "Tanh"), ("else", "Relu"))}
    x = g("If", g.hold(False, np.bool_), **branches)
    return g.model(g.conv(x, 8, 3))


# Values --------------------------------------------------------------------------


@network(13)
def larger_and_smaller(g):
    """Max and Min of two maps, of three inputs, and of limits for each channel."""
    x = start(g)
    y = g.conv(x, 8, 8)
    x = g("Concat", g("Max", x, y), g("Min", y, x, g.scalar(1)), g("Max", y, g.draw(8, 1, 1)), axis=1)
    return g.model(g.conv(x, 24, 3))


@network(13, output="0..1", output_known="nothing")
def gamma(g):
    """Pow with fractions, a negative and a large exponent, and a map as exponent."""
    x = g("Add", g("Sigmoid", g.conv(start(g), 8, 8)), g.scalar(0.25))
    parts = [g("Pow", x, g.scalar(power)) for power in (2.25, -1.5, 5.0)]
    x = g("Concat", *parts, g("Pow", g.scalar(2), x), axis=1)
    return g.model(g.conv(x, 32, 3))


# Pixels, comparisons and sizes -------------------------------------------------------


@network(13)
def matrices_at_pixels(g):
    """MatMul of channels at the end, with a bias; of a matrix before flat pixels; Gemm on rows of pixels."""
    x = start(g)
    y = g("MatMul", g("Transpose", x, perm=[0, 2, 3, 1]), g.draw(8, 6, spread=0.35))
    y = g("Transpose", g("Add", y, g.draw(6)), perm=[0, 3, 1, 2])
    sizes = g("Shape", y)
    flat = g("Reshape", y, g.ints(1, 6, -1))
    z = g("Reshape", g("MatMul", g.draw(6, 6, spread=0.4), flat), sizes)
    rows = g("Reshape", g("Transpose", z, perm=[0, 2, 3, 1]), g.ints(-1, 6))
    rows = g("Gemm", rows, g.draw(6, 6, spread=0.4), g.draw(6), transB=1, alpha=0.5, beta=2.0)
    ends = g("Slice", sizes, g.ints(2), g.ints(4), g.ints(0))
    shape = g("Concat", g.ints(1), ends, g.ints(6), axis=0)
    z = g("Transpose", g("Reshape", rows, shape), perm=[0, 3, 1, 2])
    return g.model(g.conv(g("Relu", z), 6, 3))


@network(13)
def einsums(g):
    """Einsum as a convolution of single pixels, in both orders and with an ellipsis, and as a transpose."""
    x = g("Einsum", start(g), g.draw(6, 8, spread=0.35), equation="bchw, oc -> bohw")
    x = g("Einsum", g.draw(6, 7, spread=0.4), x, equation="cd,bchw->bhwd")
    x = g("Einsum", x, g.draw(7, 8, spread=0.4), equation="...c,cd->...d")
    return g.model(g.conv(g("Relu", g("Einsum", x, equation="bhwc->bchw")), 8, 3))


@network(23)
def root_mean_square_norms(g):
    """RMSNormalization of channels, of planes and of both; MeanVarianceNormalization."""
    x = start(g)
    y = g("RMSNormalization", g("Transpose", x, perm=[0, 2, 3, 1]), g.near_one(8), axis=-1, epsilon=1e-3)
    y = g("Transpose", y, perm=[0, 3, 1, 2])
    z = g("RMSNormalization", g("Reshape", x, g.ints(1, 8, -1)), g.hold([1.25]), axis=2)
    z = g("Reshape", z, g("Shape", x))
    w = g("MeanVarianceNormalization", y, axes=[0, 2, 3])
    v = g("RMSNormalization", x, g.hold([[[0.75]]]), axis=1)
    return g.model(g.conv(g("Concat", y, z, w, v, axis=1), 32, 3))


@network(18)
def softplus_with_threshold(g):
    """Softplus with a threshold as PyTorch writes it, with beta 1 and 2, before Mish."""
    x = g.conv(start(g), 8, 8)
    y = g("Where", g("Greater", x, g.scalar(20)), x, g("Softplus", x))
    twice = g("Mul", x, g.scalar(2))
    soft = g("Div", g("Softplus", twice), g.scalar(2))
    z = g("Where", g("Greater", twice, g.scalar(1)), x, soft)
    return g.model(g.conv(g("Mish", g("Concat", y, z, axis=1)), 16, 3))


@network(16)
def comparisons(g):
    """Where with maps and numbers, all comparisons, And, Or and Not; exponentials that would overflow."""
    x = g.conv(start(g), 8, 8)
    y = g.conv(x, 8, 8)
    zero = g.scalar(0)
    either = g("Or", g("Less", x, y), g("GreaterOrEqual", g.scalar(-0.5), y))
    both = g("And", g("LessOrEqual", x, g.draw(8, 1, 1)), g("Not", g("Equal", g("Relu", y), zero)))
    large = g("Exp", g("Mul", x, g.scalar(100)))
    parts = [g("Where", either, x, y), g("Where", both, g.scalar(0.5), x),
             g("Where", g("Greater", x, zero), x, large), g("Cast", either, to=TensorProto.FLOAT)]
    return g.model(g.conv(g("Concat", *parts, axis=1), 32, 3))


@network(22)
def rare_functions(g):
    """Celu, Softsign, Sign, Shrink, ThresholdedRelu, and Mean of three maps."""
    x = g.conv(start(g), 8, 8)
    parts = [g("Celu", x, alpha=0.5), g("Softsign", x), g("Sign", x), g("Shrink", x, lambd=0.5, bias=0.25),
             g("ThresholdedRelu", x, alpha=0.5), g("Mean", x, g("Abs", x), g.draw(8, 1, 1))]
    return g.model(g.conv(g("Concat", *parts, axis=1), 48, 3))


@network(17)
def repeated(g):
    """Expand of a norm to all channels and of one pixel to all pixels, Tile of grey to three channels."""
    x = start(g)
    norm = g("Clip", g("ReduceL2", x, axes=[1], keepdims=1), g.scalar(1e-6))
    x = g("Div", x, g("Expand", norm, g("Shape", x)))
    whole = g("Expand", g("GlobalAveragePool", g.conv(x, 8, 4)), g.ints(1, 4, 1, 1))
    sizes = g("Concat", g.ints(1, 4), g("Slice", g("Shape", x), g.ints(2), g.ints(4), g.ints(0)), axis=0)
    x = g("Concat", x, g("Expand", whole, sizes), axis=1)
    grey = g("Tile", g("Sigmoid", g.conv(x, 12, 1)), g.ints(1, 3, 1, 1))
    return g.model(g.conv(grey, 3, 3))


def side(g, x, axis):
    """The rows (2) or columns (3) of a map."""
    return g("Gather", g("Shape", x), g.ints(axis), axis=0)


@network(13)
def unet_cropped(g):
    """A map of an encoder's next odd size, cropped to that of the map next to it, as exporters write `[:, :, :h, :w]`."""
    x = start(g)
    small = g("Relu", g.conv(x, 8, 8, 3, 2))
    large = g.transposed(small, 8, 8, 4, pad=1)
    for axis in (2, 3):
        large = g("Slice", large, g.ints(0), side(g, x, axis), g.ints(axis))
    x = g("Relu", g.instance_norm(g.conv(g("Concat", x, large, axis=1), 16, 8), 8))
    return g.model(g.conv(x, 8, 3))


@network(13)
def unet_padded(g):
    """A map of an encoder's next smaller size, padded on both sides to that of the map next to it."""
    x = start(g)
    small = g("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    large = g.transposed(g("Relu", g.conv(small, 8, 8)), 8, 8, 2)
    pads = [[], []]
    for axis in (2, 3):
        lacking = g("Sub", side(g, x, axis), side(g, large, axis))
        before = g("Div", lacking, g.ints(2))
        pads[0].append(before)
        pads[1].append(g("Sub", lacking, before))
    large = g("Pad", large, g("Concat", g.ints(0, 0), *pads[0], g.ints(0, 0), *pads[1], axis=0))
    x = g("Relu", g.instance_norm(g.conv(g("Concat", x, large, axis=1), 16, 8), 8))
    return g.model(g.conv(x, 8, 3))


@network(13)
def padded_inside(g):
    """The photo padded by reflection to a multiple of 8, the picture cropped to the photo's size before the last layer."""
    more = [g("Mod", g("Sub", g.ints(0), side(g, "input", axis)), g.ints(8)) for axis in (2, 3)]
    x = g("Pad", "input", g("Concat", g.ints(0, 0, 0, 0, 0, 0), *more, axis=0), mode="reflect")
    x = g("Relu", g.instance_norm(g.conv(x, 3, 8, 3, 2), 8))
    x = g("Relu", g.transposed(g("Relu", g.conv(x, 8, 8, 3, 2)), 8, 8, 4, 4))
    ends = g("Slice", g("Shape", "input"), g.ints(2), g.ints(4), g.ints(0))
    x = g("Slice", g.conv(g.upsample(x), 8, 8), g.ints(0, 0), ends, g.ints(2, 3))
    return g.model(g.conv(g.instance_norm(x, 8), 8, 3))


# Functions and versions ------------------------------------------------------------


@network(18)
def functions(g):
    """Functions of the model in functions, with an attribute, a default and a name that is used twice."""
    block = helper.make_function(
        "layers", "Block", ["x", "w", "b"], ["y"],
        [helper.make_node("Conv", ["x", "w"], ["made"], pads=[1, 1, 1, 1]),
         helper.make_node("Shifted", ["made", "b"], ["y"], domain="layers")],
        [helper.make_opsetid("", 18), helper.make_opsetid("layers", 1)])
    shifted = helper.make_function(
        "layers", "Shifted", ["x", "b"], ["y"],
        [helper.make_node("Add", ["x", "b"], ["made"]), helper.make_node("LeakyRelu", ["made"], ["y"])],
        [helper.make_opsetid("", 18)], attribute_protos=[helper.make_attribute("alpha", 0.25)])
    leaky = shifted.node[1].attribute.add()
    leaky.name, leaky.ref_attr_name, leaky.type = "alpha", "alpha", onnx.AttributeProto.FLOAT
    x = start(g)
    for _ in range(2):
        x = g("Block", x, g.hold(g.conv_weights(8, 8, 3)), g.draw(8, 1, 1, spread=0.2), domain="layers")
    x = g("Shifted", x, g.draw(8, 1, 1), domain="layers", alpha=0.5)
    model = g.model(g.conv(x, 8, 3), domains=("layers",))
    model.functions.extend([block, shifted])
    return model


@network(7, multiple=2)
def opset_7(g):
    """The oldest opset: Upsample with scales in an attribute, BatchNormalization, broadcasts."""
    x = g("Relu", g.batch_norm(g.conv("input", 3, 8, 3, 2), 8))
    x = g("Upsample", g("Mul", x, g.near_one(8, 1, 1)), scales=[1.0, 1.0, 2.0, 2.0], mode="nearest")
    return g.model(g.conv(x, 8, 3), inputs_list_weights=True)


@network(24, multiple=2)
def opset_24(g):
    """A recent opset: GroupNormalization with a scale for each channel, Swish, Resize, Pad with axes."""
    x = g("Pad", "input", g.ints(1, 1, 1, 1), "", g.ints(2, 3), mode="reflect")
    x = g("GroupNormalization", g.conv(x, 3, 8, 3, 2, 0), g.near_one(8), g.draw(8), num_groups=2)
    x = g("Mul", x, g("Sigmoid", x))
    x = g("Resize", x, "", g.hold([2, 2]), mode="linear", axes=[2, 3])
    return g.model(g.conv(x, 8, 3))


# Quantised -----------------------------------------------------------------------


@network(13)
def quantised_weights(g):
    """Weights as int8 with a scale for each channel, computed with as floats."""
    def conv(x, inputs, outputs, dtype, zero):
        kernel = g.noise.integers(-9, 10, (outputs, inputs, 3, 3)) + zero
        scales = g.hold(g.noise.integers(1, 4, outputs) / 64)
        zeros = g.hold(np.full(outputs, zero), dtype)
        weight = g("DequantizeLinear", g.hold(kernel, dtype), scales, zeros, axis=0)
        return g("Conv", x, weight, g.draw(outputs), pads=[1, 1, 1, 1])
    x = g("Relu", conv(start(g), 8, 8, np.int8, 0))
    return g.model(g("Add", g("Mul", conv(x, 8, 3, np.uint8, 128), g.scalar(8)), g.scalar(128)))


class Pictures(quantization.CalibrationDataReader):
    def __init__(self, values):
        self.values = iter(values)

    def get_next(self):
        values = next(self.values, None)
        return values if values is None else {"input": values}


def quantised(kind, **options):
    def after(model, values):
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder) / "made.onnx"
            quantization.quantize_static(
                model, made, Pictures([values]), quant_format=kind, extra_options=options,
                weight_type=quantization.QuantType.QInt8, per_channel=True)
            return onnx.load(made)
    return after


def small_network(g):
    x = g("Relu", g.conv("input", 3, 8))
    x = g("Relu", g("Add", x, g.conv(x, 8, 8)))
    x = g("Concat", g.conv(x, 8, 8), g("MaxPool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1]), axis=1)
    return g.model(g.conv(x, 16, 3))


@network(17, tolerance="quantised", after=quantised(quantization.QuantFormat.QDQ))
def qdq(g):
    """Quantised with QuantizeLinear and DequantizeLinear around every operator, by onnxruntime."""
    return small_network(g)


@network(17, tolerance="quantised", after=quantised(quantization.QuantFormat.QOperator))
def qoperators(g):
    """Quantised with QLinearConv, QLinearAdd and others, by onnxruntime."""
    return small_network(g)


def quantised_dynamically(model, values):
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made.onnx"
        quantization.quantize_dynamic(model, made, weight_type=quantization.QuantType.QUInt8)
        return onnx.load(made)


@network(17, tolerance="dynamic", after=quantised_dynamically)
def dynamic(g):
    """Quantised with DynamicQuantizeLinear and ConvInteger, by onnxruntime."""
    return small_network(g)
