"""Writes the seeds of the fuzz targets, one folder per target, below the given folder.

The seeds are the small files of the corpora in tests/, and small, otherwise valid files that contain extreme numbers,
which random changes of bytes almost never produce. Pictures are made by ImageMagick's convert.

    python3 fuzz/seeds.py FOLDER
"""

import io
import json
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Larger files of the corpora only slow down the search.
MAX_BYTES = 24 << 10
# A side length that no memory can hold; multiplied by a few other sides it still fits 64 bits.
HUGE = 1 << 50

# Pickles ---------------------------------------------------------------------


def glob(module, name):
    return f"c{module}\n{name}\n".encode()


def text(string):
    data = string.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def integer(value):
    data = value.to_bytes((value.bit_length() + 8) // 8, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def pickled(body):
    return b"\x80\x02" + body + b"."


def zipped(pickle, storages=()):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in [("a/data.pkl", pickle), ("a/byteorder", b"little")] + [
            (f"a/data/{i}", data) for i, data in enumerate(storages)
        ]:
            archive.writestr(zipfile.ZipInfo(name), data)
    return file.getvalue()


def tensor(size, stride, offset=0, count=4096):
    """A tensor of storage 0, as torch.save writes it."""
    identity = (
        b"(" + text("storage") + glob("torch", "FloatStorage") + text("0") + text("cpu")
        + integer(count) + b"tQ"
    )
    numbers = lambda values: b"(" + b"".join(map(integer, values)) + b"t"
    return (
        glob("torch._utils", "_rebuild_tensor_v2") + b"(" + identity + integer(offset)
        + numbers(size) + numbers(stride) + b"\x89" + glob("collections", "OrderedDict")
        + b")Rt" + b"R"
    )


def dict_of(pairs):
    return b"}(" + b"".join(text(key) + value for key, value in pairs) + b"u"


def nested_wrappers(entries, depth=4):
    """Dicts nested three deep, each stored many times under the same key."""
    body = text("model") + b"q\x00" + text("state_dict") + b"q\x01" + b"}q\x02"
    for level in range(depth):
        inner = bytes([2 + level])
        body += b"}(" + b"".join(
            b"h" + bytes([i % 2]) + b"h" + inner for i in range(entries)
        ) + b"uq" + bytes([3 + level])
    return pickled(body)


def repeated_ordered_dict(pairs, calls):
    """OrderedDict(pairs) of one list, repeated."""
    body = glob("collections", "OrderedDict") + b"q\x00" + text("k") + b"N\x86q\x01"
    body += b"](" + b"h\x01" * pairs + b"eq\x02\x85q\x03]" + b"(" + b"h\x00h\x03R" * calls + b"e"
    return pickled(body)


def pickles():
    for entries in (20, 200, 1000):
        yield f"wrappers_{entries}", nested_wrappers(entries)
    for pairs, calls in ((20, 20), (2000, 2000), (4000, 8000)):
        yield f"ordered_dict_{pairs}_{calls}", repeated_ordered_dict(pairs, calls)
    first = "conv1.conv2d.weight"
    weights = {
        "state": dict_of([(first, tensor((32, 3, 9, 9), (243, 81, 9, 1)))]),
        "wrapped": dict_of([("state_dict", dict_of([(first, tensor((1,), (1,)))]))]),
        "huge_side": dict_of([(first, tensor((HUGE, 0), (1, 1)))]),
        "huge_stride": dict_of([(first, tensor((2, 2), (HUGE, 1)))]),
        "expanded": dict_of([(first, tensor((HUGE, 3, 9, 9), (0, 0, 0, 0)))]),
        "many_sides": dict_of([(first, tensor((1,) * 2000, (1,) * 2000))]),
        "empty_sides": dict_of([(first, tensor((0,) * 2000, (1,) * 2000))]),
        "long_key": dict_of([("k" * 20000, tensor((1,), (1,)))]),
        "escapes": dict_of([("\x1b]0;x\x07\r\u202e" + first, tensor((1,), (1,)))]),
        "counter": dict_of([("epoch", integer(7)), ("epoch", b"K\x01")]),
    }
    for name, body in weights.items():
        yield name, pickled(body)


# ONNX ------------------------------------------------------------------------


def varint(value):
    value &= (1 << 64) - 1
    data = bytearray()
    while value >= 0x80:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)


def number(field, value):
    return varint(field << 3) + varint(value)


