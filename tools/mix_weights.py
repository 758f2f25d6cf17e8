#!/usr/bin/env python3
"""Averages weights of one style and model, or of the network for any style picture, that come from successive
trainings.

    python tools/mix_weights.py --out mixed/udnie-lite.safetensors 0.25=first.safetensors 0.75=second.safetensors
    python tools/mix_weights.py --out mixed/any.safetensors 0.1=first/any.safetensors 0.9=second/any.safetensors

Networks of successive trainings can be averaged: the mean paints between them, with finer control than a training. The
shares must add up to 1.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from safetensors import safe_open

from any_net import read_any, save_any
from style_net import read_network, save_network


def parse_part(text: str) -> tuple[float, Path]:
    share, _, path = text.partition("=")
    return float(share), Path(path)


def is_any(path: Path) -> bool:
    """Whether a file contains a network for any style picture."""
    with safe_open(path, framework="pt") as file:
        return (file.metadata() or {}).get("style") == "any"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="+", type=parse_part, metavar="SHARE=FILE", help="the last has the metadata")
    parser.add_argument("--out", type=Path, required=True, help="STYLE-MODEL.safetensors, fp32; of any in fp16")
    arguments = parser.parse_args()
    shares = [share for share, _ in arguments.parts]
    if abs(sum(shares) - 1) > 1e-6:
        raise SystemExit(f"the shares add up to {sum(shares)}, not to 1")
    kinds = {is_any(path) for _, path in arguments.parts}
    if len(kinds) > 1:
        raise SystemExit("networks of one style and a network for any style picture do not mix")
    for_any = kinds.pop()
    networks = [(read_any if for_any else read_network)(path) for _, path in arguments.parts]
    states = [net.state_dict() for net, _ in networks]
    mixed = {name: sum(share * state[name] for share, state in zip(shares, states)) for name in states[-1]}
    recipes = [json.loads(metadata["training"]) for _, metadata in networks]
    record = {"mixed": [{"share": share, "training": recipe} for share, recipe in zip(shares, recipes)]}
    net, known = networks[-1]
    training = {"training": json.dumps(record)}
    if for_any:
        net.load_state_dict(mixed)
        save_any(arguments.out, net, {key: known[key] for key in ("style", "title", "credit", "date")} | training)
    else:
        metadata = {key: known[key] for key in ("style", "model", "network", "date")}
        save_network(arguments.out, mixed, metadata | training)


if __name__ == "__main__":
    main()
