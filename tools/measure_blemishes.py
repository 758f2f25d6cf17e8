#!/usr/bin/env python3
"""Measures borders, and grids on plain grounds; needs ffmpeg and numpy.

    python tools/measure_blemishes.py [--program target/release/styleforge] [--photos PHOTO,PHOTO]
        [--styles candy,mosaic,painting.jpg] [--models lite,full] [--width 448] [-- --margin 0]

A style is a name, or a picture. What follows `--` is passed on to `styleforge stylize`. *Border* is the mean Laplacian
of the outer 12 pixels of the painting over that of its interior; the first row is that of the photos. *8 px*, *4 px* and
*2 px* are grids on plain and shaded grounds with faint noise: the energy at the frequencies of such a grid over that of
their neighbours, at the worst one; 1 is right. The networks upsample in steps of 2: 8 px is a token of a network for
style pictures, 4 px the smallest map of the others.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from measure_steadiness import laplacian, luma, read

BORDER_PX = 12
PERIOD_PX = 8


def border(picture):
    """Strength of the finest structure in the outer pixels over that of the interior."""
    fine = laplacian(picture[None])[0]
    inner = np.zeros(fine.shape, bool)
    inner[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX] = True
    return fine[~inner].mean() / fine[inner].mean()


def grounds(size):
    """Plain and shaded grounds, with the noise of a camera."""
    width, height = size
    across, down = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    noise = np.random.default_rng(7)
    for shade in (0 * across, across, down, (across + down) / 2):
        for low, high in (((96, 128, 176), (176, 196, 220)), ((150, 130, 110), (70, 60, 60))):
            ground = np.array(low) + shade[..., None] * (np.array(high) - low)
            yield np.clip(ground + noise.normal(0, 1.5, (height, width, 3)) + 0.5, 0, 255).astype(np.uint8)


def grid(paintings):
    """For each period of a grid, the most energy at one of its frequencies over that of the neighbours."""
    height, width = (side // PERIOD_PX * PERIOD_PX for side in paintings[0].shape[:2])
    window = np.outer(np.hanning(height), np.hanning(width))
    energy = np.zeros((height, width))
    for painting in paintings:
        own = luma(painting)[:height, :width]
        energy += np.abs(np.fft.fft2((own - own.mean()) * window)) ** 2
    found = {8: 0, 4: 0, 2: 0}
    for row in range(PERIOD_PX):
        for column in range(PERIOD_PX):
            if row or column:
                y, x = row * height // PERIOD_PX, column * width // PERIOD_PX
                near = np.array([[energy[(y + j) % height, (x + i) % width] for i in range(-5, 6)] for j in range(-5, 6)])
                peak = near[4:7, 4:7].mean()
                around = (near.sum() - near[3:8, 3:8].sum()) / (121 - 25)
                period = 8 if row % 2 or column % 2 else 4 if row % 4 or column % 4 else 2
                found[period] = max(found[period], peak / around)
    return list(found.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="target/release/styleforge")
    parser.add_argument("--photos", default="assets/sample.jpg")
    parser.add_argument("--styles", default="candy,great_wave,mosaic,rain_princess,starry_night,udnie")
    parser.add_argument("--models", default="lite,full")
    parser.add_argument("--width", type=int, default=448)
    parser.add_argument("--keep", type=Path, help="folder for the paintings")
    parser.add_argument("arguments", nargs="*", help="further arguments of stylize")
    options = parser.parse_args()
    size = (options.width, options.width * 3 // 4 // 2 * 2)
    fit = [f"scale={size[0]}:{size[1]}:force_original_aspect_ratio=increase", f"crop={size[0]}:{size[1]}"]
    photos = [read(photo, size, fit)[0] for photo in options.photos.split(",")]
    print("| style | model | border | 8 px | 4 px | 2 px |\n| --- | --- | ---: | ---: | ---: | ---: |")
    print(f"| photos | | {np.mean([border(photo) for photo in photos]):.2f} | | | |", flush=True)
    pictures = [*photos, *grounds(size)]
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, f"{number}.png") for number in range(len(pictures))]
        for file, picture in zip(files, pictures):
            words = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}", "-i", "-", file]
            subprocess.run(["ffmpeg", "-nostdin", "-v", "error", *map(str, words)], check=True, input=picture.tobytes())
        for style in options.styles.split(","):
            models = [""] if Path(style).suffix else options.models.split(",")
            for model in models:
                to = (options.keep or Path(folder)) / f"{Path(style).stem}_{model}"
                to.mkdir(parents=True, exist_ok=True)
                words = ["stylize", *files, "--style", style, *(["--model", model] if model else []), "--working-size", "original",
                         "--device", "cpu", "--format", "png", "--force", "--quiet", "-o", to, *options.arguments]
                subprocess.run([options.program, *map(str, words)], check=True, stdout=subprocess.DEVNULL)
                painted = [read(found, size)[0] for found in sorted(to.glob("*.png"), key=lambda path: int(path.stem.split("-")[0]))]
                cells = [np.mean([border(painting) for painting in painted[:len(photos)]]), *grid(painted[len(photos):])]
                print("|", " | ".join([Path(style).stem, model, *(f"{cell:.2f}" for cell in cells)]), "|", flush=True)


if __name__ == "__main__":
    main()