def part(field, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


def packed(field, values):
    return part(field, b"".join(map(varint, values)))


FLOAT, INT64 = 1, 7


def stored(name, dims, data=b"", kind=FLOAT):
    return part(5, packed(1, dims) + number(2, kind) + part(8, name) + part(9, data))


def integers(name, values):
    return stored(name, [len(values)], struct.pack(f"<{len(values)}q", *values), INT64)


def floats(name, values):
    return stored(name, [len(values)], struct.pack(f"<{len(values)}f", *values))


def node(operator, inputs, output, **attributes):
    data = b"".join(part(1, name) for name in inputs) + part(2, output) + part(4, operator)
    for name, value in attributes.items():
        if isinstance(value, int):
            inner = number(3, value) + number(20, 2)
        elif isinstance(value, bytes):
            inner = value
        elif isinstance(value, str):
            inner = part(4, value) + number(20, 3)
        else:
            inner = packed(8, value) + number(20, 7)
        data += part(5, part(1, name) + inner)
    return part(1, data)


def info(field, name, dims):
    sides = b"".join(part(1, number(1, side)) for side in dims)
    shape = part(1, number(1, FLOAT) + part(2, sides))
    return part(field, part(1, name) + part(2, shape))


def model(body, output, dims=(1, 3, 64, 96), opset=9):
    graph = body + info(11, "x", dims) + info(12, output, dims)
    return number(1, 4) + part(7, graph) + part(8, number(2, opset))


class Network:
    """Johnson's network of the given widths; all of its weights may be empty."""

    def __init__(self, last_dims, blocks=1):
        self.body, self.map, self.count = b"", "x", 0
        self.body += stored("a", [0, 3, 9, 9]) + stored("b", [0, 0, 3, 3]) + stored("n", [0])
        self.body += stored("z", last_dims) + floats("s", [1, 1, 2, 2])
        self.layer("a", 4)
        self.layer("b", 1, stride=2)
        self.layer("b", 1, stride=2)
        for _ in range(blocks):
            before = self.map
            self.layer("b", 1)
            self.layer("b", 1, relu=False)
            self.add("Add", self.map, before)
        for _ in range(2):
            self.add("Upsample", self.map, "s", mode="nearest")
            self.layer("b", 1)
        self.conv("z", 4)

    def add(self, operator, *inputs, **attributes):
        self.count += 1
        output = f"m{self.count}"
        self.body += node(operator, inputs, output, **attributes)
        self.map = output

    def conv(self, weight, pad, stride=1):
        self.add("Pad", self.map, mode="reflect", pads=[0, 0, pad, pad] * 2)
        self.add("Conv", self.map, weight, strides=[stride] * 2)

    def layer(self, weight, pad, stride=1, relu=True):
        self.conv(weight, pad, stride)
        self.add("InstanceNormalization", self.map, "n", "n")
        if relu:
            self.add("Relu", self.map)


def graphs():
    limits = dict(axes=[0], starts=[0], ends=[HUGE])
    empty = stored("e", [HUGE, 0], kind=INT64)
    yield "slice_empty_rows", model(empty + node("Slice", ["e"], "y", **limits), "y")
    yield "slice_inputs", model(
        empty + integers("b", [0]) + integers("f", [HUGE]) + node("Slice", ["e", "b", "f"], "y"),
        "y", opset=13,
    )
    for dims in ([0, HUGE], [HUGE, 0], [HUGE, 0, HUGE]):
        name = "_".join("h" if side else "0" for side in dims)
        flat = stored("e", dims, kind=INT64)
        perm = list(reversed(range(len(dims))))
        yield f"transpose_{name}", model(flat + node("Transpose", ["e"], "y", perm=perm), "y")
        yield f"gather_{name}", model(
            flat + integers("i", [0, 1]) + node("Gather", ["e", "i"], "y", axis=1), "y"
        )
        yield f"concat_{name}", model(flat + node("Concat", ["e"] * 9, "y", axis=0), "y")
        yield f"reshape_{name}", model(
            flat + integers("r", [HUGE, 0, 1]) + node("Reshape", ["e", "r"], "y"), "y"
        )
        yield f"add_{name}", model(
            flat + integers("one", [1]) + node("Add", ["e", "one"], "y"), "y"
        )
    yield "constant_of_shape", model(
        integers("d", [HUGE, 0]) + node("ConstantOfShape", ["d"], "e")
        + node("Slice", ["e"], "y", **limits), "y",
    )
    for name, last_dims in (("no_bias", [HUGE, 0, 9, 9]), ("empty_network", [3, 0, 9, 9])):
        network = Network(last_dims)
        yield name, model(network.body, network.map)
    for count in (60, 3000):
        wide = [HUGE] * count
        yield f"pads_{count}", model(node("Pad", ["x"], "y", mode="reflect", pads=wide), "y")
        yield f"strides_{count}", model(
            stored("w", [1, 3, 1, 1], bytes(12)) + node("Conv", ["x", "w"], "y", strides=wide), "y"
        )
        yield f"dilations_{count}", model(
            stored("w", [1, 3, 1, 1], bytes(12)) + node("Conv", ["x", "w"], "y", dilations=wide), "y"
        )
        scales = part(7, struct.pack(f"<{count}f", *([3e38] * count))) + number(20, 6)
        yield f"scales_{count}", model(
            node("Upsample", ["x"], "y", mode="nearest", scales=scales), "y", opset=8
        )
        yield f"dims_{count}", model(
            stored("w", wide) + node("Conv", ["x", "w"], "y"), "y"
        )
        yield f"input_dims_{count}", model(node("Relu", ["x"], "y"), "y", dims=wide)
        # Each value has its own tag instead of all values after one length.
        single = b"".join(number(8, value) for value in [0, 0, 1, 1] * count)
        yield f"unpacked_{count}", model(node("Pad", ["x"], "y", pads=single), "y")
        names = "".join(f"{i:04}" for i in range(count))
        yield f"name_{count}", model(node(names, ["x"], "y"), "y")
        inputs = b"".join(info(11, f"i{i}", [1, 3, 64, 64]) for i in range(count))
        yield f"inputs_{count}", model(inputs + node("Relu", ["x"], "y"), "y")
        shapes = b"".join(number(1, HUGE) for _ in range(count))
        yield f"unpacked_dims_{count}", model(
            part(5, shapes + number(2, FLOAT) + part(8, "w")) + node("Conv", ["x", "w"], "y"), "y"
        )
    column = integers("column", [-1, 1])
    for side in (1, 192, HUGE, -HUGE):
        # For a picture of 64 rows and 96 columns, 192 is twice the row length.
        rows = integers("row", [-1, side]) + integers("map", [-1, 3, 128, side])
        doubled = (
            node("Reshape", ["x", "column"], "a") + node("Add", ["a", "nothing"], "b")
            + node("Concat", ["a", "b"], "c", axis=1) + node("Reshape", ["c", "row"], "d")
            + node("Concat", ["d", "d"], "e", axis=1) + node("Reshape", ["e", "map"], "y")
        )
        nothing = stored("nothing", [], struct.pack("<f", 1e-9))
        yield f"doubled_{side}", model(column + rows + nothing + doubled, "y")
    planes = (
        integers("planes", [1, 3, 1, -1]) + stored("eps", [], struct.pack("<f", 1e-5))
        + stored("flat", [3], bytes(12)) + integers("sides", [-1, 3, 1, 1])
        + node("Reshape", ["x", "planes"], "p") + node("ReduceMean", ["p"], "m", axes=[3])
        + node("Sub", ["x", "m"], "d") + node("Mul", ["d", "d"], "q")
        + node("Reshape", ["q", "planes"], "r") + node("ReduceMean", ["r"], "v", axes=[3])
        + node("Add", ["v", "eps"], "e") + node("Sqrt", ["e"], "s") + node("Div", ["d", "s"], "n")
        + node("Reshape", ["flat", "sides"], "g") + node("Mul", ["n", "g"], "h")
        + node("Add", ["h", "g"], "y")
    )
    yield "planes", model(planes, "y")
    for count in (3, 2000):
        joined = column + node("Reshape", ["x", "column"], "a")
        yield f"joined_{count}", model(joined + node("Concat", ["a"] * count, "y", axis=1), "y")
    chain = b"".join(
        node("Add", [f"n{i}"] * 2, f"n{i + 1}") for i in range(500)
    )
    yield "chain", model(integers("n0", [1] * 4) + chain, "n500")
    spread = b"".join(node("Concat", [f"c{i}"] * 2, f"c{i + 1}", axis=0) for i in range(60))
    yield "doubling", model(integers("c0", [1]) + spread, "c60")


# Safetensors -----------------------------------------------------------------


def safetensors(header, data=b""):
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(header)) + header + data


