"""Painting inside PyTorch: GPU tensors in the current stream, and networks in place of modules.

Tensors on the GPU are painted there, in the current stream, without waiting. What fails on the GPU is raised by a later
call or by :meth:`styleforge.Network.synchronize`. A call may be captured in a CUDA graph after an ordinary call with the
same shape; do not replay the graph while other calls of the network run in other streams.
"""

from __future__ import annotations

import io
import itertools
import weakref
from typing import Any

import torch

from . import Network, load

__all__ = ["Fused", "fuse"]

# Pictures that are painted at once.
_BATCH = 8


def _folded(size: int, extended: int) -> list[int]:
    """Positions in an axis that is extended by reflection at its end."""
    period = max(2 * (size - 1), 1)
    return [min(at % period, (period - at % period) % period) if at >= size else at for at in range(extended)]


def _extension(net: Network, count: int, width: int, height: int, device: torch.device) -> Any:
    """Width and height of what the kernels read, and the rows and columns that extend a picture to them. Opens the
    session at the first call."""
    key = (count, width, height)
    if key not in net._sizes:
        if torch.cuda.is_current_stream_capturing():
            raise RuntimeError("call the network once with this shape before the capture")
        wide, high = net._native.prepare(*key)
        rows, columns = (
            torch.tensor(_folded(size, extended)[size:], device=device)
            for size, extended in ((height, high), (width, wide))
        )
        net._sizes[key] = wide, high, rows, columns
    return net._sizes[key]


def _paint(net: Network, x: torch.Tensor, out: torch.Tensor, value_range: float, clamp: bool) -> None:
    """Paints pictures with channels last, of which there are any number."""
    n, h, w, _ = x.shape
    is_float = x.dtype != torch.uint8
    captured = torch.cuda.is_current_stream_capturing()
    stream = torch.cuda.current_stream(x.device).cuda_stream
    for start in range(0, n, _BATCH):
        part, painted = x[start : start + _BATCH], out[start : start + _BATCH, :, :, :3]
        count = part.shape[0]
        width, height, rows, columns = _extension(net, count, w, h, x.device)
        levels = part[..., :3]
        if is_float:
            levels = levels.float() if value_range == 255 else levels.float() * (255 / value_range)
            levels = levels.clamp(0, 255).add_(0.5)
        rgba = torch.empty((count, height, width, 4), dtype=torch.uint8, device=x.device)
        rgba[:, :h, :w, :3] = levels
        if height != h:
            rgba[:, h:] = rgba.index_select(1, rows)
        if width != w:
            rgba[:, :, w:] = rgba.index_select(2, columns)
        shape, kind = ((count, 3, h, w), torch.float32) if is_float else ((count, h, w, 4), torch.uint8)
        # The caller's own memory, if it has the form that the kernels write.
        is_direct = (
            is_float and out.dtype == kind and out.shape[-1] == 3 and out.permute(0, 3, 1, 2).is_contiguous()
        )
        to = painted.permute(0, 3, 1, 2) if is_direct else torch.empty(shape, dtype=kind, device=x.device)
        net._native.queue((count, w, h), rgba.data_ptr(), to.data_ptr(), is_float, stream, captured)
        if not is_float:
            painted.copy_(to[..., :3])
            continue
        if clamp:
            to.clamp_(0, 255)
        if value_range != 255:
            to.mul_(value_range / 255)
        if not is_direct:
            painted.copy_(to.permute(0, 2, 3, 1))


def painted(
    net: Network, x: torch.Tensor, out: torch.Tensor | None, value_range: float, clamp: bool
) -> torch.Tensor:
    """Paints a tensor on a GPU."""
    if str(x.device) != net.device:
        raise ValueError(f"the tensor is on {x.device}, and the network on {net.device}; use x.to({net.device!r})")
    is_first = x.ndim >= 3 and x.shape[-3] in (3, 4)
    if not is_first and (x.ndim < 3 or x.shape[-1] not in (3, 4)) or x.numel() == 0:
        raise ValueError(f"the shape {tuple(x.shape)} is neither C x H x W nor H x W x C, with 3 or 4 channels")
    result = torch.empty_like(x) if out is None else out
    source, target = (t.movedim(-3, -1) if is_first else t for t in (x.detach(), result))
    flat = source.reshape(-1, *source.shape[-3:])
    channels = source.shape[-1]
    to = target.view(flat.shape) if target.ndim == 3 or target.ndim == 4 else None
    aside = torch.empty_like(flat) if to is None else to
    with torch.cuda.device(x.device):
        if channels == 4:
            aside[..., 3] = flat[..., 3]
        _paint(net, flat, aside, value_range, clamp)
        if to is None:
            target.copy_(aside.view(source.shape))
    return result


_networks: weakref.WeakValueDictionary[int, Network] = weakref.WeakValueDictionary()
_numbers = itertools.count()
_library = torch.library.Library("styleforge", "FRAGMENT")
_library.define("paint(Tensor x, int network, float value_range, bool clamp) -> Tensor")


def _run(x: torch.Tensor, network: int, value_range: float, clamp: bool) -> torch.Tensor:
    return _networks[network](x, value_range=value_range, clamp=clamp)


for _key in ("CPU", "CUDA"):
    _library.impl("paint", _run, _key)
torch.library.register_fake(
    "styleforge::paint", lambda x, network, value_range, clamp: torch.empty_like(x), lib=_library
)


class Fused(torch.nn.Module):
    """A network as a module. ``torch.compile`` keeps it as one operation, ``styleforge::paint``."""

    def __init__(self, net: Network, value_range: float, clamp: bool) -> None:
        super().__init__()
        self.net, self.value_range, self.clamp = net, value_range, clamp
        self._number = next(_numbers)
        _networks[self._number] = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Paints pictures, as the module does in whose place it is; ``N x C x H x W``."""
        if torch.compiler.is_compiling():
            result: torch.Tensor = torch.ops.styleforge.paint(x, self._number, self.value_range, self.clamp)
            return result
        return self.net(x, value_range=self.value_range, clamp=self.clamp)

    def extra_repr(self) -> str:
        return repr(self.net)


def fuse(
    module: torch.nn.Module,
    *,
    value_range: float = 255.0,
    clamp: bool = False,
    precision: str = "auto",
    variant: str = "fused",
) -> Fused:
    """The network of a trained module, such as Johnson's ``TransformerNet``, on the module's device.

    Its weights are copied, so later training does not change it. ``value_range`` is the value of white in its input and
    output. The result is not clamped, as that of the module; ``clamp=True`` limits it to the range. Inputs are rounded
    to 256 levels.

    Raises ``styleforge.CheckpointError`` if the module is not a supported network.

    ::

        fast = styleforge.torch.fuse(model)      # model(x) with x from 0 to 255
        with torch.no_grad():
            painting = fast(x)
    """
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    device = next(itertools.chain(module.parameters(), module.buffers())).device
    net = load(file.getvalue(), device=device, precision=precision, variant=variant)
    fused = Fused(net, value_range, clamp)
    fused.train(module.training)
    return fused
