#!/usr/bin/env python3
"""Trains one style for one model and saves its fp32 weights.

    python tools/train_style.py --style candy --model full --picture candy.jpg \
        --photos photos/ --vgg vgg16.pth --out trained/

The loss is a sum of

- content: relative distance of relu2_2 and relu3_3 to the photo's,
- style: relative distance of four layers' Gram matrices to the style picture's,
- stability: mean change of the painting when the photo gets 1 % noise or moves by one
  pixel (moved back),
- a little total variation, and a push back for levels outside 0..255.

The weights of style and stability are steered while training, so that content and
flicker come out as `styles.toml` wants them, whatever the style; what remains free, the
distance to the style, becomes as small as it can. Content is watched on a few training
photos, measured as measure_styles.py measures the others.

Works on a GPU (bfloat16, channels-last, compiled, the whole step replayed as one CUDA
graph) and, for a trial, on a CPU.
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

from measure_styles import SIDE_PX, load_targets, measure
from perceptual import LAYERS, Vgg16, gram, relative_error
from style_net import WIDTHS, TransformerNet, describe_network, paint, read_network, save_network
from style_photos import CropSampler, list_photos, read_picture

#: Mean square of relu2_2 and relu3_3 over ordinary photos. One constant for all photos,
#: so that a flat photo does not ask for a flawless copy of its noise.
CONTENT_SCALE = (3.9, 6.65)

#: Pixels left out at each side when a moved painting is compared: padding differs there.
MOVE_MARGIN = 4

#: VGG sees a window of the painting, narrower by so many pixels, at a place that changes
#: with every batch. Otherwise its padding with zeros rewards odd borders.
WINDOW_SLACK = 24

#: Photos on which content is watched, and iterations between two looks.
WATCHED_PHOTOS = 24
WATCH_EVERY = 200


@dataclass
class Recipe:
    """All settings of one training; stored with the weights.

    Sizes are in pixels, flicker and noise in levels. A ``time_limit_s`` above 0 ends the
    training early, with the learning rate fallen by then. ``stable_pairs`` of the batch's
    photos are painted again with noise, and as many moved. ``layer_weights`` belong to
    the style's four layers; ``content_deep_share`` is relu3_3's share of the content loss.
    """

    iterations: int = 20000
    time_limit_s: float = 0.0
    batch: int = 6
    crop: int = 272
    stable_pairs: int = 2
    learning_rate: float = 2e-3
    style_short_side: int = 512
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
    range_weight: float = 50.0
    seed: int = 1


class Losses:
    """The loss of one batch, with the style picture's Gram matrices and the steered weights."""

    def __init__(self, recipe: Recipe, vgg: Vgg16, style_grams: list[torch.Tensor], device: torch.device):
        self.recipe = recipe
        self.vgg = vgg
        self.style_grams = style_grams
        self.style_weight = torch.tensor(recipe.style_weight, device=device)
        self.stability_weights = torch.full((2,), recipe.stability_start, device=device)
        self.flicker = torch.zeros(2, device=device)
        self.parts = torch.zeros(2 + len(LAYERS), device=device)
        self.layer_weights = torch.tensor(recipe.layer_weights, device=device)
        self.wanted_flicker = torch.tensor(recipe.flicker, device=device)

    def __call__(self, painter, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """The loss; ``painter`` is the network, compiled or not."""
        recipe, photos = self.recipe, batch["pictures"][: self.recipe.batch]
        paintings = painter(batch["pictures"])
        painting, changed = paintings[: recipe.batch], paintings[recipe.batch :]
        with torch.no_grad():
            wanted = self.vgg(_window(photos, batch), 3)
        features = self.vgg(_window(painting, batch))

        shallow, deep = (
            (features[layer].float() - wanted[layer].float()).square().mean() / scale
            for layer, scale in zip((1, 2), CONTENT_SCALE)
        )
        content = shallow * (1 - recipe.content_deep_share) + deep * recipe.content_deep_share
        distances = torch.stack(
            [
                relative_error(gram(layer), target.expand(len(photos), -1, -1))
                for layer, target in zip(features, self.style_grams)
            ]
        )
        style = (distances * self.layer_weights).sum()

        flicker = self._flicker(painting, changed, batch)
        stability = (flicker * self.stability_weights).sum() / 255
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
        )

    def _flicker(self, painting: torch.Tensor, changed: torch.Tensor, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """(under noise, under a move): mean absolute change of the painting, in levels."""
        pairs = self.recipe.stable_pairs
        noise = (changed[:pairs] - painting[:pairs]).abs().mean()
        moved = changed[pairs:, :, MOVE_MARGIN:-MOVE_MARGIN, MOVE_MARGIN:-MOVE_MARGIN]
        still = painting[pairs : 2 * pairs].index_select(2, batch["moved_rows"]).index_select(3, batch["moved_columns"])
        return torch.stack((noise, (moved - still).abs().mean()))

    def steer_stability(self) -> None:
        """Moves a stability weight up while its flicker is worse than wanted, down while better."""
        error = (self.flicker / self.wanted_flicker - 1).clamp(-1, 1)
        self.stability_weights.mul_((0.06 * error).exp()).clamp_(0.5, self.recipe.stability_limit)

    def steer_style(self, content: float) -> None:
        """Moves the style weight so that the content distance comes to what is wanted."""
        error = min(0.5, max(-0.5, content / self.recipe.content - 1))
        self.style_weight.mul_(math.exp(-0.4 * error)).clamp_(*self.recipe.style_weight_range)


def _window(pictures: torch.Tensor, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """The part of the pictures that VGG sees."""
    return pictures.index_select(2, batch["window_rows"]).index_select(3, batch["window_columns"])


class ContentWatch:
    """The content distance on some training photos, as measure_styles.py has it."""

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
    """Training batches in fixed memory, as a CUDA graph wants them."""

    def __init__(self, recipe: Recipe, sampler: CropSampler, device: torch.device):
        self.recipe, self.sampler = recipe, sampler
        side, pairs = recipe.crop, recipe.stable_pairs
        self.memory = {
            "pictures": torch.zeros(recipe.batch + 2 * pairs, 3, side, side, device=device).contiguous(
                memory_format=torch.channels_last
            ),
        }
        inside = torch.arange(MOVE_MARGIN, side - MOVE_MARGIN, device=device)
        window = torch.arange(side - WINDOW_SLACK, device=device)
        self.indices = {"moved_rows": inside, "moved_columns": inside, "window_rows": window, "window_columns": window}
        self.memory.update({name: index.clone() for name, index in self.indices.items()})
        self.random = torch.Generator().manual_seed(recipe.seed + 1)

    def fill(self) -> dict[str, torch.Tensor]:
        """Cuts the next crops: the photos, the first pairs of them with noise, the next pairs moved."""
        side, pairs, memory = self.recipe.crop, self.recipe.stable_pairs, self.memory
        photos_end, noisy_end = self.recipe.batch, self.recipe.batch + pairs
        step = int(torch.randint(8, (1,), generator=self.random))
        down, right = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))[step]
        wide = self.sampler.crops(self.recipe.batch, side + 2)
        photos = wide[:, :, 1:-1, 1:-1]
        memory["pictures"][:photos_end].copy_(photos)
        noise = torch.randn(photos[:pairs].shape, device=photos.device, generator=self.sampler.random)
        memory["pictures"][photos_end:noisy_end].copy_(photos[:pairs] + noise * self.recipe.noise_sigma)
        moved = wide[pairs : 2 * pairs, :, 1 + down : 1 + down + side, 1 + right : 1 + right + side]
        memory["pictures"][noisy_end:].copy_(moved)
        # The ends are taken more often than the rest, or the outermost pixels would hardly be seen.
        places = torch.randint(-6, WINDOW_SLACK + 7, (2,), generator=self.random)
        top, left = places.clamp(0, WINDOW_SLACK).tolist()
        offsets = {"moved_rows": down, "moved_columns": right, "window_rows": top, "window_columns": left}
        for name, offset in offsets.items():
            memory[name].copy_(self.indices[name] + offset)
        return memory


