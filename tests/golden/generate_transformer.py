"""Makes the golden vectors of the transformer: what PyTorch computes, for the tests to compare with.

    python tests/golden/generate_transformer.py

The network is tools/any_net.py's, its widths and blocks reduced until a file is small: one plain one (linear
patches and unpatch, sinusoidal positions, the style through the encoder) and one of the kind of `any`. Everything is
computed in float64 from weights and pictures that are exact in fp32, and stored as fp32. `transformer_keys.json`
holds names and shapes of the weights of nano and any at full size.
"""

import json
import math
import sys
from pathlib import Path

import torch

from torch.nn import functional as F

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1] / "tools")]

from any_net import SPECS, AnyNet, Spec, pad_to_multiple, token_statistics  # noqa: E402
from network import random_picture, write_safetensors  # noqa: E402

PLAIN = Spec.plain(16, 32, 1, 1, 64, stride=4)
ANY = Spec(
    16, 32, 1, 1, 1, 1, 48,
    stem_widths=(4, 8, 8, 8), head_widths=(8, 8, 8, 4), residuals=1, skip=8, modulation=8,
)  # fmt: skip


def operators(path, seed=21):
    """One small case for every operator that the convolutional network does not have."""
    noise = torch.Generator().manual_seed(seed)
    tensors = {}

    def draw(*shape, scale=1.0, shift=0.0):
        return (torch.randn(shape, generator=noise) * scale + shift).double()

    def keep(case, **named):
        for name, tensor in named.items():
            tensors[f"{case}.{name}"] = tensor.float()

    def attention(query, key, value):
        scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
        return scores.softmax(-1) @ value

    # Heads x tokens x head size; lengths that are no multiple of a tile, and keys of another length than queries.
    q, k, v = draw(2, 37, 32), draw(2, 37, 32), draw(2, 37, 32)
    keep("attention_self", query=q, key=k, value=v, output=attention(q, k, v))
    q, k, v = draw(1, 5, 64, scale=3.0), draw(1, 19, 64, scale=3.0), draw(1, 19, 64)
    keep("attention_cross_peaked", query=q, key=k, value=v, output=attention(q, k, v))

    x, w, b = draw(7, 24, scale=3.0, shift=2.0), draw(24, scale=0.5, shift=1.0), draw(24, scale=0.5)
    keep("layer_norm", input=x, weight=w, bias=b, output=F.layer_norm(x, (24,), w, b, 1e-5))
    x = torch.full((3, 24), 7.0, dtype=torch.float64)
    x[1, 3] = 7.0625
    x[2] += draw(24, scale=1e-3).float().double()
    keep("layer_norm_flat", input=x, weight=w, bias=b, output=F.layer_norm(x, (24,), w, b, 1e-5))
    x = torch.linspace(-8, 8, 129).double()
    keep("gelu", input=x, output=F.gelu(x))

    x, style = draw(1, 11, 8, scale=2.0, shift=1.0), draw(1, 6, 8, scale=0.5, shift=-1.0)
    (mean, std), (wanted_mean, wanted_std) = token_statistics(x), token_statistics(style)
    output = (x - mean[:, None]) / std[:, None] * wanted_std[:, None] + wanted_mean[:, None]
    keep("adain_tokens", input=x[0], style=style[0], output=output[0])
    x = draw(1, 2, 5, 18)
    keep("reflect_to_multiple16", input=x, output=pad_to_multiple(x, 16))

    write_safetensors(path, tensors, {
        "what": "one case for each operator: CASE.input (.query, .key, .value), .weight, .bias, .style, .output",
        "semantics": "attention heads x tokens x head size, scale 1/sqrt(head size); layer norm and adain: biased "
        "variance, eps 1e-5 inside the root, adain over tokens (tokens x channels); gelu by erf; "
        "reflect_to_multiple16 continues at the bottom and on the right",
        "computed_in": "float64, stored as fp32",
        "seed": seed,
        "torch": torch.__version__,
    })


def network(path, spec, seed, photo_size, picture_size):
    """A whole network: its weights, a photo, a style picture, the code, tokens on the way, and the painting."""
    photo, picture = random_picture(seed, *photo_size), random_picture(seed + 1, *picture_size)
    noise = torch.Generator().manual_seed(seed)
    net = AnyNet(spec)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            drawn = torch.randn(parameter.shape, generator=noise)
            if parameter.dim() > 1:
                drawn = drawn * (1.2 / parameter[0].numel() ** 0.5)
            elif name.endswith("weight"):
                drawn = 1 + 0.3 * drawn
            else:
                drawn = 0.2 * drawn
            parameter.copy_(drawn)
        # The last layer is set so that the result has a standard deviation of 50 levels.
        result = net(photo, picture)
        last = net.head.pixels if spec.head == "unpatch" else net.head.out.conv
        last.weight.mul_(50 / result.std())
        last.bias.zero_()
    exact = AnyNet(spec).double()
    exact.load_state_dict({key: value.double() for key, value in net.state_dict().items()})
    tensors = dict(net.state_dict()) | {"photo": photo, "picture": picture}
    taps = {"after.stem": exact.stem, "after.head": exact.head}
    taps |= {f"after.encoder.{i}": block for i, block in enumerate(exact.encoder)}
    taps |= {f"after.decoder.{i}": block for i, block in enumerate(exact.decoder)}
    after = {}
    with torch.no_grad():
        code = exact.code(picture.double())
        for key, module in taps.items():

            def record(_module, _inputs, result, key=key):
                after[key] = (result[0] if isinstance(result, tuple) else result).float()

            module.register_forward_hook(record)
        tensors |= {"code": code.float(), "output": exact.paint(photo.double(), code).float()}
    write_safetensors(path, tensors | after, {
        "what": "a network for any style picture: weights, `photo` and `picture` (whole levels 0..255, RGB), `code`, "
        "`output` (levels, before any clamp), `after.PART`: tokens (1 x tokens x channels), and of the head pixels "
        "(-1..1, not cropped)",
        "code": "means and standard deviations of the style's tokens, then (scales, offsets) of each modulated norm; "
        "a norm's scale is 1 + what stands there",
        "spec": json.dumps(spec.__dict__),
        "computed_in": "float64 from fp32 weights, stored as fp32",
        "seed": seed,
        "torch": torch.__version__,
    })
    levels = tensors["output"]
    print(f"{path.name}: result {levels.min():.1f} .. {levels.max():.1f}, {tuple(levels.shape)}")


def keys(path):
    """Names and shapes of whole networks, as their state dicts have them."""
    found = {}
    for name in ("nano", "any"):
        with torch.device("meta"):
            net = AnyNet(SPECS[name])
        found[name] = {key: list(value.shape) for key, value in net.state_dict().items()}
    lines = ",\n".join(
        f' "{name}": {{\n' + ",\n".join(f'  "{k}": {json.dumps(s)}' for k, s in shapes.items()) + "\n }"
        for name, shapes in found.items()
    )
    path.write_text("{\n" + lines + "\n}\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    operators(HERE / "operators_transformer.safetensors")
    network(HERE / "transformer_plain.safetensors", PLAIN, 31, (10, 15), (13, 8))
    network(HERE / "transformer_any.safetensors", ANY, 32, (21, 35), (18, 33))
    keys(HERE / "transformer_keys.json")
    for file in sorted(HERE.glob("*transformer*")):
        print(f"{file.stat().st_size:8} {file.name}")
