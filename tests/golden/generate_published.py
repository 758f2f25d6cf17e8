"""Makes the golden files of published networks other than Johnson's: state dicts as they are published, and PyTorch's
painting with each.

    python tests/golden/generate_published.py

needs the packages of tools/requirements.txt and rewrites published.tar.xz next to it: a .pth for every network, and
expected.safetensors with `photo.WxH` (levels of red, green and blue) and, under the name of every file, the picture
before it is clamped, in red, green and blue, cropped from the top left to the photo's size. Computed in float64 from
weights that are exact in fp16 and fp32, and stored as fp32. The tests only read the archive; they never need Python.

The modules here are written for this project. Their attributes have the names and the order of the published state
dicts, since state_dict() lists weights in that order:

    yakhyo/fast-neural-style-transfer          residual blocks that add their input twice; RGB
    rrmina/fast-neural-style-pytorch           transposed convolutions; BGR; six networks, of which three
                                               (`plain`, `tanh`, `v2`) have weights of the same names and shapes
"""

import io
import lzma
import tarfile
from collections import OrderedDict
from pathlib import Path

import torch
from torch import nn

from network import random_picture, write_safetensors

HERE = Path(__file__).parent
SIZES = {"odd": (13, 18), "fours": (12, 20)}


class Padded(nn.Module):
    """A convolution after a reflection of half its kernel, optionally of an upsampled map."""

    def __init__(self, inputs, outputs, kernel, stride=1, factor=1, bias=True):
        super().__init__()
        self.factor, self.margin = factor, kernel // 2
        self.conv2d = nn.Conv2d(inputs, outputs, kernel, stride, bias=bias)

    def forward(self, x):
        if self.factor > 1:
            x = nn.functional.interpolate(x, scale_factor=self.factor, mode="nearest")
        return self.conv2d(nn.functional.pad(x, [self.margin] * 4, mode="reflect"))


class DoublingBlock(nn.Module):
    """Two convolutions with norms, plus twice the input."""

    def __init__(self, width):
        super().__init__()
        self.conv1, self.in1 = Padded(width, width, 3), nn.InstanceNorm2d(width, affine=True)
        self.conv2, self.in2 = Padded(width, width, 3), nn.InstanceNorm2d(width, affine=True)

    def forward(self, x):
        y = torch.relu(self.in1(self.conv1(x)))
        return self.in2(self.conv2(y)) + 2 * x


class Yakhyo(nn.Module):
    """yakhyo's network at any width and depth."""

    is_blue_first = False

    def __init__(self, widths, blocks):
        super().__init__()
        a, b, c = widths
        sizes = [(3, a, 9, 1), (a, b, 3, 2), (b, c, 3, 2)]
        for number, (inputs, outputs, kernel, stride) in enumerate(sizes, 1):
            self.add_module(f"conv{number}", Padded(inputs, outputs, kernel, stride))
            self.add_module(f"in{number}", nn.InstanceNorm2d(outputs, affine=True))
        self.blocks = [f"res{number}" for number in range(1, blocks + 1)]
        for name in self.blocks:
            self.add_module(name, DoublingBlock(c))
        self.upsample_conv1, self.in4 = Padded(c, b, 3, factor=2), nn.InstanceNorm2d(b, affine=True)
        self.upsample_conv2, self.in5 = Padded(b, a, 3, factor=2), nn.InstanceNorm2d(a, affine=True)
        self.upsample_conv3 = Padded(a, 3, 9)

    def forward(self, x):
        for number in (1, 2, 3):
            x = getattr(self, f"conv{number}")(x)
            x = torch.relu(getattr(self, f"in{number}")(x))
        for name in self.blocks:
            x = getattr(self, name)(x)
        x = torch.relu(self.in4(self.upsample_conv1(x)))
        x = torch.relu(self.in5(self.upsample_conv2(x)))
        return self.upsample_conv3(x)

    def last(self):
        return self.upsample_conv3.conv2d


class Layer(nn.Module):
    """A convolution after a reflection. The norm comes after it, before it together with a ReLU, or is missing."""

    def __init__(self, inputs, outputs, kernel, stride=1, norm="after", bias=True, kind=nn.InstanceNorm2d):
        super().__init__()
        self.norm, self.margin = norm, kernel // 2
        if norm == "before":
            self.norm_layer = kind(inputs, affine=True)
        self.conv_layer = nn.Conv2d(inputs, outputs, kernel, stride, bias=bias)
        if norm == "after":
            self.norm_layer = kind(outputs, affine=True)

    def forward(self, x):
        if self.norm == "before":
            x = torch.relu(self.norm_layer(x))
        x = self.conv_layer(nn.functional.pad(x, [self.margin] * 4, mode="reflect"))
        return self.norm_layer(x) if self.norm == "after" else x


