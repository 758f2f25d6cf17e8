"""Files that are not runnable picture networks: the content of each, and the texts that its refusal must contain.

Each function of `FILES` returns a file and the texts that the error must contain (case-insensitive).
"""

import numpy as np
from graph_builder import Graph
from onnx import TensorProto, helper, numpy_helper

FILES = {}


def refused(*names, opset=13):
    def add(make):
        FILES[make.__name__] = (make, opset, list(names), " ".join(make.__doc__.split()).rstrip("."))
        return make
    return add


def pictured(g, x, channels=8, **options):
    """The end of a network, which makes a picture."""
    return g.model(g.conv(x, channels, 3), **options)


def start(g):
    return g("Relu", g.conv("input", 3, 8))


@refused("input")
def two_pictures(g):
    """Two picture inputs: content and style."""
    x = g("Concat", start(g), g.conv("style", 3, 8), axis=1)
    model = pictured(g, x, 16)
    model.graph.input.append(helper.make_tensor_value_info("style", TensorProto.FLOAT, [1, 3, "h", "w"]))
    return model


@refused("MatMul", "depends on the picture")
def attention(g):
    """The product of two maps."""
    x = g("Reshape", start(g), g.ints(1, 8, -1))
    products = g("Softmax", g("MatMul", g("Transpose", x, perm=[0, 2, 1]), x), axis=-1)
    return pictured(g, g("Reshape", g("MatMul", x, products), g("Shape", start(g))))


@refused("Einsum", "neither a transpose nor")
def einsum_over_pixels(g):
    """Einsum that sums up pixels."""
    return pictured(g, g("Einsum", start(g), g.draw(4, 8), equation="bchw,oc->bo"))


@refused("MatMul", "not the channels")
def matrix_at_rows(g):
    """A matrix that multiplies columns of a fixed size."""
    return pictured(g, g("MatMul", start(g), g.draw(16, 16)), shape=(1, 3, 16, 16))


@refused("Loop")
def loop(g):
    """A convolution in a Loop."""
    body = Graph(13, 5)
    y = body("Relu", body("Add", "x", body.scalar(-0.5)), name="inside")
    again = body("Identity", "condition", name="again")
    fact = helper.make_tensor_value_info
    inner = helper.make_graph(
        body.nodes, "body",
        [fact("i", TensorProto.INT64, []), fact("condition", TensorProto.BOOL, []),
         fact("x", TensorProto.FLOAT, None)],
        [fact(again, TensorProto.BOOL, []), fact(y, TensorProto.FLOAT, None)], body.initializers)
    x = g("Loop", g.hold(3, np.int64), g.hold(True, np.bool_), start(g), name="repeat", body=inner)
    return pictured(g, x)


def chosen(g, x, condition):
    """The end of a network in which an If chooses the activation."""
    fact = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    branches = {f"{word}_branch": helper.make_graph([helper.make_node(op, [x], ["y"])], word, [], [fact])
                for word, op in (("then", "Relu"), ("else", "Tanh"))}
    return pictured(g, g("If", condition, name="choose", **branches))


@refused("Greater")
def branch(g):
    """An If whose condition the picture decides."""
    x = start(g)
    return chosen(g, x, g("Greater", g("ReduceMean", x, keepdims=0), g.scalar(0.5)))


@refused("If", "branch")
def branch_without_nodes(g):
    """An If whose condition is a constant, without the branch for it."""
    model = chosen(g, start(g), g.hold(True, np.bool_))
    node = next(n for n in model.graph.node if n.op_type == "If")
    node.attribute.remove(next(a for a in node.attribute if a.name == "then_branch"))
    return model


@refused("LSTM")
def lstm(g):
    """An LSTM over the rows."""
    x = g("Transpose", g("Reshape", start(g), g.ints(8, -1, 16)), perm=[1, 0, 2])
    y, _, _ = g("LSTM", x, g.draw(1, 64, 16), g.draw(1, 64, 16), outputs=3, name="memory", hidden_size=16)
    y = g("Reshape", g("Transpose", y, perm=[2, 1, 0, 3]), g.ints(1, 8, 32, 48))
    return pictured(g, y, shape=(1, 3, 32, 48))


