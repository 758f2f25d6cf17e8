#!/usr/bin/env python3
"""Lays out the program's paintings in the style of pictures: a row for each style picture, a column for each photo.

    python tools/any_sheet.py --program target/release/styleforge --style a.jpg --style b.jpg --out sheet.webp PHOTO…
    python tools/any_sheet.py --program target/release/styleforge --mix a.jpg b.jpg --out mixes.webp PHOTO…

With ``--mix`` there is a row for each photo and a column for each pair of weights.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from contact_sheet import GAP_PX, fit

#: The weights of a mix's first picture, in hundredths.
MIXES = (100, 75, 50, 25, 0)

LABEL_PX = 22


def crop_photos(photos: list[Path], folder: Path, width: int, height: int) -> list[Path]:
    """The photos at the size at which they are painted, so that a cell shows the whole photo."""
    cropped = []
    for number, path in enumerate(photos):
        cropped.append(folder / f"{number}.png")
        with Image.open(path) as photo:
            fit(photo.convert("RGB"), width, height).save(cropped[-1])
    return cropped


def paint(program: list[str | Path], photos: list[Path], pictures: list[str], folder: Path) -> list[Image.Image]:
    """The photos in the style of one picture or of a mix, ``FILE:WEIGHT``."""
    folder.mkdir()
    styles = [word for picture in pictures for word in ("--style-picture", picture)]
    command = [*program, *photos, *styles, "--working-size", "512", "-o", folder]
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
    painted = sorted(folder.iterdir())
    assert len(painted) == len(photos), "a painting for each photo"
    return [Image.open(path).convert("RGB") for path in painted]


def lay_out(rows: list[list[Image.Image | None]], labels: list[str], cell: tuple[int, int], halves: int) -> Image.Image:
    """The cells, with their columns' labels above. With ``halves`` of 2 the second half of the rows is on the right,
    with the first row repeated above it."""
    width, height = cell
    columns, top = len(rows[0]), LABEL_PX if labels else 0
    deep = -(-(len(rows) - 1) // halves)
    across = columns * (width + GAP_PX) + GAP_PX
    sheet = Image.new("RGB", (across * halves, (deep + 1) * (height + GAP_PX) + GAP_PX + top), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for column, label in enumerate(labels):
        place = (GAP_PX + column * (width + GAP_PX) + width / 2, top / 2 + 2)
        draw.text(place, label, fill="black", font=font, anchor="mm")
    for half in range(halves):
        for row, images in enumerate([rows[0], *rows[1 + half * deep : 1 + (half + 1) * deep]]):
            for column, image in enumerate(images):
                if image is not None:
                    place = (across * half + GAP_PX + column * (width + GAP_PX), top + GAP_PX + row * (height + GAP_PX))
                    sheet.paste(fit(image, width, height), place)
    return sheet


def save_below(sheet: Image.Image, path: Path, quality: int, most_bytes: int) -> None:
    """Lowers the quality until the file is small enough."""
    while True:
        sheet.save(path, quality=quality, method=6)
        if path.stat().st_size <= most_bytes or quality <= 40:
            break
        quality -= 2
    print(f"{path}: {sheet.width}x{sheet.height}, quality {quality}, {path.stat().st_size} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--program", type=Path, required=True)
    parser.add_argument("--network", type=Path, help="a file of train_any.py instead of the embedded one")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--style", type=Path, action="append", default=[], help="repeatable")
    what.add_argument("--mix", type=Path, nargs=2, metavar=("FIRST", "SECOND"))
    parser.add_argument("--cell", type=int, nargs=2, default=(160, 120), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--halves", type=int, choices=(1, 2), default=1, help="2: rows side by side in two halves")
    parser.add_argument("--quality", type=int, default=80)
    parser.add_argument("--most-bytes", type=int, default=130_000)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    cell = tuple(arguments.cell)
    program = [arguments.program, "stylize", "--device", "cpu"]
    program += ["--style-network", arguments.network] if arguments.network else []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos = crop_photos(arguments.photos, folder, 512, round(512 * cell[1] / cell[0]))
        shown = [Image.open(path) for path in photos]
        if arguments.mix:
            first, second = arguments.mix
            mixes = [[f"{first}:{share}", f"{second}:{100 - share}"] for share in MIXES]
            mixes[0], mixes[-1] = [str(first)], [str(second)]
            columns = [paint(program, photos, mix, folder / str(n)) for n, mix in enumerate(mixes)]
            rows = [[photo, *painted] for photo, *painted in zip(shown, *columns)]
            labels = ["photo"] + [f"{share} : {100 - share}" for share in MIXES]
        else:
            rows, labels = [[None, *shown]], []
            for number, path in enumerate(arguments.style):
                painted = paint(program, photos, [str(path)], folder / f"style{number}")
                rows.append([Image.open(path).convert("RGB"), *painted])
        sheet = lay_out(rows, labels, cell, arguments.halves)
    save_below(sheet, arguments.out, arguments.quality, arguments.most_bytes)


if __name__ == "__main__":
    main()
