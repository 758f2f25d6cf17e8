"""Makes files of networks for style pictures in their usual forms, for the tests to read.

    python tests/golden/generate_style_networks.py

The networks are small and their weights have few distinct values: a plain network as state dicts of PyTorch, and one of
the kind of `any` as tools/any_net.py saves it. expected.safetensors contains a photo, a picture, and the plain
network's painting of them.
"""

import io
import tempfile
from pathlib import Path

import torch
from generate_transformer import ANY
from network import random_picture, safetensors_bytes, write_archive

from any_net import AnyNet, Spec, save_any

HERE = Path(__file__).parent
PLAIN = Spec.plain(0, 64, 1, 1, 32, stride=8)


def drawn(spec, seed):
    """A network whose weights have few distinct values, all exact in fp16."""
    noise = torch.Generator().manual_seed(seed)
    net = AnyNet(spec)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            sign = torch.randint(0, 2, parameter.shape, generator=noise) * 2.0 - 1
            if parameter.dim() > 1:
                halves = int(parameter[0].numel()).bit_length() // 2
                value = sign / 2**halves
            else:
                value = 1 + sign / 4 if name.endswith("weight") else sign / 8
            parameter.copy_(value)
    return net.eval()


def saved(state, **options):
    file = io.BytesIO()
    torch.save(state, file, **options)
    return file.getvalue()


def written(net, bits):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.safetensors"
        save_any(path, net, {"training": "{}"}, bits)
        return path.read_bytes()


def main():
    torch.set_num_threads(1)
    plain, small = drawn(PLAIN, 51), drawn(ANY, 52)
    state = plain.state_dict()
    photo, picture = random_picture(53, 13, 18), random_picture(54, 16, 11)
    exact = AnyNet(PLAIN).double()
    exact.load_state_dict({key: value.double() for key, value in state.items()})
    with torch.no_grad():
        code = exact.code(picture.double())
        output = exact.paint(photo.double(), code)
    print(f"result {output.min():.1f} .. {output.max():.1f}")
    tensors = {"photo": photo, "picture": picture, "code": code.float(), "output": output.float()}
    write_archive(HERE / "style_networks.tar.xz", {
        "plain.pth": saved(state),
        "plain_legacy.pth": saved(state, _use_new_zipfile_serialization=False),
        "plain_half_module.pth": saved({"state_dict": {f"module.{k}": v.half() for k, v in state.items()}, "epoch": 3}),
        "small.safetensors": written(small, 16),
        "small8.safetensors": written(small, 8),
        "expected.safetensors": safetensors_bytes(tensors, {
            "what": "`photo` and `picture` (whole levels 0..255, RGB), `code` and `output` (levels, before any clamp) of "
            "plain.pth; the other files of that name hold the same network",
            "computed_in": "float64 from fp32 weights, stored as fp32",
        }),
    })


if __name__ == "__main__":
    main()
