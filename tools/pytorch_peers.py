"""The PyTorch implementations that StyleForge is compared with, and the timing for both.

The network here is written in the usual way for PyTorch: `nn.ReflectionPad2d`, `nn.Conv2d`, `nn.InstanceNorm2d`,
`F.interpolate`. (`style_net.py` pads and normalises by hand, for training in channels-last; for comparison it would be
unnecessarily slow.)

Times come from CUDA events. Before every measured frame the GPU's caches are overwritten, as in `styleforge bench`, so
that no implementation finds the weights or the photo of the previous frame there.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator

import torch
import torch._inductor.select_algorithm
import torch.nn.functional as F
from torch import nn

from style_net import read_network

WARMUP = 10
#: Twice the largest cache of any current GPU, and the amount that `styleforge bench` overwrites.
SWEPT_BYTES = 256 << 20

_swept: torch.Tensor | None = None


def sweep_caches() -> None:
    """Overwrites more memory than the GPU's caches hold."""
    global _swept
    if _swept is None:
        _swept = torch.empty(SWEPT_BYTES, dtype=torch.uint8, device="cuda")
    _swept.zero_()


class Layer(nn.Module):
    """Reflection padding of half the kernel, then the convolution; nearest doubling first if requested."""

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1, double: bool = False):
        super().__init__()
        self.pad = nn.ReflectionPad2d(kernel // 2)
        self.conv2d = nn.Conv2d(c_in, c_out, kernel, stride)
        self.double = double

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.double:
            x = F.interpolate(x, scale_factor=2, mode="nearest")
        return self.conv2d(self.pad(x))


def norm(channels: int) -> nn.InstanceNorm2d:
    return nn.InstanceNorm2d(channels, affine=True)


class Block(nn.Module):
    """Two normalised 3x3 convolutions and the add."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1, self.in1 = Layer(channels, channels, 3), norm(channels)
        self.conv2, self.in2 = Layer(channels, channels, 3), norm(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.in2(self.conv2(torch.relu(self.in1(self.conv1(x)))))


class PlainNet(nn.Module):
    """TransformerNet; the state dict is that of `style_net.TransformerNet`."""

    def __init__(self, widths: tuple[int, int, int], blocks: int):
        super().__init__()
        a, b, c = widths
        self.conv1, self.in1 = Layer(3, a, 9), norm(a)
        self.conv2, self.in2 = Layer(a, b, 3, 2), norm(b)
        self.conv3, self.in3 = Layer(b, c, 3, 2), norm(c)
        self.names = [f"res{i}" for i in range(1, blocks + 1)]
        for name in self.names:
            setattr(self, name, Block(c))
        self.deconv1, self.in4 = Layer(c, b, 3, double=True), norm(b)
        self.deconv2, self.in5 = Layer(b, a, 3, double=True), norm(a)
        self.deconv3 = Layer(a, 3, 9)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for conv, after in ((self.conv1, self.in1), (self.conv2, self.in2), (self.conv3, self.in3)):
            x = torch.relu(after(conv(x)))
        for name in self.names:
            x = getattr(self, name)(x)
        x = torch.relu(self.in4(self.deconv1(x)))
        x = torch.relu(self.in5(self.deconv2(x)))
        return self.deconv3(x)


def network(path: Path, dtype: torch.dtype = torch.float32, channels_last: bool = False) -> PlainNet:
    """The weights of a style file in the plain network, on the GPU."""
    trained, _ = read_network(path)
    widths = tuple(getattr(trained, f"conv{i}").conv2d.out_channels for i in (1, 2, 3))
    net = PlainNet(widths, trained.blocks)
    net.load_state_dict(trained.state_dict())
    net = net.eval().cuda().to(dtype)
    return net.to(memory_format=torch.channels_last) if channels_last else net


def allow_tf32(allowed: bool) -> None:
    """Sets both flags: fp32 is only fp32 if convolutions and products may not use TF32."""
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = allowed


def in_graph(run: Callable[[], torch.Tensor]) -> Callable[[], torch.Tensor]:
    """`run` recorded as one CUDA graph."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        output = run()

    def replay() -> torch.Tensor:
        graph.replay()
        return output

    return replay


@dataclass
class Peer:
    """A way to run the network in PyTorch."""

    name: str
    #: The precision whose limit its picture has to keep: "fp32", "tf32" or "fp16".
    precision: str
    run: Callable[[], torch.Tensor]


def peers(path: Path, photo: torch.Tensor, compiled: bool) -> Iterator[Peer]:
    """Every way to run the network of `path` on `photo`, (1, 3, H, W) levels in fp32 on the GPU."""
    torch.backends.cudnn.benchmark = True
    net, half_net = network(path), network(path, torch.float16)
    last_net = network(path, torch.float16, channels_last=True)
    half_photo = photo.half()
    last_photo = half_photo.to(memory_format=torch.channels_last)

    def eager(tf32: bool, amp: bool = False):
        def run():
            allow_tf32(tf32)
            with torch.autocast("cuda", torch.float16, enabled=amp):
                return net(photo)

        return run

    yield Peer("eager fp32", "fp32", eager(False))
    yield Peer("eager TF32", "tf32", eager(True))
    yield Peer("AMP fp16", "fp16", eager(True, True))
    yield Peer("eager fp16", "fp16", lambda: half_net(half_photo))
    yield Peer("eager fp16 channels-last", "fp16", lambda: last_net(last_photo))
    yield Peer("fp16 graph", "fp16", in_graph(lambda: half_net(half_photo)))
    if compiled:
        # The report of every candidate would bury the table.
        torch._inductor.select_algorithm.PRINT_AUTOTUNE = False
        # Reset for every size, because code compiled for several sizes takes four times as long.
        torch._dynamo.reset()
        fast = torch.compile(network(path, torch.float16, channels_last=True), mode="max-autotune", dynamic=False)
        yield Peer("torch.compile max-autotune fp16", "fp16", lambda: fast(last_photo))


def median_ms(run: Callable[[], object], frames: int, prepare: Callable[[], object] = lambda: None) -> float:
    """Median milliseconds of `frames` calls by events, caches overwritten and `prepare` called before each.

    The host does not wait between calls, so that it prepares one while the GPU works on another. This favours
    frameworks that launch their kernels one by one.
    """
    for _ in range(WARMUP):
        run()
    marks = [(torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)) for _ in range(frames)]
    for before, after in marks:
        sweep_caches()
        prepare()
        before.record()
        run()
        after.record()
    torch.cuda.synchronize()
    return statistics.median(before.elapsed_time(after) for before, after in marks)


