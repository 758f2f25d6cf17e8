#!/usr/bin/env python3
"""Turns trained weights into the styles that the project ships.

    python tools/publish_styles.py --trained trained/ [--earlier stage1/ stage2/] \
        --styles styles/ --tests tests/styles --thumbnail chelsea.png

For every STYLE-MODEL.safetensors in the folder of trained weights it writes:

- `styles/STYLE/MODEL.safetensors`, fp16, with title, credit and training settings;
- `styles/STYLE/thumbnail.jpg`, the full network's painting of the thumbnail picture;
- `tests/styles/STYLE-MODEL.webp`, PyTorch's painting in fp32, before the weights were rounded, of
  `tests/styles/input.webp` (made from the same picture if missing).

Prints the agreement of the rounded weights with the originals, and fails below 50 dB.
"""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from pathlib import Path

import torch
from PIL import Image

from style_net import TransformerNet, paint, read_network, save_network
from style_photos import read_picture, to_image, write_picture

LICENSE = "MIT OR Apache-2.0"
THUMBNAIL_PX = 192

#: The thumbnail's picture is painted at this size first, so that strokes are fine enough.
THUMBNAIL_PAINTED_PX = 300

#: Height and width of the test's picture: not multiples of 4, so that cropping is tested too.
TEST_SIZE = (58, 81)
LOSSLESS = {"lossless": True, "quality": 100, "method": 6}
LOWEST_PSNR_DB = 50.0

CREDIT_KEYS = ("title", "artist", "year", "painting", "painting_status", "credit")


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    """Peak signal-to-noise ratio, in dB, of two pictures rounded to whole levels."""
    error = (a.round() - b.round()).square().mean()
    return float(10 * torch.log10(255**2 / error)) if error > 0 else float("inf")


def middle(picture: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """The centre of a picture."""
    top, left = (picture.shape[2] - height) // 2, (picture.shape[3] - width) // 2
    return picture[..., top : top + height, left : left + width]


def rounded(net: TransformerNet) -> dict[str, torch.Tensor]:
    """The weights in fp16; raises an error if one is not finite in fp16."""
    state = {name: tensor.half() for name, tensor in net.state_dict().items()}
    for name, tensor in state.items():
        if not torch.isfinite(tensor).all():
            raise SystemExit(f"{name}: not finite in fp16")
    return state


def training_record(name: str, folders: list[Path]) -> str:
    """The settings of all stages of a training, as JSON."""
    records = [json.loads(read_network(folder / f"{name}.safetensors")[1]["training"]) for folder in folders]
    return json.dumps({"stages": [stage for record in records for stage in record.get("stages", [record])]})


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trained", type=Path, required=True, help="folder of STYLE-MODEL.safetensors, fp32")
    parser.add_argument("--earlier", type=Path, nargs="*", default=[], help="the earlier stages, in order")
    parser.add_argument("--styles", type=Path, required=True)
    parser.add_argument("--tests", type=Path, required=True)
    parser.add_argument("--thumbnail", type=Path, required=True, help="a CC0 or public-domain picture")
    arguments = parser.parse_args()
    torch.set_grad_enabled(False)

    table = tomllib.loads((Path(__file__).parent / "styles.toml").read_text())
    arguments.tests.mkdir(parents=True, exist_ok=True)
    input_path = arguments.tests / "input.webp"
    if not input_path.exists():
        write_picture(input_path, middle(read_picture(arguments.thumbnail, short_side=TEST_SIZE[0] + 10), *TEST_SIZE),
                      **LOSSLESS)
    test_picture = read_picture(input_path)
    thumbnail = read_picture(arguments.thumbnail, short_side=THUMBNAIL_PAINTED_PX)
    thumbnail = middle(thumbnail, THUMBNAIL_PAINTED_PX, THUMBNAIL_PAINTED_PX)

    worst = float("inf")
    for path in sorted(arguments.trained.glob("*-*.safetensors")):
        style, model = path.stem.rsplit("-", 1)
        net, trained = read_network(path)
        metadata = {"format": "styleforge", "style": style, "model": model, "license": LICENSE}
        metadata |= {key: table[style][key] for key in CREDIT_KEYS}
        metadata |= {key: trained[key] for key in ("network", "date")}
        metadata["training"] = training_record(path.stem, [*arguments.earlier, arguments.trained])
        target = arguments.styles / style / f"{model}.safetensors"
        save_network(target, rounded(net), metadata)

        shipped = read_network(target)[0]
        wanted = paint(net, test_picture)
        write_picture(arguments.tests / f"{path.stem}.webp", wanted, **LOSSLESS)
        painted = paint(net, thumbnail)
        figures = [psnr(paint(shipped, test_picture), wanted), psnr(paint(shipped, thumbnail), painted)]
        worst = min(worst, *figures)
        print(f"{path.stem}: {target.stat().st_size} bytes, fp16 against fp32 {figures[0]:.1f} and {figures[1]:.1f} dB")
        if model == "full":
            image = to_image(painted).resize((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.LANCZOS)
            image.save(arguments.styles / style / "thumbnail.jpg", quality=90, optimize=True, progressive=True)
    if worst < LOWEST_PSNR_DB:
        sys.exit(f"rounding to fp16 costs too much: {worst:.1f} dB")


if __name__ == "__main__":
    main()
