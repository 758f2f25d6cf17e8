"""Writes networks of common published widths, with random weights, for speed comparisons.

    python tests/onnx/speed_networks.py FOLDER

They are too large to be kept here: FOLDER should be outside the tree. Needs the packages of tools/requirements.txt;
`speed.py` times them.

    transposed_batch_norm   32-64-128, five residual blocks, ConvTranspose k3 s2, BatchNorm as nodes; 0..255
    transposed_instance     the same with InstanceNorm and reflection (rrmina's)
    animegan2               AnimeGANv2's generator with InstanceNorm; -1..1
    pix2pix                 U-Net of eight levels, 64 wide, BatchNorm as nodes; -1..1; sides are multiples of 256
    mobilenet               depthwise inverted residual blocks, 32-64-128, Clip 0..6; 0..255
"""

import sys
import zlib
from pathlib import Path

from generate import DEFAULTS, checked, ending_of, fed, picture_of, settled, torch_model
from torch import nn
from torch_layers import Residual, UNet, batch, conv, instance, inverted, transposed, up
from torch_networks import Written


def johnson(norm, mode):
    def block():
        return Residual(*conv(128, 128, norm=norm(128), act=nn.ReLU(), mode=mode),
                        *conv(128, 128, norm=norm(128), mode=mode))

    def rise(inputs, outputs):
        return transposed(inputs, outputs, 3, padding=1, output_padding=1, norm=norm(outputs), act=nn.ReLU())
    return nn.Sequential(
        *conv(3, 32, 9, norm=norm(32), act=nn.ReLU(), mode=mode),
        *conv(32, 64, 3, 2, norm(64), nn.ReLU(), mode), *conv(64, 128, 3, 2, norm(128), nn.ReLU(), mode),
        *(block() for _ in range(5)), *rise(128, 64), *rise(64, 32), *conv(32, 3, 9, mode=mode))


def animegan2():
    def block(inputs, outputs, kernel=3, stride=1):
        return conv(inputs, outputs, kernel, stride, instance(outputs), leaky(), bias=False)

    def leaky():
        return nn.LeakyReLU(0.2)

    def twice():
        return up("bilinear", align_corners=False)
    return nn.Sequential(
        *block(3, 32, 7), *block(32, 64, 3, 2), *block(64, 64), *block(64, 128, 3, 2), *block(128, 128),
        *block(128, 128), inverted(128, 256, 256, instance, leaky),
        *(inverted(256, 256, 512, instance, leaky) for _ in range(3)), *block(256, 128), twice(),
        *block(128, 128), *block(128, 128), twice(), *block(128, 64), *block(64, 64), *block(64, 32, 7),
        nn.Conv2d(32, 3, 1), nn.Tanh())


def pix2pix():
    widths = [64, 128, 256, 512, 512, 512, 512, 512]
    inner = None
    for outer, width in reversed(list(zip(widths, widths[1:], strict=False))):
        is_last = inner is None
        norm = [] if is_last else [batch(width)]
        down = nn.Sequential(nn.LeakyReLU(0.2), nn.Conv2d(outer, width, 4, 2, 1, bias=False), *norm)
        above = nn.Sequential(nn.ReLU(), *transposed(width if is_last else 2 * width, outer, 4, padding=1,
                                                     bias=False, norm=batch(outer)))
        inner = UNet(down, inner or nn.Sequential(), above)
    return nn.Sequential(nn.Conv2d(3, 64, 4, 2, 1), inner, nn.ReLU(), *transposed(128, 3, 4, padding=1), nn.Tanh())


def mobilenet():
    def depthwise(inputs, outputs, stride=1):
        return [*conv(inputs, inputs, 3, stride, instance(inputs), nn.ReLU6(), groups=inputs, bias=False),
                *conv(inputs, outputs, 1, norm=instance(outputs), act=nn.ReLU6(), bias=False)]
    return nn.Sequential(
        *conv(3, 32, norm=instance(32), act=nn.ReLU6()), *depthwise(32, 64, 2), *depthwise(64, 128, 2),
        *(inverted(128, 128, 256, instance, nn.ReLU6) for _ in range(5)),
        up(), *depthwise(128, 64), up(), *depthwise(64, 32), *conv(32, 3, 9))


NETWORKS = {
    "transposed_batch_norm": (lambda: johnson(batch, "zeros"), "0..255"),
    "transposed_instance": (lambda: johnson(instance, "reflect"), "0..255"),
    "animegan2": (animegan2, "-1..1"),
    "pix2pix": (pix2pix, "-1..1"),
    "mobilenet": (mobilenet, "0..255"),
}


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, (make, levels) in NETWORKS.items():
        entry = DEFAULTS | {"name": name, "input": levels, "output": levels, "multiple": 256}
        model = torch_model(name, Written(make, 13, keeps_norms=name in ("transposed_batch_norm", "pix2pix")), entry)
        settled(model, fed(picture_of(256, 256), entry), ending_of(model, levels))
        path = folder / f"{name}.onnx"
        path.write_bytes(checked(model).SerializeToString())
        print(path, path.stat().st_size, "bytes, crc", zlib.crc32(path.read_bytes()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
