"""Builds the ONNX graph of a style network, node by node.

`StyleGraph` writes the simplest modern form. Its methods are the operators of the network, so a subclass that overrides
one of them writes another form of the same network (or, for tests, a network that only looks like it). Weights are a
dictionary of fp32 arrays under their pytorch/examples names; number of residual blocks, widths and kernel sizes are
read from it.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class StyleGraph:
    """One graph under construction; `model()` finishes it."""

    opset = 17
    ir_version = 8

    def __init__(self, weights):
        self.weights = {k: np.asarray(v, dtype=np.float32) for k, v in weights.items()}
        self.nodes = []
        self.initializers = []
        self.count = 0

    # Parts of a graph ----------------------------------------------------

    def fresh(self):
        """A value name that is not used yet."""
        self.count += 1
        return f"v{self.count}"

    def node(self, operator, *inputs, **attributes):
        """Appends a node with one output and returns the output's name."""
        output = self.fresh()
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def constant(self, values, dtype=np.int64):
        """A small constant that is not a weight."""
        name = self.fresh()
        array = np.asarray(values, dtype=dtype)
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def weight(self, key):
        """The value that contains one weight."""
        self.initializers.append(numpy_helper.from_array(self.weights[key], key))
        return key

    # Operators -----------------------------------------------------------

    def pad(self, x, amount):
        pads = self.constant([0, 0, amount, amount] * 2)
        return self.node("Pad", x, pads, mode="reflect")

    def conv(self, x, key, stride=1):
        kernel = self.weights[f"{key}.weight"].shape[2]
        x = self.pad(x, kernel // 2)
        return self.node(
            "Conv", x, self.weight(f"{key}.weight"), self.weight(f"{key}.bias"),
            kernel_shape=[kernel, kernel], strides=[stride, stride],
            pads=[0, 0, 0, 0], dilations=[1, 1], group=1,
        )

    def norm(self, x, key):
        scale, shift = self.weight(f"{key}.weight"), self.weight(f"{key}.bias")
        return self.node("InstanceNormalization", x, scale, shift, epsilon=1e-5)

    def activation(self, x):
        return self.node("Relu", x)

    def upsample(self, x):
        scales = self.constant([1, 1, 2, 2], np.float32)
        return self.node(
            "Resize", x, "", scales, mode="nearest",
            coordinate_transformation_mode="asymmetric", nearest_mode="floor",
        )

    def residual_sum(self, changed, original):
        return self.node("Add", changed, original)

    def before(self, x):
        """Operations on the picture before the first layer."""
        return x

    def after(self, x):
        """Operations on the result of the last layer."""
        return x

    # The network ---------------------------------------------------------

    def network(self, x):
        x = self.before(x)
        x = self.activation(self.norm(self.conv(x, "conv1.conv2d"), "in1"))
        x = self.activation(self.norm(self.conv(x, "conv2.conv2d", 2), "in2"))
        x = self.activation(self.norm(self.conv(x, "conv3.conv2d", 2), "in3"))
        block = 1
        while f"res{block}.conv1.conv2d.weight" in self.weights:
            key = f"res{block}"
            y = self.activation(self.norm(self.conv(x, f"{key}.conv1.conv2d"), f"{key}.in1"))
            y = self.norm(self.conv(y, f"{key}.conv2.conv2d"), f"{key}.in2")
            x = self.residual_sum(y, x)
            block += 1
        x = self.activation(self.norm(self.conv(self.upsample(x), "deconv1.conv2d"), "in4"))
        x = self.activation(self.norm(self.conv(self.upsample(x), "deconv2.conv2d"), "in5"))
        return self.after(self.conv(x, "deconv3.conv2d"))

    def inputs(self, shape):
        return [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)]

    def model(self, height=None, width=None):
        """The finished model; without a size its height and width are free."""
        result = self.network("input")
        shape = [1, 3, height or "height", width or "width"]
        last = self.nodes[-1]
        assert last.output[0] == result
        last.output[0] = "output"
        kind = self.inputs(shape)[0].type.tensor_type.elem_type
        graph = helper.make_graph(
            self.nodes, "style", self.inputs(shape),
            [helper.make_tensor_value_info("output", kind, [1, 3, None, None])],
            self.initializers,
        )
        opset = helper.make_opsetid("", self.opset)
        model = helper.make_model(graph, opset_imports=[opset], producer_name="styleforge")
        model.ir_version = self.ir_version
        return model