# Reference shapes: the same work as those of `styleforge bench --kernels`.


def reference_module(row: dict, dtype: torch.dtype, channels_last: bool) -> nn.Module:
    """The work of one reference shape (its JSON) as PyTorch modules with random weights."""
    channels = row["channels"]
    module = {
        "instance-norm": lambda: nn.Sequential(norm(channels), nn.ReLU()),
        "conv-norm-relu": lambda: nn.Sequential(Layer(channels, channels, 3), norm(channels), nn.ReLU()),
        "residual-block": lambda: Block(channels),
    }[row["shape"]]()
    module = module.eval().cuda().to(dtype)
    return module.to(memory_format=torch.channels_last) if channels_last else module


def reference_us(row: dict, dtype: torch.dtype, channels_last: bool) -> tuple[float, float]:
    """Microseconds of one reference shape: (launched one by one, in a CUDA graph).

    As in StyleForge, the previous step has just written the input.
    """
    module = reference_module(row, dtype, channels_last)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    x = torch.randn((1, row["channels"], row["height"], row["width"]), device="cuda", dtype=dtype)
    x = x.to(memory_format=layout)

    def run() -> torch.Tensor:
        return module(x)

    return tuple(1e3 * median_ms(call, 10, lambda: x.mul_(1)) for call in (run, in_graph(run)))


def matmul_tflops(dtype: torch.dtype) -> float:
    """The rate of a large matrix product on tensor cores (or, in fp32, on the plain cores) of this GPU."""
    side = 8192 if dtype is not torch.float32 else 4096
    a, b = (torch.randn(side, side, device="cuda", dtype=dtype) for _ in range(2))
    return 2 * side**3 / median_ms(lambda: a @ b, 10) / 1e9
