"""Recorded speed ratios, so that a regression is noticed.

`ratios.json` contains them by device: what is compared, and how many times as fast ours was. A tool that measures
ratios passes them to ``check``, which fails if one has fallen by more than a tenth, and writes them with ``--record``.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

#: Minimum share of a recorded ratio.
LEAST_SHARE = 0.9

FILE = Path(__file__).with_name("ratios.json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--recorded", type=Path, default=FILE, help="the file of ratios that were measured before")
    parser.add_argument("--record", action="store_true", help="writes the ratios there instead of checking them")


def check(device: str, found: dict[str, float | None], arguments: argparse.Namespace) -> None:
    """Ends the program with 1 and the names of ratios that fell, including ratios that no longer exist (None)."""
    recorded = json.loads(arguments.recorded.read_text()) if arguments.recorded.exists() else {}
    known = recorded.setdefault(device, {})
    if arguments.record:
        known |= {name: round(ratio, 2) for name, ratio in found.items() if ratio is not None}
        arguments.recorded.write_text(json.dumps(recorded, indent=1) + "\n")
        return
    fallen = [
        f"{name}: {'not comparable' if ratio is None else f'{ratio:.2f}x'}, recorded {known[name]:.2f}x"
        for name, ratio in found.items()
        if name in known and (ratio is None or ratio < LEAST_SHARE * known[name])
    ]
    compared = sum(name in known for name in found)
    print(f"{compared} of {len(found)} ratios compared with those recorded for {device}: {len(fallen)} fell", file=sys.stderr)
    if fallen:
        sys.exit("\n".join(fallen))
