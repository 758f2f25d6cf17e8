"""The hostile files of the corpus: each must be refused, quickly and by name.

The generator never loads any of them. Each entry is (file name, bytes, text that the refusal must contain, note).
"""

import json
import struct
import warnings
import zipfile

import numpy as np
import onnx
import torch
from hostile_pickles import FIRST, pickles, torch_zip
from onnx import TensorProto, helper, numpy_helper
from onnx_graph import StyleGraph
from torch_files import Archive, dict_of, first_legacy_format, program, saved, tensor, zipped


def changed(weights, **changes):
    """The weights with some replaced (or removed, for None)."""
    result = dict(weights)
    for key, value in changes.items():
        key = key.replace("__", ".")
        result.pop(key, None)
        if value is not None:
            result[key] = value
    return result


def state_file(weights, **lies):
    """A zip checkpoint of numpy weights; `lies` replaces tensor fields with false values."""
    archive = Archive()
    return zipped(archive.entries(program(dict_of(archive.state(weights, **lies)))))


def tensors(weights):
    """False shapes, strides and numbers; every refusal names the key."""
    first = weights[FIRST]
    size, count = first.shape, first.size
    nan, infinite = first.copy(), first.copy()
    nan[0, 1, 2, 2], infinite[0, 2, 0, 0] = np.nan, -np.inf
    huge = first.astype(np.float64)
    huge[0, 0, 0, 0] = 1e300
    lie = lambda **fields: state_file(weights, conv1__conv2d__weight=fields)
    swap = lambda **changes: state_file(changed(weights, **changes))
    norm_nan = weights["res1.in2.weight"].copy()
    norm_nan[0] = np.nan
    state = {k: torch.from_numpy(v) for k, v in weights.items()}
    cast = lambda dtype: saved({**state, FIRST: state[FIRST].to(dtype)})
    seventeen = dict(weights)
    for block in range(2, 18):
        for key, value in weights.items():
            if key.startswith("res1."):
                seventeen[f"res{block}{key[4:]}"] = value.astype(np.float16)
    block_gap = {k.replace("res1.", "res2."): v for k, v in weights.items()}
    even = {"deconv3__conv2d__weight": np.zeros((3, 1, 4, 4), np.float32)}
    inconsistent = {"conv2__conv2d__weight": np.zeros((2, 5, 3, 3), np.float32)}
    to_bomb = tensor("0", 4, 0, (1 << 15, 1 << 15, 3), (0, 0, 0))
    return [
        ("tensor_huge_size.pth", lie(size=(1 << 40, 1 << 20), stride=(1 << 20, 1)), [FIRST],
         "2^60 elements on a small storage"),
        ("tensor_overflowing_size.pth",
         lie(size=(1 << 62, 1 << 62), stride=(1, 1)), [FIRST], "2^124 elements"),
        ("tensor_negative_size.pth", lie(size=(-1, *size[1:])), [FIRST], "a side of -1"),
        ("tensor_negative_stride.pth", lie(stride=(27, 9, 3, -1)), [FIRST], "stride -1"),
        ("tensor_overflowing_stride.pth", lie(stride=((1 << 63) - 1, 1 << 62, 9, 1)), [FIRST],
         "strides of 2^62 and more"),
        ("tensor_offset_past_end.pth", lie(offset=1), [FIRST], "one element past the end"),
        ("tensor_huge_offset.pth", lie(offset=(1 << 63) - 1), [FIRST], "offset 2^63 - 1"),
        ("tensor_negative_offset.pth", lie(offset=-4), [FIRST], "offset -4"),
        ("tensor_huge_count.pth", lie(count=1 << 50), [FIRST], "a storage said to be 2^50 long"),
        ("tensor_short_count.pth", lie(count=count - 1), [FIRST],
         "a storage said to be one element short"),
        ("tensor_stride_count.pth", lie(stride=(9, 1)), [FIRST], "four sides, two strides"),
        ("tensor_expanded_bomb.pth",
         torch_zip(program(dict_of([(FIRST, to_bomb)])), [b"\0" * 16]), [FIRST],
         "3 * 2^30 elements on a storage of four, all strides 0"),
        ("tensor_storage_missing.pth", lie(key="77"), [FIRST], "names a storage that is not there"),
        ("tensor_storage_path.pth", lie(key="../../../../etc/passwd"), [FIRST],
         "a path as the storage's key"),
        ("tensor_wrong_storage.pth", lie(storage="DoubleStorage"), [FIRST],
         "said to be float64, half as long"),
        ("tensor_unknown_storage.pth", lie(storage="QInt8Storage"), ["QInt8Storage"], "quantised"),
        ("tensor_nan.pth", swap(conv1__conv2d__weight=nan), [FIRST], "one NaN"),
        ("tensor_infinite.pth", swap(conv1__conv2d__weight=infinite), [FIRST], "one -Inf"),
        ("tensor_nan_norm.pth", swap(res1__in2__weight=norm_nan), ["res1.in2.weight"],
         "a NaN in the scale of a norm"),
        ("tensor_infinite_fp16.pth", swap(conv1__conv2d__weight=infinite.astype(np.float16)),
         [FIRST], "-Inf in fp16"),
        ("tensor_too_large.pth", swap(conv1__conv2d__weight=huge), [FIRST],
         "1e300 in float64: infinite in fp32"),
        ("tensor_int64.pth", cast(torch.int64), [FIRST], "int64 weights"),
        ("tensor_bool.pth", cast(torch.bool), [FIRST], "bool weights"),
        ("tensor_complex.pth", cast(torch.complex64), [FIRST], "complex weights"),
        ("tensor_sparse.pth", saved({**state, FIRST: state[FIRST].to_sparse()}), ["sparse"],
         "a sparse tensor"),
        ("state_missing_key.pth", swap(res1__conv2__conv2d__bias=None),
         ["res1.conv2.conv2d.bias"], "a key left out"),
        ("state_missing_norm.pth", swap(in4__weight=None, in4__bias=None), ["in4.weight"],
         "a norm left out"),
        ("state_extra_key.pth", swap(attention__weight=first), ["attention.weight"],
         "a key that does not belong"),
        ("state_wrong_shape.pth", swap(conv2__conv2d__weight=np.zeros((1, 2, 3, 3), np.float32)),
         ["conv2.conv2d.weight"], "in and out swapped"),
        ("state_wrong_rank.pth", swap(conv1__conv2d__weight=first.reshape(-1)), [FIRST],
         "a vector for a convolution"),
        ("state_wrong_bias.pth", swap(conv3__conv2d__bias=np.zeros(9, np.float32)),
         ["conv3.conv2d.bias"], "a bias of the wrong length"),
        ("state_zero_side.pth", swap(conv1__conv2d__weight=np.zeros((0, 3, 3, 3), np.float32)),
         [FIRST], "no output channels"),
        ("state_even_kernel.pth", swap(**even), ["deconv3.conv2d.weight"], "a 4 x 4 kernel"),
        ("state_oblong_kernel.pth",
         swap(conv3__conv2d__weight=np.zeros((3, 2, 3, 5), np.float32)),
         ["conv3.conv2d.weight"], "a 3 x 5 kernel"),
        ("state_inconsistent_widths.pth", swap(**inconsistent), ["conv2.conv2d.weight"],
         "takes 5 channels where 1 arrives"),
        ("state_four_channels.pth",
         swap(conv1__conv2d__weight=np.zeros((1, 4, 3, 3), np.float32)), [FIRST],
         "a picture of four channels"),
        ("state_block_gap.pth", state_file(block_gap), ["res2"], "res2 without res1"),
        ("state_no_blocks.pth",
         state_file({k: v for k, v in weights.items() if not k.startswith("res")}), ["res1"],
         "no residual block"),
        ("state_17_blocks.pth", state_file(seventeen), ["16"], "one block too many"),
        ("state_duplicate_key.pth",
         duplicate_key(weights), [FIRST], "a key twice, with different weights"),
        ("state_prefix_collision.pth",
         state_file({**weights, f"module.{FIRST}": first + 1}), [FIRST],
         "a key with and without module."),
    ]


