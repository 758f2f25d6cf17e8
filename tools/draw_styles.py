#!/usr/bin/env python3
"""Draws style pictures of kinds that are rare among paintings, for train_any.py.

    python tools/draw_styles.py --photos photos/ --out drawn/ --each 18

Ink hatching, pencil, neon lines, facets, halftones and flat prints are drawn from photos, poured paint from warped
noise. The same seed draws the same pictures: ``KIND_NN.webp``. any_held_out.txt keeps the first two of each kind apart.
"""

from __future__ import annotations

import argparse
import colorsys
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

SIZE = (512, 400)


def resized(values: np.ndarray, size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.asarray(Image.fromarray(values.astype(np.float32)).resize(size, Image.Resampling.BICUBIC))


def noise(random, cells: float, octaves: int = 4) -> np.ndarray:
    """Smooth noise around 0 with about ``cells`` hills across, deviation 1."""
    total = np.zeros(SIZE[::-1], np.float32)
    for octave in range(octaves):
        columns = max(3, int(cells * 2**octave))
        total += resized(random.standard_normal((max(3, columns * SIZE[1] // SIZE[0]), columns))) * 0.55**octave
    return (total - total.mean()) / total.std()


def blurred(values: np.ndarray, radius: float) -> np.ndarray:
    image = Image.fromarray(values.clip(0, 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius)), np.float32)


def color(random, value=(0.2, 1.0), saturation=(0.3, 1.0)) -> np.ndarray:
    return 255 * np.array(colorsys.hsv_to_rgb(random.random(), random.uniform(*saturation), random.uniform(*value)))


def palette(random, count: int) -> np.ndarray:
    """Colours around two hues and their opposites, from dark to light."""
    hues = random.random() + np.array([0, random.uniform(0.05, 0.2), 0.5])
    values = np.linspace(random.uniform(0.05, 0.3), random.uniform(0.85, 1), count)
    rows = [colorsys.hsv_to_rgb(random.choice(hues) % 1, random.uniform(0.15, 0.95), value) for value in values]
    return 255 * np.array(rows)


def luma(photo: np.ndarray) -> np.ndarray:
    """The photo's luma 0..1, stretched."""
    grey = photo @ np.array([0.299, 0.587, 0.114])
    low, high = np.percentile(grey, (2, 98))
    return ((grey - low) / (high - low + 1)).clip(0, 1)


def edges(grey: np.ndarray, radius: float) -> np.ndarray:
    """How strongly the luma changes, 0..1."""
    down, right = np.gradient(blurred(grey * 255, radius) / 255)
    strength = np.hypot(down, right)
    return (strength / (np.percentile(strength, 97) + 1e-3)).clip(0, 1)


def mixed(cover: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """``first`` where the cover is 0, ``second`` where it is 1."""
    return first + (second - first) * cover[..., None]


def lines(random, angle: float, step: float) -> np.ndarray:
    """Wavering parallel lines: the distance from their middle, 0..1."""
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    along = x * np.cos(angle) + y * np.sin(angle) + 1.2 * noise(random, 10, 3)
    return np.abs(((along / step) % 1) - 0.5) * 2


def ink(random, photo: np.ndarray) -> np.ndarray:
    grey, drawn, first = luma(photo) ** random.uniform(0.6, 1.2), np.zeros(SIZE[::-1]), random.uniform(0, np.pi)
    for number, tone in enumerate((0.75, 0.5, 0.3)):
        width = ((tone - grey) * 2.2).clip(0, 0.9) * (1 + 0.3 * noise(random, 40, 2))
        step = random.uniform(4, 8)
        drawn = np.maximum(drawn, ((width - lines(random, first + number * 0.9, step)) * step / 2 + 0.5).clip(0, 1))
    drawn = np.maximum(drawn, (edges(grey, 1.2) * 2.5 - 1.2).clip(0, 1))
    paper = np.array([255, 252, 242]) - random.uniform(0, 40) * np.array([0.5, 0.8, 1.6])
    return mixed(drawn, paper + 3 * noise(random, 60, 3)[..., None], color(random, (0.02, 0.3), (0, 0.8)))


def pencil(random, photo: np.ndarray) -> np.ndarray:
    grey = luma(photo)
    soft = blurred((1 - grey) * 255, random.uniform(4, 9)) / 255
    dodge = (grey / (1.02 - soft)).clip(0, 1)
    grain = 0.75 + 0.25 * noise(random, 130, 2)
    strokes = (1 - grey) * (0.35 + 0.3 * (1 - lines(random, random.uniform(0.4, 1.2), random.uniform(3, 6))))
    shade = ((1 - dodge) * 1.1 + strokes * random.uniform(0.5, 1.0)) * grain
    tint = color(random, (0.1, 0.45), (0, 0.4 if random.random() < 0.7 else 0.9))
    return mixed(shade.clip(0, 1), np.array([250, 248, 244]) - random.uniform(0, 25) + np.zeros((*SIZE[::-1], 3)), tint)


def neon(random, photo: np.ndarray) -> np.ndarray:
    grey = luma(photo)
    line = (edges(grey, random.uniform(1.2, 2.2)) * 2 - 0.9).clip(0, 1)
    hues = (random.random() + 0.18 * noise(random, 2, 2) * random.uniform(0.5, 2)) % 1
    tube = np.asarray(
        Image.merge("HSV", [Image.fromarray((x * 255).astype(np.uint8)) for x in (hues, hues * 0 + 0.9, hues * 0 + 1)])
        .convert("RGB"), np.float32,
    )  # fmt: skip
    glow = sum(blurred(line * 255, radius) / 255 * share for radius, share in ((3, 0.7), (9, 0.8), (25, 0.7)))
    dark = color(random, (0.02, 0.14), (0.3, 0.9)) * (0.6 + 0.6 * grey[..., None])
    return dark + tube * glow[..., None].clip(0, 1) + 255 * (line[..., None] ** 2) * 0.8


def facets(random, photo: np.ndarray) -> np.ndarray:
    """Planes with shaded edges, in a few colours, with the photo's tones."""
    points = random.random((int(random.uniform(40, 130)), 2)) * SIZE
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    stretch = random.uniform(0.5, 2)
    far = np.stack([np.abs(x - px) * stretch + np.abs(y - py) + 0.6 * (x - px) * s for (px, py), s in
                    zip(points, random.uniform(-1, 1, len(points)))])  # fmt: skip
    nearest = far.argmin(0)
    grey, colors = luma(photo), palette(random, int(random.integers(4, 9)))
    result = np.zeros((*SIZE[::-1], 3))
    for number in np.unique(nearest):
        inside = nearest == number
        tone = grey[inside].mean() + random.normal(0, 0.12)
        turn = random.uniform(0, 2 * np.pi)
        ramp = (x[inside] - points[number][0]) * np.cos(turn) + (y[inside] - points[number][1]) * np.sin(turn)
        shade = 1 + 0.35 * np.tanh(ramp / 40)
        base = colors[int(np.clip(tone, 0, 0.999) * len(colors))]
        result[inside] = base * shade[:, None]
    two = np.partition(far, 1, 0)[:2]
    border = (1 - (two[1] - two[0]) / random.uniform(2, 6)).clip(0, 1)
    result = mixed(border * random.uniform(0.3, 0.9), result, color(random, (0, 0.2)))
    return result + 8 * noise(random, 90, 2)[..., None] * random.uniform(0.3, 1.2)


def poured(random, photo: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[: SIZE[1], : SIZE[0]].astype(np.float32)
    reach = random.uniform(25, 70)
    for cells in (3, 6):
        x, y = x + reach * noise(random, cells, 3), y + reach * noise(random, cells, 3)
        reach *= 0.5
    # Mirrored sampling of a base pattern of bands and cells.
    base = noise(random, random.uniform(3, 7), 3) + random.uniform(0, 1.2) * np.sin(np.mgrid[: SIZE[1], : SIZE[0]][0] / 30)
    column = np.abs((x.astype(int) % (2 * SIZE[0] - 2)) - (SIZE[0] - 1))
    row = np.abs((y.astype(int) % (2 * SIZE[1] - 2)) - (SIZE[1] - 1))
    field = base[row, column]
    colors = palette(random, int(random.integers(4, 8)))
    random.shuffle(colors)
    rank = (field - field.min()) / (field.max() - field.min()) * (len(colors) - 1)
    low = np.floor(rank).astype(int).clip(0, len(colors) - 2)
    soft = np.clip((rank - low - 0.5) * random.uniform(1.5, 8) + 0.5, 0, 1)
    result = mixed(soft, colors[low], colors[low + 1])
    down, right = np.gradient(blurred((field - field.min()) / np.ptp(field) * 255, 2))
    return result + random.uniform(4, 14) * (down + right)[..., None]


def halftone(random, photo: np.ndarray) -> np.ndarray:
    grey, angle, step = luma(photo), random.uniform(0, 1.5), random.uniform(5, 11)
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    dots = (np.cos(2 * np.pi * u / step) + np.cos(2 * np.pi * v / step)) / 4 + 0.5
    cover = ((dots - blurred(grey * 255, step / 3) / 255) * step * 0.7 + 0.5).clip(0, 1)
    paper = palette(random, 4)[(blurred(grey * 255, 6) / 256 * random.integers(1, 4)).astype(int) + 1].astype(float)
    return mixed(cover, paper, color(random, (0.02, 0.4)))


def flat(random, photo: np.ndarray) -> np.ndarray:
    """A print in few flat colours, with or without outlines."""
    smooth = Image.fromarray(photo.astype(np.uint8))
    for _ in range(3):
        smooth = smooth.filter(ImageFilter.MedianFilter(5))
    grey, colors = luma(np.asarray(smooth, np.float32)), palette(random, int(random.integers(3, 7)))
    result = colors[(grey * 0.999 * len(colors)).astype(int)]
    if random.random() < 0.6:
        result = mixed((edges(grey, 1.5) * 3 - 1.6).clip(0, 1), result, color(random, (0, 0.15)))
    return blurred(result, 0.6) + random.uniform(0, 3) * noise(random, 120, 2)[..., None]


KINDS = (ink, pencil, neon, facets, poured, halftone, flat)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True, help="photos with a shorter side of at least 400 pixels")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--each", type=int, default=18, help="pictures of each kind")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    photos = sorted(arguments.photos.iterdir())
    for place, kind in enumerate(KINDS):
        for number in range(arguments.each):
            random = np.random.default_rng((place, number))
            with Image.open(photos[(place * 31 + number * 11) % len(photos)]) as file:
                photo = np.asarray(file.convert("RGB").resize(SIZE, Image.Resampling.LANCZOS), np.float32)
            drawn = Image.fromarray(kind(random, photo).clip(0, 255).round().astype(np.uint8))
            drawn.save(arguments.out / f"{kind.__name__}_{number:02}.webp", quality=85)


if __name__ == "__main__":
    main()
