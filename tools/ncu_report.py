#!/usr/bin/env python3
"""Profiles one frame with Nsight Compute and prints a row for each kernel, with its layer.

    python tools/ncu_report.py --binary target/release/styleforge --size 512x512 --precision fp16

The layers come from the NVTX ranges that StyleForge opens around the launches of a frame that is not replayed from a
graph. ncu runs every kernel several times to read all counters, and flushes the caches before each, so times are higher
than in a frame; `--clock-control none` does not lock the clocks. ncu is part of the CUDA toolkit and needs permission
to read the GPU's counters.

--print prints the command without running it; --read makes the table of a report that was saved by --csv, on any
computer.
"""

from __future__ import annotations

import argparse
import csv
import re
import shlex
import subprocess
from pathlib import Path

TIME = "gpu__time_duration.sum"
DRAM = "dram__bytes.sum.per_second"
TENSOR = "sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_elapsed"
OCCUPANCY = "sm__warps_active.avg.pct_of_peak_sustained_active"
REGISTERS = "launch__registers_per_thread"
METRICS = (TIME, DRAM, TENSOR, OCCUPANCY, REGISTERS)
RANGES = "thread Domain:Push/Pop_Range"
STALL = re.compile(r"smsp__average_warps_issue_stalled_(\w+)_per_issue_active\.ratio")
#: States of a warp that are not stalls.
WORKING = {"selected", "not_selected"}
#: Factors from ncu's units to those of the table: nanoseconds to microseconds, bytes per second to 1e9.
UNITS = {
    "ns": 1e-3, "us": 1.0, "ms": 1e3, "s": 1e6, "nsecond": 1e-3, "usecond": 1.0, "msecond": 1e3, "second": 1e6,
    "byte/s": 1e-9, "Kbyte/s": 1e-6, "Mbyte/s": 1e-3, "Gbyte/s": 1.0, "Tbyte/s": 1e3,
}  # fmt: skip


def command(arguments: argparse.Namespace) -> list[str]:
    """The command of ncu that runs StyleForge: one frame, launched kernel by kernel."""
    ncu = ["ncu", "--nvtx", "--nvtx-include", "frame/", "--clock-control", "none", "--csv", "--page", "raw"]
    ncu += ["--section", "WarpStateStats", "--metrics", ",".join(METRICS)]
    bench = [str(arguments.binary.resolve()), "bench", "--device", "cuda", "--size", arguments.size]
    bench += ["--variant", arguments.variant, "--precision", arguments.precision, "--frames", "1", "--warmup", "0"]
    if arguments.style:
        bench += ["--style", arguments.style]
    return ncu + bench


def number(text: str) -> float | None:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None


def table(report: str) -> list[list[str]]:
    """Header and rows of a report in CSV: layer, kernel, us, GB/s, tensor pipe, occupancy, registers, stall."""
    # The profiled program also prints; rows of the report are quoted.
    lines = csv.reader(line for line in report.splitlines() if line.startswith('"'))
    head, units, *rows = lines
    column = {name: at for at, name in enumerate(head)}
    ranges = next(at for name, at in column.items() if name.startswith(RANGES))

    def value(row: list[str], metric: str) -> float | None:
        at = column.get(metric)
        found = None if at is None else number(row[at])
        return None if found is None else found * UNITS.get(units[at], 1.0)

    def text(row: list[str], metric: str, form: str) -> str:
        found = value(row, metric)
        return "-" if found is None else format(found, form)

    found = [["Layer", "Kernel", "us", "DRAM GB/s", "Tensor %", "Occupancy %", "Registers", "Top stall"]]
    for row in rows:
        layers = re.findall(r'"<default domain>:([^:"]+):', row[ranges])
        stalls = {
            match[1]: number(row[at]) or 0.0
            for name, at in column.items()
            if (match := STALL.fullmatch(name)) and match[1] not in WORKING
        }
        worst = max(stalls, key=stalls.__getitem__, default="-")
        share = stalls.get(worst, 0.0) / (sum(stalls.values()) or 1.0)
        found.append([
            layers[-1] if layers else "-",
            row[column["Kernel Name"]],
            text(row, TIME, ".1f"),
            text(row, DRAM, ".0f"),
            text(row, TENSOR, ".1f"),
            text(row, OCCUPANCY, ".1f"),
            text(row, REGISTERS, ".0f"),
            f"{worst} {100 * share:.0f} %",
        ])  # fmt: skip
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", type=Path, default=Path("target/release/styleforge"))
    parser.add_argument("--size", default="512x512")
    parser.add_argument("--variant", default="fused")
    parser.add_argument("--precision", default="fp16")
    parser.add_argument("--style", help="name or file [default: random weights]")
    parser.add_argument("--csv", type=Path, help="keeps ncu's report")
    parser.add_argument("--read", type=Path, help="makes the table of such a report; runs nothing")
    parser.add_argument("--print", action="store_true", help="shows the command; runs nothing")
    arguments = parser.parse_args()
    if arguments.print:
        print(shlex.join(command(arguments)))
        return
    if arguments.read:
        report = arguments.read.read_text()
    else:
        done = subprocess.run(command(arguments), capture_output=True, text=True)
        report = done.stdout
        if done.returncode or '"Kernel Name"' not in report:
            raise SystemExit(f"ncu failed:\n{report[-2000:]}\n{done.stderr[-2000:]}")
        if arguments.csv:
            arguments.csv.write_text(report)
    rows = table(report)
    widths = [max(map(len, cells)) for cells in zip(*rows)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    total = sum(number(row[2]) or 0.0 for row in rows[1:])
    print(f"{len(rows) - 1} kernels, {total:.1f} us together, each with empty caches")


if __name__ == "__main__":
    main()
