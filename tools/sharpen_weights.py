#!/usr/bin/env python3
"""Folds an unsharp mask into the last convolution of trained weights.

    python tools/sharpen_weights.py --amount 0.35 --out sharp/candy-full.safetensors candy-full.safetensors

A network that was trained with a median-filtered style picture paints slightly too softly. The last layer is linear, so
a mask over the painting is a change of its weights: `painting + amount * (painting - blurred painting)`, with a
binomial blur over three pixels. The part beyond the layer's own kernel is cut off.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
import torch.nn.functional as F

from style_net import read_network, save_network

LAST = "deconv3.conv2d.weight"


def sharpened(kernels: torch.Tensor, amount: float) -> torch.Tensor:
    """Kernels (outputs, inputs, height, width) followed by an unsharp mask, cropped to their size and with the same
    sum."""
    line = torch.tensor([0.25, 0.5, 0.25])
    flat = kernels.flatten(0, 1)[:, None]
    masked = (1 + amount) * flat - amount * F.conv2d(flat, (line[:, None] * line)[None, None], padding=1)
    lost = (flat.sum((2, 3), keepdim=True) - masked.sum((2, 3), keepdim=True)) / flat[0, 0].numel()
    return (masked + lost).view_as(kernels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("--amount", type=float, required=True)
    parser.add_argument("--out", type=Path, required=True, help="STYLE-MODEL.safetensors, fp32")
    arguments = parser.parse_args()
    net, metadata = read_network(arguments.weights)
    state = net.state_dict()
    state[LAST] = sharpened(state[LAST], arguments.amount)
    stages = json.loads(metadata["training"])
    record = {"sharpened": arguments.amount, "training": stages}
    save_network(arguments.out, state, metadata | {"training": json.dumps(record)})


if __name__ == "__main__":
    main()