def headers():
    entry = lambda shape, begin, end, dtype="F32": {
        "dtype": dtype, "shape": shape, "data_offsets": [begin, end]
    }
    titled = lambda title, **more: safetensors(
        {"__metadata__": {"title": title, **more}, "conv1.conv2d.weight": entry([1], 0, 4)}, bytes(4)
    )
    for count in (100, 65535, 65536, 65537):
        yield f"title_{count}", titled("t" * count)
    yield "wide_title", titled("\U0001f58c" * 16384)
    yield "escapes", titled("\x1b]0;x\x07\x1b[2J\r\n\u202egnp", artist="\x9b31m\0")
    yield "long_key", safetensors({"k" * 65536: entry([1], 0, 4)}, bytes(4))
    yield "empty_sides", safetensors({"conv1.conv2d.weight": entry([HUGE, 0, 9, 9], 0, 0)})
    yield "overflow", safetensors({"a": entry([1 << 33, 1 << 33], 0, 4)}, bytes(4))
    yield "many_sides", safetensors({"a": entry([1] * 5000, 0, 4)}, bytes(4))
    yield "many", safetensors({f"t{i}": entry([0], 0, 0) for i in range(800)})
    for dtype in ("F16", "BF16", "F64", "F8_E4M3", "I64", "BOOL", "F4"):
        yield f"type_{dtype}", safetensors({"a": entry([8], 0, 8, dtype)}, b"\xff" * 8)


