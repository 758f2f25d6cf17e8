#!/usr/bin/env python3
"""Measures trained styles on photos that were not used for training, as JSON and a Markdown table.

    python tools/measure_styles.py --styles styles/ --pictures style_pictures/ \
        --photos photos/ --vgg vgg16.pth --json measured.json --markdown measured.md

There are four figures for each, all means over the held-out photos, scaled to a longer side of 352 pixels; smaller is
better:

- style: relative Gram distance to the style picture (shorter side 512 pixels), the mean over relu1_2, relu2_2, relu3_3
  and relu4_3 of MSE(G) / mean square(G of the style);
- content: relative distance to the photo at relu3_3, MSE / mean square of the photo's;
- noise flicker: mean absolute change of the painting, in levels, when the photo gets Gaussian noise of 1 % (2.55
  levels);
- move flicker: the same when the photo moves by one pixel, compared after moving back (mean of a move to the right and
  a move down, without 16 pixels at the border).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from perceptual import Vgg16, gram, relative_error
from style_net import TransformerNet, paint, read_network
from style_photos import list_photos, read_picture

SIDE_PX = 352
STYLE_SHORT_SIDE_PX = 512
NOISE_SIGMA = 2.55
BORDER_PX = 16

FIGURES = ("style", "content", "noise_flicker", "move_flicker")

#: Known figures of the weights published with pytorch/examples, also at 352 pixels, on other photos.
PUBLISHED = {
    "candy": (0.141, 1.75, 12.7, 21.6),
    "rain_princess": (0.095, 1.71, 9.6, 14.9),
    "udnie": (0.234, 0.82, 3.3, 5.6),
}


@torch.no_grad()
def load_targets(vgg: Vgg16, picture: Path, short_side: int = STYLE_SHORT_SIDE_PX) -> list[torch.Tensor]:
    """The Gram matrices of a style picture."""
    return [gram(layer) for layer in vgg(read_picture(picture, short_side=short_side).to(vgg.mean.device))]


@torch.no_grad()
def measure_photo(
    net: TransformerNet, vgg: Vgg16, targets: list[torch.Tensor], photo: torch.Tensor, seed: int
) -> list[float]:
    """The four figures for one photo of (1, 3, H, W) levels."""
    painting = paint(net, photo)
    features = vgg(painting)
    style = sum(relative_error(gram(layer), target) for layer, target in zip(features, targets)) / len(targets)
    content = relative_error(features[2], vgg(photo, depth=3)[2])
    random = torch.Generator().manual_seed(seed)
    noise = torch.randn(photo.shape, generator=random).to(photo.device) * NOISE_SIGMA
    noisy = (paint(net, (photo + noise).clamp(0, 255)) - painting).abs().mean()
    moved = torch.stack([_change_when_moved(net, photo, dim) for dim in (2, 3)]).mean()
    return [float(value) for value in (style, content, noisy, moved)]


def _change_when_moved(net: TransformerNet, photo: torch.Tensor, dim: int) -> torch.Tensor:
    """Two windows of the photo, one pixel apart along ``dim``, painted and compared where they overlap."""
    length = photo.shape[dim] - 1
    first = paint(net, photo.narrow(dim, 1, length)).narrow(dim, 0, length - 1)
    second = paint(net, photo.narrow(dim, 0, length)).narrow(dim, 1, length - 1)
    inside = (..., slice(BORDER_PX, -BORDER_PX), slice(BORDER_PX, -BORDER_PX))
    return (first[inside] - second[inside]).abs().mean()


def measure(
    net: TransformerNet,
    vgg: Vgg16,
    targets: list[torch.Tensor],
    photos: list[Path],
    device: torch.device,
    side: dict[str, int] | None = None,
) -> dict[str, float]:
    """The mean figures over some photos; ``side`` are the size arguments of ``read_picture``."""
    side = side or {"long_side": SIDE_PX}
    rows = [
        measure_photo(net, vgg, targets, read_picture(path, **side).to(device), seed)
        for seed, path in enumerate(photos)
    ]
    return {name: sum(column) / len(rows) for name, column in zip(FIGURES, zip(*rows))}


def as_markdown(results: list[dict]) -> str:
    """The table for tools/TRAINING.md."""
    lines = [
        "| style | weights | style | content | noise flicker | move flicker |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for style in dict.fromkeys(result["style_id"] for result in results):
        ours = [result for result in results if result["style_id"] == style]
        rows = [(result["model"], [result[name] for name in FIGURES]) for result in ours]
        if style in PUBLISHED:
            rows.append(("pytorch/examples", PUBLISHED[style]))
        for label, (gram_distance, content, noise, move) in rows:
            lines.append(f"| {style} | {label} | {gram_distance:.3f} | {content:.2f} | {noise:.1f} | {move:.1f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--styles", type=Path, required=True, help="folder of STYLE/MODEL.safetensors")
    parser.add_argument("--pictures", type=Path, required=True, help="folder of style pictures, STYLE.jpg")
    parser.add_argument("--photos", type=Path, required=True, help="folder of photos; the last 40 by name are measured")
    parser.add_argument("--vgg", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()

    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    device = torch.device(arguments.device)
    vgg = Vgg16(arguments.vgg).to(device)
    held_out = list_photos(arguments.photos)[1]
    results = []
    for folder in sorted(path for path in arguments.styles.iterdir() if path.is_dir()):
        targets = load_targets(vgg, arguments.pictures / f"{folder.name}.jpg")
        for path in sorted(folder.glob("*.safetensors")):
            figures = measure(read_network(path)[0].to(device), vgg, targets, held_out, device)
            results.append({"style_id": folder.name, "model": path.stem} | figures)
            print(json.dumps(results[-1]), flush=True)
    if arguments.json:
        about = {"photos": len(held_out), "longer_side_px": SIDE_PX, "torch": torch.__version__}
        arguments.json.write_text(json.dumps(about | {"results": results}, indent=1) + "\n")
    if arguments.markdown:
        arguments.markdown.write_text(as_markdown(results))


if __name__ == "__main__":
    main()
