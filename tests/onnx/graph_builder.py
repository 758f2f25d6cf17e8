"""Builds ONNX graphs node by node, with random weights that compress well."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# The IR version that was current at each opset; today's readers accept all of them.
IR_VERSIONS = {
    7: 3, 8: 3, 9: 4, 10: 5, 11: 6, 12: 7, 13: 7, 14: 7, 15: 8, 16: 8, 17: 8, 18: 8, 19: 9, 20: 9, 21: 10,
    22: 10, 23: 11, 24: 12}


def coarse(values):
    """Rounds the values to at most about twelve multiples of a power of two; values of kernels and matrices become one
    power of two with a sign. The results are exact in fp16 and bf16, and a file of them compresses to a thirtieth."""
    values = np.asarray(values, np.float32)
    spread = float(np.sqrt(np.mean(np.square(values)))) if values.size else 0.0
    if spread == 0:
        return values
    if values.ndim > 1:
        return np.where(values < 0, -1, 1).astype(np.float32) * np.float32(2.0 ** np.round(np.log2(spread)))
    step = 2.0 ** np.floor(np.log2(spread))
    return (np.round(values / step) * step).astype(np.float32)


class Graph:
    """One graph under construction; `model` finishes it."""

    def __init__(self, opset, seed):
        self.opset = opset
        self.noise = np.random.default_rng(seed)
        self.nodes, self.initializers = [], []

    def __call__(self, operator, *inputs, outputs=1, name="", **attributes):
        """Appends a node; returns its output's name, or a list of names if there are several."""
        name = name or f"{operator}_{len(self.nodes)}"
        names = [f"{name}:{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(operator, list(inputs), names, name=name, **attributes))
        return names[0] if outputs == 1 else names

    # Constants -------------------------------------------------------------

    def hold(self, values, dtype=np.float32, name=""):
        """An initializer with these values."""
        name = name or f"const_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def ints(self, *values):
        return self.hold(values, np.int64)

    def random(self, *shape, spread=1.0):
        return coarse(self.noise.normal(0, spread, shape))

    def draw(self, *shape, spread=1.0):
        """An initializer with random values."""
        return self.hold(self.random(*shape, spread=spread))

    def near_one(self, *shape):
        """Random values from a half to one and a half, in steps of a sixteenth."""
        return self.hold(self.noise.integers(8, 25, shape) / 16)

    # Common layers ---------------------------------------------------------

    def conv_weights(self, inputs, outputs, kernel, groups=1):
        """Values that keep the spread of a map, not stored in the graph yet."""
        fan_in = inputs // groups * kernel * kernel
        return self.random(outputs, inputs // groups, kernel, kernel, spread=(1.6 / fan_in) ** 0.5)

    def conv(self, x, inputs, outputs, kernel=3, stride=1, pad=None, groups=1, bias=True, **attributes):
        weights = [self.hold(self.conv_weights(inputs, outputs, kernel, groups))]
        if bias:
            weights.append(self.draw(outputs, spread=0.2))
        if pad is None and "auto_pad" not in attributes:
            pad = kernel // 2
        if pad is not None:
            attributes["pads"] = [pad] * 4 if isinstance(pad, int) else pad
        return self("Conv", x, *weights, kernel_shape=[kernel, kernel], strides=[stride, stride],
                    group=groups, **attributes)

    def transposed(self, x, inputs, outputs, kernel, stride=2, pad=0, **attributes):
        spread = (1.6 * stride * stride / (inputs * kernel * kernel)) ** 0.5
        return self("ConvTranspose", x, self.draw(inputs, outputs, kernel, kernel, spread=spread),
                    self.draw(outputs, spread=0.2), kernel_shape=[kernel, kernel],
                    strides=[stride, stride], pads=[pad] * 4, **attributes)

    def batch_norm(self, x, channels, epsilon=1e-5):
        return self("BatchNormalization", x, self.near_one(channels), self.draw(channels, spread=0.3),
                    self.draw(channels, spread=0.5), self.near_one(channels), epsilon=epsilon)

    def instance_norm(self, x, channels, epsilon=1e-5):
        return self("InstanceNormalization", x, self.near_one(channels), self.draw(channels, spread=0.3),
                    epsilon=epsilon)

    def scalar(self, value):
        return self.hold(value)

    def upsample(self, x, mode="nearest", coordinates="asymmetric", scale=2.0, **attributes):
        """A Resize by scales."""
        scales = self.hold([1, 1, scale, scale])
        if mode == "nearest":
            attributes.setdefault("nearest_mode", "floor")
        roi = self.hold([]) if self.opset < 13 else ""
        return self("Resize", x, roi, scales, mode=mode, coordinate_transformation_mode=coordinates,
                    **attributes)

    # The end -----------------------------------------------------------------

    def model(self, result, shape=(1, 3, "height", "width"), output=None, dtype=TensorProto.FLOAT,
              output_dtype=None, inputs_list_weights=False, producer="styleforge-tests", metadata=None,
              domains=()):
        """The finished file; its input is named `input` and its output `output`."""
        self.nodes.append(helper.make_node("Identity", [result], ["output"], name="output"))
        if inputs_list_weights or self.nodes[-2].output[0] == result:
            # The last node writes the output directly, as exporters do.
            self.nodes.pop()
            for node in self.nodes:
                node.output[:] = ["output" if n == result else n for n in node.output]
                node.input[:] = ["output" if n == result else n for n in node.input]
        inputs = [helper.make_tensor_value_info("input", dtype, list(shape))]
        if inputs_list_weights:
            inputs += [helper.make_tensor_value_info(t.name, t.data_type, list(t.dims))
                       for t in self.initializers]
        outputs = [helper.make_tensor_value_info("output", output_dtype or dtype,
                                                 list(output or [None] * len(shape)))]
        graph = helper.make_graph(self.nodes, "network", inputs, outputs, self.initializers)
        opsets = [helper.make_opsetid("", self.opset), *(helper.make_opsetid(d, 1) for d in domains)]
        model = helper.make_model(graph, opset_imports=opsets, producer_name=producer)
        model.ir_version = IR_VERSIONS[self.opset]
        if inputs_list_weights:
            model.ir_version = 3
        helper.set_model_props(model, metadata or {})
        return model


def constant_nodes(model):
    """The same network with its initializers in `Constant` nodes."""
    nodes = [helper.make_node("Constant", [], [t.name], name=f"constant_{i}", value=t)
             for i, t in enumerate(model.graph.initializer)]
    nodes += list(model.graph.node)
    del model.graph.node[:]
    del model.graph.initializer[:]
    model.graph.node.extend(nodes)
    return model


def checked(model):
    onnx.checker.check_model(model, full_check=True)
    return model