class Doubled(nn.Module):
    """A transposed convolution that doubles both sides, and a norm."""

    def __init__(self, inputs, outputs, kind=nn.InstanceNorm2d):
        super().__init__()
        self.conv_transpose = nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, 1)
        self.norm_layer = kind(outputs, affine=True)

    def forward(self, x):
        return self.norm_layer(self.conv_transpose(x))


class Residual(nn.Module):
    """Consecutive convolutions plus their input."""

    def __init__(self, channels, kernels, norm, kind):
        super().__init__()
        self.count, self.norm = len(kernels), norm
        for number, kernel in enumerate(kernels, 1):
            layer = Layer(channels[number - 1], channels[number], kernel, norm=norm, kind=kind)
            self.add_module(f"conv{number}", layer)

    def forward(self, x):
        y = x
        for number in range(1, self.count + 1):
            y = getattr(self, f"conv{number}")(y)
            if self.norm == "after" and number < self.count:
                y = torch.relu(y)
        return x + y


class Grown(nn.Module):
    """The input, joined with the channels that are computed from it."""

    def __init__(self, inputs, growth):
        super().__init__()
        self.conv1 = Layer(inputs, 4 * growth, 1, norm="before", bias=False)
        self.conv3 = Layer(4 * growth, growth, 3, norm="before", bias=False)

    def forward(self, x):
        return torch.cat([x, self.conv3(self.conv1(x))], 1)


def growing(inputs, start, growth, blocks):
    """A narrow convolution and blocks that grow from it; also returns the number of output channels."""
    first = Layer(inputs, start, 1, norm="before")
    grown = [Grown(start + growth * index, growth) for index in range(blocks)]
    return nn.Sequential(first, *grown), start + growth * blocks


