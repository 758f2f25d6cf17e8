from collections.abc import Callable
from os import PathLike
from typing import Any

Source = str | bytes | list[tuple[str, float]]

class CheckpointError(ValueError): ...
class DeviceLostError(RuntimeError): ...

class Device:
    def __new__(cls, kind: str, gpu: int | None, threads: int | None) -> Device: ...
    @property
    def notice(self) -> str | None: ...
    @property
    def is_gpu(self) -> bool: ...
    @property
    def name(self) -> str: ...

class Network:
    def __new__(
        cls,
        device: Device,
        source: Source,
        folders: list[str],
        model: str | None,
        precision: str,
        variant: str,
        pixels: tuple[str | None, str | None, str | None],
    ) -> Network: ...
    @property
    def notes(self) -> list[str]: ...
    @property
    def precision(self) -> str: ...
    @property
    def variant(self) -> str: ...
    def paint(
        self,
        pixels: bytes,
        channels: int,
        width: int,
        height: int,
        is_exact: bool,
        progress: Callable[[float], Any] | None,
    ) -> bytes: ...
    def prepare(self, count: int, width: int, height: int) -> tuple[int, int]: ...
    def queue(
        self,
        batch: tuple[int, int, int],
        from_: int,
        to: int,
        is_exact: bool,
        stream: int,
        is_captured: bool,
    ) -> None: ...
    def finish(self) -> None: ...

def styles(folders: list[str]) -> list[str]: ...
def inspect(source: Source, folders: list[str], model: str | None) -> str: ...
