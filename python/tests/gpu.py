"""The package on a GPU with PyTorch, for `python python/tests/gpu.py` with PYTHONPATH=python. Prints times."""

import json
import os
import statistics
import threading
import time

import torch
from torch import nn
from torch.nn import functional

import styleforge
import styleforge.torch


class Conv(nn.Module):
    def __init__(self, i: int, o: int, kernel: int, stride: int = 1, up: int = 1) -> None:
        super().__init__()
        self.conv2d, self.up, self.edge = nn.Conv2d(i, o, kernel, stride), up, kernel // 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.interpolate(x, scale_factor=self.up, mode="nearest") if self.up > 1 else x
        return self.conv2d(functional.pad(x, [self.edge] * 4, mode="reflect"))


class Residual(nn.Module):
    def __init__(self, c: int) -> None:
        super().__init__()
        self.conv1, self.in1 = Conv(c, c, 3), nn.InstanceNorm2d(c, affine=True)
        self.conv2, self.in2 = Conv(c, c, 3), nn.InstanceNorm2d(c, affine=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.in2(self.conv2(functional.relu(self.in1(self.conv1(x))))) + x


class TransformerNet(nn.Module):
    """Johnson's network, as pytorch/examples has it."""

    def __init__(self) -> None:
        super().__init__()
        for n, (i, o, k, s) in enumerate([(3, 32, 9, 1), (32, 64, 3, 2), (64, 128, 3, 2)], 1):
            setattr(self, f"conv{n}", Conv(i, o, k, s))
            setattr(self, f"in{n}", nn.InstanceNorm2d(o, affine=True))
        for n in range(1, 6):
            setattr(self, f"res{n}", Residual(128))
        for n, (i, o) in enumerate([(128, 64), (64, 32)], 1):
            setattr(self, f"deconv{n}", Conv(i, o, 3, 1, 2))
            setattr(self, f"in{n + 3}", nn.InstanceNorm2d(o, affine=True))
        self.deconv3 = Conv(32, 3, 9)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for n in (1, 2, 3):
            x = functional.relu(getattr(self, f"in{n}")(getattr(self, f"conv{n}")(x)))
        for n in range(1, 6):
            x = getattr(self, f"res{n}")(x)
        for n in (1, 2):
            x = functional.relu(getattr(self, f"in{n + 3}")(getattr(self, f"deconv{n}")(x)))
        return self.deconv3(x)


def trained(name: str) -> TransformerNet:
    """The module with the weights of a built-in style."""
    path = os.path.join(os.path.dirname(__file__), f"../../styles/{name}/full.safetensors")
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    module, state = TransformerNet(), {}
    for key, facts in header.items():
        if key != "__metadata__":
            kind = {"F16": torch.float16, "F32": torch.float32}[facts["dtype"]]
            begin, end = facts["data_offsets"]
            state[key] = torch.frombuffer(bytearray(data[begin:end]), dtype=kind).reshape(facts["shape"])
    module.load_state_dict(state)
    return module.cuda().eval()


def time_ms(call, rounds: int = 200) -> str:
    for _ in range(20):
        call()
    torch.cuda.synchronize()
    times = []
    for _ in range(rounds):
        events = [torch.cuda.Event(enable_timing=True) for _ in range(2)]
        events[0].record()
        call()
        events[1].record()
        torch.cuda.synchronize()
        times.append(events[0].elapsed_time(events[1]))
    begin = time.perf_counter()
    for _ in range(rounds):
        call()
    host = (time.perf_counter() - begin) / rounds
    torch.cuda.synchronize()
    return f"{statistics.median(times):.3f} ms, back to back {1e3 * (time.perf_counter() - begin) / rounds:.3f}, host {1e6 * host:.0f} us"


@torch.no_grad()
def main() -> None:
    print(torch.__version__, torch.cuda.get_device_name())
    # Otherwise the module itself computes with 10 bits of fraction.
    torch.backends.cudnn.allow_tf32 = False
    model = trained("candy")
    begin = time.perf_counter()
    fast = styleforge.torch.fuse(model)
    x = torch.rand((1, 3, 512, 512), device="cuda") * 255
    x = x.round()
    y = fast(x)
    torch.cuda.synchronize()
    print(f"fuse and the first call: {time.perf_counter() - begin:.2f} s")
    expected = model(x)
    print("largest and mean difference:", (y - expected).abs().max().item(), (y - expected).abs().mean().item())
    assert (y - expected).abs().mean() < 0.1
    exact = styleforge.torch.fuse(model, precision="fp32")(x)
    assert (exact - expected).abs().max() < 0.1, (exact - expected).abs().max()

    wrong = []

    def same(what: str, a: torch.Tensor, b: torch.Tensor, most: float) -> None:
        difference = (a.float() - b.float()).abs().max().item() if a.numel() else 0
        if a.shape != b.shape or not difference <= most:
            wrong.append(f"{what}: {difference}")

    for size in ((1, 3, 509, 511), (3, 3, 64, 96), (11, 4, 32, 40)):
        x = (torch.rand(size, device="cuda") * 255).round()
        y = fast(x)
        for n in range(size[0]):
            same(f"picture {n} of {size} alone", y[n], fast(x[n]), 0)
            same(f"module, {size}", y[n, :3], model(x[n : n + 1, :3])[0, :, : size[2], : size[3]], 8)
        same("alpha", y[:, 3:], x[:, 3:], 0)
        same("channels_last", fast(x.to(memory_format=torch.channels_last)), y, 0)
        same("NHWC", fast(x.permute(0, 2, 3, 1).contiguous()).permute(0, 3, 1, 2), y, 0)
        same("float16", fast(x.half()), y, 0.5)
        same("bfloat16", fast(x.bfloat16()), y, 1)
        levels = fast(x.byte())
        assert levels.dtype == torch.uint8
        same("uint8", levels, y.clamp(0, 255), 0.51)
        same("CPU tensor", fast(x.cpu()).cuda(), y, 0)
        same("0 to 1", fast.net(x / 255, clamp=True) * 255, y.clamp(0, 255), 0.01)
        out = torch.empty_like(x)
        assert fast.net(x, out=out, value_range=255.0, clamp=False) is out
        same("out", out, y, 0)

    x = (torch.rand((1, 3, 512, 512), device="cuda") * 255).round()
    y = fast(x)
    busy = torch.rand((8192, 8192), device="cuda")
    torch.cuda.synchronize()
    begin = time.perf_counter()
    for _ in range(20):
        busy = busy @ busy * 1e-4
    late = fast(x + busy[0, 0] * 0)
    print(f"a call behind other work returned after {1e3 * (time.perf_counter() - begin):.2f} ms")
    same("behind other work", late, y, 0)
    torch.cuda.synchronize()
    print(f"which took {1e3 * (time.perf_counter() - begin):.2f} ms")

    streams = [torch.cuda.Stream() for _ in range(2)]

    def work(number: int) -> None:
        with torch.no_grad():
            for n in range(1000):
                with torch.cuda.stream(streams[(n + number) % 2]):
                    painted = fast(x)
                    if n % 100 == 0:
                        same("threads", painted, y, 0)

    torch.cuda.synchronize()
    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    before = torch.cuda.mem_get_info()[0]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fast.net.synchronize()
    print("memory after 4000 calls:", before - torch.cuda.mem_get_info()[0])

    graph = torch.cuda.CUDAGraph()
    still = x.clone()
    with torch.cuda.graph(graph):
        captured = fast(still)
    still.copy_(255 - x)
    graph.replay()
    same("captured", captured, fast(255 - x), 0)
    same("torch.compile", torch.compile(fast, fullgraph=True)(x), y, 0)
    try:
        fast(x.requires_grad_())
    except NotImplementedError:
        raise AssertionError("no gradient is recorded here")
    with torch.enable_grad():
        try:
            fast(x)
            raise AssertionError("a gradient")
        except NotImplementedError:
            pass
    assert torch.cuda.current_device() == 0

    x = x.detach()
    for height, width in ((512, 512), (720, 1280)):
        x = (torch.rand((1, 3, height, width), device="cuda") * 255).round()
        out = torch.empty_like(x)
        bytes_ = x.byte().permute(0, 2, 3, 1).contiguous()
        half = x.half().to(memory_format=torch.channels_last)
        print(height, width)
        print("  float32:", time_ms(lambda: fast(x)))
        print("  float32, out=:", time_ms(lambda: fast.net(x, out=out, value_range=255.0, clamp=False)))
        print("  float16 channels last:", time_ms(lambda: fast(half)))
        print("  uint8 NHWC:", time_ms(lambda: fast.net(bytes_)))
        compiled = torch.compile(fast, fullgraph=True)
        print("  in torch.compile:", time_ms(lambda: compiled(x)))
        print("  torch eager fp32:", time_ms(lambda: model(x), 30))
        halved = trained("candy").half().to(memory_format=torch.channels_last)
        print("  torch eager fp16 channels last:", time_ms(lambda: halved(half), 30))
    assert not wrong, "\n".join(wrong)
    print("all right")


if __name__ == "__main__":
    main()
