#!/usr/bin/env python3
"""Makes the pictures of this folder, and what LittleCMS makes of each in sRGB.

    apt-get install libavif-bin libjxl-tools && pip install pillow numpy && python tests/pictures/colors/make.py

Each NAME.png, NAME.jpg or NAME.tiff is a grid of colours with a profile or with PNG chunks; NAME.srgb.png has the
same pixels in sRGB: by LittleCMS for profiles (relative colorimetric; for CMYK the profile's own intent and table), by
the formula of the PNG specification for chunks.
"""

import io
import itertools
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

HERE = Path(__file__).parent
D50 = (0.9642, 1.0, 0.8249)
SRGB = [(0.64, 0.33), (0.30, 0.60), (0.15, 0.06)]
D65 = (0.3127, 0.3290)
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def run(*command):
    subprocess.run([str(word) for word in command], check=True, capture_output=True)


def xyz(x, y):
    return np.array([x / y, 1.0, (1 - x - y) / y])


def matrix(primaries, white):
    """RGB to XYZ, adapted to D50."""
    columns = np.stack([xyz(*p) for p in primaries], axis=1)
    scaled = columns * np.linalg.solve(columns, xyz(*white))
    source, target = BRADFORD @ xyz(*white), BRADFORD @ np.array(D50)
    return np.linalg.inv(BRADFORD) @ np.diag(target / source) @ BRADFORD @ scaled


def fixed(value):
    return struct.pack(">i", round(value * 65536))


def curve(gamma):
    if gamma == "srgb":
        return b"para" + bytes(4) + struct.pack(">HH", 3, 0) + b"".join(
            map(fixed, (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
        )
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)


def text(words):
    return b"text" + bytes(4) + words.encode() + b"\0"


def described(words):
    return b"desc" + bytes(4) + struct.pack(">I", len(words) + 1) + words.encode() + b"\0" + bytes(78)


def profile(space, tags, kind=b"mntr", pcs=b"XYZ ", intent=1):
    tags = {b"desc": described("test"), b"cprt": text("CC0"), b"wtpt": b"XYZ " + bytes(4) + b"".join(map(fixed, D50)), **tags}
    table, data = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        table += name + struct.pack(">II", start + len(data), len(content))
        data += content
    body = table + data
    head = struct.pack(">I4sI4s4s4s", 128 + len(body), bytes(4), 0x02400000, kind, space, pcs) + bytes(12) + b"acsp"
    head += bytes(24) + struct.pack(">I", intent) + b"".join(map(fixed, D50))
    return head.ljust(128, b"\0") + body


def rgb_profile(primaries, white, gamma):
    columns = matrix(primaries, white).T
    tags = {name: b"XYZ " + bytes(4) + b"".join(map(fixed, c)) for name, c in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns)}
    return profile(b"RGB ", {**tags, **{name: curve(gamma) for name in (b"rTRC", b"gTRC", b"bTRC")}})


def ink_profile(grid=9, intent=1):
    """Inks that multiply the light of paper, with an own black."""
    levels = np.linspace(0, 1, grid)
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    to_lab = ImageCms.buildTransform(srgb, lab, "RGB", "LAB", ImageCms.Intent.RELATIVE_COLORIMETRIC)
    colors = []
    for c, m, y, k in itertools.product(levels, repeat=4):
        light = np.array([1 - 0.95 * c - 0.03 * m, 1 - 0.25 * c - 0.85 * m, 1 - 0.1 * c - 0.3 * m - 0.8 * y])
        colors.append(np.clip(255 * light.clip(0, 1) * (1 - 0.92 * k) + 4, 0, 250))
    picture = Image.fromarray(np.array([colors], dtype=np.uint8), "RGB")
    lab_bytes = np.asarray(ImageCms.applyTransform(picture, to_lab)).reshape(-1, 3).copy()
    # Pillow's a and b are signed, those of the table have an offset.
    lab_bytes[:, 1:] ^= 128
    ramp = bytes(range(256))
    table = b"mft1" + bytes(4) + bytes([4, 3, grid, 0]) + b"".join(fixed(v) for v in np.eye(3).ravel())
    table += 4 * ramp + lab_bytes.tobytes() + 3 * ramp
    return profile(b"CMYK", {b"A2B0": table, b"A2B1": table}, b"prtr", b"Lab ", intent)


