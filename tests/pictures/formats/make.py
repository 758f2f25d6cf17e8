#!/usr/bin/env python3
"""Makes the pictures of this folder, and what the reference decoders (libavif and libtiff in Pillow, libjxl) make of each.

    apt-get install ffmpeg libavif-bin libjxl-tools libheif-examples && pip install pillow numpy pillow-jxl-plugin imagecodecs tifffile
    python tests/pictures/formats/make.py

NAME.expected.png is what the reference decoder returns, upright and in sRGB, and the same for several files if they
show the same pixels.
"""

import subprocess
import tempfile
from pathlib import Path

import imagecodecs
import numpy as np
import pillow_jxl  # noqa: F401
import tifffile
from PIL import Image, ImageCms

HERE = Path(__file__).parent
COLORS = HERE.parent / "colors"


def run(*command):
    subprocess.run([str(word) for word in command], check=True, capture_output=True)


def scene(width, height):
    """Smooth in one corner and steep in another, with every colour somewhere."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [127 + 120 * np.sin(x / a + y / b + c) for a, b, c in ((5, 9, 0), (7, 4, 2), (3, 11, 4))]
    return np.stack(waves, axis=2).round().astype(np.uint8)


def avif(place):
    small, even, flat = place / "small.png", place / "even.png", place / "flat.png"
    Image.fromarray(scene(38, 24)).save(even)
    pixels = scene(37, 23)
    Image.fromarray(pixels).save(small)
    best = ("-s", "6", "--min", "0", "--max", "12")
    for name, options in {
        "420": ("-y", "420"), "422": ("-y", "422"), "444": ("-y", "444"), "gray": ("-y", "400"),
        "limited": ("-r", "limited", "-y", "444"), "10bit": ("-d", "10"), "12bit": ("-d", "12", "-y", "444"),
        "lossless": ("-l",), "bt709": ("--nclx", "1/13/1"), "crop": ("--crop", "4,3,20,12", "-y", "444"),
    }.items():
        quality = () if name == "lossless" else best
        target = HERE / f"{name}.avif"
        # The last column and row of odd sides is interpolated by libavif, and not by the libyuv that it uses.
        source = even if name in ("420", "422", "10bit") else small
        run("avifenc", *quality, *options, source, target)
        decoded = Image.open(target)
        # Pillow does not crop.
        decoded = decoded.crop((4, 3, 24, 15)) if name == "crop" else decoded
        decoded.save(HERE / f"{name}.avif.expected.png")
    # Pillow drops the low bits before it converts to RGB.
    for name in ("10bit", "12bit"):
        run("avifdec", "-d", "16", HERE / f"{name}.avif", place / "deep.png")
        deep = imagecodecs.png_decode((place / "deep.png").read_bytes())
        Image.fromarray(np.round(deep[..., :3] / 257).astype(np.uint8)).save(HERE / f"{name}.avif.expected.png")
    Image.fromarray(scene(132, 136)).save(flat)
    run("avifenc", "--grid", "2x2", "-s", "6", "-y", "444", "--min", "20", "--max", "30", flat, HERE / "grid.avif")
    Image.open(HERE / "grid.avif").save(HERE / "grid.avif.expected.png")
    alpha = np.dstack([pixels, np.add.outer(np.arange(23), np.arange(37)).astype(np.uint8) * 4 + 1])
    Image.fromarray(alpha).save(place / "alpha.png")
    for name, options in {"alpha": (), "premultiplied": ("--premultiply",)}.items():
        run("avifenc", *best, "-y", "444", *options, place / "alpha.png", HERE / f"{name}.avif")
        Image.open(HERE / f"{name}.avif").save(HERE / f"{name}.avif.expected.png")
    # An orientation in EXIF becomes properties of the image.
    for orientation in range(2, 9):
        exif = Image.Exif()
        exif[0x112] = orientation
        name = f"turned{orientation}.avif"
        Image.fromarray(pixels).save(HERE / name, quality=95, subsampling="4:4:4", exif=exif, speed=6)
    Image.open(HERE / "turned2.avif").save(HERE / "turned.expected.png")
    exif = Image.Exif()
    exif[0x8298] = "(c) Jane Doe"
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" dc:rights="(c) Jane"/>'
    Image.fromarray(pixels).save(HERE / "described.avif", quality=50, exif=exif, xmp=xmp, speed=6)
    icc = Image.open(COLORS / "display_p3.png")
    icc.save(HERE / "icc.avif", quality=100, subsampling="4:4:4", icc_profile=icc.info["icc_profile"])
    run("avifenc", "-l", "--ignore-icc", "--nclx", "12/13/0", COLORS / "display_p3.png", HERE / "p3.avif")
    frames = [Image.fromarray(np.roll(pixels, 5 * n, 1)) for n in range(3)]
    frames[0].save(HERE / "moving.avif", save_all=True, append_images=frames[1:], quality=90)


def jxl(place):
    pixels = scene(37, 23)
    small = place / "small.png"
    Image.fromarray(pixels).save(small)
    for name, options in {
        "lossless": ("-d", "0"), "lossy": ("-d", "1"), "progressive": ("-d", "1", "-p"),
    }.items():
        run("cjxl", small, HERE / f"{name}.jxl", *options)
    wide = place / "wide.png"
    wide.write_bytes(imagecodecs.png_encode(pixels.astype(np.uint16) * 257))
    run("cjxl", wide, HERE / "16bit.jxl", "-d", "0")
    level = pixels / 255
    linear = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    for name, data in {
        "gray": pixels[..., 0], "alpha": np.dstack([pixels, pixels[..., 1]]), "linear": linear.astype(np.float32),
    }.items():
        # These have a container.
        (HERE / f"{name}.jxl").write_bytes(imagecodecs.jpegxl_encode(data, lossless=True, usecontainer=True))
    run("cjxl", COLORS / "display_p3.png", HERE / "p3.jxl", "-d", "0")
    shades = "gradients=s=1600x1000:c0=black:c1=white:x0=0:y0=0:x1=1600:y1=1000:d=1,format=gray"
    run("ffmpeg", "-f", "lavfi", "-i", shades, "-frames:v", "1", "-c:v", "libjxl", "-y", HERE / "gray.large.jxl")
    for name in ["lossy", "progressive"]:
        run("djxl", HERE / f"{name}.jxl", HERE / f"{name}.jxl.expected.png")
    Image.fromarray(pixels).save(HERE / "scene.expected.png")


def tiff(place):
    """Kinds of TIFF that show the same scene, as far as they can."""
    pixels = scene(37, 23)
    image = Image.fromarray(pixels)
    # Profiles of Pillow and LittleCMS: relative colorimetric, for a white of D50.
    lab = ImageCms.createProfile("LAB")
    srgb = ImageCms.createProfile("sRGB")
    in_lab = ImageCms.profileToProfile(image, srgb, lab, outputMode="LAB")
    in_lab.save(HERE / "lab.tiff", compression="tiff_lzw")
    # Without this flag LittleCMS interpolates in a coarse table.
    exact = ImageCms.Flags.NOOPTIMIZE
    back = ImageCms.profileToProfile(in_lab, lab, srgb, outputMode="RGB", flags=exact)
    back.save(HERE / "lab.tiff.expected.png")
    image.save(HERE / "jpeg.tiff", compression="jpeg", quality=95)
    Image.open(HERE / "jpeg.tiff").convert("RGB").save(HERE / "jpeg.tiff.expected.png")
    ycc = np.asarray(image.convert("YCbCr"))
    Image.fromarray(ycc, "YCbCr").convert("RGB").save(HERE / "ycbcr.tiff.expected.png")
    tifffile.imwrite(HERE / "ycbcr.tiff", ycc, photometric="ycbcr", subsampling=(1, 1), compression="lzw")
    bits = Image.fromarray(((pixels[..., 0] > 127) * 255).astype(np.uint8)).convert("1")
    bits.save(HERE / "fax4.tiff", compression="group4")
    bits.save(HERE / "fax3.tiff", compression="group3")
    bits.convert("RGB").save(HERE / "fax4.tiff.expected.png")
    colors = image.quantize(16)
    colors.save(HERE / "palette.tiff")
    colors.convert("RGB").save(HERE / "palette.tiff.expected.png")
    level = (pixels / 255).astype(np.float16)
    tifffile.imwrite(HERE / "half.tiff", level, photometric="rgb", compression="deflate")
    tifffile.imwrite(HERE / "big.tiff", pixels, photometric="rgb", bigtiff=True, compression="deflate")
    tifffile.imwrite(HERE / "planes.tiff", np.moveaxis(pixels, 2, 0), photometric="rgb", planarconfig="separate")
    tifffile.imwrite(HERE / "zstd.tiff", pixels, photometric="rgb", compression="zstd")
    with tifffile.TiffWriter(HERE / "thumbnail.tiff") as file:
        file.write(pixels[::4, ::4], photometric="rgb", subfiletype=1)
        file.write(pixels, photometric="rgb", compression="deflate")


def heic(place):
    small = place / "small.png"
    Image.fromarray(scene(64, 48)).save(small)
    run("heif-enc", "-q", "90", small, "-o", HERE / "phone.heic")
    run("heif-convert", HERE / "phone.heic", HERE / "phone.heic.expected.png")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        avif(Path(folder))
        jxl(Path(folder))
        tiff(Path(folder))
        heic(Path(folder))