# Pictures, frames, settings --------------------------------------------------


def frames():
    for kind in range(14):
        for width, height, stride in ((5, 3, 0), (4, 4, 32), (1, 1, 1), (0, 7, 3), (7, 0, 9)):
            head = struct.pack("<BBIII", kind, kind & 1, width, height, stride)
            yield f"{kind}_{width}x{height}_{stride}", head + bytes(range(120)) * 2
        most = (1 << 32) - 1
        yield f"{kind}_huge", struct.pack("<BBIII", kind, 0, most, most, most)


CHOICES = """
future = 1
[choices]
style = "candy"
model = "lite"
working_px = 640
strength = 35
keep_colors = true
output = "working"
theme = "dark"
format = "webp"
jpeg_quality = 80
ask_before_losing = false
[live]
source = "camera:Front"
camera_size = "640x480"
camera_fps = 30
camera_format = "mjpeg"
mirror = true
rotate = "90"
working_px = 384
target_fps = 30
model = "full"
mode = "fused-norm fp16"
compare_left = "auto baseline fp32"
compare_right = "cpu fused auto"
moving_gallery = false
[state]
open_folder = "/photos"
save_folder = "/paintings"
shows_photos = true
has_seen_hint = true
window_width = 1200
window_height = 800
"""


def settings():
    yield "whole", CHOICES.encode()
    for line in CHOICES.strip().splitlines():
        if "=" in line:
            for table in ("choices", "live", "state"):
                yield f"{table}_{line.split()[0]}", f"[{table}]\n{line}\n".encode()
    yield "wrong", b"[choices]\nstrength = 400\ntheme = 3\nstyle = [1]\nworking_px = -1\n"
    yield "no_tables", b"choices = 1\nlive = []\nstate = \"x\"\n"
    yield "extremes", (
        b"[live]\ntarget_fps = 9223372036854775807\nworking_px = -9223372036854775808\n"
        b"camera_size = \"4294967295x0\"\nsource = \"camera:\"\n[state]\nwindow_width = nan\n"
    )
    yield "unicode", "[choices]\nstyle = \"\\u202e\\u0000\U0001f58c\"\n".encode()
    yield "deep", b"a = " + b"[" * 500 + b"]" * 500


# -----------------------------------------------------------------------------


# Archives of networks: checkpoints of known families, picture networks of any kind, and networks for style pictures.
CORPORA = (
    "checkpoints/good", "checkpoints/foreign", "checkpoints/hostile", "onnx/networks/networks", "onnx/networks/refused",
    "golden/published", "golden/style_networks", "golden/transformer",
)


def corpus(place):
    """Files of an archive of networks: (name, bytes), the small ones."""
    with tarfile.open(ROOT / f"tests/{place}.tar.xz") as archive:
        for member in archive:
            path = Path(member.name)
            if member.isfile() and member.size <= MAX_BYTES and path.suffix in (".pth", ".pt", ".t7", ".onnx", ".safetensors"):
                yield f"{Path(place).name}_{path.name}", archive.extractfile(member).read()