def grid(channels):
    """48 x 40 colours, from dark to bright."""
    random = np.random.default_rng(7)
    smooth = np.linspace(0, 255, 48 * 40).reshape(40, 48, 1)
    noise = random.integers(0, 256, (5, 6, channels)).repeat(8, 0).repeat(8, 1)
    return np.clip(0.4 * smooth + 0.6 * noise, 0, 255).round().astype(np.uint8)


def in_srgb(picture, icc, flags, intent):
    srgb = ImageCms.createProfile("sRGB")
    source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    return ImageCms.profileToProfile(picture, source, srgb, intent, outputMode="RGB", flags=flags)


def with_profile(
    name, mode, icc, flags=ImageCms.Flags.NONE, intent=ImageCms.Intent.RELATIVE_COLORIMETRIC, **options
):
    pixels = grid(len(mode.replace("L", "1")) if mode != "L" else 1)
    picture = Image.fromarray(pixels[:, :, 0] if mode == "L" else pixels, mode)
    path = HERE / name
    picture.save(path, icc_profile=icc, **options)
    in_srgb(Image.open(path), icc, flags, intent).save(path.with_suffix(".srgb.png"), optimize=True)


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def encode(linear):
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055)


def with_chunks(name, chunks, linear):
    """A PNG with these chunks before its pixels; `linear` makes linear sRGB of its values."""
    pixels = grid(3)
    file = io.BytesIO()
    Image.fromarray(pixels, "RGB").save(file, "png", optimize=True)
    whole = file.getvalue()
    (HERE / name).write_bytes(whole[:33] + b"".join(chunk(*c) for c in chunks) + whole[33:])
    expected = encode(np.clip(linear(pixels / 255.0), 0, 1))
    expected = (255 * expected).round().astype(np.uint8)
    Image.fromarray(expected, "RGB").save((HERE / name).with_suffix(".srgb.png"), optimize=True)


def pq(nits):
    power = (np.clip(nits, 0, None) / 10000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def hlg(nits):
    """By the inverse of its gamma on luminance (ITU-R BT.2100)."""
    luminance = (nits @ [0.2627, 0.6780, 0.0593])[..., None] / 1000
    scene = np.clip(nits / 1000 / np.maximum(luminance, 1e-9) ** (1 - 1 / 1.2), 0, 1)
    bright = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright)


def deep_png(path, levels, chunks):
    """A PNG of 16 bits with these chunks."""
    height, width = levels.shape[:2]
    kind = 0 if levels.ndim == 2 else 2
    samples = (levels * 65535).round().astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in samples)
    head = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    parts = [(b"IHDR", head), *chunks, (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))


