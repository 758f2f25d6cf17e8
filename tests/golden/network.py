"""The style network in PyTorch, shared by the generators of test data.

The layers, their names and their arithmetic are those of the fast_neural_style example: RGB 0..255 in and out,
reflection padding of k // 2, instance norm with a learned scale and shift (eps 1e-5, statistics of the picture itself),
nearest upsampling before the decoder's convolutions. Widths, number of residual blocks and kernel sizes are free.

This file also writes safetensors files reproducibly (the safetensors package orders its metadata at random), and the
archives that contain them.
"""

import json
import struct
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1] / "onnx"))

from archive import packed  # noqa: E402
from graph_builder import coarse  # noqa: E402


class ConvLayer(nn.Module):
    """Reflection padding of k // 2, then a convolution."""

    def __init__(self, inputs, outputs, kernel, stride):
        super().__init__()
        self.reflection_pad = nn.ReflectionPad2d(kernel // 2)
        self.conv2d = nn.Conv2d(inputs, outputs, kernel, stride)

    def forward(self, x):
        return self.conv2d(self.reflection_pad(x))


class UpsampleConvLayer(nn.Module):
    """Nearest upsampling by two, reflection padding, convolution."""

    def __init__(self, inputs, outputs, kernel):
        super().__init__()
        self.reflection_pad = nn.ReflectionPad2d(kernel // 2)
        self.conv2d = nn.Conv2d(inputs, outputs, kernel, 1)

    def forward(self, x):
        x = nn.functional.interpolate(x, mode="nearest", scale_factor=2)
        return self.conv2d(self.reflection_pad(x))


class ResidualBlock(nn.Module):
    """x + norm(conv(relu(norm(conv(x))))), no ReLU after the sum."""

    def __init__(self, channels, kernel=3):
        super().__init__()
        self.conv1 = ConvLayer(channels, channels, kernel, 1)
        self.in1 = nn.InstanceNorm2d(channels, affine=True)
        self.conv2 = ConvLayer(channels, channels, kernel, 1)
        self.in2 = nn.InstanceNorm2d(channels, affine=True)

    def forward(self, x):
        y = torch.relu(self.in1(self.conv1(x)))
        return self.in2(self.conv2(y)) + x


class TransformerNet(nn.Module):
    """The whole network; `forward` returns the result before any clamp.

    For an input of H x W the result has 4 * ceil(H / 4) x 4 * ceil(W / 4) pixels; the program keeps its top left H x W.
    """

    def __init__(self, widths=(32, 64, 128), blocks=5, first=9, inner=3, last=9):
        super().__init__()
        a, b, c = widths
        self.blocks = blocks
        self.conv1 = ConvLayer(3, a, first, 1)
        self.in1 = nn.InstanceNorm2d(a, affine=True)
        self.conv2 = ConvLayer(a, b, inner, 2)
        self.in2 = nn.InstanceNorm2d(b, affine=True)
        self.conv3 = ConvLayer(b, c, inner, 2)
        self.in3 = nn.InstanceNorm2d(c, affine=True)
        for i in range(blocks):
            self.add_module(f"res{i + 1}", ResidualBlock(c, inner))
        self.deconv1 = UpsampleConvLayer(c, b, inner)
        self.in4 = nn.InstanceNorm2d(b, affine=True)
        self.deconv2 = UpsampleConvLayer(b, a, inner)
        self.in5 = nn.InstanceNorm2d(a, affine=True)
        self.deconv3 = ConvLayer(a, 3, last, 1)

    def forward(self, x):
        y = torch.relu(self.in1(self.conv1(x)))
        y = torch.relu(self.in2(self.conv2(y)))
        y = torch.relu(self.in3(self.conv3(y)))
        for i in range(self.blocks):
            y = getattr(self, f"res{i + 1}")(y)
        y = torch.relu(self.in4(self.deconv1(y)))
        y = torch.relu(self.in5(self.deconv2(y)))
        return self.deconv3(y)


def random_network(seed, widths, blocks, picture, **kernels):
    """A network with random weights whose result on `picture` fills 0..255.

    Weights keep the size of the signal, scales and shifts of the norms differ from channel to channel, and the last
    layer is scaled so that the result has mean 128 and a standard deviation of 50 levels in every channel.
    """
    noise = torch.Generator().manual_seed(seed)
    net = TransformerNet(widths, blocks, **kernels)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            drawn = torch.randn(parameter.shape, generator=noise)
            if parameter.dim() == 4:
                drawn = drawn * (1.4 / parameter[0].numel() ** 0.5)
            elif ".conv2d." in name:
                drawn = drawn * 0.1
            elif name.endswith("weight"):
                drawn = 0.4 + 1.2 * torch.rand(parameter.shape, generator=noise)
            else:
                drawn = drawn * 0.3
            parameter.copy_(drawn)
        exact = TransformerNet(widths, blocks, **kernels).double()
        exact.load_state_dict({k: v.double() for k, v in net.state_dict().items()})
        result = exact(picture.double())
        deviation = result.std(dim=(0, 2, 3))
        mean = result.mean(dim=(0, 2, 3))
        last = net.deconv3.conv2d
        last.weight.mul_((50.0 / deviation).float().view(-1, 1, 1, 1))
        bias = (last.bias.double() - mean) * 50.0 / deviation + 128.0
        last.bias.copy_(bias.float())
    return net.eval()


def make_coarse(net):
    """Rounds all weights to a few multiples of a power of two, so that a file of them compresses."""
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.from_numpy(coarse(parameter.numpy())))


def exact_copy(net):
    """The same weights in float64."""
    sizes = [m.conv2d.kernel_size[0] for m in (net.conv1, net.conv2, net.deconv3)]
    widths = [m.conv2d.out_channels for m in (net.conv1, net.conv2, net.conv3)]
    copy = TransformerNet(widths, net.blocks, *sizes).double()
    copy.load_state_dict({k: v.double() for k, v in net.state_dict().items()})
    return copy.eval()


def random_picture(seed, height, width):
    """A smooth picture with some grain: 1 x 3 x H x W, whole levels 0..255."""
    noise = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    planes = []
    for _ in range(3):
        fx, fy, phase = noise.uniform(2, 9), noise.uniform(2, 9), noise.uniform(0, 6)
        wave = 0.5 + 0.45 * np.sin(fx * x + fy * y + phase)
        planes.append(255 * wave + noise.normal(0, 18, (height, width)))
    levels = np.clip(np.rint(np.stack(planes)), 0, 255).astype(np.float32)
    return torch.from_numpy(levels)[None]


_DTYPES = {
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float64: "F64",
    torch.int64: "I64",
}


def safetensors_bytes(tensors, metadata):
    """A file of the tensors in the given order; the same call returns the same bytes."""
    header = {"__metadata__": {k: str(v) for k, v in metadata.items()}}
    parts, offset = [], 0
    for name, tensor in tensors.items():
        tensor = tensor.detach().contiguous()
        data = tensor.reshape(-1).view(torch.uint8).numpy().tobytes()
        header[name] = {
            "dtype": _DTYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + len(data)],
        }
        offset += len(data)
        parts.append(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(parts)


def write_safetensors(path, tensors, metadata):
    Path(path).write_bytes(safetensors_bytes(tensors, metadata))


def write_archive(path, files):
    """Packs the files (bytes by name) and prints the archive's size."""
    path.write_bytes(packed(files))
    for name, data in files.items():
        print(f"{len(data):8} {name}")
    print(f"{path.stat().st_size:8} {path.name}")
