"""Pickles that try to execute code or that never end.

They are assembled opcode by opcode and never loaded here; the commands inside are harmless. Each entry is (file name,
bytes, text that the refusal must contain, note).
"""

from torch_files import (
    Archive,
    dict_of,
    first_legacy_format,
    glob,
    program,
    tensor,
    text,
    tuple_of,
    zipped,
)

FIRST = "conv1.conv2d.weight"


def torch_zip(body, storages=()):
    archive = Archive()
    archive.storages = list(storages)
    return zipped(archive.entries(body))


def pickles():
    """Code instead of data, and data that never ends."""
    call = lambda module, name: glob(module, name) + tuple_of(text("echo never")) + b"R"
    stack_global = lambda module, name: text(module) + text(name) + b"\x93"
    after = lambda body: program(b"}(" + text("epoch") + body + b"u")
    plain = b"ctorch._utils\n_rebuild_tensor_v2\n"
    nested = 10_000
    doubling = b"]q\x00" + b"".join(
        b"](h" + bytes([i]) + b"h" + bytes([i]) + b"eq" + bytes([i + 1]) for i in range(60)
    )
    return [
        ("pickle_os_system.pth", torch_zip(program(call("os", "system"))), ["system"],
         "GLOBAL os.system, REDUCE"),
        ("pickle_os_system_legacy.pth", saved_legacy(call("posix", "system")), ["system"],
         "the same in a file without zip"),
        ("pickle_os_system_hidden.pth", torch_zip(after(call("os", "system"))), ["system"],
         "as the value of a harmless extra entry"),
        ("pickle_eval.pth",
         torch_zip(program(stack_global("builtins", "eval") + tuple_of(text("1+1")) + b"R", 4)),
         ["eval"], "STACK_GLOBAL builtins.eval, protocol 4"),
        ("pickle_dotted_global.pth",
         torch_zip(program(stack_global("torch", "serialization.os.system")
                           + tuple_of(text("echo never")) + b"R", 4)),
         ["system"], "an allowed module, a dotted name"),
        ("pickle_inst.pth", torch_zip(program(b"(" + text("echo never") + b"ios\nsystem\n")),
         ["system"], "INST"),
        ("pickle_obj.pth",
         torch_zip(program(b"(" + glob("os", "system") + text("echo never") + b"o")),
         ["system"], "OBJ"),
        ("pickle_newobj.pth",
         torch_zip(program(glob("subprocess", "Popen") + tuple_of(text("true")) + b"\x81")),
         ["Popen"], "NEWOBJ"),
        ("pickle_extension.pth", torch_zip(program(b"\x82\x01")), [], "EXT1"),
        ("pickle_reduce_on_text.pth", torch_zip(program(text("os.system") + b")R")), [],
         "REDUCE of a string"),
        ("pickle_getattr.pth",
         torch_zip(program(glob("builtins", "getattr")
                           + tuple_of(glob("torch", "FloatStorage"), text("__class__")) + b"R")),
         ["getattr"], "getattr"),
        ("pickle_build_on_allowed.pth",
         torch_zip(program(plain + dict_of([("__globals__", b"N")]) + b"b")), [],
         "BUILD on an allowed function"),
        ("pickle_cyclic_memo.pth",
         torch_zip(program(b"}q\x00" + text("state_dict") + b"h\x00s")), [],
         "a dict that is its own state_dict"),
        ("pickle_cyclic_list.pth",
         torch_zip(program(b"}" + text(FIRST) + b"]q\x00h\x00as")), [FIRST],
         "a list that contains itself in place of a tensor"),
        ("pickle_deep_lists.pth", torch_zip(program(b"]" * nested + b"a" * (nested - 1))), [],
         "lists, 10,000 deep"),
        ("pickle_deep_tuples.pth", torch_zip(program(b"N" + b"\x85" * nested)), [],
         "tuples, 10,000 deep"),
        ("pickle_deep_dicts.pth",
         torch_zip(program(b"}" + text("model") + b"q\x00" + b"}h\x00" * 2999 + b"}" + b"s" * 3000)), [],
         "`model` in `model`, 3,000 deep"),
        ("pickle_doubling.pth", torch_zip(program(doubling)), [],
         "60 lists, each twice the one before: 2^60 items if copied"),
        ("pickle_long_text.pth", torch_zip(program(b"X\xff\xff\xff\x7fabc")), [],
         "text of 2 GiB in a small file"),
        ("pickle_long_text8.pth", torch_zip(program(b"\x8d" + b"\xff" * 8 + b"abc", 4)), [],
         "text of 2^64 - 1 bytes"),
        ("pickle_long_integer.pth", torch_zip(program(b"\x8b\xff\xff\xff\x7f\x01")), [],
         "an integer of 2 GiB"),
        ("pickle_memo_index.pth", torch_zip(program(b"}r\xff\xff\xff\xff")), [],
         "memo slot 2^32 - 1"),
        ("pickle_unknown_memo.pth", torch_zip(program(b"h\x07")), [], "a memo slot never filled"),
        ("pickle_frame.pth", torch_zip(program(b"\x95" + b"\xff" * 8 + b"}", 4)), [],
         "a frame of 2^64 - 1 bytes"),
        ("pickle_stack_underflow.pth", torch_zip(program(b"u")), [], "SETITEMS on nothing"),
        ("pickle_no_stop.pth", torch_zip(b"\x80\x02}"), [], "ends without STOP"),
        ("pickle_unknown_opcode.pth", torch_zip(program(b"\xff")), [], "opcode 0xff"),
        ("pickle_protocol_99.pth", torch_zip(program(b"}", 99)), [], "protocol 99"),
        ("pickle_not_a_dict.pth", torch_zip(program(b"K\x2a")), [], "the number 42"),
        ("pickle_empty_dict.pth", torch_zip(program(b"}")), [], "no tensors at all"),
        ("pickle_key_not_text.pth",
         torch_zip(program(b"}(K\x01" + tensor("0", 1, 0, (1,), (1,)) + b"u"), [b"\0" * 4]), [],
         "a state dict with a number as key"),
    ]


def saved_legacy(body):
    """Five pickles as before PyTorch 1.6, with the given fourth one and no storages."""
    head = first_legacy_format({}, "cpu")
    empty = program(glob("collections", "OrderedDict") + b"](e\x85R")
    assert empty in head
    return head.replace(empty, program(body))
