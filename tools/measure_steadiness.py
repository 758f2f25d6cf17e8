#!/usr/bin/env python3
"""Measures what steadiness does to plain areas and to short changes; needs ffmpeg and numpy.

    python tools/measure_steadiness.py [--program target/release/styleforge] [--photo PHOTO] [--styles candy,mosaic]
        [--models lite,full] [--steadiness 60,100] [--width 320]

Paints a locked-off photo with faint noise (`noise=alls=4:allf=t`, x264 CRF 20). *Plain* is the mean Laplacian of the
steadied painting over that of the plain one, where the photo has no texture; 1 is right. *Kept* is how much of the
plain painting's change is left, in %, while a patch of the photo is blurred for 2 to 5 frames as by a blink: the
steadied change along the plain one, where the plain one changes. *After* is the change that is left over two frames
later. The photo's patch with the most detail is taken.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

import numpy as np

FRAMES = 24
BLINK_AT = 12
# Side of the patch and frames of the blink.
BLINKS = [(20, 3), (40, 2), (40, 5), (80, 3), (200, 3)]


def read(path, size, filters=()):
    """Frames (frame, row, column, channel) of a film, a photo, or numbered pictures."""
    words = ["-i", path, "-vf", ",".join([*filters, "format=rgb24"]), "-f", "rawvideo", "-fps_mode", "passthrough", "-"]
    made = subprocess.run(["ffmpeg", "-nostdin", "-v", "error", *map(str, words)], check=True, stdout=subprocess.PIPE)
    return np.frombuffer(made.stdout, np.uint8).reshape(-1, size[1], size[0], 3)


def write(path, frames):
    height, width = frames.shape[1:3]
    words = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", "25", "-i", "-",
             "-vf", "noise=alls=4:allf=t:all_seed=7", "-c:v", "libx264", "-crf", "20", "-pix_fmt", "yuv420p", path]
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", *map(str, words)], check=True, input=frames.tobytes())


def luma(frames):
    return frames @ np.float32([0.299, 0.587, 0.114])


def means(picture, side):
    """Means over `side` x `side` pixels, for pixels that far from the sides."""
    sums = np.pad(picture.cumsum(0, dtype=np.float64).cumsum(1), ((1, 0), (1, 0)))
    return (sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]) / side**2


def laplacian(frames):
    own = luma(frames)
    inner = 4 * own[:, 1:-1, 1:-1]
    return np.abs(inner - own[:, :-2, 1:-1] - own[:, 2:, 1:-1] - own[:, 1:-1, :-2] - own[:, 1:-1, 2:])


def plain(photo):
    """Where the photo has no texture: 1 pixel smaller on each side."""
    own = luma(photo)
    change = np.abs(np.diff(own, axis=0))[:, :-1] + np.abs(np.diff(own, axis=1))[:-1]
    calm = np.zeros(own.shape, bool)
    calm[8:-8, 8:-8] = means(change, 16)[:own.shape[0] - 16, :own.shape[1] - 16] < 4
    return calm[1:-1, 1:-1]


def blinked(photo, side, frames):
    """A still film in which the most detailed patch is blurred for a while, and the patch's mask."""
    side = min(side, *(length - 24 for length in photo.shape[:2]))
    own = luma(photo)
    change = np.abs(np.diff(own, axis=0))[:, :-1]
    detail = means(change[8:-8, 8:-8], side)
    y, x = (at + 8 for at in np.unravel_index(detail.argmax(), detail.shape))
    film = np.repeat(photo[None], FRAMES, 0)
    reach = max(side // 3, 5) | 1
    for channel in range(3):
        padded = np.pad(photo[y:y + side, x:x + side, channel], reach // 2, mode="edge")
        film[BLINK_AT:BLINK_AT + frames, y:y + side, x:x + side, channel] = means(padded, reach)
    mask = np.zeros(own.shape, bool)
    mask[y:y + side, x:x + side] = True
    return film, mask


def clips(photo):
    """Name, frames, the patch and how long it blinks."""
    yield "still", np.repeat(photo[None], FRAMES, 0), None, 0
    for side, frames in BLINKS:
        yield (f"{side} px, {frames} frames", *blinked(photo, side, frames), frames)


def kept(still, blink, mask, frames, at):
    """The change of a steadied painting along the plain one, from pairs (plain, steadied)."""
    change = [b[:, mask].astype(np.float32) - s[:, mask] for s, b in zip(still, blink)]
    plain = change[0][BLINK_AT:BLINK_AT + frames]
    if at < frames:
        own = change[1][BLINK_AT:BLINK_AT + frames]
        return (own * plain).sum() / (plain * plain).sum()
    return ((change[1] - change[0])[BLINK_AT + at] ** 2).mean() ** 0.5 / (plain**2).mean() ** 0.5


def row(photo, painted):
    """Judges pairs (plain, steadied) of the paintings of all `clips`."""
    calm = plain(photo)
    still = painted[0]
    ratio = [laplacian(frames[8:].astype(np.float32))[:, calm].mean() for frames in still]
    cells = [f"{ratio[1] / ratio[0]:.2f}"]
    for (_, _, mask, frames), blink in zip(list(clips(photo))[1:], painted[1:]):
        cells.append(f"{100 * kept(still, blink, mask, frames, 0):.0f} ({100 * kept(still, blink, mask, frames, frames + 2):.0f})")
    return cells


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="target/release/styleforge")
    parser.add_argument("--photo", default="assets/sample.jpg")
    parser.add_argument("--styles", default="candy,great_wave,mosaic,rain_princess,starry_night,udnie")
    parser.add_argument("--models", default="lite")
    parser.add_argument("--steadiness", default="60,100")
    parser.add_argument("--width", type=int, default=320)
    options = parser.parse_args()
    size = (options.width, options.width * 3 // 4 // 2 * 2)
    fit = [f"scale={size[0]}:{size[1]}:force_original_aspect_ratio=increase", f"crop={size[0]}:{size[1]}"]
    photo = read(options.photo, size, fit)[0]
    names = [name for name, *_ in clips(photo)]
    print("| style | model | steadiness | plain |", *(f"{name}: kept (after) |" for name in names[1:]))
    print("| --- | --- |" + " ---: |" * (1 + len(names)))
    with tempfile.TemporaryDirectory() as folder:
        films = [Path(folder, f"{number}.mkv") for number in range(len(names))]
        for film, (_, frames, *_) in zip(films, clips(photo)):
            write(film, frames)

        def painted(film, style, model, percent):
            to = Path(folder, "painted")
            words = ["stylize", film, "--style", style, "--model", model, "--steadiness", percent, "--device", "cpu",
                     "--codec", "ffv1", "--force", "--quiet", "-o", to.with_suffix(".mkv")]
            subprocess.run([options.program, *map(str, words)], check=True, stdout=subprocess.DEVNULL)
            return read(to.with_suffix(".mkv"), size)

        for style in options.styles.split(","):
            for model in options.models.split(","):
                unsteadied = [painted(film, style, model, 0) for film in films]
                for percent in options.steadiness.split(","):
                    steadied = [painted(film, style, model, percent) for film in films]
                    cells = row(photo, list(zip(unsteadied, steadied)))
                    print("|", " | ".join([style, model, percent, *cells]), "|", flush=True)


if __name__ == "__main__":
    main()
