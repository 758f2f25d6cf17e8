"""Random weights of a network for any style picture, with the formula of crates/network/src/models/vit/random.rs; they
are not stored."""

import numpy as np
import torch


def shares(weight, count):
    """Numbers between -1 and 1 for the values 0 to count - 1 of a weight."""
    values = np.arange(count, dtype=np.uint32)
    seed = values * np.uint32(2_654_435_761) + np.uint32((weight + 1) * 0x9E3779B9 & 0xFFFFFFFF)
    half = (seed ^ (seed >> np.uint32(15))) * np.uint32(0x2C1B3C6D)
    upper = (half ^ (half >> np.uint32(12))) >> np.uint32(24)
    return (2 * upper.astype(np.float32) - 255) / 256


def fill(net, names):
    """Sets a network's weights; ``names`` are those of the state dict in the order of Spec::weights."""
    state = net.state_dict()
    assert set(names) == set(state)
    last = "head.pixels.weight" if net.spec.head == "unpatch" else "head.out.conv.weight"
    with torch.no_grad():
        for number, name in enumerate(names):
            tensor = state[name]
            if tensor.dim() == 1:
                mean, spread = (1.0, 0.5) if name.endswith("weight") else (0.0, 0.25)
            else:
                halves = int(tensor[0].numel()).bit_length() // 2
                mean, spread = 0.0, 2.0 / 2**halves / (4 if name == last else 1)
            values = mean + spread * shares(number, tensor.numel())
            tensor.copy_(torch.from_numpy(values.astype(np.float32)).view(tensor.shape))
    return net