def pickle_in(data):
    """The pickle of an archive, which the target puts into its own archive; None if the archive is damaged."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in archive.infolist():
                if entry.filename.endswith("data.pkl") and entry.file_size <= MAX_BYTES:
                    return archive.read(entry)
    except (zipfile.BadZipFile, RuntimeError, ValueError, NotImplementedError, EOFError):
        pass
    return None


# Ways of writing one small picture: (name, ImageMagick's options).
PICTURES = [
    ("grey.jpg", "-colorspace Gray"),
    ("444.jpg", "-sampling-factor 4:4:4"),
    ("420.jpg", "-sampling-factor 4:2:0"),
    ("422.jpg", "-sampling-factor 4:2:2 -define jpeg:restart-interval=2"),
    ("progressive.jpg", "-interlace JPEG"),
    ("arithmetic.jpg", "-define jpeg:arithmetic-coding=on"),
    ("8.png", ""),
    ("grey1.png", "-colorspace Gray -depth 1"),
    ("palette.png", "-type Palette -colors 5"),
    ("16.png", "-depth 16 -define png:bit-depth=16"),
    ("interlaced.png", "-interlace PNG"),
    ("24.bmp", ""),
    ("palette.bmp", "-type Palette -colors 5"),
    ("rle.bmp", "-type Palette -colors 5 -compress RLE"),
    ("2.bmp", "-define bmp:format=bmp2"),
    ("none.tiff", "-compress None"),
    ("lzw.tiff", "-compress LZW"),
    ("zip.tiff", "-compress Zip"),
    ("packbits.tiff", "-compress RLE"),
    ("fax.tiff", "-monochrome -compress Group4"),
    ("jpeg.tiff", "-compress JPEG"),
    ("planar.tiff", "-interlace Plane"),
    ("tiles.tiff", "-define tiff:tile-geometry=16x16"),
    ("one.gif", ""),
    ("interlaced.gif", "-interlace GIF"),
    ("lossy.webp", "-quality 60"),
    ("lossless.webp", "-define webp:lossless=true"),
    ("alpha.webp", "-alpha set -channel A -evaluate multiply 0.5"),
]


def without_tables(jpeg):
    """A JPEG without its Huffman tables, as many cameras send them."""
    kept, at = jpeg[:2], 2
    while jpeg[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if jpeg[at + 1] != 0xC4:
            kept += jpeg[at:end]
        at = end
    return kept + jpeg[at:]


def made_pictures():
    for name, options in PICTURES:
        kind = name.rsplit(".")[-1]
        command = ["convert", "-size", "19x13", "gradient:red-blue", *options.split(), f"{kind}:-"]
        done = subprocess.run(command, capture_output=True)
        if done.returncode == 0 and done.stdout:
            yield name, done.stdout
        else:
            print(f"{name} could not be made: {done.stderr.decode(errors='replace')}", file=sys.stderr)


def number(value):
    """A number of variable length, the highest seven bits first."""
    parts = [value >> shift & 0x7F for shift in range(0, max(value.bit_length(), 1), 7)]
    return bytes(part | (0x80 if place else 0) for place, part in reversed(list(enumerate(parts))))


def streams():
    """Streams in NUT with two pictures of 3 x 2 pixels. Checksums are not read."""
    startcodes = {
        "main": 0x4E4D7A561F5F04AD, "stream": 0x4E5311405BF2F9DB, "syncpoint": 0x4E4BE4ADEECA4569,
    }
    most = (1 << 64) - 1

    def packet(name, *values):
        content = b"".join(value if isinstance(value, bytes) else number(value) for value in values)
        return struct.pack(">Q", startcodes[name]) + number(len(content) + 4) + content + bytes(4)

    for name, codec, pixels, rest, later, ticks in (
        ("rgba", b"RGBA", 24, 0, 0, 5), ("yuv", b"I420", 10, 0, 0, 5), ("long-rest", b"RGBA", 24, most, 0, 5),
        ("late", b"RGBA", 24, 0, most - 1, 1 << 63), ("early", b"RGBA", 24, 0, most - 2, (1 << 63) + 1),
    ):
        # Flags, fields, time, size factor, stream, size, reserved, count.
        codes = [1 << 13, 6, 0, 1, 0, 0, 0, 1, 1 << 12, 6, later, 1, 0, rest, 0, 253, 1 << 13, 6, 0, 1, 0, 0, 0, 1]
        main = packet("main", 3, 1, 65536, 1, 1, 25, *codes, 0)
        stream = packet("stream", 0, 0, number(4) + codec, 0, 7, 1 << 40, 0, 0, 0, 3, 2, 1, 1, 0)
        # The second picture has a short time.
        frames = [
            packet("syncpoint", ticks, 0) + bytes([1]) + number(flags) + time + number(pixels) + bytes(pixels)
            for flags, time in ((1 << 3 | 1 << 5, number(ticks + 128)), (1 << 3 | 1 << 5, number(3)))
        ]
        yield f"{name}.nut", b"nut/multimedia container\0" + main + stream + b"".join(frames)


def parts():
    """Folders of a film's parts: names and contents, each ended by a zero. The hashes are those of a film without settings."""
    whole = (
        b"000000000-2-1-e7af11e6187621d6-0.mp4", b"part", b"000000002-1-0-a91c1a1d0deb54a1-2.mp4", b"next",
        b"000000003.steady", b"state",
    )
    most = (
        b"000000000-4294967295-1-e49601411278c457-0.mp4", b"most",
        b"4294967295-4294967295-1-b639ed16255ac6de-9223372036854775806.mp4", b"end",
    )
    for name, files in (
        ("whole", whole), ("most", most), ("early", (b"000000000-1-0-3bf2d437e65cc2b6--5.mp4", b"early")),
        ("damaged", (b"000000000-2-1-e7af11e6187621d6-0.mp4", b"other", *whole[2:4])),
        ("foreign", (b"notes\n000000000-1.txt", b"", b"000000000", b"", b"lock", b"")),
        ("unfinished", (b"000000002-8Zk2.unfinished.mp4", b"", b"parts.ffconcat", b"ffconcat")),
    ):
        yield name, b"\0".join((b"film.txt", b"", *files)) + b"\0"