def one_cycle(progress: float) -> float:
    """Share of the peak learning rate: a cosine up over the first tenth, a cosine down to nothing."""
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
            losses.steer_style(content)
        if iteration % 1000 == 0 or iteration == WATCH_EVERY:
            parts = " ".join(f"{value:.3f}" for value in losses.parts.tolist())
            flicker = " ".join(f"{value:.2f}" for value in losses.flicker.tolist())
            weights = " ".join(f"{value:.1f}" for value in losses.stability_weights.tolist())
            seconds = time.monotonic() - start
            weights = f"{float(losses.style_weight):.2f} {weights}"
            told = f"{iteration} {seconds:.0f}s parts {parts} content {content:.3f} flicker {flicker} weights {weights}"
            print(told, flush=True)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--style", required=True, help="id of the style, a table of styles.toml")
    parser.add_argument("--model", choices=WIDTHS, default="full")
    parser.add_argument("--picture", type=Path, required=True, help="the style picture")
    parser.add_argument("--photos", type=Path, required=True, help="folder of photos; the last 40 by name are kept out")
    parser.add_argument("--vgg", type=Path, required=True, help="torchvision's vgg16 .pth, or an .npz of it")
    parser.add_argument("--out", type=Path, required=True, help="folder for STYLE-MODEL.safetensors (fp32)")
    parser.add_argument("--init", type=Path, help="weights to go on from")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--compile", action="store_true", help="compiles first: a minute, then twice as fast")
    parser.add_argument("--no-graph", action="store_true", help="launches every operation by itself")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=JSON", help="changes the recipe")
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    table = tomllib.loads((Path(__file__).parent / "styles.toml").read_text())[arguments.style]
    settings = {key: value for key, value in table.items() if key in Recipe.__dataclass_fields__}
    settings.update({key: json.loads(value) for key, value in (item.split("=", 1) for item in arguments.set)})
    recipe = Recipe(**settings)

    device = torch.device(arguments.device)
    torch.manual_seed(recipe.seed)
    torch.backends.cuda.matmul.allow_tf32 = True

    training, held_out = list_photos(arguments.photos)
    vgg = Vgg16(arguments.vgg).to(device)
    targets = load_targets(vgg, arguments.picture, recipe.style_short_side)
    net = read_network(arguments.init)[0].train() if arguments.init else TransformerNet(WIDTHS[arguments.model])
    net = net.to(device, memory_format=torch.channels_last)
    losses = Losses(recipe, vgg, targets, device)
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
    figures = measure(net, vgg, targets, held_out, device)
    (arguments.out / f"{name}.json").write_text(json.dumps(figures | {"iterations": recipe.iterations}))
    print(name, recipe.iterations, json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
