"""Times ONNX Runtime's CPU provider on picture networks.

    python tests/onnx/speed.py --size 512x512 --threads 2 --count 9 FILE.onnx ...

prints JSON: for each file the median, the fastest and the slowest time of one picture in milliseconds, floats to
floats, after two warm-up pictures. The files take turns, so that a machine that slows down affects all. Fixed sides in
a file take precedence over --size. Needs the packages of tools/requirements.txt.
"""

import argparse
import json
import platform
import statistics
import time
from pathlib import Path

import numpy as np
import onnxruntime

DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}


def opened(path, size, threads):
    """A session and the picture that it reads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    free = iter(size)
    sides = [1 if axis == 0 and not isinstance(side, int) else side for axis, side in enumerate(given.shape)]
    sides = [side if isinstance(side, int) else next(free) for side in sides]
    picture = np.random.default_rng(1).uniform(0, 255, sides).astype(DTYPES[given.type])
    return session, {given.name: picture}, sides


def main():
    options = argparse.ArgumentParser()
    options.add_argument("files", nargs="+", type=Path)
    options.add_argument("--size", default="512x512", help="HEIGHTxWIDTH")
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--count", type=int, default=9, help="pictures that count, for each file")
    options = options.parse_args()
    size = [int(side) for side in options.size.split("x")]

    sessions = {path: opened(path, size, options.threads) for path in options.files}
    times_ms = {path: [] for path in options.files}
    for turn in range(options.count + 2):
        for path, (session, picture, _) in sessions.items():
            start = time.perf_counter()
            session.run(None, picture)
            if turn >= 2:
                times_ms[path].append((time.perf_counter() - start) * 1000)
    print(json.dumps({
        "onnxruntime": onnxruntime.__version__, "machine": platform.machine(), "threads": options.threads,
        "count": options.count,
        "networks": [
            {"file": path.name, "input": "x".join(map(str, sessions[path][2])),
             "median_ms": round(statistics.median(times), 2), "fastest_ms": round(min(times), 2),
             "slowest_ms": round(max(times), 2)}
            for path, times in times_ms.items()],
    }, indent=1))


if __name__ == "__main__":
    main()