@refused("com.example", "Stylise")
def unknown_domain(g):
    """An operator of an unknown domain."""
    x = g("Stylise", start(g), name="secret", domain="com.example")
    return pictured(g, x, domains=("com.example",))


@refused("NotAnOperator")
def unknown_operator(g):
    """An operator that ONNX does not have."""
    return pictured(g, g("NotAnOperator", start(g), name="invented"))


@refused("1", "channel")
def grey_output(g):
    """One channel comes out: a mask or a depth, not a picture."""
    return g.model(g("Sigmoid", g.conv(start(g), 8, 1)))


@refused("size")
def half_size_output(g):
    """The result has half the sides of the picture."""
    return g.model(g.conv(start(g), 8, 3, 3, 2))


@refused("output")
def class_scores(g):
    """A classifier: a vector comes out."""
    x = g("Flatten", g("GlobalAveragePool", start(g)), axis=1)
    return g.model(g("Gemm", x, g.draw(8, 10), g.draw(10)), output=(1, 10))


@refused("RandomNormal")
def random_normal(g):
    """Noise that the graph makes up."""
    noise = g("RandomNormalLike", start(g), name="grain", mean=0.0, scale=0.1)
    return pictured(g, noise)


@refused("Conv", "dynamic")
def weights_from_the_picture(g):
    """A convolution whose weights the picture decides (a hypernetwork)."""
    x = start(g)
    weights = g("Reshape", g("GlobalAveragePool", g.conv("input", 3, 216)), g.ints(3, 8, 3, 3))
    return g.model(g("Conv", x, weights, name="dynamic", pads=[1, 1, 1, 1]))


@refused("MatMul")
def gram_over_channels(g):
    """A map times its own Gram matrix: Reshape, MatMul, MatMul."""
    x = start(g)
    flat = g("Reshape", x, g.ints(1, 8, -1))
    gram = g("MatMul", flat, g("Transpose", flat, perm=[0, 2, 1]), name="gram")
    return pictured(g, g("Reshape", g("MatMul", gram, flat, name="mixed"), g("Shape", x)))


@refused("MatMul", "scores")
def attention_over_pixels(g):
    """Self-attention over all pixels: Reshape, MatMul, Softmax, MatMul."""
    x = start(g)
    flat = g("Reshape", x, g.ints(1, 8, -1))
    scores = g("Softmax", g("MatMul", g("Transpose", flat, perm=[0, 2, 1]), flat, name="scores"), axis=-1)
    y = g("MatMul", flat, g("Transpose", scores, perm=[0, 2, 1]), name="mixed")
    return pictured(g, g("Reshape", y, g("Shape", x)))


@refused("Einsum")
def einsum(g):
    """The same by Einsum."""
    x = start(g)
    y = g("Einsum", x, g.draw(8, 8), name="mix", equation="nchw,cd->ndhw")
    return pictured(g, g("Einsum", y, x, name="gram", equation="nchw,nchw->nchw"))


@refused("cycle")
def cycle(g):
    """Two nodes read each other's results."""
    x = start(g)
    y = g("Add", x, "later:0", name="earlier")
    g("Relu", y, name="later")
    return pictured(g, "later:0")


@refused("snake")
def own_output(g):
    """A node reads its own result."""
    start(g)
    g("Relu", "snake:0", name="snake")
    return pictured(g, "snake:0")


@refused("missing")
def missing_value(g):
    """A node reads a value that no node computes."""
    return pictured(g, g("Add", start(g), "missing", name="sum"))


@refused("Resize")
def resize_scale_2_40(g):
    """A Resize by 2^40."""
    return pictured(g, g("Resize", start(g), "", g.hold([1, 1, 2.0**40, 2.0**40]), name="huge", mode="nearest"))


@refused("Resize")
def resize_sizes_2_40(g):
    """A Resize to 2^40 rows."""
    return pictured(g, g("Resize", start(g), "", "", g.ints(1, 8, 2**40, 2**40), name="huge", mode="nearest"))


