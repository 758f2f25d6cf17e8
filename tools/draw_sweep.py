#!/usr/bin/env python3
"""Draws how cost grows: time and memory by image size, residual blocks and frames at once.

    styleforge bench --sweep --json > sweep.json
    python tools/draw_sweep.py sweep.json sweep.png
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

COLORS = {"full": "#5c7691", "lite": "#ba6222"}
UNITS = {"size": "megapixels", "blocks": "residual blocks", "batch": "frames at once"}


def along(axis: str, cost: dict) -> float:
    return cost["width"] * cost["height"] / 1e6 if axis == "size" else cost[axis]


def draw(report: dict, target: Path) -> None:
    figure, rows = pyplot.subplots(2, 3, figsize=(12, 7.2), layout="constrained")
    for series in filter(lambda series: series["costs"], report["series"]):
        axis, model, costs = series["axis"], series["model"], series["costs"]
        time, memory = rows[:, list(UNITS).index(axis)]
        x = [along(axis, cost) for cost in costs]
        color = COLORS[model]
        if series["method"] == "device":
            time.plot(x, [cost["host_ms"] for cost in costs], color=color, alpha=0.4)
        time.plot(x, [cost["device_ms"] for cost in costs], marker="o", color=color, label=model)
        memory.plot(x, [cost["peak_memory_bytes"] / 1e6 for cost in costs], marker="o", color=color)
    for (axis, unit), (time, memory) in zip(UNITS.items(), rows.T):
        place = "" if axis == "size" else ", 512x512"
        time.set_title(f"milliseconds{place}", loc="left")
        memory.set_title(f"megabytes of the plan{place}", loc="left")
        for panel in (time, memory):
            panel.set_xlabel(unit, loc="right")
            panel.grid(axis="y", alpha=0.4)
            if not panel.lines:
                panel.text(0.5, 0.5, "not measured", ha="center", transform=panel.transAxes)
            elif axis == "size":
                panel.set(xscale="log", yscale="log")
            else:
                panel.set_ylim(bottom=0)
    lines, names = rows[0, 0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside lower left", ncols=2, frameon=False)
    is_device = any(series["method"] == "device" for series in report["series"])
    clock = "device events; faint: host clock, with transfers" if is_device else "host clock"
    figure.suptitle(
        f"How cost grows: {report['mode']} on {report['device']}\n"
        f"random weights, median of {report['frames']} runs after {report['warmup_frames']}, {clock}; "
        f"StyleForge {report['version']}{'; stopped before its end' if report['stopped'] else ''}"
    )
    figure.savefig(target)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("report", type=Path, help="what bench --sweep --json prints")
    parser.add_argument("target", type=Path, help="the chart, for example sweep.png")
    arguments = parser.parse_args()
    draw(json.loads(arguments.report.read_text()), arguments.target)
