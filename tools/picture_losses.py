"""Losses on a painting's levels, in addition to those on VGG's features.

VGG hardly detects what an eye sees first: whether a face is lighter than the hair around it, whether the colours are
the style's in the right amounts, whether a fine pattern follows the network's own grid of four pixels or any other
step, and whether plain grounds stay plain. All losses read (N, 3, H, W) levels 0..255 and return one number.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

#: Luma of RGB levels (BT.601).
LUMA = (0.299, 0.587, 0.114)

#: Tones are means over windows of ``TONE_PX`` pixels, every ``TONE_STEP_PX``: strokes vanish, eyes stay.
TONE_PX = 6
TONE_STEP_PX = 3

#: Added to the spread of tones, in levels, so that an almost plain photo requires an almost plain painting.
TONE_FLOOR = 10.0

#: The network's grid, and the number of its cells in each direction over which a pattern has to repeat to count.
GRID_PX = 4
GRID_CELLS = 6

#: A pattern of any other step is searched in windows of ``STEPPED_CELLS`` steps in each direction.
STEPPED_CELLS = 4

#: A place is plain if it hardly differs from its mean over ``CALM_PX`` pixels, measured at half the size: an RMS
#: difference of ``PLAIN_SHARE`` of the photo's spread counts a third. The floor, in levels, keeps noise in a plain
#: photo plain.
CALM_PX = 20
PLAIN_SHARE = 0.2
PLAIN_FLOOR = 5.0

#: Motifs in features are the differences from the mean over ``MOTIF_CELLS`` cells in each direction.
MOTIF_CELLS = 7

#: A grid of this step is searched in windows of ``GRID_WINDOW_PX`` pixels. The power of rounding to whole levels is
#: added to that of other frequencies.
GRID_STEP_PX = 8
GRID_WINDOW_PX = 128
ROUNDING_POWER = 1 / 12

#: Patterns are searched in windows of ``PATTERN_PX`` pixels, every ``PATTERN_STEP_PX``, among periods of 2 to 10
#: pixels.
PATTERN_PX = 32
PATTERN_STEP_PX = 16
PATTERN_LEAST_WAVES = 3

#: Windows with less than this share of the style picture's power hardly count, because they show nothing.
PATTERN_FLOOR = 0.05

#: Directions in RGB along which colours are compared: the axes, luma, and differences of colour.
COLOR_DIRECTIONS = (
    (1.0, 0.0, 0.0),
    (0.0, 1.0, 0.0),
    (0.0, 0.0, 1.0),
    LUMA,
    (0.71, -0.71, 0.0),
    (0.0, 0.71, -0.71),
    (0.71, 0.0, -0.71),
    (0.41, 0.41, -0.82),
)

#: Every fifth pixel in each direction is enough and reaches all phases of the grid.
COLOR_STEP_PX = 5


def tones(levels: torch.Tensor) -> torch.Tensor:
    """(N, 1, h, w) mean lumas of windows, normalised per picture to mean 0 and a spread of about 1."""
    luma = sum(share * levels[:, i : i + 1] for i, share in enumerate(LUMA))
    pooled = F.avg_pool2d(luma, TONE_PX, TONE_STEP_PX)
    centred = pooled - pooled.mean((2, 3), keepdim=True)
    spread = centred.square().mean((2, 3), keepdim=True).add(1e-3).sqrt()
    return centred / (spread + TONE_FLOOR)


def fine_part(levels: torch.Tensor) -> torch.Tensor:
    """The parts with periods of 2 to 6 pixels: the levels minus their binomial blur, without 2 pixels at the edges."""
    blurred = _binomial(_binomial(levels, 2), 3)
    return levels[..., 2:-2, 2:-2] - blurred


def _binomial(levels: torch.Tensor, dim: int) -> torch.Tensor:
    """The levels blurred along one dimension, which becomes shorter by 4."""
    length = levels.shape[dim] - 4
    return sum(share / 16 * levels.narrow(dim, i, length) for i, share in enumerate((1, 4, 6, 4, 1)))


def weave(fine: torch.Tensor) -> torch.Tensor:
    """Mean square, in units of 255 levels, of the pattern that repeats with the network's grid."""
    count, channels, height, width = fine.shape
    rows, columns = height // GRID_PX, width // GRID_PX
    cells = fine[..., : rows * GRID_PX, : columns * GRID_PX]
    cells = cells.reshape(count * channels, rows, GRID_PX, columns, GRID_PX).permute(0, 2, 4, 1, 3)
    pattern = F.avg_pool2d(cells.reshape(count * channels, GRID_PX**2, rows, columns), GRID_CELLS, GRID_CELLS // 2)
    return pattern.div(255).square().mean()


def stepped(paintings: torch.Tensor, photos: torch.Tensor, step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(energies, weights), (N, rows, columns): the mean square, in levels, of the pattern that repeats every ``step``
    pixels in windows of ``STEPPED_CELLS`` steps in each direction, and how plain the photo is there.

    The mean over ``step`` pixels around a place contains nothing of the pattern, so the difference from it contains all
    of it. Texture without a step leaves a part in the mean of the cells by chance. This part is subtracted, so that its
    energy is 0 on average.
    """
    around = F.avg_pool2d(paintings, step, 1)
    first = step // 2
    fine = paintings[..., first : first + around.shape[2], first : first + around.shape[3]] - around
    count, channels, height, width = fine.shape
    rows, columns = height // step, width // step
    cells = fine[..., : rows * step, : columns * step].reshape(count * channels, rows, step, columns, step)
    cells = cells.permute(0, 2, 4, 1, 3).reshape(count * channels, step**2, rows, columns)
    repeated = F.avg_pool2d(cells, STEPPED_CELLS, 1).square().mean(1)
    whole = F.avg_pool2d(cells.square().mean(1, keepdim=True), STEPPED_CELLS, 1)[:, 0]
    number = STEPPED_CELLS**2
    energy = (number * repeated - whole) / (number - 1)
    plain = plainness(photos)[..., first // 2 :, first // 2 :]
    plain = F.avg_pool2d(plain[..., : rows * step // 2, : columns * step // 2], step // 2)
    return energy.view(count, channels, *energy.shape[1:]).mean(1), F.avg_pool2d(plain, STEPPED_CELLS, 1)[:, 0]


def unrest(paintings: torch.Tensor, photos: torch.Tensor) -> torch.Tensor:
    """Mean square, in units of 255 levels, of what a painting adds where its photo is plain: cheeks, walls, skies.

    A style loss accepts motifs in any place, and plain places cost the least content.
    """
    return (plainness(photos) * _around_mean(paintings).square()).mean() / 255**2


def plainness(photos: torch.Tensor) -> torch.Tensor:
    """(N, 1, H / 2, W / 2), 1 where a photo is plain, 0 where it has detail."""
    luma = sum(share * photos[:, i : i + 1] for i, share in enumerate(LUMA))
    spread = luma.var(dim=(2, 3), keepdim=True) + PLAIN_FLOOR**2
    detail = _mean_around(_around_mean(luma).square())
    return torch.exp(-detail / (PLAIN_SHARE**2 * spread))


def motifs(features: torch.Tensor, plain: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Motifs of the features on plain grounds, as a share of ``scale``, the style picture's mean square.

    ``features``: (N, C, H, W) of a painting. Levels miss a ring that is drawn in thin lines, since adjacent light and
    dark lines have the ground's mean. For a deep layer it is as much a ring as a solid one.
    """
    factor = plain.shape[-1] // features.shape[-1]
    weights = F.avg_pool2d(plain, factor)
    reach = MOTIF_CELLS // 2
    around = F.avg_pool2d(features, MOTIF_CELLS, 1, reach, count_include_pad=False)
    return (weights * (features - around).square()).mean() / scale


def _around_mean(levels: torch.Tensor) -> torch.Tensor:
    """The levels at half the size, minus their mean over ``CALM_PX`` pixels around."""
    half = F.avg_pool2d(levels, 2)
    return half - _mean_around(half)


def _mean_around(half: torch.Tensor) -> torch.Tensor:
    """The mean over ``CALM_PX`` pixels around every place of a picture at half the size."""
    reach = CALM_PX // 4
    return F.avg_pool2d(half, 2 * reach + 1, 1, reach, count_include_pad=False)


class Grid:
    """The energy at the frequencies of a network's grid, relative to that of the frequencies around them.

    ``stepped`` is in levels, and a plain painting shows a grid of a fraction of a level, next to which there is nothing
    else.
    """

    def __init__(self, device: torch.device):
        side = GRID_WINDOW_PX
        waves = torch.arange(side, device=device)
        turns = 2 * math.pi / side * (waves[:, None] * waves[None] % side)
        self.cosines, self.sines = turns.cos(), turns.sin()
        window = torch.hann_window(side, device=device)
        window = window[:, None] * window
        self.window = window / window.square().sum().sqrt()
        on_grid = waves % (side // GRID_STEP_PX) == 0
        chosen = on_grid[:, None] & on_grid[None, : side // 2 + 1]
        chosen[0, 0] = False
        down, right = chosen.nonzero().T
        near = torch.tensor([-4, -3, 0, 3, 4], device=device)
        offsets = torch.cartesian_prod(near, near)
        offsets = offsets[offsets.abs().amin(1) + offsets.abs().amax(1) > 0]
        self.places = down * side + right
        around = [(down[:, None] + offsets[:, 0]) % side, (right[:, None] + offsets[:, 1]) % side]
        self.around = around[0] * side + around[1]

    def __call__(self, paintings: torch.Tensor, photos: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(ratios, weights), (N, rows, columns), of windows of ``GRID_WINDOW_PX``, and how plain the photo is there."""
        side, step = GRID_WINDOW_PX, GRID_WINDOW_PX // 2
        windows = paintings.unfold(2, side, step).unfold(3, side, step)
        windows = (windows - windows.mean((-2, -1), keepdim=True)) * self.window
        across, against = windows @ self.cosines, windows @ self.sines
        real = self.cosines @ across - self.sines @ against
        imaginary = self.sines @ across + self.cosines @ against
        power = (real.square() + imaginary.square()).mean(1).flatten(3)
        on_grid, others = power[..., self.places].mean(-1), power[..., self.around].mean((-2, -1))
        weights = F.avg_pool2d(plainness(photos), side // 2, step // 2)[:, 0]
        return on_grid / (others + ROUNDING_POWER), weights.square()


class Patterns:
    """Fine patterns of a fixed step: dots, weave, bricks.

    VGG's features do not distinguish a regular texture from an irregular one of the same strength. A network without a
    source of randomness first learns to repeat one step, which need not be that of its own grid.
    """

    def __init__(self, picture: torch.Tensor):
        """``picture``: (1, 3, H, W) levels; its mean power at each frequency is the reference."""
        waves = torch.arange(PATTERN_PX, device=picture.device)
        down = torch.where(waves > PATTERN_PX // 2, waves - PATTERN_PX, waves)[:, None]
        right = waves[None, : PATTERN_PX // 2 + 1]
        counted = (down.square() + right.square() >= PATTERN_LEAST_WAVES**2) & (down != PATTERN_PX // 2)
        self.counted = counted.flatten().nonzero()[:, 0]
        turns = 2 * math.pi / PATTERN_PX * waves[:, None] * waves[None]
        # The transform is computed by matrix products: it is small, and CUDA graphs support it directly.
        self.cosines, self.sines = turns.cos(), turns.sin()
        window = torch.hann_window(PATTERN_PX, periodic=False, device=picture.device)
        window = window[:, None] * window
        self.window = window / window.square().sum().sqrt()
        self.usual = self._power(picture).mean((0, 1, 2))

    def __call__(self, paintings: torch.Tensor, plain: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(peaks, regularity); ``plain`` is the photos' plainness.

        Peaks are the excess of single frequencies over the style picture, relative to it, as means over all windows and
        over plain ones. Regularity is the share of a plain window's power in few frequencies, wherever these are: about
        2 for random texture, near the number of frequencies for a perfect pattern.
        """
        ratios = self._power(paintings) / self.usual
        weights = F.avg_pool2d(plain, PATTERN_PX // 2, PATTERN_STEP_PX // 2)[:, 0, ..., None]
        on_plain = (ratios * weights).sum((0, 1, 2)) / (weights.sum() + 1)
        peaks = (ratios.mean((0, 1, 2)) - 1).relu().mean() + (on_plain - 1).relu().mean()
        strength = ratios.mean(-1)
        seen = (weights[..., 0] * strength / (strength + PATTERN_FLOOR)).detach()
        focus = ratios.square().mean(-1) / (strength.square() + 1e-6)
        return peaks, (focus * seen).sum() / (seen.sum() + 1)

    def _power(self, levels: torch.Tensor) -> torch.Tensor:
        """(N, rows, columns, frequencies), the mean over colours."""
        step = PATTERN_STEP_PX
        windows = levels.unfold(2, PATTERN_PX, step).unfold(3, PATTERN_PX, step)
        windows = (windows - windows.mean((-2, -1), keepdim=True)) * self.window
        half = PATTERN_PX // 2 + 1
        across, against = windows @ self.cosines[:, :half], windows @ self.sines[:, :half]
        real = self.cosines @ across - self.sines @ against
        imaginary = self.sines @ across + self.cosines @ against
        power = (real.square() + imaginary.square()).mean(1)
        return power.flatten(3)[..., self.counted]


class ColorAmounts:
    """The distance of a batch's colours from the style picture's amounts of them."""

    def __init__(self, picture: torch.Tensor):
        """``picture``: (1, 3, H, W) levels."""
        self.directions = picture.new_tensor(COLOR_DIRECTIONS)
        colors = picture[0].flatten(1).T @ self.directions.T
        self.sorted_style = colors.sort(dim=0).values

    def __call__(self, paintings: torch.Tensor) -> torch.Tensor:
        """Mean distance of sorted colours of the whole batch, in units of 255 levels, so that single photos may be dark
        or bright."""
        colors = paintings[..., ::COLOR_STEP_PX, ::COLOR_STEP_PX].permute(0, 2, 3, 1).reshape(-1, 3)
        values = (colors @ self.directions.T).sort(dim=0).values
        last = len(self.sorted_style) - 1
        places = torch.linspace(0, last, len(values), device=values.device).round().long()
        return (values - self.sorted_style[places]).abs().mean() / 255