@refused("Resize")
def resize_not_a_number(g):
    """A Resize by NaN."""
    return pictured(g, g("Resize", start(g), "", g.hold([1, 1, np.nan, np.nan]), name="nothing", mode="linear"))


@refused("Resize", opset=18)
def resize_antialias(g):
    """A Resize with the antialiasing filter of opset 18."""
    return pictured(g, g("Resize", start(g), "", g.hold([1, 1, 0.5, 0.5]), name="smooth", mode="linear",
                         antialias=1))


@refused("Pad")
def pad_2_40(g):
    """A Pad by 2^40 rows."""
    return pictured(g, g("Pad", start(g), g.ints(0, 0, 2**40, 0, 0, 0, 2**40, 0), name="huge", mode="reflect"))


@refused("Expand")
def expand_2_40(g):
    """An Expand to 2^40 channels."""
    return pictured(g, g("Expand", g("GlobalAveragePool", start(g)), g.ints(1, 8, 2**40, 2**40), name="huge"))


@refused("ConstantOfShape")
def constant_2_40(g):
    """A constant of 2^40 values."""
    return pictured(g, g("Add", start(g), g("ConstantOfShape", g.ints(2**20, 2**20), name="huge")))


@refused("DepthToSpace")
def depth_to_space_2_31(g):
    """A DepthToSpace whose block has 2^31 rows."""
    return pictured(g, g("DepthToSpace", start(g), name="huge", blocksize=2**31))


@refused("ConvTranspose")
def stride_2_40(g):
    """A ConvTranspose with a stride of 2^40."""
    return pictured(g, g("ConvTranspose", start(g), g.draw(8, 8, 3, 3), name="huge", strides=[2**40, 2**40]))


@refused("Conv")
def dilation_2_62(g):
    """A Conv with a dilation of 2^62, whose reach overflows."""
    return pictured(g, g("Conv", start(g), g.draw(8, 8, 3, 3), name="huge", dilations=[2**62, 2**62], pads=[1] * 4))


@refused("Conv")
def negative_stride(g):
    """A Conv with a stride of -1 and one of 0."""
    return pictured(g, g("Conv", start(g), g.draw(8, 8, 3, 3), name="back", strides=[-1, 0]))


@refused("Conv", "group")
def groups_zero(g):
    """A Conv with no groups."""
    return pictured(g, g("Conv", start(g), g.draw(8, 8, 3, 3), name="none", group=0))


@refused("channels")
def channels_double_forty_times(g):
    """Concat of a map with itself, forty times: 2^43 channels."""
    x = start(g)
    for _ in range(40):
        x = g("Concat", x, x, axis=1)
    return pictured(g, g("Slice", x, g.ints(0), g.ints(8), g.ints(1)))


@refused("Resize")
def size_doubles_forty_times(g):
    """Nearest Resize by 2, forty times, and back by 2^-40."""
    x = start(g)
    for _ in range(40):
        x = g.upsample(x)
    return pictured(g, g.upsample(x, scale=2.0**-40))


@refused("steps")
def constant_doubles_forty_times(g):
    """A constant that Concat doubles forty times."""
    x = g.hold(np.ones(1024))
    for _ in range(40):
        x = g("Concat", x, x, axis=0)
    return pictured(g, g("Add", start(g), g("ReduceSum", x, keepdims=0)))


@refused("Slice")
def slice_of_nothing(g):
    """A Slice that leaves no rows."""
    return pictured(g, g("Slice", start(g), g.ints(5), g.ints(5), g.ints(2), name="empty"))


@refused("Split")
def split_too_much(g):
    """A Split into more channels than there are."""
    a, b = g("Split", start(g), g.ints(6, 6), outputs=2, axis=1, name="greedy")
    return pictured(g, g("Add", a, b), 6)


@refused("Add")
def sizes_differ(g):
    """The sum of maps whose sizes differ."""
    x = start(g)
    return pictured(g, g("Add", x, g.conv(x, 8, 8, 3, 1, 0), name="unequal"))


