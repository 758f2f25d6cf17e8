"""Paints pictures in the style of a picture, on the CPU or an NVIDIA GPU.

>>> import numpy, styleforge
>>> net = styleforge.load("candy", model="lite", device="cpu")
>>> photo = numpy.zeros((48, 64, 3), numpy.uint8)
>>> net(photo).shape
(48, 64, 3)
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any, TypeVar

from . import _native, _pictures
from ._native import CheckpointError, DeviceLostError

__all__ = [
    "CheckpointError",
    "DeviceLostError",
    "Network",
    "from_pictures",
    "load",
    "styles",
]

_T = TypeVar("_T")
_PACKAGE = Path(__file__).parent
# In the source tree the styles are at its root.
_FOLDERS = [str(f) for f in (_PACKAGE / "styles", _PACKAGE.parent.parent / "styles") if f.is_dir()]
# By process, because neither threads nor a GPU's context survive a fork.
_devices: dict[tuple[int, str, int | None], _native.Device] = {}


def styles() -> list[str]:
    """The names that :func:`load` knows: the built-in styles, and those imported into StyleForge.

    >>> "candy" in styleforge.styles()
    True
    """
    return _native.styles(_FOLDERS)


def load(
    source: str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes],
    *,
    model: str | None = None,
    device: Any = "auto",
    precision: str = "auto",
    variant: str = "fused",
    threads: int | None = None,
    input_range: str | None = None,
    output_range: str | None = None,
    channel_order: str | None = None,
) -> Network:
    """Loads a network.

    ``source`` is the name of a style, the path of a file of weights (PyTorch, ONNX, safetensors) or of a picture, the
    bytes of a file of weights, or an open binary file. A path object always means a file.

    ``model`` is ``"full"`` or ``"lite"``, for styles only. ``device`` is ``"cpu"``, ``"cuda"``, ``"cuda:1"``,
    ``"auto"`` (a GPU if there is one; warns if not) or a ``torch.device``. ``precision`` is ``"auto"``, ``"fp32"``,
    ``"fp16x2"``, ``"tf32"``, ``"fp16"``, ``"bf16"``, ``"mixed"`` or ``"int8"``; ``variant`` is ``"fused"``,
    ``"fused-norm"`` or ``"baseline"``. ``threads`` limits the CPU's threads.

    Some files do not say what their network reads and makes: ``input_range`` and ``output_range`` are ``"0..255"``,
    ``"0..1"``, ``"-1..1"``, ``"imagenet"`` or ``"caffe"``, ``channel_order`` is ``"rgb"`` or ``"bgr"``.

    Raises ``FileNotFoundError``, ``CheckpointError`` (a ``ValueError``) if the file is broken or of another kind,
    ``ValueError`` for an unknown name, ``NotImplementedError`` if the device lacks the precision, ``RuntimeError`` if
    there is no such device.

    >>> styleforge.load("mosaic", model="lite", device="cpu")
    <styleforge.Network 'mosaic' lite on cpu, fused fp32>
    """
    if isinstance(source, os.PathLike):
        found: _native.Source = os.path.abspath(os.fspath(source))
    elif isinstance(source, str):
        found = source
    elif isinstance(source, (bytes, bytearray, memoryview)):
        found = bytes(source)
    elif hasattr(source, "read"):
        found = source.read()
        if not isinstance(found, bytes):
            raise TypeError("the file returned text; open it in binary mode")
    else:
        raise TypeError(f"load needs a name, a path, bytes or a file, not {_pictures.name_of(source)}")
    pixels = (input_range, output_range, channel_order)
    return Network(found, model, str(device), precision, variant, threads, pixels)


def from_pictures(
    pictures: Iterable[str | os.PathLike[str] | tuple[str | os.PathLike[str], float]],
    *,
    device: Any = "auto",
    precision: str = "auto",
    variant: str = "fused",
    threads: int | None = None,
) -> Network:
    """A network that paints in the style of pictures. Each is a path, or a path with its weight in the mix.

    The other arguments and errors are those of :func:`load`.

    >>> styleforge.from_pictures(["missing.jpg", ("other.jpg", 0.5)], device="cpu")
    Traceback (most recent call last):
    FileNotFoundError: there is no file missing.jpg
    """
    if isinstance(pictures, (str, os.PathLike)):
        pictures = [pictures]
    mix = [(p, 1.0) if isinstance(p, (str, os.PathLike)) else p for p in pictures]
    found = [(os.fspath(path), float(weight)) for path, weight in mix]
    return Network(found, None, str(device), precision, variant, threads)


def _device(text: str, threads: int | None) -> tuple[_native.Device, str]:
    """The device of this name, and its full name."""
    kind, _, number = text.partition(":")
    if kind not in ("auto", "cpu", "cuda") or (number and not (kind == "cuda" and number.isdecimal())):
        raise ValueError(f"{text!r} is not a device; use 'auto', 'cpu', 'cuda' or 'cuda:0'")
    torch = sys.modules.get("torch")
    if kind == "cuda" and not number:
        number = str(torch.cuda.current_device()) if torch and torch.cuda.is_available() else "0"
    here = os.getpid()
    if kind != "cpu" and any(d.is_gpu for (process, *_), d in _devices.items() if process != here):
        raise RuntimeError(
            "Cannot re-initialize CUDA in forked subprocess. "
            "To use CUDA with multiprocessing, you must use the 'spawn' start method"
        )
    name = f"cuda:{number}" if kind == "cuda" else kind
    key = (here, name, threads)
    if key not in _devices:
        _devices[key] = _native.Device(kind, int(number) if kind == "cuda" else None, threads)
    device = _devices[key]
    if device.notice:
        warnings.warn(device.notice, RuntimeWarning, stacklevel=4)
    if kind == "auto":
        name = "cuda:0" if device.is_gpu else "cpu"
    return device, name


class Network:
    """A network on a device; call it to paint. Any thread may call it; calls of one network take turns."""

    device: str
    """Where it paints: ``"cpu"`` or ``"cuda:0"``."""
    precision: str
    """The number format, such as ``"fp16"``."""
    variant: str
    """How the network is divided into kernels, such as ``"fused"``."""

    def __init__(
        self,
        source: _native.Source,
        model: str | None,
        device: str,
        precision: str,
        variant: str,
        threads: int | None,
        pixels: tuple[str | None, str | None, str | None] = (None, None, None),
    ) -> None:
        self._arguments = (source, model, device, precision, variant, threads, pixels)
        self._open()
        for note in self._native.notes:
            warnings.warn(note, UserWarning, stacklevel=3)

    def _open(self) -> None:
        source, model, device, precision, variant, threads, pixels = self._arguments
        opened, self.device = _device(device, threads)
        self._process = os.getpid()
        # What `torch` knows about sizes.
        self._sizes: dict[tuple[int, int, int], Any] = {}
        self._native = _native.Network(opened, source, _FOLDERS, model, precision, variant, pixels)
        self.precision, self.variant = self._native.precision, self._native.variant

    def __reduce__(self) -> Any:
        return Network, self._arguments

    def __repr__(self) -> str:
        source, model = self._arguments[:2]
        name = "bytes" if isinstance(source, bytes) else repr(source)
        size = f" {model}" if model else ""
        return f"<styleforge.Network {name}{size} on {self.device}, {self.variant} {self.precision}>"

    def __call__(
        self,
        x: _T,
        *,
        out: _T | None = None,
        value_range: float = 1.0,
        clamp: bool = True,
        progress: Callable[[float], Any] | None = None,
    ) -> _T:
        """Paints ``x`` and returns the same kind, shape, type and layout.

        ``x`` is a NumPy array with channels last (``H x W x C``, or any number of pictures ``N x H x W x C``), a PIL
        image, a PyTorch tensor with channels first or last (first, if both fit), or an array of another library with
        ``__dlpack__``. ``C`` is 3, or 4 with alpha, which is kept. Bytes are from 0 to 255; floats from 0 to
        ``value_range``, and are rounded to 256 levels before painting. The result is not rounded.

        ``out`` receives the result. ``clamp=False`` keeps floats beyond the range. ``progress`` is called with the
        completed share, from 0 to 1; what it raises ends the call, as Ctrl-C does.

        Raises ``TypeError`` for another type, ``ValueError`` for another shape, ``MemoryError``, and
        ``NotImplementedError`` for a tensor that requires a gradient.

        >>> net = styleforge.load("udnie", model="lite", device="cpu")
        >>> batch = numpy.full((2, 24, 32, 4), 0.5, numpy.float32)
        >>> net(batch, clamp=False).shape
        (2, 24, 32, 4)
        """
        if not 0 < value_range < float("inf"):
            raise ValueError(f"value_range is {value_range}; use a number above 0")
        if self._process != os.getpid():
            # A fork has lost the device's threads.
            self._open()

        def paint(pixels: bytes, channels: int, width: int, height: int, is_exact: bool) -> bytes:
            return self._native.paint(pixels, channels, width, height, is_exact, progress)

        def on_gpu(x: Any, out: Any) -> Any:
            from . import torch

            return torch.painted(self, x, out, value_range, clamp)

        there = None if self.device == "cpu" else on_gpu
        painted: _T = _pictures.painted(x, out, value_range, clamp, paint, there)
        return painted

    def inspect(self) -> dict[str, Any]:
        """What the file of weights contains, as ``styleforge inspect --json`` prints it.

        Raises ``ValueError`` for a network of :func:`from_pictures`, which has no file.

        >>> styleforge.load("candy", model="lite", device="cpu").inspect()["widths"]
        [16, 32, 64]
        """
        source, model = self._arguments[:2]
        facts: dict[str, Any] = json.loads(_native.inspect(source, _FOLDERS, model))
        return facts

    def synchronize(self) -> None:
        """Waits until everything is painted, and raises what failed meanwhile. Only GPU tensors are painted later.

        >>> styleforge.load("candy", model="lite", device="cpu").synchronize()
        """
        if self.device != "cpu":
            self._native.finish()
