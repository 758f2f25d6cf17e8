"""Photos for training and measuring: reading, splitting, cropping, augmenting.

Training crops are cut from one array on the device, many at a time, so that a GPU never waits for a file. Some crops
are made harder on purpose: dark, grey, of low contrast, or with a plain sky. Instance normalisation paints dots and
dead patches into such pictures unless it was trained on them.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps

#: The number of photos, the last by name, that are kept out of every training.
HELD_OUT = 40

#: Minimum noise in every training crop, in levels.
LEAST_NOISE = 0.3

#: A crop that shows its photo smaller covers up to this many times its short edge; beyond its edges the photo is
#: mirrored.
SMALL_REACH = 2.0

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def list_photos(folder: Path) -> tuple[list[Path], list[Path]]:
    """(training photos, held-out photos) of a folder, by sorted name."""
    paths = sorted(p for p in Path(folder).iterdir() if p.suffix.lower() in _SUFFIXES)
    if len(paths) <= HELD_OUT:
        raise SystemExit(f"{folder}: needs more than {HELD_OUT} photos, found {len(paths)}")
    return paths[:-HELD_OUT], paths[-HELD_OUT:]


def read_picture(path: Path, short_side: int | None = None, long_side: int | None = None) -> torch.Tensor:
    """A picture as (1, 3, H, W) levels 0..255, scaled so that the named side has the given size in pixels."""
    with Image.open(path) as file:
        picture = ImageOps.exif_transpose(file).convert("RGB")
    side = short_side or long_side
    if side:
        current = min(picture.size) if short_side else max(picture.size)
        size = tuple(max(1, round(edge * side / current)) for edge in picture.size)
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    return to_levels(picture)


def write_picture(path: Path, levels: torch.Tensor, **options) -> None:
    """Saves (1, 3, H, W) levels, rounded to whole levels."""
    to_image(levels).save(path, **options)


def to_levels(image: Image.Image) -> torch.Tensor:
    """An RGB Pillow image as (1, 3, H, W) levels."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float()