class Rrmina(nn.Module):
    """rrmina's networks with a middle of residual or growing blocks."""

    is_blue_first = True

    def __init__(self, widths, blocks, kind, norm=nn.InstanceNorm2d, ends=9):
        super().__init__()
        a, b, c = widths
        self.kind = kind
        bias = kind != "dense"
        convs = [Layer(3, a, ends, bias=bias, kind=norm), Layer(a, b, 3, 2, bias=bias, kind=norm),
                 Layer(b, c, 3, 2, bias=bias, kind=norm)]
        self.ConvBlock = nn.Sequential(*(part for conv in convs for part in (conv, nn.ReLU())))
        if kind == "dense":
            self.DenseBlock, c = growing(c, 3, 2, blocks)
        else:
            channels, kernels, place = {
                "resnext": ([c, c // 2, c // 2, c], [1, 3, 1], "after"),
                "v2": ([c, c, c], [3, 3], "before"),
            }.get(kind, ([c, c, c], [3, 3], "after"))
            self.ResidualBlock = nn.Sequential(
                *(Residual(channels, kernels, place, norm) for _ in range(blocks)))
        self.DeconvBlock = nn.Sequential(
            Doubled(c, b, norm), nn.ReLU(), Doubled(b, a, norm), nn.ReLU(),
            Layer(a, 3, ends, norm="none"))

    def forward(self, x):
        middle = self.DenseBlock if self.kind == "dense" else self.ResidualBlock
        x = self.DeconvBlock(middle(self.ConvBlock(x)))
        return 150 * torch.tanh(x) if self.kind == "tanh" else x

    def last(self):
        return self.DeconvBlock[4].conv_layer


class UNet(nn.Module):
    """rrmina's network whose first maps are added again in the decoder."""

    is_blue_first, kind = True, "unet"

    def __init__(self, widths, blocks):
        super().__init__()
        a, b, c = widths
        self.C1, self.C2 = Layer(3, a, 9, bias=False), Layer(a, b, 3, 2, bias=False)
        self.C3 = Layer(b, c, 3, 2, bias=False)
        self.DenseBlock, grown = growing(c, c - 2 * blocks, 2, blocks)
        assert grown == c
        self.D1, self.D2 = Padded(c, b, 3, factor=2), Padded(b, a, 3, factor=2)
        self.D3 = Layer(a, 3, 9, norm="none", bias=False)

    def forward(self, x):
        full = torch.relu(self.C1(x))
        half = torch.relu(self.C2(full))
        quarter = torch.relu(self.C3(half))
        x = torch.relu(self.DenseBlock(quarter) + quarter)
        x = torch.relu(self.D1(x) + half)
        x = torch.relu(self.D2(x) + full)
        return self.D3(x)

    def last(self):
        return self.D3.conv_layer


def paint(net, photo):
    """The picture before any clamp, red first, at the photo's size."""
    order = [2, 1, 0] if net.is_blue_first else [0, 1, 2]
    # eval() is never called: norms use the picture's own statistics, as in the published code.
    with torch.no_grad():
        result = net.double()(photo.double()[:, order])[:, order]
    net.float()
    return result[:, :, : photo.shape[2], : photo.shape[3]]


def with_weights(net, seed, photo):
    """Random weights with few distinct values, with which the picture fills its range."""
    noise = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in net.named_parameters():
            drawn = torch.randint(-3, 4, value.shape, generator=noise).float()
            if value.dim() == 4:
                # A power of two that keeps the size of the signal.
                step = 2.0 ** round(float(torch.log2(torch.tensor(0.7 / value[0].numel() ** 0.5))))
                drawn = drawn * step
            elif "norm" in name or ".in" in f".{name}":
                drawn = 1 + drawn / 8 if name.endswith("weight") else drawn / 8
            else:
                drawn = drawn / 16
            value.copy_(drawn)
        last = net.last()
        kind = getattr(net, "kind", "")
        if kind == "tanh":
            net.kind, spread, middle = "plain", 0.6, 0.7
        else:
            spread, middle = 50, 128
        made = paint(net, photo)
        last.weight.mul_(2.0 ** round(float(torch.log2(spread / made.std()))))
        made = paint(net, photo)
        if last.bias is not None:
            means = made.mean((0, 2, 3))
            means = means.flip(0) if net.is_blue_first else means
            last.bias.copy_((8 * (last.bias + middle - means)).round() / 8)
        net.kind = kind
        made = paint(net, photo)
        for value in net.parameters():
            assert torch.equal(value, value.half().float())
    print(f"{type(net).__name__} {kind}: {made.mean():.1f} of {made.min():.1f} to {made.max():.1f}")
    return net


def saved(state, **options):
    file = io.BytesIO()
    torch.save(state, file, **options)
    return file.getvalue()


def main():
    torch.set_num_threads(1)
    photos = {name: random_picture(41, *size) for name, size in SIZES.items()}
    widths = (4, 6, 8)
    legacy = {"_use_new_zipfile_serialization": False}
    cases = [
        ("yakhyo", Yakhyo(widths, 2), {}),
        ("yakhyo_module_legacy", Yakhyo((3, 2, 5), 1), legacy),
        ("plain", Rrmina(widths, 2, "plain"), {}),
        ("plain_legacy", Rrmina((3, 2, 5), 1, "plain"), legacy),
        # Norms that are named batch norms also use the statistics of the single picture.
        ("plain_batch", Rrmina((3, 4, 4), 1, "plain", nn.BatchNorm2d), {}),
        ("tanh", Rrmina(widths, 1, "tanh"), {}),
        ("v2", Rrmina(widths, 2, "v2"), {}),
        ("resnext", Rrmina((5, 5, 6), 3, "resnext"), {}),
        ("dense", Rrmina(widths, 3, "dense"), {}),
        ("unet", UNet(widths, 2), {}),
    ]
    files, expected = OrderedDict(), OrderedDict()
    for name, photo in photos.items():
        height, width = photo.shape[2:]
        expected[f"photo.{width}x{height}"] = photo
    for seed, (name, net, options) in enumerate(cases, 51):
        photo = photos["fours" if name == "unet" else "odd"]
        with_weights(net, seed, photo)
        state = net.state_dict()
        if "module" in name:
            state = OrderedDict((f"module.{key}", value) for key, value in state.items())
        files[f"{name}.pth"] = saved(state, **options)
        expected[f"{name}.pth"] = paint(net, photo).float()
    path = HERE / "expected.tmp"
    write_safetensors(path, expected, {"torch": torch.__version__})
    files["expected.safetensors"] = path.read_bytes()
    path.unlink()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    data = lzma.compress(packed.getvalue(), preset=9)
    (HERE / "published.tar.xz").write_bytes(data)
    print(f"{len(files)} files in {len(data)} bytes")


if __name__ == "__main__":
    main()
