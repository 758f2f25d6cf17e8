"""Pictures of all kinds as bytes with channels last, and back."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

# Paints bytes of pixels: with the number of channels, width, height, and whether the result is floats in planes.
Paint = Callable[[bytes, int, int, int, bool], bytes]

_TYPES = (np.uint8, np.float16, np.float32)
_SHAPES = "H x W x C or N x H x W x C, with 3 or 4 channels"


def name_of(x: Any) -> str:
    kind = type(x)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def painted(
    x: Any, out: Any, value_range: float, clamp: bool, paint: Paint, on_gpu: Callable[[Any, Any], Any] | None
) -> Any:
    """Paints ``x`` and returns the same kind, in ``out`` if that is not ``None``. ``on_gpu`` paints a tensor on the GPU."""
    if out is not None and type(out) is not type(x):
        raise TypeError(f"out is {name_of(out)}, and the picture {name_of(x)}")
    if isinstance(x, np.ndarray):
        return _array(x, out, value_range, clamp, paint)
    library = type(x).__module__.partition(".")[0]
    if library == "PIL":
        return _image(x, out, paint)
    if library == "torch":
        return _tensor(x, out, value_range, clamp, paint, on_gpu)
    if hasattr(x, "__dlpack__"):
        return _other(x, out, value_range, clamp, paint, on_gpu)
    raise TypeError(
        f"a picture is a NumPy array, a PIL image, a PyTorch tensor or has __dlpack__; this is {name_of(x)}"
    )


def _check_out(out: Any, x: Any) -> None:
    if tuple(out.shape) != tuple(x.shape) or out.dtype != x.dtype:
        raise ValueError(f"out is {out.dtype} {tuple(out.shape)}, and the picture {x.dtype} {tuple(x.shape)}")


def _array(x: Any, out: Any, value_range: float, clamp: bool, paint: Paint) -> Any:
    if x.dtype not in _TYPES:
        raise TypeError(f"a picture is uint8, float16 or float32, not {x.dtype}")
    if x.ndim < 3 or x.shape[-1] not in (3, 4) or x.size == 0:
        raise ValueError(f"the shape {x.shape} is not {_SHAPES}")
    if out is not None:
        _check_out(out, x)
    *_, height, width, channels = x.shape
    is_float = x.dtype != np.uint8
    levels = x
    if is_float:
        # A value that is not a number is black, as infinitely dark is.
        levels = np.nan_to_num(x.astype(np.float32) * np.float32(255 / value_range))
        levels = np.rint(np.clip(levels, 0, 255, out=levels), out=levels).astype(np.uint8)
    pixels = paint(levels.tobytes(), channels, width, height, is_float)
    if not is_float:
        result = np.frombuffer(bytearray(pixels), np.uint8).reshape(x.shape)
    else:
        colours = np.frombuffer(bytearray(pixels), np.float32).reshape(*x.shape[:-3], 3, height, width)
        if clamp:
            np.clip(colours, 0, 255, out=colours)
        result = np.empty(x.shape, x.dtype)
        result[..., :3] = np.moveaxis(colours, -3, -1) * np.float32(value_range / 255)
        result[..., 3:] = x[..., 3:]
    if out is None:
        return result
    np.copyto(out, result)
    return out


def _image(x: Any, out: Any, paint: Paint) -> Any:
    from PIL import Image

    if x.mode not in ("RGB", "RGBA"):
        x = x.convert("RGBA" if "A" in x.mode or "transparency" in x.info else "RGB")
    result = Image.fromarray(_array(np.asarray(x), None, 1.0, True, paint))
    if out is None:
        return result
    if (out.mode, out.size) != (result.mode, result.size):
        raise ValueError(f"out is {out.mode} {out.size}, and the picture {result.mode} {result.size}")
    out.paste(result)
    return out


def _channels_last(x: Any, transposed: Callable[[Any, int, int], Any]) -> tuple[Any, bool]:
    """The array with channels last, and whether it had them first."""
    if x.ndim >= 3 and x.shape[-3] in (3, 4):
        return transposed(x, -3, -1), True
    if x.ndim >= 3 and x.shape[-1] in (3, 4):
        return x, False
    raise ValueError(f"the shape {tuple(x.shape)} is neither C x H x W nor {_SHAPES}")


def _tensor(
    x: Any, out: Any, value_range: float, clamp: bool, paint: Paint, on_gpu: Callable[[Any, Any], Any] | None
) -> Any:
    torch = sys.modules["torch"]
    if x.requires_grad and torch.is_grad_enabled():
        raise NotImplementedError("there is no gradient; use torch.no_grad() or x.detach()")
    if x.dtype not in (torch.uint8, torch.float16, torch.bfloat16, torch.float32):
        raise TypeError(f"a picture is uint8, float16, bfloat16 or float32, not {x.dtype}")
    if out is not None:
        _check_out(out, x)
    if x.device.type != "cpu":
        if on_gpu is None or x.device.type != "cuda":
            raise ValueError(f"the tensor is on {x.device}, and the network on the CPU; use x.cpu()")
        return on_gpu(x, out)
    array = x.detach()
    array = (array.float() if x.dtype == torch.bfloat16 else array).numpy()
    last, is_first = _channels_last(array, np.moveaxis)
    result = torch.from_numpy(_array(last, None, value_range, clamp, paint))
    out = torch.empty_like(x) if out is None else out
    return out.copy_(result.movedim(-1, -3) if is_first else result)


def _other(
    x: Any, out: Any, value_range: float, clamp: bool, paint: Paint, on_gpu: Callable[[Any, Any], Any] | None
) -> Any:
    CPU = 1
    library: Any = sys.modules[type(x).__module__.partition(".")[0]]
    places: list[Any] = [library, getattr(library, "numpy", None), getattr(library, "dlpack", None)]
    back = next((place.from_dlpack for place in places if hasattr(place, "from_dlpack")), None)
    if x.__dlpack_device__()[0] != CPU:
        if on_gpu is None:
            raise ValueError("the array is on the GPU, and the network on the CPU")
        try:
            import torch
        except ImportError:
            raise NotImplementedError("arrays of this library are painted on the GPU with PyTorch; install it") from None
        to = None if out is None else torch.from_dlpack(out)
        result = _tensor(torch.from_dlpack(x), to, value_range, clamp, paint, on_gpu)
        return out if out is not None else back(result) if back else result
    array = np.from_dlpack(x)
    last, is_first = _channels_last(array, np.moveaxis)
    result = _array(last, None, value_range, clamp, paint)
    result = np.ascontiguousarray(np.moveaxis(result, -1, -3) if is_first else result)
    if out is not None:
        _check_out(out, x)
        np.copyto(np.from_dlpack(out), result)
        return out
    return back(result) if back else result
