#!/usr/bin/env python3
"""Averages weights of one style and model that went on from each other.

    python tools/mix_weights.py --out mixed/udnie-lite.safetensors 0.25=first.safetensors 0.75=second.safetensors

Networks of one line of trainings can be averaged: the mean paints between them, more finely
dosed than a training hits it. The shares are of the whole and add up to 1.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from style_net import read_network, save_network


def parse_part(text: str) -> tuple[float, Path]:
    share, _, path = text.partition("=")
    return float(share), Path(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="+", type=parse_part, metavar="SHARE=FILE", help="the last gives the metadata")
    parser.add_argument("--out", type=Path, required=True, help="STYLE-MODEL.safetensors, fp32")
    arguments = parser.parse_args()
    shares = [share for share, _ in arguments.parts]
    if abs(sum(shares) - 1) > 1e-6:
        raise SystemExit(f"the shares add up to {sum(shares)}, not to 1")
    networks = [read_network(path) for _, path in arguments.parts]
    states = [net.state_dict() for net, _ in networks]
    mixed = {name: sum(share * state[name] for share, state in zip(shares, states)) for name in states[-1]}
    recipes = [json.loads(metadata["training"]) for _, metadata in networks]
    record = {"mixed": [{"share": share, "training": recipe} for share, recipe in zip(shares, recipes)]}
    keys = ("style", "model", "network", "date")
    metadata = {key: networks[-1][1][key] for key in keys} | {"training": json.dumps(record)}
    save_network(arguments.out, mixed, metadata)


if __name__ == "__main__":
    main()
