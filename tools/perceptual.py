"""VGG-16 features and the two distances of style transfer, as losses and as figures.

Every distance is relative: a mean squared error over the mean square of the reference. So layers, styles and photos are
comparable with each other.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

#: The convolutions of each stage; the features are those after a stage's last ReLU.
STAGES = (("1_1", "1_2"), ("2_1", "2_2"), ("3_1", "3_2", "3_3"), ("4_1", "4_2", "4_3"))
LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")

#: The indices of the same convolutions in torchvision's vgg16.
_TORCHVISION_INDEX = dict(zip((name for stage in STAGES for name in stage), (0, 2, 5, 7, 10, 12, 14, 17, 19, 21)))


class Vgg16(nn.Module):
    """VGG-16 up to relu4_3, frozen. Reads (N, 3, H, W) levels 0..255, returns the features of ``LAYERS``."""

    def __init__(self, path: Path):
        super().__init__()
        weights = _read_vgg(path)
        for stage in STAGES:
            for name in stage:
                self.register_buffer(f"weight{name}", weights[f"conv{name}.weight"])
                self.register_buffer(f"bias{name}", weights[f"conv{name}.bias"])
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1) * 255)
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1) * 255)

    def forward(self, levels: torch.Tensor, depth: int = len(LAYERS)) -> list[torch.Tensor]:
        """The features of the first ``depth`` layers."""
        x = (levels - self.mean) / self.std
        features = []
        for number, stage in enumerate(STAGES[:depth]):
            if number:
                x = F.max_pool2d(x, 2)
            for name in stage:
                x = F.relu(F.conv2d(x, getattr(self, f"weight{name}"), getattr(self, f"bias{name}"), padding=1))
            features.append(x)
        return features


def _read_vgg(path: Path) -> dict[str, torch.Tensor]:
    """Reads ``convB_I.weight``/``.bias`` from an .npz, or the same from torchvision's vgg16 .pth."""
    if Path(path).suffix == ".npz":
        with np.load(path) as file:
            return {key: torch.from_numpy(file[key].astype(np.float32)) for key in file.files}
    state = torch.load(path, map_location="cpu", weights_only=True)
    return {
        f"conv{name}.{part}": state[f"features.{index}.{part}"].float()
        for name, index in _TORCHVISION_INDEX.items()
        for part in ("weight", "bias")
    }


def gram(features: torch.Tensor) -> torch.Tensor:
    """Gram matrices (N, C, C), divided by C*H*W, computed in fp32."""
    with torch.autocast(features.device.type, enabled=False):
        flat = features.float().flatten(2)
        return flat @ flat.transpose(1, 2) / (flat.shape[1] * flat.shape[2])


def relative_error(value: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Mean squared error over the mean square of the reference."""
    value, reference = value.float(), reference.float()
    return (value - reference).square().mean() / reference.square().mean()