def duplicate_key(weights):
    archive = Archive()
    pairs = archive.state(weights)
    pairs.append((FIRST, archive.tensor(weights[FIRST] + 1)))
    return zipped(archive.entries(program(dict_of(pairs))))


def zips(weights):
    """Invalid archives."""
    whole = state_file(weights)
    archive = Archive()
    body = program(dict_of(archive.state(weights)))
    entries = archive.entries(body)
    twice = entries + [("archive/data/0", b"\0" * len(archive.storages[0]))]
    bomb = [("archive/data.pkl", b"]" * (20 << 20), zipfile.ZIP_DEFLATED), *entries[1:]]
    deflated = [(name, data, zipfile.ZIP_DEFLATED) for name, data in entries]
    two_roots = entries + [("other/data.pkl", body)]
    end = whole.rindex(b"PK\x05\x06")
    central = struct.unpack_from("<I", whole, end + 16)[0]
    sizes = bytearray(whole)
    struct.pack_into("<II", sizes, central + 20, 0xFFFFFFF0, 0xFFFFFFF0)
    encrypted = bytearray(whole)
    struct.pack_into("<H", encrypted, central + 8, 1)
    many = bytearray(whole)
    struct.pack_into("<HH", many, end + 8, 65535, 65535)
    far = bytearray(whole)
    struct.pack_into("<I", far, end + 16, 0xFFFFFF00)
    overlap = bytearray(whole)
    second = whole.index(b"PK\x01\x02", central + 4)
    third = whole.index(b"PK\x01\x02", second + 4)
    # The third entry's record points at the first one's data.
    struct.pack_into("<I", overlap, third + 42, 0)
    damaged = bytearray(whole)
    middle = whole.index(archive.storages[0]) + 100
    damaged[middle] ^= 0x10
    return [
        ("zip_duplicate_entry.pth", zipped_quietly(twice), ["archive/data/0"],
         "two entries of one name with different weights"),
        ("zip_path_tricks.pth",
         zipped([(name.replace("archive", "../../evil"), data) for name, data in entries]),
         ["../../evil"], "entries that climb out of the archive"),
        ("zip_absolute_path.pth",
         zipped([(name.replace("archive", "/tmp/evil"), data) for name, data in entries]),
         ["/tmp/evil"], "entries with absolute paths"),
        ("zip_deflate_bomb.pth", zipped(bomb), ["compress"], "20 MiB of pickle in 20 KB"),
        ("zip_deflated.pth", zipped(deflated), ["compress"],
         "compressed entries, which torch.save never writes"),
        ("zip_two_roots.pth", zipped(two_roots), ["data.pkl"], "two pickles to choose from"),
        ("zip_no_pickle.pth", zipped([e for e in entries if "pkl" not in e[0]]), ["data.pkl"],
         "no data.pkl"),
        ("zip_big_endian.pth", zipped(archive.entries(body, b"big")), ["endian"],
         "byteorder says big"),
        ("zip_size_lie.pth", bytes(sizes), [], "an entry said to be 4 GiB"),
        ("zip_encrypted.pth", bytes(encrypted), [], "an entry said to be encrypted"),
        ("zip_count_lie.pth", bytes(many), [], "said to have 65535 entries"),
        ("zip_far_directory.pth", bytes(far), [], "a directory past the end"),
        ("zip_overlapping.pth", bytes(overlap), [], "an entry that is another's bytes"),
        ("zip_damaged.pth", bytes(damaged), ["archive/data/0"], "one bit flipped: wrong CRC-32"),
        ("zip_truncated.pth", whole[: len(whole) * 2 // 3], [], "the last third is missing"),
        ("zip_empty.pth", zipped([]), ["data.pkl"], "an archive without entries"),
    ]


def zipped_quietly(entries):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return zipped(entries)


def legacy(weights):
    whole = first_legacy_format(weights, "cpu")
    size = weights[FIRST].size
    at = whole.index(struct.pack("<q", size) + weights[FIRST].tobytes())
    longer = whole[:at] + struct.pack("<q", 1 << 60) + whole[at + 8 :]
    negative = whole[:at] + struct.pack("<q", -size) + whole[at + 8 :]
    big = whole.replace(b"little_endianq\x02\x88", b"little_endianq\x02\x89")
    assert big != whole
    return [
        ("legacy_truncated_data.pth", whole[:-1000], [], "the last storages are cut off"),
        ("legacy_truncated_pickle.pth", whole[:900], [], "cut off inside the pickle"),
        ("legacy_huge_storage.pth", longer, [], "a storage of 2^60 elements"),
        ("legacy_negative_storage.pth", negative, [], "a storage of negative length"),
        ("legacy_big_endian.pth", big, ["endian"], "written on a big-endian machine"),
        ("legacy_trailing.pth", whole + b"\0" * 64, [], "bytes after the end"),
    ]


def safetensors(weights):
    header, data, offset = {}, b"", 0
    for key, value in weights.items():
        raw = value.tobytes()
        header[key] = {"dtype": "F32", "shape": list(value.shape),
                       "data_offsets": [offset, offset + len(raw)]}
        data, offset = data + raw, offset + len(raw)

    def file(head=None, body=data, length=None):
        raw = head if isinstance(head, bytes) else json.dumps(head or header).encode()
        return struct.pack("<Q", len(raw) if length is None else length) + raw + body

    def lie(**fields):
        return file({**header, FIRST: {**header[FIRST], **fields}})

    first, end = json.dumps({FIRST: header[FIRST]})[1:-1], header[FIRST]["data_offsets"][1]
    twice = json.dumps(header).encode()[:-1] + b"," + first.encode() + b"}"
    deep = b'{"__metadata__":' + b"[" * 5000 + b"]" * 5000 + b"}"
    nan = data[:16] + struct.pack("<f", float("nan")) + data[20:]
    return [
        ("header_past_end.safetensors", file(length=1 << 20), [], "header longer than the file"),
        ("header_huge.safetensors", file(length=(1 << 63) + 5), [], "header of 2^63 bytes"),
        ("header_not_json.safetensors", file(b"{not json at all}"), [], "no JSON"),
        ("header_deep.safetensors", file(deep), [], "JSON 5,000 levels deep"),
        ("header_empty.safetensors", file(b"{}", b""), [], "no tensors"),
        ("header_only_length.safetensors", b"\x08\0\0", [], "three bytes"),
        ("offsets_overlap.safetensors",
         lie(data_offsets=[4, end + 4]), [], "two tensors share bytes"),
        ("offsets_past_end.safetensors",
         lie(data_offsets=[1 << 40, (1 << 40) + end]), [], "past the end of the file"),
        ("offsets_reversed.safetensors", lie(data_offsets=[end, 0]), [], "end before start"),
        ("offsets_negative.safetensors", lie(data_offsets=[-4, end - 4]), [], "a negative offset"),
        ("shape_mismatch.safetensors", lie(shape=[1, 3, 3, 2]), [FIRST], "shape and bytes differ"),
        ("shape_overflow.safetensors", lie(shape=[1 << 40, 1 << 40]), [FIRST], "2^80 elements"),
        ("duplicate_key.safetensors", file(twice), [], "a key twice"),
        ("unknown_dtype.safetensors", lie(dtype="F13"), [], "dtype F13"),
        ("int32.safetensors", lie(dtype="I32"), [FIRST], "int32 weights"),
        ("truncated.safetensors", file(body=data[:-100]), [], "the last bytes are missing"),
        ("trailing.safetensors", file(body=data + b"\0" * 32), [], "bytes after the last tensor"),
        ("nan.safetensors", file(body=nan), [FIRST], "one NaN"),
        ("missing_key.safetensors",
         file({k: v for k, v in header.items() if k != "deconv3.conv2d.bias"}, data[:-12]),
         ["deconv3.conv2d.bias"], "a key left out"),
    ]


def onnx_files(weights):
    plain = lambda: StyleGraph(weights).model()

    def edited(edit, kind=StyleGraph):
        model = kind(weights).model()
        edit(model)
        return model.SerializeToString()

    def initializer(model, name=FIRST):
        return next(t for t in model.graph.initializer if t.name == name)

    def external(path):
        def edit(model):
            weight = initializer(model)
            weight.ClearField("raw_data")
            weight.data_location = TensorProto.EXTERNAL
            for key, value in (("location", path), ("offset", "0"), ("length", "108")):
                entry = weight.external_data.add()
                entry.key, entry.value = key, value
        return edited(edit)

    def dims(*values):
        return edited(lambda m: initializer(m).dims.__setitem__(slice(None), values))

    def cycle(model):
        nodes = model.graph.node
        nodes[0].input[0] = nodes[4].output[0]

    def swap_weight(array):
        return edited(lambda m: initializer(m).CopyFrom(numpy_helper.from_array(array, FIRST)))

    class Bomb(StyleGraph):
        """A weight that is computed: a constant of 2^40 elements."""

        def weight(self, key):
            if key != "conv1.conv2d.bias":
                return super().weight(key)
            return self.node("ConstantOfShape", self.constant([1 << 20, 1 << 20]))

    class Expanded(StyleGraph):
        def weight(self, key):
            if key != "conv1.conv2d.bias":
                return super().weight(key)
            return self.node("Expand", self.constant([1.0], np.float32),
                             self.constant([1 << 20, 1 << 20]))

    class Range(StyleGraph):
        def weight(self, key):
            if key != "conv1.conv2d.bias":
                return super().weight(key)
            limits = [self.constant(v, np.float32) for v in (0, 1e12, 1)]
            return self.node("Range", *limits)

    def nested(depth):
        """Graphs inside attributes of nodes inside graphs, as raw protobuf."""
        inner = b""
        for _ in range(depth):
            attribute = field(6, inner) if inner else b""
            inner = field(1, field(5, attribute))
        return b"\x08\x08" + field(7, inner)

    def field(tag, data):
        return varint(tag << 3 | 2) + varint(len(data)) + data

    def varint(value):
        out = b""
        while value > 127:
            out, value = out + bytes([value & 127 | 128]), value >> 7
        return out + bytes([value])

    whole = plain().SerializeToString()
    infinite = weights[FIRST].copy()
    infinite[0, 0, 0, 0] = np.inf
    duplicate = weights[FIRST] + 1
    return [
        ("external_absolute.onnx", external("/etc/passwd"), ["external"],
         "weights in an absolute path"),
        ("external_parent.onnx", external("../../secret.bin"), ["external"],
         "weights outside the folder"),
        ("external_beside.onnx", external("style.onnx.data"), ["external"],
         "weights in a file beside it, as the newer exporter writes by default"),
        ("truncated.onnx", whole[: len(whole) // 2], [], "the second half is missing"),
        ("dims_overflow.onnx", dims(1 << 62, 1 << 62, 3, 3), [FIRST], "2^124 elements"),
        ("dims_negative.onnx", dims(-1, 3, 3, 3), [FIRST], "a side of -1"),
        ("dims_huge.onnx", dims(1 << 30, 3, 3, 3), [FIRST], "far more elements than bytes"),
        ("raw_data_short.onnx", edited(lambda m: setattr(
            initializer(m), "raw_data", initializer(m).raw_data[:-4])), [FIRST],
         "one element short"),
        ("cycle.onnx", edited(cycle), [], "the first layer needs the second one's result"),
        ("missing_initializer.onnx",
         edited(lambda m: m.graph.initializer.remove(initializer(m))), [FIRST],
         "a weight that nothing defines"),
        ("duplicate_initializer.onnx",
         edited(lambda m: m.graph.initializer.append(
             numpy_helper.from_array(duplicate, FIRST))), [FIRST],
         "two weights of one name"),
        ("duplicate_output.onnx",
         edited(lambda m: m.graph.node.insert(1, m.graph.node[0])), [],
         "two nodes define one value"),
        ("no_graph.onnx", onnx.ModelProto(ir_version=8).SerializeToString(), [], "no graph"),
        ("no_nodes.onnx", edited(lambda m: m.graph.ClearField("node")), [], "no nodes"),
        ("nan_weight.onnx", swap_weight(weights[FIRST] * np.float32("nan")), [FIRST], "NaN"),
        ("infinite_weight.onnx", swap_weight(infinite), [FIRST], "one Inf"),
        ("int64_weight.onnx", swap_weight(weights[FIRST].astype(np.int64)), [FIRST], "int64"),
        ("wrong_shape.onnx",
         swap_weight(np.ascontiguousarray(weights[FIRST].transpose(1, 0, 2, 3))), [FIRST],
         "in and out swapped"),
        ("constant_bomb.onnx", Bomb(weights).model().SerializeToString(), [],
         "ConstantOfShape of 2^40 elements"),
        ("expand_bomb.onnx", Expanded(weights).model().SerializeToString(), [],
         "Expand to 2^40 elements"),
        ("range_bomb.onnx", Range(weights).model().SerializeToString(), [],
         "Range of 10^12 elements"),
        ("deep_graphs.onnx", nested(1500), [], "graphs in graphs, 1,500 deep"),
        ("long_field.onnx", b"\x08\x08\x3a\xff\xff\xff\xff\x0f" + b"\0" * 64, [],
         "a graph said to be 4 GiB"),
        ("opset_6.onnx", edited(lambda m: setattr(m.opset_import[0], "version", 6)), ["opset"],
         "below what is read"),
        ("two_outputs.onnx",
         edited(lambda m: m.graph.output.append(helper.make_tensor_value_info(
             m.graph.node[3].output[0], TensorProto.FLOAT, None))), [],
         "a second result"),
    ]


def others(weights):
    """Files that a failed download or a mistake leaves instead of a checkpoint."""
    page = b"<!DOCTYPE html>\n<html><head><title>404: Not Found</title></head></html>\n"
    pointer = (b"version https://git-lfs.github.com/spec/v1\n"
               b"oid sha256:" + b"4d" * 32 + b"\nsize 6735271\n")
    png = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + b"\0\0\x10\0" * 2 + b"\x08\x02\0\0\0" + b"\0" * 40
    noise = np.random.default_rng(9).integers(0, 256, 4096, dtype=np.uint8).tobytes()
    return [
        ("empty.pth", b"", [], "no bytes"),
        ("empty.onnx", b"", [], "no bytes"),
        ("empty.safetensors", b"", [], "no bytes"),
        ("web_page.pth", page, [], "an error page that was saved as a checkpoint"),
        ("web_page.onnx", page, [], "the same"),
        ("lfs_pointer.pth", pointer, ["LFS"], "a Git LFS pointer in place of the file"),
        ("lfs_pointer.safetensors", pointer, ["LFS"], "the same"),
        ("picture.pth", png, [], "a PNG"),
        ("noise.pth", noise, [], "random bytes"),
        ("noise.onnx", noise, [], "random bytes"),
        ("noise.safetensors", noise, [], "random bytes"),
    ]


def hostile(weights):
    """All of them, made from a tiny network's weights (1-2-3 channels, one block, 3 x 3 kernels throughout)."""
    groups = (tensors, zips, legacy, safetensors, onnx_files, others)
    return pickles() + [entry for group in groups for entry in group(weights)]
