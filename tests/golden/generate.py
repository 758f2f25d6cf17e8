"""Makes the golden vectors: PyTorch's results, for the tests to compare with.

    python tests/golden/generate.py

needs the packages of tools/requirements.txt and rewrites vectors.tar.xz next to it. Everything is computed in float64
from inputs and weights that are exactly representable in fp32, and stored as fp32. The tests only read the files; they
never need Python.
"""

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from network import (
    ResidualBlock,
    exact_copy,
    make_coarse,
    random_network,
    random_picture,
    safetensors_bytes,
    write_archive,
)

HERE = Path(__file__).parent
EPS = 1e-5


def operators(seed=1):
    """One small case for every operator, odd sizes throughout."""
    noise = torch.Generator().manual_seed(seed)
    tensors = {}

    def draw(*shape, scale=1.0, shift=0.0):
        # Drawn in fp32, computed in float64: the stored input is the exact one.
        return (torch.randn(shape, generator=noise) * scale + shift).double()

    def keep(case, **named):
        for name, tensor in named.items():
            tensors[f"{case}.{name}"] = tensor.float()

    for pad in (1, 4):
        x = draw(1, 2, 11, 13)
        keep(f"reflect_pad{pad}", input=x, output=F.pad(x, (pad,) * 4, mode="reflect"))

    for kernel, stride in ((3, 1), (3, 2), (9, 1), (9, 2)):
        x, w, b = draw(1, 3, 11, 13), draw(4, 3, kernel, kernel, scale=0.2), draw(4)
        padded = F.pad(x, (kernel // 2,) * 4, mode="reflect")
        y = F.conv2d(padded, w, b, stride)
        keep(f"conv{kernel}x{kernel}_s{stride}", input=x, weight=w, bias=b, output=y)

    def norm(case, x, relu=False):
        channels = x.shape[1]
        scale, shift = draw(channels, scale=0.5, shift=1.0), draw(channels, scale=0.5)
        y = F.instance_norm(x, weight=scale, bias=shift, eps=EPS)
        keep(case, input=x, weight=scale, bias=shift, output=F.relu(y) if relu else y)

    norm("instance_norm", draw(1, 4, 11, 13, scale=3.0, shift=2.0))
    norm("instance_norm_relu", draw(1, 4, 11, 13, scale=3.0, shift=-1.0), relu=True)
    # Channel 0 is constant, channel 1 is constant except for one value, channel 2 varies by less than sqrt(eps), so
    # that eps dominates.
    flat = torch.full((1, 3, 11, 13), 7.0, dtype=torch.float64)
    flat[0, 1, 5, 6] = 7.0625
    flat[0, 2] += draw(11, 13, scale=1e-3).float().double()
    norm("instance_norm_flat", flat.float().double())
    # A one-pass variance in fp32 loses half its digits here.
    norm("instance_norm_mean1000", draw(1, 2, 11, 13, scale=1.0, shift=1000.0))

    x = draw(1, 3, 5, 7)
    keep("upsample_nearest2x", input=x, output=F.interpolate(x, scale_factor=2, mode="nearest"))
    x, w, b = draw(1, 3, 5, 7), draw(4, 3, 3, 3, scale=0.2), draw(4)
    up = F.pad(F.interpolate(x, scale_factor=2, mode="nearest"), (1,) * 4, mode="reflect")
    keep("upsample_conv3x3", input=x, weight=w, bias=b, output=F.conv2d(up, w, b))

    block = ResidualBlock(4).double()
    with torch.no_grad():
        for parameter in block.parameters():
            shift = 0.0 if parameter.dim() == 4 else 0.5
            parameter.copy_(draw(*parameter.shape, scale=0.3, shift=shift))
        x = draw(1, 4, 11, 13)
        keep("residual_block", input=x, output=block(x), **dict(block.named_parameters()))

    return safetensors_bytes(tensors, {
        "what": "one case for each operator: CASE.input, .weight, .bias, .output",
        "semantics": "conv cases pad their input by reflection (k // 2) first; "
        "instance norm uses biased variance, eps 1e-5; upsample_conv3x3 is nearest 2x, "
        "reflection pad 1, conv; layout N C H W, weights O I H W",
        "computed_in": "float64, stored as fp32",
        "seed": seed,
        "torch": torch.__version__,
    })


def network(seed, widths, blocks, height, width, small=None, **kernels):
    """A whole network: its weights, a picture, the result, every norm's result."""
    picture = random_picture(seed, height, width)
    net = random_network(seed, widths, blocks, picture, **kernels)
    make_coarse(net)
    exact = exact_copy(net)

    after = {}
    for name, module in exact.named_modules():
        if isinstance(module, nn.InstanceNorm2d):
            def record(_module, _inputs, result, key=f"after.{name}"):
                after.setdefault(key, result.float())

            module.register_forward_hook(record)
    with torch.no_grad():
        native = exact(picture.double())
        tensors = dict(net.state_dict())
        tensors["input"] = picture
        tensors["output"] = native[:, :, :height, :width].float()
        tensors |= after
        if small:
            tensors["small.input"] = random_picture(seed + 1, *small)
            result = exact(tensors["small.input"].double())
            tensors["small.output"] = result[:, :, : small[0], : small[1]].float()

    kernel = {"first": 9, "inner": 3, "last": 9} | kernels
    levels = tensors["output"]
    print(f"result {levels.min():.1f} .. {levels.max():.1f}, "
          f"{100 * ((levels < 0) | (levels > 255)).float().mean():.1f} % outside 0..255")
    return safetensors_bytes(tensors, {
        "what": "a style network: weights under their usual names, `input` (whole levels "
        "0..255, RGB), `output`, `after.NORM`, sometimes `small.input` and `small.output`",
        "output": "before any clamp or rounding; the native result, "
        f"{native.shape[2]} x {native.shape[3]}, cropped top left to {height} x {width}",
        "after": "directly after each instance norm (scale and shift applied), before its "
        "ReLU or residual sum; native size, not cropped; keys in order of execution",
        "widths": "-".join(map(str, widths)),
        "blocks": blocks,
        "kernels": f"first {kernel['first']}, inner {kernel['inner']}, last {kernel['last']}",
        "computed_in": "float64 from fp32 weights, stored as fp32",
        "seed": seed,
        "torch": torch.__version__,
    })


if __name__ == "__main__":
    torch.set_num_threads(1)
    write_archive(HERE / "vectors.tar.xz", {
        "operators.safetensors": operators(),
        "net_8_16_32_2.safetensors": network(11, (8, 16, 32), 2, 9, 14),
        "net_4_8_16_1_k5.safetensors": network(12, (4, 8, 16), 1, 9, 18, first=7, last=5),
        "net_3_5_7_3.safetensors": network(13, (3, 5, 7), 3, 13, 11, small=(7, 5)),
    })
