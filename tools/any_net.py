"""The network that paints in the style of any picture, StyleForgeTransformer, as data and as a PyTorch module.

    python tools/any_net.py                                        # the networks' weights, operations and bytes
    python tools/any_net.py --pack any.safetensors --out any8.safetensors --bits 8

There are two inputs, a photo and a style picture, both (N, 3, H, W) levels 0..255 of any size. The style picture
becomes one vector, the *code*, which is computed once and stored. Codes of several pictures can be mixed by weights.

- Stem: a photo becomes tokens, one for each ``stride`` x ``stride`` pixels. Sides that are not multiples of the stride
  are padded by reflection at the bottom and right, and the painting is cropped.
- Encoder blocks: pre-norm, x + attention(norm(x)), x + ffn(norm(x)).
- AdaIN on tokens: each channel gets the mean and the standard deviation of the style's tokens in that channel.
- Decoder blocks, then a head that turns tokens into pixels.

`any` is the network that is shipped. The reasons for its design:

- Stride 16: attention over 1280x720 is over 3,600 tokens. Stride 8 has 14,400, sixteen times the attention (windows:
  train_any.py).
- A stem of convolutions without norms. Linear patches leave the patch grid in the painting. An instance norm would
  remove the colours and contrasts of the style picture (photo and style share the stem), would amplify the noise of a
  plain picture, and needs the whole picture before the next layer starts.
- No positions: the network is trained on crops and works at any size.
- The map at stride 8 bypasses the tokens and is added in the head (``skip``). 256 numbers for 16x16 pixels lose faces;
  the AdaIN teacher has 512 numbers for 8x8. No finer map is passed, because it would let the photo through.
- Instance norms in the head only, as in TransformerNet, and layer norms in the decoder, with scales and offsets from
  the style code (``modulation``). While a style is in use these are constants like learned ones: they cost no time per
  frame, and the same kernels run. Strokes are made here, finer than a token.
- Head size 64, FFN of four times the width, GELU (erf), LayerNorm eps 1e-5; 3x3 convolutions with reflection padding,
  9x9 first and last, nearest upsampling before a convolution: every layer is one of TransformerNet's or of a plain
  transformer's.

``nano``, ``small``, ``base`` and ``large`` are plain networks: linear patches and unpatch, positions, the style through
the encoder itself. There are no trained weights for them.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import nn

from style_net import reflect_pad, save_network

EPS = 1e-5


@dataclass(frozen=True)
class Spec:
    """One network as data.

    ``stem``: "patches" (a linear layer on stride x stride pixels) or "convolutions" (9x9, then a 3x3 with stride 2 for
    every halving; ``stem_widths`` are their channels, the last layer has ``dim``). ``head``: "unpatch" (a linear layer)
    or "convolutions" (for every doubling: nearest, 3x3, norm, ReLU, ``head_widths`` channels; 9x9 at the end);
    ``residuals`` blocks of two 3x3 follow the map at stride 4. ``head_norm``: "instance" or "none". ``skip`` is the
    stride at which the stem's map is added in the head, through a 1x1 convolution, before the norm; 0 for none.
    ``style_blocks`` of 0 sends the style's tokens through the encoder's blocks. ``modulation`` is the width of the
    layer that computes the style code's scales and offsets, 0 for none. ``window`` above 0 limits attention to squares
    of ``window`` tokens a side, shifted by half in every second block; ``pool`` above 1 averages keys and values over
    squares of ``pool`` tokens a side.
    """

    stride: int
    dim: int
    heads: int
    encoder_blocks: int
    decoder_blocks: int
    style_blocks: int
    ffn: int
    stem: str = "convolutions"
    stem_widths: tuple[int, ...] = (32, 64, 128, 128)
    head: str = "convolutions"
    head_widths: tuple[int, ...] = (128, 128, 64, 32)
    head_norm: str = "instance"
    residuals: int = 1
    skip: int = 8
    modulation: int = 96
    window: int = 0
    pool: int = 1
    positions: str = "none"
    image: int = 0

    @staticmethod
    def plain(image: int, dim: int, heads: int, blocks: int, ffn: int, stride: int = 32) -> Spec:
        """Linear patches and unpatch, sinusoidal positions."""
        return Spec(
            stride, dim, heads, blocks, blocks, 0, ffn,
            stem="patches", stem_widths=(), head="unpatch", head_widths=(), head_norm="none",
            residuals=0, skip=0, modulation=0, positions="sinusoidal", image=image,
        )  # fmt: skip


SPECS = {
    "any": Spec(stride=16, dim=256, heads=4, encoder_blocks=3, decoder_blocks=3, style_blocks=2, ffn=1024),
    "nano": Spec.plain(256, 128, 2, 2, 512),
    "small": Spec.plain(256, 256, 4, 4, 1024),
    "base": Spec.plain(256, 512, 8, 6, 2048),
    "large": Spec.plain(512, 768, 12, 12, 3072),
}


class Attention(nn.Module):
    """Self-attention; the projection's rows are all queries, then all keys, then all values.

    ``window``, ``moved`` and ``pool`` as in ``Spec``: fewer keys for a query, for pictures of many tokens.
    """

    def __init__(self, dim: int, heads: int, window: int = 0, moved: bool = False, pool: int = 1):
        super().__init__()
        self.heads, self.window, self.moved, self.pool = heads, window, moved, pool
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x: torch.Tensor, rows: int) -> torch.Tensor:
        """(N, tokens, dim) to the same shape; the tokens form ``rows`` rows."""
        count, tokens, dim = x.shape
        parts = self.qkv(x).view(count, tokens, 3, self.heads, dim // self.heads)
        if self.window:
            mixed = self._in_windows(parts, rows)
        else:
            query, key, value = parts.permute(2, 0, 3, 1, 4)
            if self.pool > 1:
                key, value = (self._pooled(part, rows) for part in (key, value))
            mixed = F.scaled_dot_product_attention(query, key, value).transpose(1, 2)
        return self.out(mixed.reshape(count, tokens, dim))

    def _pooled(self, part: torch.Tensor, rows: int) -> torch.Tensor:
        """(N, heads, tokens, size) with the mean of every square, without the part beyond the edge."""
        count, heads, tokens, size = part.shape
        maps = part.transpose(2, 3).reshape(count, heads * size, rows, tokens // rows)
        maps = F.avg_pool2d(maps, self.pool, ceil_mode=True, count_include_pad=False)
        return maps.view(count, heads, size, -1).transpose(2, 3)

    def _in_windows(self, parts: torch.Tensor, rows: int) -> torch.Tensor:
        """(N, tokens, 3, heads, size) to (N, tokens, heads, size)."""
        count, tokens, _, heads, size = parts.shape
        columns, side = tokens // rows, self.window
        before = side // 2 if self.moved else 0
        high, wide = (-(-(length + before) // side) for length in (rows, columns))
        after = (high * side - before - rows, wide * side - before - columns)
        maps = parts.view(count, rows, columns, 3 * heads * size)
        maps = F.pad(maps, (0, 0, before, after[1], before, after[0]))
        squares = maps.view(count, high, side, wide, side, 3, heads, size)
        squares = squares.permute(5, 0, 1, 3, 6, 2, 4, 7).reshape(3, count, high * wide * heads, side * side, size)
        inside = torch.zeros(high * side, wide * side, dtype=torch.bool, device=parts.device)
        inside[before : before + rows, before : before + columns] = True
        inside = inside.view(high, side, wide, side).permute(0, 2, 1, 3).reshape(high * wide, 1, 1, side * side)
        mask = inside.expand(-1, heads, side * side, -1).reshape(1, high * wide * heads, side * side, side * side)
        mixed = F.scaled_dot_product_attention(*squares, attn_mask=mask.expand(count, -1, -1, -1))
        maps = mixed.view(count, high, wide, heads, side, side, size).permute(0, 1, 4, 2, 5, 3, 6)
        maps = maps.reshape(count, high * side, wide * side, heads, size)
        return maps[:, before : before + rows, before : before + columns].reshape(count, tokens, heads, size)


class Block(nn.Module):
    """Pre-norm; ``modulated`` norms take their scale and offset from the style code."""

    def __init__(self, spec: Spec, number: int, modulated: bool = False):
        super().__init__()
        dim, ffn = spec.dim, spec.ffn
        self.norm1 = nn.LayerNorm(dim, EPS, elementwise_affine=not modulated)
        self.attention = Attention(dim, spec.heads, spec.window, number % 2 == 1, spec.pool)
        self.norm2 = nn.LayerNorm(dim, EPS, elementwise_affine=not modulated)
        self.up = nn.Linear(dim, ffn)
        self.down = nn.Linear(ffn, dim)

    def forward(
        self, x: torch.Tensor, rows: int, norms: list[tuple[torch.Tensor, torch.Tensor]] | None = None
    ) -> torch.Tensor:
        first, second = norms or (None, None)
        x = x + self.attention(scaled(self.norm1(x), first), rows)
        return x + self.down(F.gelu(self.up(scaled(self.norm2(x), second))))


def scaled(x: torch.Tensor, norm: tuple[torch.Tensor, torch.Tensor] | None) -> torch.Tensor:
    """(N, tokens, C) times (1 + scale) plus offset, both (N, C)."""
    return x if norm is None else torch.addcmul(norm[1][:, None], x, 1 + norm[0][:, None])


class Conv(nn.Module):
    """Reflection padding, then a convolution; ``upsample`` doubles the size first (nearest)."""

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1, upsample: bool = False):
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, kernel, stride)
        self.upsample = upsample
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity="relu")
        nn.init.zeros_(self.conv.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.upsample:
            x = F.interpolate(x, scale_factor=2, mode="nearest")
        return self.conv(reflect_pad(x, self.conv.kernel_size[0] // 2))


class HeadNorm(nn.Module):
    """An (instance) norm of maps, with learned scales and offsets or with those of the style code."""

    def __init__(self, channels: int, norm: str, modulated: bool):
        super().__init__()
        self.instance = norm == "instance"
        if not modulated:
            self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.modulated = modulated

    def forward(self, x: torch.Tensor, norm: tuple[torch.Tensor, torch.Tensor] | None) -> torch.Tensor:
        if self.modulated:
            scale, offset = (1 + norm[0].float())[..., None, None], norm[1].float()[..., None, None]
        else:
            scale, offset = self.weight.view(1, -1, 1, 1), self.bias.view(1, -1, 1, 1)
        wide = x.float() if x.dtype != torch.float64 else x
        if self.instance:
            var, mean = torch.var_mean(wide, dim=(2, 3), keepdim=True, correction=0)
            scale = scale * torch.rsqrt(var + EPS)
            offset = offset - mean * scale
        return torch.addcmul(offset.to(wide.dtype), wide, scale.to(wide.dtype)).to(x.dtype)


class Stem(nn.Module):
    """Pictures of -1..1 to tokens (N, rows * columns, dim) and the map at ``skip`` for the head."""

    def __init__(self, spec: Spec):
        super().__init__()
        self.spec = spec
        if spec.stem == "patches":
            self.patches = nn.Conv2d(3, spec.dim, spec.stride, spec.stride)
            return
        widths = (*spec.stem_widths, spec.dim)
        layers = [Conv(3, widths[0], 9)] + [Conv(a, b, 3, stride=2) for a, b in zip(widths, widths[1:])]
        assert 2 ** (len(layers) - 1) == spec.stride, "one convolution with stride 2 for every halving"
        self.layers = nn.ModuleList(layers)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        kept = None
        if self.spec.stem == "patches":
            x = self.patches(x)
        else:
            for number, layer in enumerate(self.layers):
                x = layer(x)
                if number + 1 < len(self.layers):
                    x = torch.relu(x)
                if 2**number == self.spec.skip:
                    kept = x
        return x.flatten(2).transpose(1, 2), kept


class Head(nn.Module):
    """Tokens to pixels; ``norm_widths`` are the channels of its norms, in order."""

    def __init__(self, spec: Spec):
        super().__init__()
        self.spec = spec
        self.norm_widths: list[int] = []
        if spec.head == "unpatch":
            self.pixels = nn.Linear(spec.dim, 3 * spec.stride**2)
            return
        modulated = spec.modulation > 0

        def norm(channels: int) -> HeadNorm:
            self.norm_widths.append(channels)
            return HeadNorm(channels, spec.head_norm, modulated)

        self.ups, self.norms = nn.ModuleList(), nn.ModuleList()
        self.blocks, self.block_norms = nn.ModuleList(), nn.ModuleList()
        width, stride = spec.dim, spec.stride
        for channels in spec.head_widths:
            stride //= 2
            self.ups.append(Conv(width, channels, 3, upsample=True))
            self.norms.append(norm(channels))
            width = channels
            if stride == spec.skip:
                self.skip = nn.Conv2d(spec.stem_widths[int(math.log2(stride))], channels, 1, bias=False)
            for _ in range(2 * spec.residuals if stride == 4 else 0):
                self.blocks.append(Conv(width, width, 3))
                self.block_norms.append(norm(width))
        assert stride == 1, "one width for every doubling"
        self.out = Conv(width, 3, 9)
        nn.init.normal_(self.out.conv.weight, std=0.3 / math.sqrt(81 * width))

    def forward(self, x: torch.Tensor, rows: int, skip: torch.Tensor | None, norms: list) -> torch.Tensor:
        count, tokens, _ = x.shape
        columns, stride = tokens // rows, self.spec.stride
        if self.spec.head == "unpatch":
            cells = self.pixels(x).view(count, rows, columns, 3, stride, stride)
            return cells.permute(0, 3, 1, 4, 2, 5).reshape(count, 3, rows * stride, columns * stride)
        norms = iter(norms) if norms else iter([None] * len(self.norm_widths))
        x = x.transpose(1, 2).reshape(count, -1, rows, columns).contiguous(memory_format=torch.channels_last)
        for up, norm in zip(self.ups, self.norms):
            stride //= 2
            x = up(x)
            if stride == self.spec.skip:
                x = x + self.skip(skip)
            x = torch.relu(norm(x, next(norms)))
            for first in range(0, len(self.blocks) if stride == 4 else 0, 2):
                y = torch.relu(self.block_norms[first](self.blocks[first](x), next(norms)))
                x = x + self.block_norms[first + 1](self.blocks[first + 1](y), next(norms))
        return self.out(x)


class AnyNet(nn.Module):
    """The whole network; see the beginning of this file."""

    def __init__(self, spec: Spec):
        super().__init__()
        assert spec.dim % spec.heads == 0, "heads divide the width"
        self.spec = spec
        modulated = spec.modulation > 0

        def blocks(number: int, modulated: bool = False) -> nn.ModuleList:
            return nn.ModuleList(Block(spec, place, modulated) for place in range(number))

        self.stem = Stem(spec)
        self.encoder = blocks(spec.encoder_blocks)
        self.style_encoder = blocks(spec.style_blocks)
        # Without this norm means outgrow deviations, and the decoder hardly sees the differences between the photo's
        # tokens.
        self.style_norm = nn.LayerNorm(spec.dim, EPS)
        self.decoder = blocks(spec.decoder_blocks, modulated)
        self.decoder_norm = nn.LayerNorm(spec.dim, EPS, elementwise_affine=not modulated)
        self.head = Head(spec)
        #: Channels of all norms for which the style code has scales and offsets, in the order of the code.
        self.norm_widths = [spec.dim] * (2 * spec.decoder_blocks + 1) + self.head.norm_widths if modulated else []
        if modulated:
            self.code_hidden = nn.Linear(2 * spec.dim, spec.modulation)
            self.code_norms = nn.Linear(spec.modulation, 2 * sum(self.norm_widths))
            nn.init.normal_(self.code_norms.weight, std=0.02)
            nn.init.zeros_(self.code_norms.bias)
        depth = spec.encoder_blocks + spec.decoder_blocks
        for block in (*self.encoder, *self.style_encoder, *self.decoder):
            for linear in (block.attention.out, block.down):
                with torch.no_grad():
                    linear.weight.mul_(1 / math.sqrt(2 * depth))

    def code(self, picture: torch.Tensor) -> torch.Tensor:
        """The style code of (N, 3, H, W) levels: means, standard deviations, then (scales, offsets) of every norm."""
        x, rows, _ = self._tokens(picture)
        for block in self.style_encoder if self.spec.style_blocks else self.encoder:
            x = block(x, rows)
        mean, std = token_statistics(self.style_norm(x))
        parts = [mean, std]
        if self.norm_widths:
            # Normalised, because otherwise the scales of all norms would change with the size of the tokens' values.
            statistics = torch.cat((mean, std), 1)
            statistics = F.layer_norm(statistics, statistics.shape[1:], eps=EPS)
            parts.append(self.code_norms(F.gelu(self.code_hidden(statistics))).to(mean.dtype))
        return torch.cat(parts, 1)

    def paint(self, photo: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
        """The painting of (N, 3, H, W) levels, not clamped."""
        height, width = photo.shape[-2:]
        x, rows, skip = self._tokens(photo)
        for block in self.encoder:
            x = block(x, rows)
        mean, std = token_statistics(x)
        dim = self.spec.dim
        wanted_mean, wanted_std = code[:, :dim], code[:, dim : 2 * dim]
        x = (x - mean[:, None]) / std[:, None] * wanted_std[:, None] + wanted_mean[:, None]
        norms = self._norms(code)
        for number, block in enumerate(self.decoder):
            x = block(x, rows, norms[2 * number : 2 * number + 2])
        last = 2 * len(self.decoder)
        x = scaled(self.decoder_norm(x), norms[last] if norms else None)
        painting = self.head(x, rows, skip, norms[last + 1 :])
        return (painting.to(code.dtype)[..., :height, :width] + 1) * 127.5

    def forward(self, photo: torch.Tensor, picture: torch.Tensor) -> torch.Tensor:
        return self.paint(photo, self.code(picture))

    def _tokens(self, levels: torch.Tensor) -> tuple[torch.Tensor, int, torch.Tensor | None]:
        """(tokens, their rows, the map for the head)."""
        whole = pad_to_multiple(levels / 127.5 - 1, self.spec.stride)
        x, skip = self.stem(whole)
        rows = whole.shape[2] // self.spec.stride
        x = x.to(levels.dtype)
        if self.spec.positions == "sinusoidal":
            x = x + sinusoidal(rows, x.shape[1] // rows, self.spec.dim).to(x)
        return x, rows, skip

    def _norms(self, code: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """(scales, offsets) of every modulated norm."""
        values = code[:, 2 * self.spec.dim :].split([2 * width for width in self.norm_widths], 1)
        return [value.chunk(2, 1) for value in values]


def token_statistics(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(means, standard deviations) over the tokens of (N, tokens, C): biased variance, eps inside the root."""
    var, mean = torch.var_mean(x, dim=1, correction=0)
    return mean, torch.sqrt(var + EPS)


