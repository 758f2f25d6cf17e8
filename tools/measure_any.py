#!/usr/bin/env python3
"""Measures networks for any style picture, and their teacher, on pictures that were not used for training.

    python tools/measure_any.py --weights any.safetensors --teacher adain_teacher.npz --vgg vgg16.pth \
        --photos photos/ --paintings paintings/ --json measured.json --sheet sheet.webp

The figures are means over the held-out paintings x measured photos of any_held_out.txt; smaller is better. Photos have
a longer side of 352 pixels and style pictures a shorter side of 512, both as inputs and for the measurement.

- style, content, noise flicker, move flicker: as in measure_styles.py (VGG-16).
- style19: the relative Gram distance on the teacher's own VGG-19 (mean of relu1_1, 2_1, 3_1, 4_1). It is not used in
  training, so it shows whether a network only learned to please VGG-16.
- weave: the pattern that repeats every 16 pixels where the photo is plain, RMS in levels; 0 to 2 by chance for texture
  without a step.
- weave on grounds: the same on soft gradients, which contain nothing else.
- grid: there, the energy at the frequencies of a grid of 8 pixels over that of the frequencies around them.
- patches: there, how unevenly strokes are spread: the deviation of their strength in squares of 24 pixels over its mean.
- face: content inside the faces of ``--faces`` in photos kept apart, shown with 60, 90 and 120 pixels.
- content 320, content 512: content on the larger photos with these longer sides.

``--check`` compares each network's figures with the teacher's and with those of the first weights given, and returns 1
if it misses one of ``LIMITS``: a training must pass

    python tools/measure_any.py --weights assets/any.safetensors --weights trained/any.safetensors --check ...

With ``--time`` also PyTorch's time for one painting, fp16, channels-last, as a CUDA graph, with an existing code.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import nn

from adain_teacher import Teacher
from any_net import AnyNet, pad_to_multiple, read_any
from contact_sheet import fit
from measure_styles import BORDER_PX, NOISE_SIGMA, SIDE_PX, STYLE_SHORT_SIDE_PX
from perceptual import Vgg16, gram, relative_error
from picture_losses import Grid, stepped
from style_net import TransformerNet, paint, read_network
from style_photos import face_mask, read_faces, read_picture, to_image, to_levels

FIGURES = (
    "style", "content", "noise_flicker", "move_flicker", "style19", "weave", "weave_on_grounds", "grid",
    "patches", "face", "content_320", "content_512",
)  # fmt: skip

FACE_PX = (60, 90, 120)
LARGE_PHOTOS = 8

#: (figure, maximum as a share of what, of whose figure). "first" are the first weights given.
LIMITS = (
    ("style", 1.0, "teacher", "style"),
    ("style", 1.02, "first", "style"),
    ("content", 1.0, "teacher", "content"),
    ("noise_flicker", 0.48, "teacher", "noise_flicker"),
    ("move_flicker", 0.5, "teacher", "move_flicker"),
    ("grid", 0.5, "first", "grid"),
    ("patches", 1.1, "first", "patches"),
    ("face", 1.0, "first", "face"),
    ("content_320", 1.0, "first", "content_320"),
)

#: Steps at which a weave is searched: the token stride, which includes all its divisors.
STEP_PX = 16

HELD_OUT = Path(__file__).parent / "any_held_out.txt"


def read_held_out(path: Path = HELD_OUT) -> dict[str, list[str]]:
    """The lists of a file of ``[section]`` lines and names."""
    lists: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        if line.startswith("["):
            names = lists.setdefault(line.strip("[] "), [])
        elif line and not line.startswith("#"):
            names.extend(line.split())
    return lists


def find(names: list[str], *folders: Path | None) -> list[Path]:
    """The files with these names in the folders; names that are not found are omitted."""
    by_name = {path.stem: path for folder in folders if folder for path in sorted(folder.iterdir())}
    return [by_name[name] for name in names if name in by_name]


class FixedPainter:
    """A network of one style with the interface of a network for any."""

    def __init__(self, net: TransformerNet):
        self.net = net

    def code(self, picture: torch.Tensor) -> None:
        return None

    def paint(self, photo: torch.Tensor, code: None) -> torch.Tensor:
        return paint(self.net, photo)


class Close:
    """What is measured on single faces and on photos of two sizes."""

    @torch.no_grad()
    def __init__(self, vgg: Vgg16, large: list[Path], with_faces: list[Path], faces: dict[str, list], device):
        self.vgg, self.faces, self.photos = vgg, [], {}

        def seen(photo: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return photo.to(device), vgg(photo.to(device), depth=3)[2]

        for path in with_faces:
            photo = read_picture(path)
            for square in faces.get(path.stem, []):
                shown = [self._shown(photo, square, side) for side in FACE_PX if side < 1.6 * square[2]]
                self.faces += [(*seen(close), mask.to(device)) for close, mask in shown]
        for side in (320, 512):
            self.photos[side] = [seen(read_picture(path, long_side=side)) for path in large]

    @staticmethod
    def _shown(photo: torch.Tensor, square: list[int], side: int) -> tuple[torch.Tensor, torch.Tensor]:
        """At most 384x288 pixels around a face of ``side`` pixels, and its mask at relu3_3."""
        both = torch.cat((photo, face_mask([square], *photo.shape[2:])[None].float()), 1)
        scale = side / square[2]
        shown = F.interpolate(both, scale_factor=scale, mode="bilinear", antialias=True, align_corners=False)
        middle = [(square[1] + square[2] / 2) * scale, (square[0] + square[2] / 2) * scale]
        for dim, (place, length) in enumerate(zip(middle, (288, 384)), 2):
            length = min(length, shown.shape[dim])
            shown = shown.narrow(dim, int(min(max(0, place - length / 2), shown.shape[dim] - length)), length)
        return shown[:, :3], F.avg_pool2d(shown[:, 3:] / 255, 4)

    @torch.no_grad()
    def __call__(self, painter, code) -> dict[str, float]:
        def features(photo: torch.Tensor) -> torch.Tensor:
            return self.vgg(painter.paint(photo, code).float().clamp(0, 255), depth=3)[2]

        def distance(photo: torch.Tensor, wanted: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return (mask * (features(photo) - wanted).square()).sum() / (mask * wanted.square()).sum()

        found = {"face": [distance(*face) for face in self.faces]}
        for side, photos in self.photos.items():
            found[f"content_{side}"] = [relative_error(features(photo), wanted) for photo, wanted in photos]
        return {name: float(sum(values) / max(1, len(values))) for name, values in found.items()}


class TeacherPainter:
    """The teacher with the interface of a network: a code, and paintings with it."""

    def __init__(self, teacher: Teacher):
        self.teacher = teacher

    def code(self, picture: torch.Tensor) -> torch.Tensor:
        return self.teacher.encode(picture)[-1]

    def paint(self, photo: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
        height, width = photo.shape[-2:]
        return self.teacher.decode(self.teacher.encode(pad_to_multiple(photo, 8))[-1], code)[..., :height, :width]


@torch.no_grad()
def style_targets(vgg: Vgg16, teacher: Teacher | None, picture: torch.Tensor) -> tuple[list, list]:
    """Gram matrices of a style picture: from VGG-16, and from the teacher if there is one."""
    return [gram(x) for x in vgg(picture)], [gram(x) for x in teacher.encode(picture)] if teacher else []


@torch.no_grad()
def measure_pair(painter, code, vgg, teacher, targets, photo: torch.Tensor, seed: int) -> list[float]:
    """The first six figures for one photo of (1, 3, H, W) levels in one style."""

    def paint(levels: torch.Tensor) -> torch.Tensor:
        return painter.paint(levels, code).float().clamp(0, 255)

    painting = paint(photo)
    features = vgg(painting)
    style = sum(relative_error(gram(x), y) for x, y in zip(features, targets[0])) / len(targets[0])
    content = relative_error(features[2], vgg(photo, depth=3)[2])
    noise = torch.randn(photo.shape, generator=torch.Generator().manual_seed(seed)).to(photo.device) * NOISE_SIGMA
    noisy = (paint((photo + noise).clamp(0, 255)) - painting).abs().mean()
    moved = []
    inside = (..., slice(BORDER_PX, -BORDER_PX), slice(BORDER_PX, -BORDER_PX))
    for dim in (2, 3):
        length = photo.shape[dim] - 1
        first = paint(photo.narrow(dim, 1, length)).narrow(dim, 0, length - 1)
        second = paint(photo.narrow(dim, 0, length)).narrow(dim, 1, length - 1)
        moved.append((first[inside] - second[inside]).abs().mean())
    style19 = float("nan")
    if targets[1]:
        pairs = zip(teacher.encode(painting), targets[1])
        style19 = sum(relative_error(gram(x), y) for x, y in pairs) / len(targets[1])
    values = (style, content, noisy, (moved[0] + moved[1]) / 2, style19, weave_levels(painting, photo))
    return [float(value) for value in values]


def weave_levels(painting: torch.Tensor, photo: torch.Tensor) -> torch.Tensor:
    """The pattern that repeats every ``STEP_PX`` pixels on plain places, RMS in levels."""
    energies, weights = stepped(painting, photo, STEP_PX)
    return ((weights * energies).sum() / (weights.sum() + 1e-6)).clamp(min=0).sqrt()


def patchiness(painting: torch.Tensor) -> float:
    """How unevenly strokes are spread over a painting of a plain ground; 0 if they are everywhere alike."""
    strokes = painting - F.avg_pool2d(painting, 13, 1, 6, count_include_pad=False)
    strength = F.avg_pool2d(strokes.square(), 24).mean(1).sqrt()
    return float(strength.std() / (strength.mean() + 0.5))


def grounds() -> list[torch.Tensor]:
    """Soft gradients with slight noise, (1, 3, 240, 352) levels."""
    random = torch.Generator().manual_seed(5)
    y, x = torch.meshgrid(torch.linspace(0, 1, 240), torch.linspace(0, 1, 352), indexing="ij")
    pictures = []
    for _ in range(4):
        first, second = torch.rand(2, 3, 1, 1, generator=random) * 180 + 40
        turn = torch.rand(1, generator=random) * 6.28
        blend = (x * turn.cos() + y * turn.sin() + 1) / 3
        noise = torch.randn(1, 3, 240, 352, generator=random) * 0.7
        pictures.append((first + (second - first) * 0.5 * blend + noise).clamp(0, 255))
    return pictures


def measure(
    painter, vgg, teacher, paintings: list[Path], photos: list[Path], close, device, side=SIDE_PX,
    seen=STYLE_SHORT_SIDE_PX,
) -> dict:
    """The mean figures, and those of every style: photos of ``side`` pixels, style pictures as inputs of ``seen``
    pixels."""
    plain = [ground.to(device) for ground in grounds()]
    shown = [read_picture(path, long_side=side).to(device) for path in photos]
    each, grid = {}, Grid(device)
    for path in paintings:
        picture = read_picture(path, short_side=STYLE_SHORT_SIDE_PX).to(device)
        targets = style_targets(vgg, teacher, picture)
        with torch.no_grad():
            code = painter.code(read_picture(path, short_side=seen).to(device))
            rows = [measure_pair(painter, code, vgg, teacher, targets, x, seed) for seed, x in enumerate(shown)]
            painted = [painter.paint(x, code).float().clamp(0, 255) for x in plain]
            on_grounds = [float(weave_levels(x, y)) for x, y in zip(painted, plain)]
            grids = [float(grid(x, y)[0].mean()) for x, y in zip(painted, plain)]
            patches = [patchiness(x) for x in painted]
        values = [statistics.fmean(column) for column in zip(*rows)]
        values += [statistics.fmean(on_grounds), statistics.fmean(grids), statistics.fmean(patches), *close(painter, code).values()]
        each[path.stem] = dict(zip(FIGURES, (round(value, 4) for value in values)))
    means = {name: statistics.fmean(figures[name] for figures in each.values()) for name in FIGURES}
    return {name: round(value, 4) for name, value in means.items()} | {"each": each}


@torch.no_grad()
def time_painting(net: AnyNet, width: int, height: int, compiled: bool = False) -> float:
    """Milliseconds for one painting in fp16, the median of 50 graph replays."""
    half = net.half().to(memory_format=torch.channels_last)
    photo = (torch.rand(1, 3, height, width, device="cuda") * 255).half()
    code = half.code(photo)
    paint = torch.compile(half.paint, mode="max-autotune-no-cudagraphs") if compiled else half.paint
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            paint(photo, code)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        paint(photo, code)
    times = []
    for number in range(60):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        graph.replay()
        end.record()
        end.synchronize()
        if number >= 10:
            times.append(begin.elapsed_time(end))
    return statistics.median(times)


@torch.no_grad()
def make_sheet(painter, paintings: list[Path], photos: list[Path], device, side: int = 512, cell: int = 176):
    """A sheet with style pictures at the top, photos on the left, and every painting; ``side`` is the photos' longer
    side."""
    gap, low = 4, cell * 3 // 4
    size = ((len(paintings) + 1) * (cell + gap) + gap, (len(photos) + 1) * (low + gap) + gap)
    sheet = Image.new("RGB", size, "white")
    shown = [read_picture(path, long_side=side).to(device) for path in photos]
    for row, photo in enumerate(shown):
        sheet.paste(fit(to_image(photo), cell, low), (gap, gap + (row + 1) * (low + gap)))
    for column, path in enumerate(paintings):
        left = gap + (column + 1) * (cell + gap)
        picture = read_picture(path, short_side=STYLE_SHORT_SIDE_PX)
        sheet.paste(fit(to_image(picture), cell, low), (left, gap))
        ImageDraw.Draw(sheet).text((left + 3, gap + 1), path.stem, font=ImageFont.load_default(12), fill="red")
        code = painter.code(picture.to(device))
        for row, photo in enumerate(shown):
            painted = fit(to_image(painter.paint(photo, code).float()), cell, low)
            sheet.paste(painted, (left, gap + (row + 1) * (low + gap)))
    return sheet


@torch.no_grad()
def make_large(painter, paintings: list[Path], photo: Path, device, size: tuple[int, int] = (1280, 720)):
    """One photo filling 1280x720, in some styles, as one tall picture, to find grids, seams and borders."""
    image = fit(to_image(read_picture(photo)), *size)
    levels = to_levels(image).to(device)
    sheet = Image.new("RGB", (size[0], size[1] * len(paintings)))
    for row, path in enumerate(paintings):
        code = painter.code(read_picture(path, short_side=STYLE_SHORT_SIDE_PX).to(device))
        sheet.paste(to_image(painter.paint(levels, code).float()), (0, row * size[1]))
    return sheet


def misses(results: dict[str, dict], names: list[str]):
    """Lines on the limits that the networks after the first, or the only one, miss."""
    for name in names[1:] or names:
        for figure, share, whose, other in LIMITS:
            reference = results.get(names[0] if whose == "first" else whose)
            limit = share * reference[other] if reference else float("inf")
            if results[name][figure] > limit and name != (names[0] if whose == "first" else whose):
                yield f"{name}: {figure} {results[name][figure]:.3f} is above {limit:.3f}, {share} of {whose}'s {other}"


def as_markdown(results: dict[str, dict]) -> str:
    lines = [f"| network | {' | '.join(FIGURES).replace('_', ' ')} |", "| --- |" + " ---: |" * len(FIGURES)]
    for name, figures in results.items():
        digits = (3, 3, 2, 2, 3, 2, 2, 1, 2, 3, 3, 3)
        values = (f"{figures[figure]:.{places}f}" for figure, places in zip(FIGURES, digits))
        lines.append(f"| {name} | {' | '.join(values)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, action="append", default=[], help="a file of train_any.py; repeatable")
    parser.add_argument("--teacher", type=Path, required=True, help="adain_teacher.npz")
    parser.add_argument("--without-teacher", action="store_true", help="measures the weights only")
    parser.add_argument("--vgg", type=Path, required=True)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--photos-large", type=Path)
    parser.add_argument("--paintings", type=Path, required=True)
    parser.add_argument("--drawn", type=Path, help="measures the kept-apart pictures of this folder too")
    parser.add_argument("--faces", type=Path, help="lines of NAME X Y SIDE (any_faces.txt)")
    parser.add_argument("--network", type=Path, help="a network of one style, whose faces and sizes are measured too")
    parser.add_argument("--check", action="store_true", help="fails if a network misses LIMITS")
    parser.add_argument("--limit", type=int, nargs=2, default=(None, None), metavar=("PAINTINGS", "PHOTOS"))
    parser.add_argument("--side", type=int, default=SIDE_PX, help="longer side of the photos, in pixels")
    parser.add_argument("--seen", type=int, default=STYLE_SHORT_SIDE_PX, help="shorter side of the style pictures given")
    parser.add_argument("--sheet", type=Path, help="folder for contact sheets, NAME.webp and NAME_large.webp")
    parser.add_argument("--time", action="store_true", help="times PyTorch as well (CUDA)")
    parser.add_argument("--compile", action="store_true", help="times torch.compile max-autotune too: minutes")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()

    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    device = torch.device(arguments.device)
    held_out = read_held_out()
    paintings = find(held_out["paintings"], arguments.paintings)
    paintings = paintings[:: max(1, len(paintings) // (arguments.limit[0] or len(paintings)))][: arguments.limit[0]]
    photos = find(held_out["measured"], arguments.photos)[: arguments.limit[1]]
    vgg, teacher = Vgg16(arguments.vgg).to(device), Teacher(arguments.teacher).to(device)
    painters: dict[str, object] = {} if arguments.without_teacher else {"teacher": TeacherPainter(teacher)}
    named = {path.stem: path for path in arguments.weights}
    if len(named) < len(arguments.weights):
        named = {str(path): path for path in arguments.weights}
    painters |= {name: read_any(path)[0].to(device) for name, path in named.items()}
    faces = read_faces(arguments.faces)
    kept = [name for names in held_out.values() for name in names]
    large = find(held_out["photos_large"], arguments.photos_large)
    close = Close(
        vgg, large[:LARGE_PHOTOS], find(sorted(set(kept)), arguments.photos, arguments.photos_large), faces, device
    )
    sets = {"": paintings, " drawn": find(held_out["drawn"], arguments.drawn)}
    results = {}
    if arguments.network:
        fixed = close(FixedPainter(read_network(arguments.network)[0].to(device)), None)
        print(arguments.network, json.dumps(fixed), flush=True)
    for name, painter in painters.items():
        sizes = (arguments.side, arguments.seen)
        for kind, pictures in sets.items():
            if pictures:
                results[name + kind] = measure(painter, vgg, teacher, pictures, photos, close, device, *sizes)
        if arguments.sheet:
            arguments.sheet.mkdir(parents=True, exist_ok=True)
            on_sheet = find(held_out["sheet_paintings"], arguments.paintings)
            shown = find(held_out["sheet_photos"], arguments.photos, arguments.photos_large)
            make_sheet(painter, on_sheet, shown, device).save(arguments.sheet / f"{name}.webp", quality=85)
            large = make_large(painter, on_sheet[:4], shown[0], device)
            large.save(arguments.sheet / f"{name}_large.webp", quality=85)
        if arguments.time and isinstance(painter, nn.Module) and device.type == "cuda":
            for width, height in ((512, 512), (1280, 720)):
                for compiled in (False, True) if arguments.compile else (False,):
                    key = f"ms_{'compiled' if compiled else 'graph'}_{width}x{height}"
                    results[name][key] = round(time_painting(painter, width, height, compiled), 3)
        print(name, json.dumps({key: value for key, value in results[name].items() if key != "each"}), flush=True)
    print(as_markdown(results))
    if arguments.json:
        about = {"paintings": len(paintings), "photos": len(photos), "torch": torch.__version__}
        arguments.json.write_text(json.dumps(about | {"results": results}, indent=1) + "\n")
    if arguments.check:
        missed = list(misses(results, list(named)))
        print("\n".join(missed) or "all limits are met")
        raise SystemExit(bool(missed))


if __name__ == "__main__":
    main()