# The beginning of a PNG of 30,000 x 30,000 pixels.
BOMB = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0)


def looks():
    """Looks: small pictures with texts."""
    def chunk(kind, data):
        whole = kind + data
        return struct.pack(">I", len(data)) + whole + struct.pack(">I", zlib.crc32(whole))

    pixels = chunk(b"IDAT", zlib.compress(b"\0\x10\x20\x30")) + chunk(b"IEND", b"")
    about = {"Strength": "60 %", "Colours": "the source's", "Detail": "400", "Steadiness": "30 %"}
    for name, texts in (
        ("trained", {"Style": "candy lite", "Style 1": "0123456789abcdef\n\n\n"}),
        ("file", {"Style": "own", "Style 1": "ff\n/tmp/own.pth\n\n", "Detail": "original"}),
        ("mix", {"Style": "a+b", "Mix": "a 60 %, b 40 %", "Style 2": "\n\n00ff10\nffd8ffe0"}),
        ("numbers", {"Style": "a", "Strength": "300 %", "Detail": "99999999999999999999"}),
        ("names", {"Style": "../../a\u202e\u0007", "Style 1": "ff\n../own.pth\n\n"}),
        ("bomb", {"Style": "a", "Style 1": f"\n\n00\n{BOMB.hex()}"}),
    ):
        chunks = b"".join(
            chunk(b"iTXt", key.encode() + b"\0\0\0\0\0" + text.encode()) for key, text in (about | texts).items())
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
        yield f"{name}.png", b"\x89PNG\r\n\x1a\n" + header + chunks + pixels


def main(folder):
    def write(target, name, data):
        path = folder / target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    for place in CORPORA:
        for name, data in corpus(place):
            target = Path(name).suffix.lstrip(".")
            if target in ("safetensors", "onnx"):
                write(target, name, data)
                continue
            write("pth", name, data)
            if data.startswith(b"PK\x03\x04"):
                inner = pickle_in(data)
                if inner:
                    write("pth", f"{name}.pkl", inner)
    # Files with these names are kept whether or not they add coverage.
    for name, data in pickles():
        write("pth", f"shape-{name}.pkl", data)
        write("pth", f"shape-{name}.pth", zipped(data, [bytes(4096)]))
    for target, seeds in (
        ("nut", streams()), ("onnx", graphs()), ("parts", parts()), ("safetensors", headers()),
        ("picture", looks()), ("pixels", frames()), ("settings", settings()),
    ):
        for name, data in seeds:
            write(target, f"shape-{name}", data)
    files = sorted(
        p for folder in ("tests/pictures", "tests/pictures/formats") for p in (ROOT / folder).iterdir()
        if p.is_file() and p.suffix not in (".rs", ".xz", ".py", ".heic") and ".expected." not in p.name)
    for name, data in [(path.name, path.read_bytes()) for path in files] + list(made_pictures()):
        write("picture", name, data)
        if name.endswith(".jpg"):
            write("mjpeg", name, data)
            write("mjpeg", f"bare_{name}", without_tables(data))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
