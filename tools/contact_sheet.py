#!/usr/bin/env python3
"""Paints pictures in styles and lays them out: a row for each picture, a column for each style.

    python tools/contact_sheet.py --styles styles/ --model full --out assets/styles.webp PICTURE…
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont

from style_net import paint, read_network
from style_photos import read_picture, to_image

#: The order of the columns; styles not named here follow by name.
ORDER = ("candy", "mosaic", "udnie", "rain_princess", "starry_night", "great_wave")

GAP_PX = 6
LABEL_PX = 30


def find_networks(folder: Path, models: list[str]) -> list[tuple[str, Path]]:
    """(label, file) of every STYLE/MODEL.safetensors, in the order of the columns."""
    names = sorted(path.name for path in folder.iterdir() if path.is_dir())
    names.sort(key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))
    found = []
    for name in names:
        for model in models:
            label = name.replace("_", " ") + (f" ({model})" if len(models) > 1 else "")
            found.append((label, folder / name / f"{model}.safetensors"))
    return [(label, path) for label, path in found if path.exists()]


def fit(image: Image.Image, width: int, height: int) -> Image.Image:
    """The image filling a cell. An image that is too high is cropped mostly at the bottom, since faces are at the
    top."""
    scale = max(width / image.width, height / image.height)
    size = (max(width, round(image.width * scale)), max(height, round(image.height * scale)))
    image = image.resize(size, Image.Resampling.LANCZOS)
    left, top = (image.width - width) // 2, (image.height - height) // 8
    return image.crop((left, top, left + width, top + height))


@torch.no_grad()
def make_sheet(
    networks: list[tuple[str, Path]], pictures: list[Path], side: int, cell: tuple[int, int], device: str
) -> Image.Image:
    """The sheet; ``side`` is the longer side, in pixels, at which the pictures are painted."""
    width, height = cell
    columns = [("photo", None)] + [(label, read_network(path)[0].to(device)) for label, path in networks]
    size = (len(columns) * (width + GAP_PX) + GAP_PX, len(pictures) * (height + GAP_PX) + GAP_PX + LABEL_PX)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(18)
    for column, (label, net) in enumerate(columns):
        left = GAP_PX + column * (width + GAP_PX)
        draw.text((left + width / 2, LABEL_PX / 2 + 2), label, fill="black", font=font, anchor="mm")
        for row, path in enumerate(pictures):
            photo = read_picture(path, long_side=side).to(device)
            shown = fit(to_image(paint(net, photo) if net else photo), width, height)
            sheet.paste(shown, (left, LABEL_PX + GAP_PX + row * (height + GAP_PX)))
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", nargs="+", type=Path)
    parser.add_argument("--styles", type=Path, required=True, help="folder of STYLE/MODEL.safetensors")
    parser.add_argument("--model", action="append", help="full or lite; give it twice for both")
    parser.add_argument("--side", type=int, default=640, help="longer side of the painted pictures, in pixels")
    parser.add_argument("--cell", type=int, nargs=2, default=(240, 180), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--quality", type=int, default=86)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    networks = find_networks(arguments.styles, arguments.model or ["full"])
    sheet = make_sheet(networks, arguments.pictures, arguments.side, tuple(arguments.cell), arguments.device)
    sheet.save(arguments.out, quality=arguments.quality, method=6)
    print(f"{arguments.out}: {sheet.width}x{sheet.height}, {arguments.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