def pad_to_multiple(x: torch.Tensor, stride: int) -> torch.Tensor:
    """Pads by reflection at the bottom and right, repeatedly if needed, for example for a side of one pixel."""
    for dim in (2, 3):
        size = x.shape[dim]
        wanted = -(-size // stride) * stride
        if wanted != size:
            period = max(1, 2 * (size - 1))
            place = torch.arange(wanted, device=x.device) % period
            x = x.index_select(dim, torch.where(place < size, place, period - place))
    return x


def sinusoidal(rows: int, columns: int, dim: int) -> torch.Tensor:
    """(rows * columns, dim): the first half of the channels encodes the row, the second the column, each as pairs of
    sine and cosine with wavelengths from 2 pi to 20,000 pi tokens."""
    rates = torch.exp(torch.arange(0, dim // 2, 2, dtype=torch.float64) * (-math.log(10000.0) / (dim // 2)))

    def encode(count: int) -> torch.Tensor:
        turns = torch.arange(count, dtype=torch.float64)[:, None] * rates
        return torch.stack((turns.sin(), turns.cos()), 2).flatten(1)

    row, column = encode(rows)[:, None].expand(-1, columns, -1), encode(columns)[None].expand(rows, -1, -1)
    return torch.cat((row, column), 2).flatten(0, 1).float()


def save_any(path: Path, net: AnyNet, metadata: dict[str, str], bits: int = 16) -> None:
    """Writes the weights as fp16 or, matrices and kernels, as 8 bits with an fp16 scale for each output channel.

    With 8 bits ``NAME`` is I8 and ``NAME.scale`` (output channels) F16; the weight is their product.
    """
    tensors = {}
    for name, tensor in net.state_dict().items():
        tensor = tensor.detach().float().cpu().contiguous()
        if bits == 8 and tensor.dim() > 1:
            tensors[name], tensors[f"{name}.scale"] = quantize(tensor)
        else:
            tensors[name] = tensor.half()
    save_network(Path(path), tensors, metadata | {"network": json.dumps(asdict(net.spec))})


def quantize(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(I8 values, F16 scales), with one scale for each row of the first dimension."""
    scale = (weight.flatten(1).abs().amax(1) / 127).clamp(min=1e-7).half()
    values = (weight / scale.float().view(-1, *[1] * (weight.dim() - 1))).round().clamp(-127, 127)
    return values.to(torch.int8), scale


def read_any(path: Path) -> tuple[AnyNet, dict[str, str]]:
    """A file of ``save_any`` as an fp32 network in evaluation mode, and its metadata."""
    with safe_open(path, framework="pt") as file:
        stored = {name: file.get_tensor(name) for name in file.keys()}
        metadata = dict(file.metadata() or {})
    state = {}
    for name, tensor in stored.items():
        if not name.endswith(".scale"):
            scale = stored.get(f"{name}.scale")
            tensor = tensor.float()
            state[name] = tensor if scale is None else tensor * scale.float().view(-1, *[1] * (tensor.dim() - 1))
    fields = json.loads(metadata["network"])
    net = AnyNet(Spec(**{key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}))
    net.load_state_dict(state)
    return net.eval(), metadata


def cost(spec: Spec, width: int, height: int) -> list[tuple[str, float, float]]:
    """(layer, GFLOP, MB in fp16) of one painting with an existing style code; a multiply-add counts as 2.

    Bytes are the minimum traffic of fused layers: maps and tokens that are read and written once, and the weights.
    Upsampled convolutions count as four 2x2 ones on the small map, which is how they are computed.
    """
    rows, columns = -(-height // spec.stride), -(-width // spec.stride)
    tokens, dim = rows * columns, spec.dim
    pixels = tokens * spec.stride**2
    lines: list[tuple[str, float, float]] = []

    def add(name: str, multiplies: float, numbers: float) -> None:
        lines.append((name, 2 * multiplies / 1e9, 2 * numbers / 1e6))

    if spec.stem == "patches":
        weights = 3 * spec.stride**2 * dim
        add("patches", tokens * weights, pixels * 3 + tokens * dim + weights)
    else:
        at, c_in = pixels, 3
        for number, c_out in enumerate((*spec.stem_widths, dim)):
            weights = c_in * c_out * (81 if number == 0 else 9)
            out = at if number == 0 else at // 4
            add(f"stem {number + 1}", out * weights, at * c_in + out * c_out + weights)
            at, c_in = out, c_out
    block = tokens * (4 * dim * dim + 2 * dim * spec.ffn)
    blocks = spec.encoder_blocks + spec.decoder_blocks
    weights = 4 * dim * dim + 2 * dim * spec.ffn
    add(f"{blocks} blocks: projections and FFN", blocks * block, blocks * (10 * tokens * dim + weights))
    keys = spec.window**2 or tokens / spec.pool**2
    add(f"{blocks} blocks: attention", blocks * 2 * tokens * keys * dim, blocks * 4 * tokens * dim)
    add("AdaIN on tokens", tokens * dim, 3 * tokens * dim)
    if spec.head == "unpatch":
        weights = 3 * spec.stride**2 * dim
        add("unpatch", tokens * weights, tokens * dim + weights + pixels * 3)
        return lines
    at, c_in, stride = tokens, dim, spec.stride
    for number, c_out in enumerate(spec.head_widths):
        stride //= 2
        weights = c_in * c_out * 16
        add(f"up {number + 1}", at * weights, at * c_in + 4 * at * c_out + weights)
        at, c_in = 4 * at, c_out
        if stride == spec.skip:
            add("skip", at * c_in * c_out, 2 * at * c_out)
        if stride == 4 and spec.residuals:
            weights = 18 * c_out * c_out * spec.residuals
            add("residual blocks", at * weights, 5 * spec.residuals * at * c_out + weights)
    add("out", at * c_in * 243, at * (c_in + 3) + c_in * 243)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", action="append", help="WIDTHxHEIGHT; default 512x512 and 1280x720")
    parser.add_argument("--network", choices=SPECS, default="any")
    parser.add_argument("--pack", type=Path, help="weights to write to --out with this many --bits")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--bits", type=int, choices=(8, 16), default=8)
    arguments = parser.parse_args()
    if arguments.pack:
        net, metadata = read_any(arguments.pack)
        save_any(arguments.out, net, metadata, arguments.bits)
        print(f"{arguments.out}: {arguments.out.stat().st_size / 2**20:.2f} MiB")
        return
    for name, spec in SPECS.items():
        with torch.device("meta"):
            net = AnyNet(spec)
        parts = {part: sum(p.numel() for p in module.parameters()) for part, module in net.named_children()}
        total = sum(parts.values())
        shares = ", ".join(f"{part} {number:,}" for part, number in parts.items() if number)
        print(f"{name}: {total:,} weights, {total * 2 / 2**20:.2f} MiB as fp16 ({shares})")
    for size in arguments.size or ["512x512", "1280x720"]:
        lines = cost(SPECS[arguments.network], *map(int, size.split("x")))
        print(f"\n{arguments.network} at {size}: GFLOP, MB")
        for layer, flops, megabytes in [*lines, ("all", *np.sum([line[1:] for line in lines], 0))]:
            print(f"  {layer:36}{flops:9.2f}{megabytes:9.1f}")


if __name__ == "__main__":
    main()
