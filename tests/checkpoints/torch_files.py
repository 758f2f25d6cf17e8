"""The PyTorch files of the corpus: every form in which a state dict is stored.

`good` returns checkpoints of the same network and the same weights. `foreign` returns checkpoints of other networks,
which must run exactly or be refused by name. This file also contains a writer of torch's zip format that stores a
hand-made pickle, for files that torch.save would not write.
"""

import argparse
import collections
import datetime
import io
import pathlib
import pickle
import struct
import sys
import zipfile
from collections import OrderedDict

import numpy as np
import torch
from torch import nn


def saved(value, **options):
    file = io.BytesIO()
    torch.save(value, file, **options)
    return file.getvalue()


# Pickle opcodes by hand ------------------------------------------------------


def glob(module, name):
    return f"c{module}\n{name}\n".encode()


def text(string):
    data = string.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def number(value):
    if 0 <= value < 256:
        return b"K" + bytes([value])
    if -(2**31) <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    data = value.to_bytes((value.bit_length() + 8) // 8, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def tuple_of(*parts):
    return b"(" + b"".join(parts) + b"t"


def dict_of(pairs):
    return b"}(" + b"".join(text(k) + v for k, v in pairs) + b"u"


# Values that every tensor needs, kept in the memo after their first use.
COMMON = {
    250: glob("torch._utils", "_rebuild_tensor_v2"),
    251: text("storage"),
    252: text("cpu"),
    253: glob("collections", "OrderedDict"),
}


def tensor(key, count, offset, size, stride, storage="FloatStorage"):
    """A torch tensor as torch.save pickles it, of the storage named `key`."""
    recall = [b"h" + bytes([slot]) for slot in COMMON]
    identity = tuple_of(
        recall[1], glob("torch", storage), text(key), recall[2], number(count)
    )
    return (
        recall[0] + b"(" + identity + b"Q" + number(offset)
        + tuple_of(*map(number, size)) + tuple_of(*map(number, stride))
        + b"\x89" + recall[3] + b")Rt" + b"R"
    )


def program(body, protocol=2):
    """A complete pickle."""
    for slot, part in COMMON.items():
        body = body.replace(b"h" + bytes([slot]), part + b"q" + bytes([slot]), 1)
    return b"\x80" + bytes([protocol]) + body + b"."


def row_major(size):
    strides, step = [], 1
    for side in reversed(size):
        strides.insert(0, step)
        step *= side
    return strides


class Archive:
    """A zip checkpoint under construction; tensors are added one by one."""

    kinds = {"<f4": "FloatStorage", "<f2": "HalfStorage", "<f8": "DoubleStorage",
             "<i8": "LongStorage", "<c8": "ComplexFloatStorage"}

    def __init__(self):
        self.storages = []

    def tensor(self, array, **changes):
        """Stores an array; `changes` replaces count, offset, size or stride with false values."""
        array = np.ascontiguousarray(array)
        self.storages.append(array.tobytes())
        fields = {"key": str(len(self.storages) - 1), "count": array.size, "offset": 0,
                  "size": array.shape, "stride": row_major(array.shape),
                  "storage": self.kinds[array.dtype.str]}
        return tensor(**(fields | changes))

    def state(self, weights, **changes):
        """Pickles a whole state dict; `changes` maps a key (with double underscores instead of dots) to the fields that
        are replaced. Unchanged fp32 tensors share one storage."""
        changes = {k.replace("__", "."): v for k, v in changes.items()}
        shared = [k for k, v in weights.items() if v.dtype == np.float32 and k not in changes]
        self.storages.append(b"".join(weights[k].tobytes() for k in shared))
        common = {"key": str(len(self.storages) - 1), "count": len(self.storages[-1]) // 4}
        pairs, offset = [], 0
        for key, value in weights.items():
            if key in shared:
                fields = {"offset": offset, "size": value.shape, "stride": row_major(value.shape)}
                pairs.append((key, tensor(**common, **fields)))
                offset += value.size
            else:
                pairs.append((key, self.tensor(value, **changes.get(key, {}))))
        return pairs

    def entries(self, body, byteorder=b"little"):
        entries = [("archive/data.pkl", body), ("archive/byteorder", byteorder)]
        entries += [(f"archive/data/{i}", data) for i, data in enumerate(self.storages)]
        return entries + [("archive/version", b"3\n")]


def zipped(entries, method=zipfile.ZIP_STORED):
    """A zip file of (name, data) or (name, data, method), with reproducible bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data, *own in entries:
            info = zipfile.ZipInfo(name)
            info.compress_type = own[0] if own else method
            archive.writestr(info, data)
    return file.getvalue()


# What training scripts store around the weights --------------------------------


def pickled(value, protocol=2):
    """A plain Python value, for use inside another pickle."""
    data = pickle.dumps(value, protocol)
    # The number of the protocol, since protocol 4 the length of the frame, and the end.
    return data[11 if protocol > 3 else 2:-1]


def neighbours():
    """Values that training scripts store next to the weights; none of them matters for the weights."""
    history = collections.defaultdict(list)
    history["loss"].append(np.float32(0.5))
    return {
        "best": np.float64(1.25), "step": np.int64(7), "curve": np.arange(6.0).reshape(2, 3),
        "options": argparse.Namespace(lr=0.5, out=pathlib.PurePosixPath("runs/1")), "history": history,
        "started": datetime.datetime(2026, 11, 27, 12, 30), "took": datetime.timedelta(hours=2),
        "device": ("cpu", {1, 2}, frozenset([3]), complex(1, 2)),
    }


def wrapped(weights):
    """Checkpoints with the weights one level down, with a prefix, or next to other values: name, file, note, and what the
    reader says that it assumed."""
    other = {key: value * 0 for key, value in weights.items()}

    def prefixed(prefix):
        return {prefix + key: value for key, value in weights.items()}

    def file(protocol=2, **parts):
        """A dict of state dicts and of plain values."""
        archive = Archive()
        pairs = [(key, dict_of(archive.state(part)) if isinstance(part, dict) and set(part) & kinds
                  else pickled(part, protocol)) for key, part in parts.items()]
        return zipped(archive.entries(program(dict_of(pairs), protocol)))

    kinds = {prefix + key for prefix in ("", "model.", "module._orig_mod.") for key in weights}
    yield ("inner_lightning.pth", file(epoch=3, state_dict=prefixed("model."), hyper_parameters={"lr": 0.5}),
           "a checkpoint of PyTorch Lightning", "'model.'")
    yield ("inner_compiled.pth", file(model=prefixed("module._orig_mod.")),
           "a compiled network in DataParallel", None)
    for key in ("params", "generator", "net", "weights", "ema", "best_of_all"):
        yield f"inner_{key}.pth", file(**{key: weights}, iteration=9), f"weights under {key}", None
    for plain, averaged in (("params", "params_ema"), ("generator", "generator_ema"), ("model", "ema")):
        yield (f"averaged_{averaged}.pth", file(**{plain: other, averaged: weights}),
               f"weights under {averaged} and others under {plain}", f"under '{averaged}'")
    for protocol in (2, 5):
        yield (f"neighbours_protocol{protocol}.pth", file(protocol, state_dict=weights, **neighbours()),
               f"NumPy's numbers, dates, paths and options next to the weights, protocol {protocol}", None)


def ambiguous(weights):
    """Two sets of weights that fit, neither of which is an average."""
    archive = Archive()
    pairs = [(key, dict_of(archive.state(weights))) for key in ("net", "generator")]
    return zipped(archive.entries(program(dict_of(pairs))))


# Before PyTorch 1.6 ----------------------------------------------------------


def first_legacy_format(weights, location):
    """A file as PyTorch 0.2 or 0.3 wrote it: _rebuild_tensor (without v2), tensors that were on a GPU, five consecutive
    pickles, then the storages."""
    body, storages = b"", []
    for position, (key, array) in enumerate(weights.items()):
        identity = tuple_of(
            text("storage"), glob("torch.cuda" if location != "cpu" else "torch", "FloatStorage"),
            text(str(93824992231424 + 64 * position)), text(location), number(array.size), b"N",
        )
        rebuild = glob("torch._utils", "_rebuild_tensor") + tuple_of(
            identity + b"Q", number(0), tuple_of(*map(number, array.shape)),
            tuple_of(*map(number, row_major(array.shape))),
        ) + b"R"
        body += b"]" + b"(" + text(key) + rebuild + b"e"
        storages.append((str(93824992231424 + 64 * position), array))
    pairs = glob("collections", "OrderedDict") + b"](" + body + b"e\x85R"
    stream = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2)
    stream += pickle.dumps({"protocol_version": 1001, "little_endian": True,
                            "type_sizes": {"short": 2, "int": 4, "long": 4}}, 2)
    stream += program(pairs) + pickle.dumps([key for key, _ in storages], 2)
    for _, array in storages:
        stream += struct.pack("<q", array.size) + array.tobytes()
    return stream


# Names -----------------------------------------------------------------------


def stale_statistics(state):
    """Adds the running statistics that old instance norms saved and that are never used."""
    full = OrderedDict()
    for key, value in state.items():
        full[key] = value
        if value.dim() == 1 and key.endswith("bias") and ".conv2d." not in key:
            layer = key.removesuffix("bias")
            full[f"{layer}running_mean"] = torch.zeros_like(value) + 0.25
            full[f"{layer}running_var"] = torch.ones_like(value) * 3
            full[f"{layer}num_batches_tracked"] = torch.tensor(40000)
    return full


def styleforge_names(state, scale="weight", shift="bias"):
    """conv1.conv2d -> conv1.conv, in1 -> conv1.norm, res1 -> residual_blocks.0,
    in4 -> deconv1.norm, deconv3.conv2d -> deconv3.1."""
    norms = {"in1": "conv1", "in2": "conv2", "in3": "conv3", "in4": "deconv1", "in5": "deconv2"}
    learned = {"weight": scale, "bias": shift}
    renamed = OrderedDict()
    for key, value in state.items():
        parts = key.split(".")
        if parts[0].startswith("res"):
            prefix = f"residual_blocks.{int(parts[0][3:]) - 1}."
            parts = parts[1:]
            norms_here = {"in1": "conv1", "in2": "conv2"}
        else:
            prefix, norms_here = "", norms
        if parts[0] in norms_here:
            name = f"{norms_here[parts[0]]}.norm.{learned.get(parts[-1], parts[-1])}"
        elif parts[0] == "deconv3":
            name = f"deconv3.1.{parts[-1]}"
        else:
            name = f"{parts[0]}.conv.{parts[-1]}"
        renamed[prefix + name] = value
    return renamed


def rrmina_names(state):
    """ConvTranspose2d decoder: its weights are in x out x k x k."""
    names = {"conv1": "ConvBlock.0.conv_layer", "in1": "ConvBlock.0.norm_layer",
             "conv2": "ConvBlock.2.conv_layer", "in2": "ConvBlock.2.norm_layer",
             "conv3": "ConvBlock.4.conv_layer", "in3": "ConvBlock.4.norm_layer",
             "deconv1": "DeconvBlock.0.conv_transpose", "in4": "DeconvBlock.0.norm_layer",
             "deconv2": "DeconvBlock.2.conv_transpose", "in5": "DeconvBlock.2.norm_layer",
             "deconv3": "DeconvBlock.4.conv_layer"}
    inner = {"conv1": "conv1.conv_layer", "in1": "conv1.norm_layer",
             "conv2": "conv2.conv_layer", "in2": "conv2.norm_layer"}
    renamed = OrderedDict()
    for key, value in state.items():
        parts = key.split(".")
        if parts[0].startswith("res"):
            name = f"ResidualBlock.{int(parts[0][3:]) - 1}.{inner[parts[1]]}"
        else:
            name = names[parts[0]]
        if "transpose" in name and value.dim() == 4:
            value = value.transpose(0, 1).contiguous()
        renamed[f"{name}.{parts[-1]}"] = value
    return renamed


def one_storage(state):
    """All tensors as views of one storage, with gaps between them."""
    total = sum(value.numel() + 3 for value in state.values())
    everything, views, position = torch.full((total,), 1e30), OrderedDict(), 3
    for key, value in state.items():
        view = everything[position : position + value.numel()].view(value.shape)
        views[key] = view.copy_(value)
        position += value.numel() + 3
    return views


def strided(state):
    """Convolutions in channels-last order or transposed, vectors with stride 2."""
    changed = OrderedDict()
    for position, (key, value) in enumerate(state.items()):
        if value.dim() == 4 and position % 4 == 0:
            value = value.contiguous(memory_format=torch.channels_last)
        elif value.dim() == 4:
            value = value.permute(3, 1, 0, 2).contiguous().permute(2, 1, 3, 0)
        else:
            value = torch.stack([value, value * 0 - 9], dim=1)[:, 0]
        changed[key] = value
    return changed


def good(net):
    """(file name, bytes, family, note) for the same weights in many forms."""
    state = net.state_dict()
    plain = dict(state)
    arrays = {k: v.numpy() for k, v in state.items()}
    to = lambda dtype: OrderedDict((k, v.to(dtype)) for k, v in state.items())
    legacy = {"_use_new_zipfile_serialization": False}
    module = OrderedDict((f"module.{k}", v) for k, v in state.items())
    optimizer = torch.optim.Adam(nn.Linear(2, 2).parameters())
    optimizer.param_groups[0]["params"][0].grad = torch.ones(2, 2)
    optimizer.step()
    extras = {
        "epoch": 2, "loss": 0.5, "big": 2**70, "negative": -1, "name": "candy", "done": True,
        "nothing": None, "history": [1.0, 2.5, [3]], "size": (256, 256), "empty": (),
        "args": {"lr": 1e-3, "nested": {"deep": [None, False]}}, "raw": b"\x00\xff",
        "set": {1, 2}, "optimizer": optimizer.state_dict(), "torch_size": torch.Size([1, 3]),
        "dtype": torch.float32, "device": torch.device("cpu"),
    }
    example, ours = "pytorch/examples", "StyleForge"
    stats = stale_statistics(state)
    return [
        ("legacy_stale_stats.pth", saved(stats, **legacy), example,
         "before 1.6: no zip; 27 keys of running statistics that are not used"),
        ("legacy_first_format_cuda.pth", first_legacy_format(arrays, "cuda:0"), example,
         "PyTorch 0.2: _rebuild_tensor, torch.cuda.FloatStorage, location cuda:0"),
        ("legacy_plain_dict.pth", saved(plain, **legacy), example, "a dict, not an OrderedDict"),
        ("zip.pth", saved(state), example, "OrderedDict with a _metadata attribute"),
        ("zip_plain_dict.pth", saved(plain), example, "a dict"),
        ("zip_stale_stats.pth", saved(stats), example, "with running statistics"),
        ("zip_protocol4.pth", saved(state, pickle_protocol=4), example,
         "pickle protocol 4: frames, STACK_GLOBAL, MEMOIZE"),
        ("zip_fp16.pth", saved(to(torch.float16)), example, "HalfStorage"),
        ("zip_bf16.pth", saved(to(torch.bfloat16)), example, "BFloat16Storage"),
        ("zip_float64.pth", saved(to(torch.float64)), example, "DoubleStorage"),
        ("zip_shared_storage.pth", saved(one_storage(state)), example,
         "every tensor is a view of one storage, with an offset"),
        ("legacy_shared_storage.pth", saved(one_storage(state), **legacy), example,
         "the same without zip"),
        ("zip_strided.pth", saved(strided(state)), example,
         "channels-last and transposed tensors, vectors with stride 2"),
        ("zip_parameters.pth", saved(OrderedDict(net.named_parameters())), example,
         "values are nn.Parameter (_rebuild_parameter)"),
        ("wrapped_state_dict.pth", saved({**extras, "state_dict": state}), example,
         "a training checkpoint: numbers, lists, an optimiser with its own tensors beside it"),
        ("wrapped_model_legacy.pth", saved({"model": plain, "epoch": 1}, **legacy), example,
         "under `model`"),
        ("wrapped_model_state_dict.pth", saved({"model_state_dict": state, "epoch": 1}), example,
         "under `model_state_dict`"),
        ("module_prefix.pth", saved(module), example, "DataParallel's `module.`"),
        ("wrapped_module_prefix.pth", saved({"state_dict": module, "epoch": 7}), example,
         "`state_dict` around `module.`"),
        ("styleforge_weight_bias.pth", saved(styleforge_names(stats)), ours,
         "conv1.norm.weight and .bias, with running statistics"),
        ("styleforge_gamma_beta.pth",
         saved({"model": styleforge_names(state, "gamma", "beta")}), ours,
         "conv1.norm.gamma and .beta, under `model`"),
    ]


def foreign(net, tiny):
    """(file name, bytes, family, name of its result if it may run, text that a refusal contains, note)."""
    yakhyo = OrderedDict(
        (k.replace("deconv", "upsample_conv"), v) for k, v in net.state_dict().items()
    )
    state = tiny.state_dict()
    scale_shift = OrderedDict()
    for key, value in state.items():
        if ".conv2d." not in key:
            key = key.replace("weight", "scale").replace("bias", "shift")
        scale_shift[key] = value
    resnet = OrderedDict([("conv1.weight", torch.ones(4, 3, 7, 7)), ("bn1.weight", torch.ones(4)),
                          ("layer1.0.conv1.weight", torch.ones(4, 4, 3, 3)),
                          ("fc.bias", torch.ones(10))])
    script = io.BytesIO()
    torch.jit.save(torch.jit.trace(nn.Conv2d(3, 1, 3), torch.zeros(1, 3, 8, 8)), script)
    # Pickled as from a user's own script: the class is in __main__.
    kind = type(tiny)
    home, kind.__module__ = kind.__module__, "__main__"
    setattr(sys.modules["__main__"], kind.__name__, kind)
    whole = saved(tiny)
    kind.__module__ = home
    return [
        ("yakhyo.pth", saved(yakhyo), "yakhyo", "yakhyo.output", [],
         "upsample_conv names; each residual block adds its input twice"),
        ("rrmina.pth", saved(rrmina_names(state)), "rrmina", "rrmina.output", [],
         "transposed convolutions, BGR"),
        ("scale_shift.pth", saved(scale_shift), "unknown", None, ["in1.scale"],
         "norms of 2017 with scale and shift (eps 1e-9)"),
        ("resnet.pth", saved(resnet), "unknown", None, ["layer1.0.conv1.weight"],
         "a state dict of something else"),
        ("whole_module.pth", whole, "unknown", None, ["TransformerNet"],
         "torch.save(model): names a class, not only tensors"),
        ("torchscript.pt", script.getvalue(), "unknown", None, ["TorchScript"],
         "a TorchScript archive (has constants.pkl and code/)"),
        ("jcjohnson.t7", torch7(), "jcjohnson", None, ["Torch7"], "the first objects of a .t7"),
    ]


def torch7():
    """The start of a Torch7 file: a table whose `model` is an nn.Sequential."""
    integer = lambda value: struct.pack("<i", value)
    string = lambda value: integer(len(value)) + value.encode()
    table, torch_object, string_kind, number_kind = 3, 4, 2, 1
    return b"".join([
        integer(table), integer(1), integer(2),
        integer(string_kind), string("model"),
        integer(torch_object), integer(2), string("V 1"), string("nn.Sequential"),
        integer(table), integer(3), integer(1),
        integer(string_kind), string("modules"),
        integer(table), integer(4), integer(1),
        integer(number_kind), struct.pack("<d", 1.0),
        integer(torch_object), integer(5), string("V 1"), string("nn.SpatialReflectionPadding"),
        integer(table), integer(6), integer(0),
        integer(string_kind), string("opt"),
        integer(table), integer(7), integer(0),
    ])