@refused("InstanceNormalization")
def norm_not_a_number(g):
    """An InstanceNormalization whose epsilon is NaN."""
    return pictured(g, g("InstanceNormalization", start(g), g.near_one(8), g.near_one(8), name="nan",
                         epsilon=float("nan")))


@refused("BatchNormalization", opset=15)
def batch_norm_in_training(g):
    """A BatchNormalization in training mode, which normalises by the picture."""
    return pictured(g, g("BatchNormalization", start(g), *(g.near_one(8) for _ in range(4)), name="training",
                         training_mode=1))


@refused("NonZero")
def data_dependent_shape(g):
    """NonZero: a size that the picture decides."""
    x = start(g)
    places = g("NonZero", x, name="places")
    return pictured(g, g("Add", x, g("Cast", g("ReduceMax", places, keepdims=0), to=TensorProto.FLOAT)))


@refused("input")
def five_channels(g):
    """The input has five channels."""
    return g.model(g.conv(g("Relu", g.conv("input", 5, 8)), 8, 3), (1, 5, "height", "width"))


@refused("batch")
def batch_of_four(g):
    """A baked batch of four pictures."""
    return pictured(g, start(g), shape=(4, 3, 32, 48))


@refused("input")
def video(g):
    """Five dimensions: a clip."""
    x = g("Conv", "input", g.draw(3, 3, 1, 3, 3), pads=[0, 1, 1, 0, 1, 1])
    return g.model(x, (1, 3, 8, "height", "width"))


@refused("external", "weights.bin")
def external_weights(g):
    """A weight in another file, whose path leads out of the folder."""
    model = pictured(g, start(g))
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "../../weights.bin"), ("offset", "0"), ("length", "864")):
        tensor.external_data.add(key=key, value=value)
    return model


@refused("const_0")
def infinite_weight(g):
    """A weight that is infinite."""
    model = pictured(g, start(g))
    tensor = model.graph.initializer[0]
    values = numpy_helper.to_array(tensor).copy()
    values.flat[7] = np.inf
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return model


@refused("Again")
def local_function(g):
    """A local function that calls itself."""
    x = g("Again", start(g), name="call", domain="local")
    model = pictured(g, x, domains=("local",))
    body = [helper.make_node("Again", ["x"], ["y"], domain="local")]
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("local", 1)]
    model.functions.append(helper.make_function("local", "Again", ["x"], ["y"], body, opsets))
    return model


def functions_of_functions(g, count, calls):
    """A network that calls the first of `count` functions; each calls the next one `calls` times."""
    model = pictured(g, g("F0", start(g), name="call", domain="local"), domains=("local",))
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("local", 1)]
    for i in range(count):
        names = ["x", *(f"v{k}" for k in range(1, calls)), "y"]
        body = [helper.make_node(f"F{i + 1}" if i + 1 < count else "Relu", [a], [b],
                                 domain="local" if i + 1 < count else "")
                for a, b in zip(names, names[1:])]
        model.functions.append(helper.make_function("local", f"F{i}", ["x"], ["y"], body, opsets))
    return model


@refused("malicious")
def functions_double_forty_times(g):
    """Forty functions that call the next one twice."""
    return functions_of_functions(g, 40, 2)


@refused("functions")
def functions_too_deep(g):
    """Two hundred functions in each other."""
    return functions_of_functions(g, 200, 1)


@refused("another opset")
def function_of_another_opset(g):
    """A function whose operators are of another opset than the graph's."""
    model = functions_of_functions(g, 1, 1)
    model.functions[0].opset_import[0].version = 11
    return model


@refused("fp8", "const_0")
def fp8_weights(g):
    """Weights in fp8, cast to fp32 in the graph."""
    model = pictured(g, start(g))
    tensor = model.graph.initializer[0]
    tensor.data_type = TensorProto.FLOAT8E4M3FN
    tensor.raw_data = bytes(len(tensor.raw_data) // 4)
    for node in model.graph.node:
        node.input[:] = ["cast" if name == tensor.name else name for name in node.input]
    model.graph.node.insert(0, helper.make_node("Cast", [tensor.name], ["cast"], to=TensorProto.FLOAT))
    return model
