#!/usr/bin/env python3
"""Trains many styles at once, spread over the GPUs, and prints each training's last line.

    python tools/train_all.py --pictures style_pictures/ --photos photos/ --vgg vgg16.pth \
        --out trained/ --time-limit 300

Every training is a separate process. A GPU runs several, since one training alone leaves it idle between launches.
Arguments after `--` are passed to train_style.py.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import torch

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, required=True, help="folder of style pictures, STYLE.jpg")
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--vgg", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--init", type=Path, help="folder of STYLE/MODEL.safetensors to continue from")
    parser.add_argument("--time-limit", type=float, default=0, help="seconds of training for each")
    parser.add_argument("--only", nargs="*", default=[], metavar="STYLE-MODEL")
    parser.add_argument("rest", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()

    styles = tomllib.loads((HERE / "styles.toml").read_text())
    jobs = [(style, model) for model in ("full", "lite") for style in styles]
    if arguments.only:
        jobs = [job for job in jobs if "-".join(job) in arguments.only]
    arguments.out.mkdir(parents=True, exist_ok=True)
    gpus = itertools.cycle(range(max(1, torch.cuda.device_count())))
    running = []
    for (style, model), gpu in zip(jobs, gpus):
        command = [sys.executable, str(HERE / "train_style.py"), "--style", style, "--model", model]
        command += ["--picture", arguments.pictures / f"{style}.jpg", "--photos", arguments.photos]
        command += ["--vgg", arguments.vgg, "--out", arguments.out, "--set", f"time_limit_s={arguments.time_limit}"]
        if arguments.init:
            command += ["--init", arguments.init / style / f"{model}.safetensors"]
        command += [item for item in arguments.rest if item != "--"]
        log = arguments.out / f"{style}-{model}.log"
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": str(gpu), "OMP_NUM_THREADS": "4"}
        with log.open("w") as file:
            process = subprocess.Popen(list(map(str, command)), stdout=file, stderr=subprocess.STDOUT, env=environment)
        running.append((log, process))
    failed = 0
    for log, process in running:
        failed += process.wait() != 0
        print(log.stem, "exit", process.returncode, log.read_text().strip().splitlines()[-1:], flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
