"""Makes the golden vectors of the transformer: PyTorch's results, for the tests to compare with.

    python tests/golden/generate_transformer.py

The network is that of tools/any_net.py with fewer channels and blocks, so that a file is small: a plain one (linear
patches and unpatch, sinusoidal positions, the style through the encoder) and one of the kind of `any`. Everything is
computed in float64 from weights and pictures that are exact in fp32, and stored as fp32. nano, small, base and large
are computed at full size with the weights of made_up.py, which are not stored. `transformer_keys.json` contains names
and shapes of the weights of nano and any at full size.
"""

import json
import sys
from pathlib import Path

import torch

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1] / "tools")]

from any_net import SPECS, AnyNet, Spec  # noqa: E402
from made_up import fill  # noqa: E402
from network import make_coarse, random_picture, safetensors_bytes, write_archive  # noqa: E402

PLAIN = Spec.plain(16, 32, 1, 1, 64, stride=4)
ANY = Spec(
    16, 32, 1, 1, 1, 1, 48,
    stem_widths=(4, 8, 8, 8), head_widths=(8, 8, 8, 4), residuals=1, skip=8, modulation=8,
)  # fmt: skip


def network(spec, seed, photo_size, picture_size):
    """A whole network: its weights, a photo, a style picture, the code, intermediate tokens, and the painting."""
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
        # The last layer is scaled so that the result has a standard deviation of 50 levels.
        result = net(photo, picture)
        last = net.head.pixels if spec.head == "unpatch" else net.head.out.conv
        last.weight.mul_(50 / result.std())
        last.bias.zero_()
    make_coarse(net)
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
    levels = tensors["output"]
    print(f"result {levels.min():.1f} .. {levels.max():.1f}, {tuple(levels.shape)}")
    return safetensors_bytes(tensors | after, {
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


def weight_names(spec):
    """The names of a plain network's weights, in the order of Spec::weights."""
    names = ["stem.patches"]
    for part in ["encoder"] * spec.encoder_blocks, ["decoder"] * spec.decoder_blocks:
        for block, name in enumerate(part):
            parts = ("norm1", "norm2", "attention.qkv", "attention.out", "up", "down")
            names += [f"{name}.{block}.{part}" for part in parts]
    names += ["style_norm", "decoder_norm", "head.pixels"]
    return [f"{name}.{value}" for name in names for value in ("weight", "bias")]


def whole(photo_size=(33, 50), picture_size=(40, 32)):
    """The plain networks' paintings with random weights: the same pictures for all, and a code and a result for
    each."""
    photo, picture = random_picture(41, *photo_size), random_picture(42, *picture_size)
    tensors = {"photo": photo, "picture": picture}
    for name in ("nano", "small", "base", "large"):
        spec = SPECS[name]
        net = fill(AnyNet(spec), weight_names(spec)).double()
        with torch.no_grad():
            code = net.code(picture.double())
            output = net.paint(photo.double(), code)
        kept = output if name == "nano" else output[..., ::3]
        tensors |= {f"{name}.code": code.float(), f"{name}.output": kept.float().contiguous()}
        print(f"{name}: code to {code.abs().max():.2f}, result {output.min():.1f} .. {output.max():.1f}, "
              f"deviation {output.std():.1f}")
    return safetensors_bytes(tensors, {
        "what": "`photo` and `picture` (whole levels 0..255, RGB), NAME.code and NAME.output (levels, before any clamp) "
        "of the plain networks with the weights of made_up.py; of all but nano every third column",
        "computed_in": "float64 from fp32 weights, stored as fp32",
        "torch": torch.__version__,
    })


def keys(path):
    """Names and shapes of whole networks, as in their state dicts."""
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
    write_archive(HERE / "transformer.tar.xz", {
        "transformer_plain.safetensors": network(PLAIN, 31, (10, 15), (13, 8)),
        "whole.safetensors": whole(),
        "transformer_any.safetensors": network(ANY, 32, (21, 35), (18, 33)),
    })
    keys(HERE / "transformer_keys.json")
