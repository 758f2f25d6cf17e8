"""The style-transfer network, and how its weights are read and written.

The network is TransformerNet of pytorch/examples' fast_neural_style: RGB 0..255 in and out, reflection padding,
instance normalisation with the picture's own statistics, nearest upsampling before a convolution. The state-dict names
are the same too, so the weights load in every program that supports that family. Only the widths differ between our two
models.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

#: Channels after the first, second and third convolution, by model name.
WIDTHS = {"full": (32, 64, 128), "lite": (16, 32, 64)}
BLOCKS = 5


def reflect_pad(x: torch.Tensor, margin: int) -> torch.Tensor:
    """Reflection padding by slices.

    The values are those of ``F.pad(mode="reflect")``; that function would undo the
    channels-last layout on a GPU, and its backward pass needs atomic additions.
    """
    if margin == 0:
        return x
    for dim in (2, 3):
        size = x.shape[dim]
        before = x.narrow(dim, 1, margin).flip(dim)
        after = x.narrow(dim, size - 1 - margin, margin).flip(dim)
        x = torch.cat((before, x, after), dim)
    return x


class ConvLayer(nn.Module):
    """Reflection padding of half the kernel, then the convolution.

    ``upsample`` doubles height and width first (nearest). ``pixels`` marks the layers that read or write levels: "in"
    or "out". This matters under autocast, where bfloat16's 8 bits would round levels above 128 to whole numbers. So
    levels are centred before the first layer (its norm removes the constant again), and the last layer's bias is added
    in fp32.
    """

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1, upsample: int = 1, pixels: str = ""):
        super().__init__()
        self.conv2d = nn.Conv2d(c_in, c_out, kernel, stride)
        self.upsample = upsample
        self.pixels = pixels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.upsample > 1:
            x = F.interpolate(x, scale_factor=self.upsample, mode="nearest")
        autocast = torch.is_autocast_enabled(x.device.type)
        if autocast and self.pixels == "in":
            x = x - 127.5
        x = reflect_pad(x, self.conv2d.kernel_size[0] // 2)
        if autocast and self.pixels == "out":
            return F.conv2d(x, self.conv2d.weight).float() + self.conv2d.bias.view(1, -1, 1, 1)
        return self.conv2d(x)


class InstanceNorm(nn.Module):
    """Instance normalisation with scale and offset: biased variance, eps 1e-5."""

    def __init__(self, channels: int, eps: float = 1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not torch.is_autocast_enabled(x.device.type):
            return F.instance_norm(x, weight=self.weight, bias=self.bias, eps=self.eps)
        # The built-in norm leaves channels-last; this one keeps it, with fp32 statistics.
        wide = x.float()
        var, mean = torch.var_mean(wide, dim=(2, 3), keepdim=True, correction=0)
        scale = self.weight.view(1, -1, 1, 1) * torch.rsqrt(var + self.eps)
        offset = self.bias.view(1, -1, 1, 1) - mean * scale
        return torch.addcmul(offset, wide, scale).to(torch.bfloat16)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, each normalised; the input is added last, without ReLU."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = ConvLayer(channels, channels, 3)
        self.in1 = InstanceNorm(channels)
        self.conv2 = ConvLayer(channels, channels, 3)
        self.in2 = InstanceNorm(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.in1(self.conv1(x)))
        return x + self.in2(self.conv2(y))


class TransformerNet(nn.Module):
    """The whole network, (N, 3, H, W) to (N, 3, 4*ceil(ceil(H/2)/2), 4*ceil(ceil(W/2)/2))."""

    def __init__(self, widths: tuple[int, int, int] = WIDTHS["full"], blocks: int = BLOCKS):
        super().__init__()
        a, b, c = widths
        self.conv1, self.in1 = ConvLayer(3, a, 9, pixels="in"), InstanceNorm(a)
        self.conv2, self.in2 = ConvLayer(a, b, 3, stride=2), InstanceNorm(b)
        self.conv3, self.in3 = ConvLayer(b, c, 3, stride=2), InstanceNorm(c)
        self.blocks = blocks
        for i in range(1, blocks + 1):
            setattr(self, f"res{i}", ResidualBlock(c))
        self.deconv1, self.in4 = ConvLayer(c, b, 3, upsample=2), InstanceNorm(b)
        self.deconv2, self.in5 = ConvLayer(b, a, 3, upsample=2), InstanceNorm(a)
        self.deconv3 = ConvLayer(a, 3, 9, pixels="out")
        # Training starts from middle grey; otherwise the bias would need 60,000 steps to get there.
        nn.init.constant_(self.deconv3.conv2d.bias, 127.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.in1(self.conv1(x)))
        y = torch.relu(self.in2(self.conv2(y)))
        y = torch.relu(self.in3(self.conv3(y)))
        for i in range(1, self.blocks + 1):
            y = getattr(self, f"res{i}")(y)
        y = torch.relu(self.in4(self.deconv1(y)))
        y = torch.relu(self.in5(self.deconv2(y)))
        return self.deconv3(y)


def describe_network(widths: tuple[int, int, int], blocks: int = BLOCKS) -> str:
    """The network as text, as in the metadata of a style file."""
    return f"TransformerNet {'-'.join(map(str, widths))}, {blocks} blocks"


def paint(net: TransformerNet, photo: torch.Tensor) -> torch.Tensor:
    """The painting of (N, 3, H, W) levels, cropped top-left to H x W and clamped to 0..255."""
    height, width = photo.shape[-2:]
    return net(photo)[..., :height, :width].clamp(0, 255)


def save_network(path: Path, state: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    """Writes a state dict as safetensors: names and metadata sorted, so equal input gives equal bytes."""
    tensors = {name: state[name].detach().cpu().contiguous() for name in sorted(state)}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, metadata={key: metadata[key] for key in sorted(metadata)})
    _sort_header(path)
    path.chmod(0o644)


def _sort_header(path: Path) -> None:
    """Rewrites the header with its metadata sorted: the library writes it in hash order."""
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])
    header["__metadata__"] = dict(sorted(header.get("__metadata__", {}).items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + size :])


def read_network(path: Path) -> tuple[TransformerNet, dict[str, str]]:
    """A style file as an fp32 network in evaluation mode, and its metadata. Widths come from the shapes."""
    with safe_open(path, framework="pt") as file:
        state = {name: file.get_tensor(name).float() for name in file.keys()}
        metadata = dict(file.metadata() or {})
    widths = tuple(state[f"conv{i}.conv2d.weight"].shape[0] for i in (1, 2, 3))
    blocks = sum(1 for name in state if name.startswith("res") and name.endswith(".conv1.conv2d.weight"))
    net = TransformerNet(widths, blocks)
    net.load_state_dict(state)
    return net.eval(), metadata