def to_image(levels: torch.Tensor) -> Image.Image:
    """(1, 3, H, W) levels as a Pillow image."""
    array = levels[0].clamp(0, 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    return Image.fromarray(np.ascontiguousarray(array))


def _mirrored(places: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
    """Positions along an edge, in pixels from 0 to ``length``; positions outside are mirrored back inside."""
    within = length - (places.remainder(2 * length) - length).abs()
    # At least half a pixel inside, so that no sample crosses the edge.
    return torch.minimum(within.clamp(min=0.5), length - 0.5)


#: Half the width and height of a face's ellipse, in sides of its square.
FACE_REACH = (0.42, 0.55)


def read_faces(path: Path | None) -> dict[str, list[list[int]]]:
    """The squares (x, y, side), in pixels, of a file of lines NAME X Y SIDE, by the photo's name."""
    faces: dict[str, list[list[int]]] = {}
    for line in path.read_text().splitlines() if path else ():
        if line and not line.startswith("#"):
            name, *square = line.split()
            faces.setdefault(name, []).append([int(value) for value in square])
    return faces


def face_mask(faces: list[list[int]], height: int, width: int) -> torch.Tensor:
    """(1, height, width) levels: 255 in the ellipses of faces (x, y, side)."""
    mask = torch.zeros(1, height, width, dtype=torch.uint8)
    down, right = torch.arange(height)[:, None], torch.arange(width)[None]
    for x, y, side in faces:
        across = (right - x - side / 2) / (side * FACE_REACH[0])
        mask[0][across**2 + ((down - y - side / 2) / (side * FACE_REACH[1])) ** 2 <= 1] = 255
    return mask


class CropSampler:
    """Random training crops of all photos, cut and augmented on the device.

    With ``faces`` of ``read_faces``, crops have a fourth channel, ``face_mask``.
    """

    def __init__(self, paths: list[Path], device: torch.device, seed: int, faces: dict[str, list] | None = None):
        with ThreadPoolExecutor(8) as pool:
            photos = list(pool.map(lambda path: read_picture(path)[0].to(torch.uint8), paths))
        if faces:
            found = [faces.get(path.stem, []) for path in paths]
            photos = [torch.cat((x, face_mask(squares, *x.shape[1:]))) for x, squares in zip(photos, found)]
            rows = [(row, *square) for row, squares in enumerate(found) for square in squares]
            self.faces = torch.tensor(rows, device=device, dtype=torch.float32)
        side = max(max(photo.shape[1:]) for photo in photos)
        canvas = torch.zeros(len(photos), len(photos[0]), side, side, dtype=torch.uint8)
        for row, photo in zip(canvas, photos):
            row[:, : photo.shape[1], : photo.shape[2]] = photo
        self.canvas = canvas.to(device)
        self.sizes = torch.tensor([photo.shape[1:] for photo in photos], device=device, dtype=torch.float32)
        self.random = torch.Generator(device).manual_seed(seed)
        self.device = device

    def _uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> torch.Tensor:
        return torch.rand(*shape, device=self.device, generator=self.random) * (high - low) + low

    def crops(
        self,
        count: int,
        side: int,
        small_share: float = 0.0,
        face_share: float = 0.0,
        face_px: tuple[float, float] = (40, 200),
        plain_share: float = 0.0,
    ) -> torch.Tensor:
        """(count, 3, side, side) levels: windows of 55 to 100 % of the short edge, most of them wide, half mirrored.

        A share of them is larger than their photos, which are then mirrored at their edges: small faces. ``face_share``
        of the crops contain a face of ``face_px`` pixels, if faces are known; ``plain_share`` are soft gradients.
        """
        rows = torch.randint(len(self.canvas), (count,), device=self.device, generator=self.random)
        size = self.sizes[rows]
        window = size.min(1).values * (1 - 0.45 * self._uniform(count) ** 2)
        reach = size.min(1).values * self._uniform(count, low=1.0, high=SMALL_REACH)
        window = torch.where(self._uniform(count) < small_share, reach, window)
        corner = None
        if face_share:
            chosen = torch.randint(len(self.faces), (count,), device=self.device, generator=self.random)
            face, on_face = self.faces[chosen], self._uniform(count) < face_share
            wanted = math.log(face_px[0]) + self._uniform(count) * math.log(face_px[1] / face_px[0])
            near = torch.minimum(face[:, 3] * side / wanted.exp(), SMALL_REACH * self.sizes[face[:, 0].long()].amin(1))
            rows = torch.where(on_face, face[:, 0].long(), rows)
            window, size = torch.where(on_face, near, window), self.sizes[rows]
            # The face is anywhere in the crop, whole if it fits.
            free = (near - face[:, 3])[:, None] * self._uniform(count, 2)
            anywhere = (size - window[:, None]) * self._uniform(count, 2)
            corner = torch.where(on_face[:, None], face[:, [2, 1]] - free, anywhere)
        crops = self.cut(rows, window, side, corner)
        levels = self._harder(crops[:, :3], plain_share).clamp_(0, 255)
        return torch.cat((levels, crops[:, 3:]), 1)

    def cut(
        self, rows: torch.Tensor, window: torch.Tensor, side: int, corner: torch.Tensor | None = None
    ) -> torch.Tensor:
        """(count, channels, side, side) levels: a square of ``window`` pixels of each of these pictures, half of them
        mirrored; anywhere, or with ``corner`` (down, right)."""
        count, size = len(rows), self.sizes[rows]
        if corner is None:
            corner = (size - window[:, None]) * self._uniform(count, 2)
        mirror = torch.where(self._uniform(count) < 0.5, -1.0, 1.0)
        # Two samples in each direction for every pixel; otherwise a reduced picture would alias.
        line = (torch.arange(2 * side, device=self.device) + 0.5) / (2 * side)
        across = 0.5 + mirror[:, None] * (line - 0.5)
        places = [corner[:, i, None] + window[:, None] * share for i, share in ((1, across), (0, line[None]))]
        places = [_mirrored(place, size[:, i, None]) for place, i in zip(places, (1, 0))]
        x, y = (2 * place / self.canvas.shape[-1] - 1 for place in places)
        grid = torch.stack((x[:, None, :].expand(-1, 2 * side, -1), y[:, :, None].expand(-1, -1, 2 * side)), 3)
        crops = F.grid_sample(self.canvas[rows].float(), grid, align_corners=False, padding_mode="border")
        return F.avg_pool2d(crops, 2)

    def _harder(self, crops: torch.Tensor, plain_share: float = 0.0) -> torch.Tensor:
        """Some crops made dark, bright, grey, of low contrast, with a plain sky, or a little noisy."""
        count = len(crops)

        def chosen(share: float) -> torch.Tensor:
            return (self._uniform(count) < share).view(-1, 1, 1, 1)

        def per_crop(low: float, high: float, channels: int = 1) -> torch.Tensor:
            return self._uniform(count, channels, 1, 1, low=low, high=high)

        gain = torch.where(chosen(0.3), per_crop(0.15, 1.3), torch.ones_like(per_crop(0, 1)))
        crops = crops * gain
        crops = torch.where(chosen(0.08), crops.mean(1, keepdim=True), crops)
        faint = crops.mean((2, 3), keepdim=True) + (crops - crops.mean((2, 3), keepdim=True)) * per_crop(0.05, 0.5)
        crops = torch.where(chosen(0.1), faint, crops)
        crops = torch.where(chosen(0.12), self._with_sky(crops, per_crop), crops)
        if plain_share:
            crops = torch.where(chosen(plain_share), self._with_sky(crops, per_crop, 1), crops)
        noise = torch.randn(crops.shape, device=self.device, generator=self.random)
        # There is always some noise: instance norms of a crop of one colour have gradients that are not finite.
        return crops + noise * (LEAST_NOISE + torch.where(chosen(0.3), per_crop(0, 3), torch.zeros_like(gain)))

    def _with_sky(self, crops: torch.Tensor, per_crop, whole: float = 0.0) -> torch.Tensor:
        """The crops with a plain gradient on one side of a random soft line, or as a ``whole``."""
        line = torch.linspace(-1, 1, crops.shape[-1], device=self.device)
        angle = per_crop(0, 2 * math.pi)
        along = line.view(1, 1, 1, -1) * angle.cos() + line.view(1, 1, -1, 1) * angle.sin()
        cover = torch.sigmoid((along - per_crop(-0.5, 0.8)) * per_crop(3, 40)).clamp(min=whole)
        blend = (along + 1.4) / 2.8
        plain = per_crop(0, 255, 3) * 0.7 + per_crop(0, 255) * 0.3
        sky = plain * (1 - blend) + plain * per_crop(0.5, 1.4) * blend
        return crops * (1 - cover) + sky * cover
