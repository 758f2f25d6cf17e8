#!/usr/bin/env python3
"""Trains one style for one model and saves its fp32 weights.

    python tools/train_style.py --style candy --model full --picture candy.jpg \
        --photos photos/ --vgg vgg16.pth --out trained/

The loss is a sum of

- content: relative distance of relu2_2 and relu3_3 to the photo's,
- style: relative distance of four layers' Gram matrices to the style picture's, of the two deep ones also at half the
  size,
- salience: relative distance of relu4_3 to the photo's where the photo's is strong, as in faces,
- edges: the difference of a painting's edges from the same places inside a wider painting,
- stability: mean change of the painting when the photo gets 1 % noise or moves by one pixel (moved back),
- pictures: a small weight on total variation, tones that follow the photo's, colours in the style picture's amounts, no
  pattern on the network's grid or of another fixed step (picture_losses.py), and penalties for levels outside 0..255
  and for colours that the style picture does not have.

The weights of style and stability are steered during training, so that content and flicker reach the targets in
`styles.toml`, whatever the style. The remaining free figure, the distance to the style, is minimised. Content is
watched on a few training photos, measured as in measure_styles.py.

Works on a GPU (bfloat16, channels-last, compiled, the whole step replayed as one CUDA graph) and, for a trial, on a
CPU.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import time
import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image, ImageFilter

from measure_styles import SIDE_PX, load_targets, measure
from perceptual import LAYERS, Vgg16, gram, relative_error
from picture_losses import ColorAmounts, Patterns, fine_part, motifs, plainness, tones, unrest, weave
from style_net import WIDTHS, TransformerNet, describe_network, paint, read_network, save_network
from style_photos import CropSampler, list_photos, read_picture, to_image, to_levels

#: Mean square of relu2_2 and relu3_3 over ordinary photos. It is one constant for all photos, so that a flat photo does
#: not require a perfect copy of its noise.
CONTENT_SCALE = (3.9, 6.65)

#: Pixels at each side that are ignored when a moved painting is compared, because padding differs there.
MOVE_MARGIN = 4

#: The losses ignore features within this many pixels of the edges of VGG's input. They are dominated by VGG's zero
#: padding, and a network would paint a frame for it. A multiple of 8, the step of relu4_3.
MARGIN_PX = 16

#: A wide crop reaches this many pixels beyond a training crop on every side. Its painting is the margin around the
#: crop's, so that a painting is judged up to its edges, as a part of a larger one. A mirrored margin would complete
#: motifs that an edge cuts in half, and edges would fill up with them; with only the stability loss, the painting would
#: become plain there. More than ``MARGIN_PX``, since the wide painting's own edges are not usable, and a multiple of 4,
#: the network's step.
REACH_PX = 32

#: Features of the style picture above this quantile of their channel's values do not count, nor do a painting's above
#: the same value. Gram matrices are quadratic: without a ceiling, one glaring spot in a painting compensates for a
#: style that the rest of it lacks.
CEILING_QUANTILE = 0.995

#: The number of the style picture's colours in its palette. A painting's colours may differ from the nearest of them by
#: a tolerance in levels (Euclidean, in RGB) before they count.
PALETTE_COLORS = 512
PALETTE_TOLERANCE = 16.0

#: Salience is the strength of the deepest features over this many cells in each direction, relative to its mean, up to
#: a limit.
SALIENT_CELLS = 5
SALIENT_LIMIT = 4.0

#: Layers that are also compared at half the size.
COARSE_LAYERS = (2, 3)

#: The width of the band along the edges that is compared with the same places inside a wider painting. The outermost
#: pixels are compared separately: a line of two pixels is immediately visible, but almost nothing of the wider band.
EDGE_PX = 16
OUTERMOST_PX = 4

#: Content falls with the learning rate: at the peak rate, a painting may have this share more. Before the second share
#: of the training the content is not meaningful yet.
CONTENT_LEAD = 0.15
STEERED_FROM = 0.25

#: Photos on which content is watched, and iterations between two measurements.
WATCHED_PHOTOS = 24
WATCH_EVERY = 100


@dataclass
class Recipe:
    """All settings of one training; stored with the weights.

    Sizes are in pixels, flicker and noise in levels. A ``time_limit_s`` above 0 ends the training early, with the
    learning rate decayed by then. ``stable_pairs`` of the batch's photos are painted again with noise, and as many
    moved. ``crop`` is a multiple of 8; with twice ``REACH_PX`` it is about the photos' short side. ``layer_weights``
    belong to the style's four layers; ``content_deep_share`` is relu3_3's share of the content loss.

    ``style_trim`` is the share of the style picture's short side that is cut off on all sides: the frame of a print
    would be painted around every photo. ``style_median`` is the edge of a median filter (odd, 0 for none) over the
    scaled style picture: specks of paint and of sharpening would become dots; ``style_median_share`` is the share of
    them that is removed. ``style_muted_hues`` are a first and a last hue in degrees and the share of saturation that
    these keep: a colour of one motif would stain plain grounds, where it costs no content. A share above 1 makes them
    more vivid.

    The weights of the losses in picture_losses.py: ``fine_weight`` for all fine parts, ``weave_weight``,
    ``tone_weight``, ``color_weight``, and against additions on plain grounds ``calm_weight`` (levels) and
    ``motif_weight`` (features). ``salient_weight`` keeps what VGG finds significant, mainly faces; ``edge_weight``
    makes edges equal to those inside a wider painting; ``coarse_weight`` is for the style at half the size: larger
    motifs. ``peak_weight`` and ``regular_weight`` penalise patterns of a fixed step. ``small_share`` is the share of
    crops that show photos smaller than they are, up to ``SMALL_REACH``.
    """

    iterations: int = 20000
    time_limit_s: float = 0.0
    batch: int = 6
    crop: int = 224
    stable_pairs: int = 2
    learning_rate: float = 2e-3
    style_short_side: int = 512
    style_trim: float = 0.0
    style_median: int = 0
    style_median_share: float = 1.0
    style_muted_hues: list[float] = field(default_factory=list)
    style_weight: float = 3.0
    style_weight_range: list[float] = field(default_factory=lambda: [0.2, 30.0])
    content: float = 1.7
    layer_weights: list[float] = field(default_factory=lambda: [1.0, 1.0, 1.0, 1.0])
    content_deep_share: float = 0.85
    noise_sigma: float = 2.55
    flicker: list[float] = field(default_factory=lambda: [5.6, 9.6])
    stability_start: float = 3.0
    stability_limit: float = 250.0
    total_variation: float = 1.0
    fine_weight: float = 0.0
    weave_weight: float = 0.0
    tone_weight: float = 0.0
    color_weight: float = 0.0
    calm_weight: float = 0.0
    motif_weight: float = 0.0
    salient_weight: float = 0.0
    edge_weight: float = 0.0
    coarse_weight: float = 0.0
    peak_weight: float = 0.0
    regular_weight: float = 0.0
    small_share: float = 0.0
    range_weight: float = 50.0
    palette_weight: float = 400.0
    seed: int = 1


@dataclass
class StyleTargets:
    """The targets of a training, for each of ``LAYERS`` and in colours: levels, (count, 3)."""

    grams: list[torch.Tensor]
    ceilings: list[torch.Tensor]
    mean_squares: list[torch.Tensor]
    coarse_grams: list[torch.Tensor]
    palette: torch.Tensor
    amounts: ColorAmounts
    patterns: Patterns


class Losses:
    """The loss of one batch, with its targets and the steered weights."""

    def __init__(self, recipe: Recipe, vgg: Vgg16, targets: StyleTargets, device: torch.device):
        self.recipe = recipe
        self.vgg = vgg
        self.targets = targets
        self.style_weight = torch.tensor(float(recipe.style_weight), device=device)
        self.stability_weights = torch.full((2,), float(recipe.stability_start), device=device)
        self.flicker = torch.zeros(2, device=device)
        self.parts = torch.zeros(2 + len(LAYERS), device=device)
        self.layer_weights = torch.tensor(recipe.layer_weights, device=device)
        level_weights = [
            recipe.fine_weight,
            recipe.weave_weight,
            recipe.tone_weight,
            recipe.color_weight,
            recipe.calm_weight,
            recipe.peak_weight,
            recipe.regular_weight,
        ]
        self.level_weights = torch.tensor(level_weights, device=device)
        self.level_parts = torch.zeros(len(level_weights), device=device)
        self.on_plain = torch.zeros((), device=device)
        self.wanted_flicker = torch.tensor(recipe.flicker, device=device)

    def __call__(self, painter, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """The loss; ``painter`` is the network, compiled or not."""
        recipe, beyond = self.recipe, REACH_PX - MARGIN_PX
        paintings = painter(batch["pictures"])
        painting, changed = paintings[: recipe.batch], paintings[recipe.batch :]
        with torch.no_grad():
            depth = len(LAYERS) if recipe.salient_weight else 3
            wanted = inner_features(self.vgg, inside(batch["wide"], beyond), depth)
            surroundings = inside(painter(batch["wide"]), beyond)
        whole = surrounded(painting, surroundings)
        features = inner_features(self.vgg, whole)

        shallow, deep = (
            (features[layer].float() - wanted[layer].float()).square().mean() / scale
            for layer, scale in zip((1, 2), CONTENT_SCALE)
        )
        content = shallow * (1 - recipe.content_deep_share) + deep * recipe.content_deep_share
        distances = torch.stack(
            [
                relative_error(gram(torch.minimum(layer, ceiling)), target.expand(recipe.batch, -1, -1))
                for layer, ceiling, target in zip(features, self.targets.ceilings, self.targets.grams)
            ]
        )
        style = (distances * self.layer_weights).sum()
        if recipe.coarse_weight:
            style = style + recipe.coarse_weight * self._coarse_distance(whole)

        flicker = self._flicker(painting, changed, batch)
        stability = (flicker * self.stability_weights).sum() / 255
        others = recipe.edge_weight * self._at_edges(painting, inside(surroundings, MARGIN_PX))
        if recipe.salient_weight:
            others = others + recipe.salient_weight * at_salient(features[-1], wanted[-1])
        photos = batch["pictures"][: recipe.batch]
        on_levels = self._on_levels(painting, photos)
        on_plain = self._on_plain(features, photos)
        variation = (painting.diff(dim=2).abs().mean() + painting.diff(dim=3).abs().mean()) / 255
        outside = ((painting - 127.5).abs() - 127.5).relu().div(255).square().mean()

        with torch.no_grad():
            self.flicker.lerp_(flicker, 0.02)
            self.parts.lerp_(torch.cat((shallow[None], deep[None], distances)), 0.02)
        return (
            content
            + self.style_weight * style
            + stability
            + recipe.total_variation * variation
            + recipe.range_weight * outside
            + recipe.palette_weight * self._foreign_colors(painting)
            + on_levels
            + recipe.motif_weight * on_plain
            + others
        )

    def _coarse_distance(self, whole: torch.Tensor) -> torch.Tensor:
        """The style's distance at half the size, where the deep layers see motifs of twice the size."""
        features = inner_features(self.vgg, F.avg_pool2d(whole, 2), margin=MARGIN_PX // 2)
        targets = self.targets.coarse_grams
        return sum(
            relative_error(gram(features[layer]), targets[layer].expand(self.recipe.batch, -1, -1))
            for layer in COARSE_LAYERS
        )

    def _at_edges(self, painting: torch.Tensor, within: torch.Tensor) -> torch.Tensor:
        """The distance, in units of 255 levels, of a painting's edges from the same places ``within`` a wider
        painting."""
        with torch.autocast(painting.device.type, enabled=False):
            difference = F.avg_pool2d(painting.float() - within.float(), 2).abs().mean((0, 1))
            return sum(mean_along_edges(difference, depth // 2) for depth in (EDGE_PX, OUTERMOST_PX)) / 255

    def _on_plain(self, features: list[torch.Tensor], photos: torch.Tensor) -> torch.Tensor:
        """Motifs on plain grounds, the mean of the two deep layers."""
        with torch.autocast(photos.device.type, enabled=False):
            plain = plainness(photos.float())
            parts = [motifs(features[layer].float(), plain, self.targets.mean_squares[layer]) for layer in (2, 3)]
            on_plain = sum(parts) / len(parts)
        with torch.no_grad():
            self.on_plain.lerp_(on_plain, 0.02)
        return on_plain

    def _on_levels(self, painting: torch.Tensor, photos: torch.Tensor) -> torch.Tensor:
        """The weighted losses of picture_losses.py."""
        recipe = self.recipe
        with torch.autocast(painting.device.type, enabled=False):
            painting, photos = painting.float(), photos.float()
            fine = fine_part(painting)
            parts = torch.stack(
                (
                    fine.abs().mean() / 255,
                    weave(fine),
                    (tones(painting) - tones(photos)).square().mean(),
                    self.targets.amounts(painting),
                    unrest(painting, photos),
                    *self.targets.patterns(painting, plainness(photos)),
                )
            )
        with torch.no_grad():
            self.level_parts.lerp_(parts, 0.02)
        return (parts * self.level_weights).sum()

    def _foreign_colors(self, painting: torch.Tensor) -> torch.Tensor:
        """Mean square, in units of 255 levels, by which colours miss the palette's tolerance."""
        with torch.autocast(painting.device.type, enabled=False):
            # Every third pixel is enough and reaches all phases of the network's grid of four.
            colors = painting[..., ::3, ::3].float().permute(0, 2, 3, 1).reshape(-1, 1, 3)
            distance = (colors - self.targets.palette).square().sum(2).amin(1).add(1e-3).sqrt()
            return (distance - PALETTE_TOLERANCE).relu().div(255).square().mean()

    def _flicker(self, painting: torch.Tensor, changed: torch.Tensor, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """(under noise, under a move): mean absolute change of the painting, in levels."""
        pairs = self.recipe.stable_pairs
        noise = (changed[:pairs] - painting[:pairs]).abs().mean()
        moved = changed[pairs:, :, MOVE_MARGIN:-MOVE_MARGIN, MOVE_MARGIN:-MOVE_MARGIN]
        still = painting[pairs : 2 * pairs].index_select(2, batch["moved_rows"]).index_select(3, batch["moved_columns"])
        return torch.stack((noise, (moved - still).abs().mean()))

    def steer_stability(self) -> None:
        """Raises a stability weight while its flicker is above the target, lowers it while below."""
        error = (self.flicker / self.wanted_flicker - 1).clamp(-1, 1)
        self.stability_weights.mul_((0.06 * error).exp()).clamp_(0.5, self.recipe.stability_limit)

    def steer_style(self, content: float, rate_share: float) -> None:
        """Moves the style weight so that the content distance reaches its target at a learning rate of zero."""
        wanted = self.recipe.content * (1 + CONTENT_LEAD * rate_share)
        error = min(0.5, max(-0.5, content / wanted - 1))
        self.style_weight.mul_(math.exp(-0.4 * error)).clamp_(*self.recipe.style_weight_range)


def at_salient(features: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """The relative distance of a painting's deepest features to the photo's where these are strong.

    They are strong at eyes, faces and single objects, which VGG was trained on, and weak on grounds.
    """
    with torch.autocast(features.device.type, enabled=False):
        features, wanted = features.float(), wanted.float()
        strength = wanted.square().mean(1, keepdim=True)
        strength = F.avg_pool2d(strength, SALIENT_CELLS, 1, SALIENT_CELLS // 2, count_include_pad=False)
        salience = (strength / strength.mean((2, 3), keepdim=True)).clamp(max=SALIENT_LIMIT)
        return (salience * (features - wanted).square()).mean() / (salience * wanted.square()).mean()


def inside(pictures: torch.Tensor, margin: int) -> torch.Tensor:
    """Pictures or features without ``margin`` pixels or cells along their edges."""
    return pictures[..., margin:-margin, margin:-margin]


def mean_along_edges(values: torch.Tensor, depth: int) -> torch.Tensor:
    """The mean of (H, W) values over a band along all four edges."""
    middle = inside(values, depth)
    return (values.sum() - middle.sum()) / (values.numel() - middle.numel())


def surrounded(paintings: torch.Tensor, surroundings: torch.Tensor) -> torch.Tensor:
    """Pictures that are ``MARGIN_PX`` larger on every side, with the paintings in their middle."""
    left, right = surroundings[..., :MARGIN_PX], surroundings[..., -MARGIN_PX:]
    rows = slice(MARGIN_PX, -MARGIN_PX)
    middle = torch.cat((left[..., rows, :], paintings, right[..., rows, :]), 3)
    return torch.cat((surroundings[..., :MARGIN_PX, :], middle, surroundings[..., -MARGIN_PX:, :]), 2)


def inner_features(
    vgg: Vgg16, pictures: torch.Tensor, depth: int = len(LAYERS), margin: int = MARGIN_PX
) -> list[torch.Tensor]:
    """The features of pictures, without those closer to an edge than ``margin``."""
    return [inside(layer, margin >> stage) for stage, layer in enumerate(vgg(pictures, depth))]


def mute_hues(image: Image.Image, first: float, last: float, kept: float) -> Image.Image:
    """The image with less saturation for hues from ``first`` to ``last`` (degrees)."""
    hue, saturation, value = image.convert("HSV").split()
    inside_range = hue.point(lambda level: 255 if first <= level * 360 / 255 <= last else 0)
    soft = inside_range.filter(ImageFilter.GaussianBlur(1))
    muted = saturation.point(lambda level: round(level * kept))
    return Image.merge("HSV", (hue, Image.composite(muted, saturation, soft), value)).convert("RGB")


@torch.no_grad()
def load_style(vgg: Vgg16, path: Path, recipe: Recipe) -> StyleTargets:
    """Reads the style picture and computes the targets of a training from it."""
    picture = read_picture(path, short_side=round(recipe.style_short_side / (1 - 2 * recipe.style_trim)))
    cut = (min(picture.shape[2:]) - recipe.style_short_side) // 2
    picture = picture[..., cut : picture.shape[2] - cut, cut : picture.shape[3] - cut]
    if recipe.style_median:
        filtered = to_levels(to_image(picture).filter(ImageFilter.MedianFilter(recipe.style_median)))
        picture = torch.lerp(picture, filtered, recipe.style_median_share)
    if recipe.style_muted_hues:
        picture = to_levels(mute_hues(to_image(picture), *recipe.style_muted_hues))
    picture = picture.to(vgg.mean.device)
    layers = inner_features(vgg, picture)
    ceilings = []
    for layer in layers:
        values = layer[0].flatten(1).sort(dim=1).values
        ceilings.append(values[:, int(CEILING_QUANTILE * (values.shape[1] - 1))].view(-1, 1, 1))
    grams = [gram(torch.minimum(layer, ceiling)) for layer, ceiling in zip(layers, ceilings)]
    colors = picture[0].flatten(1).T
    chosen = torch.randperm(len(colors), generator=torch.Generator().manual_seed(recipe.seed))[:PALETTE_COLORS]
    mean_squares = [layer.square().mean() for layer in layers]
    coarse_grams = [gram(layer) for layer in inner_features(vgg, F.avg_pool2d(picture, 2), margin=MARGIN_PX // 2)]
    palette = colors[chosen.to(colors.device)]
    return StyleTargets(grams, ceilings, mean_squares, coarse_grams, palette, ColorAmounts(picture), Patterns(picture))


class ContentWatch:
    """The content distance on some training photos, measured as in measure_styles.py."""

    @torch.no_grad()
    def __init__(self, vgg: Vgg16, photos: list[Path], device: torch.device):
        self.vgg = vgg
        chosen = photos[:: max(1, len(photos) // WATCHED_PHOTOS)][:WATCHED_PHOTOS]
        self.photos = [read_picture(path, long_side=SIDE_PX).to(device) for path in chosen]
        self.features = [vgg(photo, 3)[2] for photo in self.photos]

    @torch.no_grad()
    def __call__(self, net: TransformerNet) -> float:
        distances = [
            relative_error(self.vgg(paint(net, photo), 3)[2], features)
            for photo, features in zip(self.photos, self.features)
        ]
        return float(torch.stack(distances).mean())


class Batches:
    """Training batches in fixed memory, as a CUDA graph requires."""

    def __init__(self, recipe: Recipe, sampler: CropSampler, device: torch.device):
        self.recipe, self.sampler = recipe, sampler
        side, pairs = recipe.crop, recipe.stable_pairs
        sizes = {"pictures": (recipe.batch + 2 * pairs, side), "wide": (recipe.batch, side + 2 * REACH_PX)}
        self.memory = {
            name: torch.zeros(count, 3, edge, edge, device=device).contiguous(memory_format=torch.channels_last)
            for name, (count, edge) in sizes.items()
        }
        comparable = torch.arange(MOVE_MARGIN, side - MOVE_MARGIN, device=device)
        self.indices = {"moved_rows": comparable, "moved_columns": comparable}
        self.memory.update({name: index.clone() for name, index in self.indices.items()})
        self.random = torch.Generator().manual_seed(recipe.seed + 1)

    def fill(self) -> dict[str, torch.Tensor]:
        """Cuts the next crops: the photos, the first pairs of them with noise, the next pairs moved."""
        side, pairs, memory = self.recipe.crop, self.recipe.stable_pairs, self.memory
        photos_end, noisy_end = self.recipe.batch, self.recipe.batch + pairs
        step = int(torch.randint(8, (1,), generator=self.random))
        down, right = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))[step]
        wide = self.sampler.crops(self.recipe.batch, side + 2 * REACH_PX, self.recipe.small_share)
        photos = inside(wide, REACH_PX)
        memory["wide"].copy_(wide)
        memory["pictures"][:photos_end].copy_(photos)
        noise = torch.randn(photos[:pairs].shape, device=photos.device, generator=self.sampler.random)
        memory["pictures"][photos_end:noisy_end].copy_(photos[:pairs] + noise * self.recipe.noise_sigma)
        top, left = REACH_PX + down, REACH_PX + right
        moved = wide[pairs : 2 * pairs, :, top : top + side, left : left + side]
        memory["pictures"][noisy_end:].copy_(moved)
        for name, offset in {"moved_rows": down, "moved_columns": right}.items():
            memory[name].copy_(self.indices[name] + offset)
        return memory


def one_cycle(progress: float) -> float:
    """Share of the peak learning rate: a cosine up over the first tenth, then a cosine down to zero."""
    if progress < 0.1:
        return 0.04 + 0.96 * (1 - math.cos(math.pi * progress / 0.1)) / 2
    return max(0.002, (1 + math.cos(math.pi * (progress - 0.1) / 0.9)) / 2)


def make_step(painter, losses, batches, optimizer, device, use_graph):
    """The training step as a function without arguments; with ``use_graph``, one CUDA graph."""

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", torch.bfloat16, enabled=device.type == "cuda", cache_enabled=False):
            loss = losses(painter, batches.memory)
        loss.backward()
        optimizer.step()

    torch.backends.cudnn.benchmark = True
    if not use_graph:
        return step
    side_stream = torch.cuda.Stream()
    side_stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side_stream):
        for _ in range(4):
            batches.fill()
            step()
    torch.cuda.current_stream().wait_stream(side_stream)
    torch.cuda.synchronize()
    optimizer.zero_grad(set_to_none=True)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    torch.backends.cudnn.benchmark = False
    return graph.replay


def train(
    recipe: Recipe,
    net: TransformerNet,
    losses: Losses,
    batches: Batches,
    watch: ContentWatch,
    device: torch.device,
    options: argparse.Namespace,
) -> int:
    """Runs the recipe and returns the number of iterations made."""
    painter = net
    if options.compile:
        painter = torch.compile(net, dynamic=False)
        losses.vgg = torch.compile(losses.vgg, dynamic=False)
    rate = torch.tensor(recipe.learning_rate * one_cycle(0), device=device)
    on_gpu = device.type == "cuda"
    use_graph = on_gpu and not options.no_graph
    optimizer = torch.optim.Adam(net.parameters(), lr=rate if on_gpu else float(rate), capturable=on_gpu, fused=on_gpu)
    step = make_step(painter, losses, batches, optimizer, device, use_graph)
    start = time.monotonic()
    iteration = 0
    while True:
        progress = iteration / recipe.iterations
        if recipe.time_limit_s:
            progress = max(progress, (time.monotonic() - start) / recipe.time_limit_s)
        if progress >= 1:
            return iteration
        now = recipe.learning_rate * one_cycle(progress)
        if on_gpu:
            rate.fill_(now)
        else:
            optimizer.param_groups[0]["lr"] = now
        batches.fill()
        step()
        iteration += 1
        if iteration % 25 == 0:
            if progress > 0.05:
                losses.steer_stability()
            if on_gpu:
                torch.cuda.synchronize()
        if iteration % WATCH_EVERY == 0:
            content = watch(net)
            if progress > STEERED_FROM:
                losses.steer_style(content, one_cycle(progress))
        if iteration % 1000 == 0 or iteration == WATCH_EVERY:
            parts = " ".join(f"{value:.3f}" for value in losses.parts.tolist())
            flicker = " ".join(f"{value:.2f}" for value in losses.flicker.tolist())
            weights = " ".join(f"{value:.1f}" for value in losses.stability_weights.tolist())
            seconds = time.monotonic() - start
            weights = f"{float(losses.style_weight):.2f} {weights}"
            levels = " ".join(f"{value:.5f}" for value in losses.level_parts.tolist())
            report = f"{iteration} {seconds:.0f}s parts {parts} content {content:.3f} flicker {flicker} weights {weights}"
            print(f"{report} levels {levels} motifs {float(losses.on_plain):.4f}", flush=True)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--style", required=True, help="id of the style, a table of styles.toml")
    parser.add_argument("--model", choices=WIDTHS, default="full")
    parser.add_argument("--picture", type=Path, required=True, help="the style picture")
    parser.add_argument("--photos", type=Path, required=True, help="folder of photos; the last 40 by name are kept out")
    parser.add_argument("--vgg", type=Path, required=True, help="torchvision's vgg16 .pth, or an .npz of it")
    parser.add_argument("--out", type=Path, required=True, help="folder for STYLE-MODEL.safetensors (fp32)")
    parser.add_argument("--init", type=Path, help="weights to continue from")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--compile", action="store_true", help="compiles first: a minute, then twice as fast")
    parser.add_argument("--no-graph", action="store_true", help="launch operations one by one, without a CUDA graph")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=JSON", help="changes the recipe")
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    table = tomllib.loads((Path(__file__).parent / "styles.toml").read_text())[arguments.style]
    table |= table.get(arguments.model, {})
    settings = {key: value for key, value in table.items() if key in Recipe.__dataclass_fields__}
    settings.update({key: json.loads(value) for key, value in (item.split("=", 1) for item in arguments.set)})
    recipe = Recipe(**settings)

    device = torch.device(arguments.device)
    torch.manual_seed(recipe.seed)
    torch.backends.cuda.matmul.allow_tf32 = True

    training, held_out = list_photos(arguments.photos)
    vgg = Vgg16(arguments.vgg).to(device)
    style = load_style(vgg, arguments.picture, recipe)
    net = read_network(arguments.init)[0].train() if arguments.init else TransformerNet(WIDTHS[arguments.model])
    net = net.to(device, memory_format=torch.channels_last)
    losses = Losses(recipe, vgg, style, device)
    batches = Batches(recipe, CropSampler(training, device, recipe.seed), device)
    watch = ContentWatch(vgg, training, device)
    start = time.monotonic()
    recipe.iterations = train(recipe, net, losses, batches, watch, device, arguments)
    seconds = time.monotonic() - start

    record = asdict(recipe) | {
        "photos": len(training),
        "seconds": round(seconds),
        "torch": torch.__version__,
        "continued": arguments.init is not None,
        "final_style_weight": round(float(losses.style_weight), 3),
        "final_stability_weights": [round(value, 2) for value in losses.stability_weights.tolist()],
    }
    metadata = {
        "style": arguments.style,
        "model": arguments.model,
        "network": describe_network(WIDTHS[arguments.model]),
        "training": json.dumps(record),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }
    name = f"{arguments.style}-{arguments.model}"
    net = net.to(memory_format=torch.contiguous_format).eval()
    save_network(arguments.out / f"{name}.safetensors", net.state_dict(), metadata)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    figures = measure(net, vgg, load_targets(vgg, arguments.picture), held_out, device)
    (arguments.out / f"{name}.json").write_text(json.dumps(figures | {"iterations": recipe.iterations}))
    print(name, recipe.iterations, json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