def hdr():
    """The same colours in HDR, in which white paper has 203 candelas, in all formats. They are not brighter than 80% of
    paper, so that no tone curve changes them. Needs avifenc (libavif-bin) and cjxl (libjxl-tools)."""
    bt2020 = [(0.708, 0.292), (0.170, 0.797), (0.131, 0.046)]
    pixels = (grid(3) * 0.9).round().astype(np.uint8)
    Image.fromarray(pixels, "RGB").save(HERE / "hdr.srgb.png", optimize=True)
    values = pixels / 255.0
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    to_bt2020 = np.linalg.inv(matrix(bt2020, D65)) @ matrix(SRGB, D65)
    nits = 203 * np.clip(linear @ to_bt2020.T, 0, None)
    gray = 203 * (linear @ [0.2126, 0.7152, 0.0722])
    level = (255 * encode(gray / 203)).round().astype(np.uint8)
    Image.fromarray(level, "L").convert("RGB").save(HERE / "hdr_gray.srgb.png", optimize=True)
    for name, levels, transfer, space, distance in (("pq", pq(nits), 16, "PeQ", 0.2), ("hlg", hlg(nits), 18, "HLG", 0)):
        deep_png(HERE / f"{name}.png", levels, [(b"cICP", bytes([9, transfer, 0, 1]))])
        limited = (levels * 219 + 16) * 256 / 65535
        deep_png(HERE / f"{name}_limited.png", limited, [(b"cICP", bytes([9, transfer, 0, 0]))])
        plain = HERE / "plain.png"
        deep_png(plain, levels, [])
        nclx = f"9/{transfer}/9"
        run("avifenc", "-s", "6", "-d", "10", "-y", "444", "--min", "0", "--max", "4", "--nclx", nclx, plain, HERE / f"{name}.avif")
        run("cjxl", plain, HERE / f"{name}.jxl", "-d", distance, "-x", f"color_space=RGB_D65_202_Rel_{space}")
        plain.unlink()
    cicp = b"cicp" + bytes(4) + bytes([9, 16, 0, 1])
    columns = matrix(bt2020, D65).T
    tags = {name: b"XYZ " + bytes(4) + b"".join(map(fixed, c)) for name, c in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns)}
    icc = profile(b"RGB ", {**tags, **{name: curve(2.2) for name in (b"rTRC", b"gTRC", b"bTRC")}, b"cicp": cicp})
    deep_png(HERE / "pq_icc.png", pq(nits), [(b"iCCP", b"PQ\0\0" + zlib.compress(icc))])
    deep_png(HERE / "pq_gray.png", pq(gray), [(b"cICP", bytes([9, 16, 0, 1]))])
    run("cjxl", HERE / "pq_gray.png", HERE / "pq_gray.jxl", "-d", "0", "-x", "color_space=Gra_D65_Rel_PeQ")


def main():
    hdr()
    p3 = [(0.680, 0.320), (0.265, 0.690), (0.150, 0.060)]
    adobe = [(0.64, 0.33), (0.21, 0.71), (0.15, 0.06)]
    prophoto = [(0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)]
    d50 = (0.3457, 0.3585)
    with_profile("display_p3.png", "RGB", rgb_profile(p3, D65, "srgb"))
    with_profile("adobe_rgb.png", "RGB", rgb_profile(adobe, D65, 2.2))
    with_profile("prophoto.png", "RGB", rgb_profile(prophoto, d50, 1.8))
    with_profile("swapped.png", "RGB", rgb_profile([SRGB[2], SRGB[1], SRGB[0]], D65, "srgb"))
    with_profile("linear.png", "RGB", rgb_profile(SRGB, D65, 1.0))
    with_profile("same.png", "RGB", rgb_profile(SRGB, D65, "srgb"))
    with_profile("grey.png", "L", profile(b"GRAY", {b"kTRC": curve(1.4)}))
    with_profile("inks.jpg", "CMYK", ink_profile(), quality=100, subsampling=0)
    # Without this flag LittleCMS interpolates in a coarse table.
    exact = ImageCms.Flags.NOOPTIMIZE
    with_profile("ink_levels.tiff", "CMYK", ink_profile(), flags=exact, compression="tiff_lzw")
    perceptual = ImageCms.Intent.PERCEPTUAL
    icc = ink_profile(intent=0)
    with_profile("ink_perceptual.tiff", "CMYK", icc, exact, perceptual, compression="tiff_lzw")
    with_chunks("gama.png", [(b"gAMA", struct.pack(">I", 100000))], lambda v: v)
    adapted = np.linalg.inv(matrix(SRGB, D65)) @ matrix(p3, D65)
    chromaticities = [D65, *p3]
    packed = b"".join(struct.pack(">II", round(x * 1e5), round(y * 1e5)) for x, y in chromaticities)
    with_chunks(
        "chrm.png",
        [(b"gAMA", struct.pack(">I", 55556)), (b"cHRM", packed)],
        lambda v: (v**1.8) @ adapted.T,
    )
    # ITU-T H.273: primaries 12 (P3), transfer 13 (sRGB), no matrix, full range.
    linear = lambda v: np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
    with_chunks("cicp.png", [(b"cICP", bytes([12, 13, 0, 1]))], lambda v: linear(v) @ adapted.T)


main()
