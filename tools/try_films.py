#!/usr/bin/env python3
"""Tries what the tests of films are too short for; needs ffmpeg and Linux.

    python tools/try_films.py kills [--count 50] [--seed 1]
    python tools/try_films.py memory [--minutes 60]

`kills` paints a video with an irregular frame rate and sound, and kills the program at random times. The same command
continues each time until the film is finished; then the next film begins. Every finished film must have the frames,
times, decoded pixels and sound of an uninterrupted one.

`memory` paints a long video of 64x36 pixels, and prints the resident memory of the program and of its ffmpegs every
half minute. Memory may grow by at most 10 % and 8 MiB between the first quarter and the last one.

Both exit with 1 if something is wrong.
"""

import argparse
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def ffmpeg(*words):
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", *map(str, words)], check=True)


def painting(binary, clip, output):
    words = ["stylize", clip, "--style", "candy", "--model", "lite", "--quiet", "-o", output]
    return subprocess.Popen([binary, *map(str, words)], stdout=subprocess.DEVNULL)


def checksums(film):
    words = ["ffmpeg", "-nostdin", "-v", "error", "-i", film, "-map", "0", "-f", "framemd5", "-"]
    return subprocess.run(words, check=True, capture_output=True).stdout


def processes(word):
    """The processes whose command line contains this word, without this one."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if word.encode() in (folder / "cmdline").read_bytes() and int(folder.name) != os.getpid():
                found.append(int(folder.name))
        except OSError:
            pass
    return found


def rss_mib(pid):
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def kills(args, folder):
    clip, whole, output = folder / "clip.mp4", folder / "whole.mp4", folder / "painted.mp4"
    video = f"testsrc2=s=64x48:r=30:d={args.seconds},select='mod(n,5)'"
    ffmpeg("-f", "lavfi", "-i", video, "-f", "lavfi", "-i", f"sine=440:d={args.seconds}",
           "-fps_mode", "passthrough", "-c:v", "libx264", "-c:a", "aac", clip)
    began = time.monotonic()
    if painting(args.binary, clip, whole).wait() != 0:
        sys.exit("the uninterrupted film failed")
    took, expected = time.monotonic() - began, checksums(whole)
    print(f"uninterrupted: {took:.1f} s, {sum(line.startswith(b'0,') for line in expected.splitlines())} frames")
    killed, films, wrong = 0, 0, 0
    parts = output.with_name("painted.mp4.part")
    while killed < args.count or parts.exists():
        process = painting(args.binary, clip, output)
        try:
            # Once there were enough kills the film is finished.
            limit = random.uniform(0, took * 2 / 3) if killed < args.count else None
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
            if not output.exists():
                continue
            # Killed between the last step and the end of the process.
            code = 0
            shutil.rmtree(parts, ignore_errors=True)
        films += 1
        is_same = code == 0 and checksums(output) == expected
        wrong += not is_same
        print(f"film {films} after {killed} kills: {'same' if is_same else 'DIFFERENT'}", flush=True)
        output.unlink(missing_ok=True)
    time.sleep(2)
    left = processes(str(folder))
    print(f"{killed} kills, {films} films, {wrong} different, {len(left)} processes left running")
    return wrong == 0 and not left


def memory(args, folder):
    clip, output = folder / "clip.mp4", folder / "painted.mp4"
    video = f"testsrc2=s=64x36:r=25:d={60 * args.minutes}"
    ffmpeg("-f", "lavfi", "-i", video, "-c:v", "libx264", "-preset", "ultrafast", clip)
    process, began, rows = painting(args.binary, clip, output), time.monotonic(), []
    print("minutes   frames  program MiB  ffmpeg MiB")
    while process.poll() is None:
        if time.monotonic() - began >= args.every * (len(rows) + 1):
            ffmpegs = [pid for pid in processes(str(folder)) if pid != process.pid]
            parts = folder.glob("painted.mp4.part/0*-*.mp4")
            frames = sum(int(part.name.split("-")[1]) for part in parts if "unfinished" not in part.name)
            rows.append((rss_mib(process.pid), sum(map(rss_mib, ffmpegs))))
            minutes = (time.monotonic() - began) / 60
            print(f"{minutes:7.1f} {frames:8} {rows[-1][0]:12.1f} {rows[-1][1]:11.1f}", flush=True)
        time.sleep(0.2)
    if process.returncode != 0 or len(rows) < 4:
        sys.exit("the film failed, or was too short")
    quarter = len(rows) // 4
    is_flat = True
    for name, of in [("program", 0), ("ffmpeg", 1)]:
        first, last = (statistics.median(row[of] for row in part) for part in (rows[:quarter], rows[-quarter:]))
        is_flat &= last <= first * 1.1 + 8
        print(f"{name}: {first:.1f} MiB in the first quarter, {last:.1f} in the last, peak {max(r[of] for r in rows):.1f}")
    return is_flat


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["kills", "memory"])
    parser.add_argument("--binary", default="target/release/styleforge")
    parser.add_argument("--count", type=int, default=50, help="kills")
    parser.add_argument("--seconds", type=int, default=20, help="length of the video that is killed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60, help="length of the video for memory")
    parser.add_argument("--every", type=float, default=30, help="seconds between two lines")
    args = parser.parse_args()
    args.binary = str(Path(args.binary).resolve())
    random.seed(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        is_right = {"kills": kills, "memory": memory}[args.what](args, Path(folder))
    sys.exit(not is_right)


if __name__ == "__main__":
    main()
