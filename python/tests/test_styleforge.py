"""The installed package, on the CPU. STYLEFORGE names the program whose paintings are compared."""

import doctest
import io
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

import numpy as np
from PIL import Image

import styleforge

STYLES = Path(styleforge.__file__).parent / "styles"
PHOTO = np.random.default_rng(1).integers(0, 256, (61, 83, 3), np.uint8)


class Other:
    """An array of another library, with channels first."""

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.shape, self.dtype = array, array.shape, array.dtype

    def __dlpack__(self, **options: object) -> object:
        return self.array.__dlpack__()

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()


def from_dlpack(array: np.ndarray) -> Other:
    return Other(array)


def load(source: object = "candy", **options: object) -> styleforge.Network:
    return styleforge.load(source, device="cpu", **{"model": "lite"} | options)


class Painting(unittest.TestCase):
    def test_paints_as_the_program(self) -> None:
        program = Path(os.environ["STYLEFORGE"]).resolve()
        with tempfile.TemporaryDirectory() as folder:
            Image.fromarray(PHOTO).save(f"{folder}/photo.png")
            for model in ("lite", "full"):
                for name in ("candy", "great_wave"):
                    options = ["--style", name, "--model", model, "--device", "cpu", "-o", f"{model}-{name}.png"]
                    subprocess.run([program, "stylize", "photo.png", *options], cwd=folder, check=True, capture_output=True)
                    expected = np.asarray(Image.open(f"{folder}/{model}-{name}.png"))
                    np.testing.assert_array_equal(load(name, model=model)(PHOTO), expected)

    def test_every_kind_is_painted_alike(self) -> None:
        net = load()
        painted = net(PHOTO)
        self.assertGreater(np.abs(painted.astype(int) - PHOTO).mean(), 5)
        with self.subTest("batch, strides and alpha"):
            batch = np.dstack([PHOTO, np.arange(61 * 83).reshape(61, 83) % 256]).astype(np.uint8)
            batch = np.stack([batch[::-1], batch])[:, ::-1]
            result = net(batch)
            np.testing.assert_array_equal(result[0, ..., :3], painted)
            np.testing.assert_array_equal(result[..., 3], batch[..., 3])
        for dtype, white in ((np.float32, 1.0), (np.float16, 1.0), (np.float32, 255.0)):
            with self.subTest(dtype=dtype, white=white):
                scaled = (PHOTO.astype(np.float32) * (white / 255)).astype(dtype)
                result = net(scaled, value_range=white)
                self.assertEqual((result.dtype, result.shape), (dtype, PHOTO.shape))
                self.assertLess(np.abs(result * (255 / white) - painted.astype(np.float32)).max(), 0.6)
                beyond = net(scaled, value_range=white, clamp=False)
                np.testing.assert_array_equal(np.clip(beyond, 0, white), result)
        with self.subTest("PIL"):
            image = net(Image.fromarray(PHOTO))
            np.testing.assert_array_equal(np.asarray(image), painted)
            self.assertEqual(net(Image.new("P", (16, 16))).mode, "RGB")
            self.assertEqual(net(Image.new("LA", (16, 16))).mode, "RGBA")
        with self.subTest("DLPack"):
            other = net(Other(np.ascontiguousarray(np.moveaxis(PHOTO, -1, 0))))
            np.testing.assert_array_equal(np.moveaxis(other.array, 0, -1), painted)
        with self.subTest("out"):
            out = np.empty_like(PHOTO)
            self.assertIs(net(PHOTO, out=out), out)
            np.testing.assert_array_equal(out, painted)
        with self.subTest("files"):
            path = STYLES / "candy" / "lite.safetensors"
            for source in (path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes())):
                np.testing.assert_array_equal(styleforge.load(source, device="cpu")(PHOTO), painted)
        with self.subTest("pickle"):
            np.testing.assert_array_equal(pickle.loads(pickle.dumps(net))(PHOTO), painted)
        with self.subTest("threads"):
            results: list[np.ndarray] = []
            threads = [threading.Thread(target=lambda: results.append(net(PHOTO))) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            np.testing.assert_array_equal(results, [painted] * 4)
        with self.subTest("fork"):
            child = os.fork()
            if child == 0:
                os._exit(0 if np.array_equal(net(PHOTO), painted) else 1)
            self.assertEqual(os.waitpid(child, 0)[1], 0)

    def test_pictures_are_a_style(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/style.png"
            Image.fromarray(PHOTO).save(path)
            net = styleforge.from_pictures([(path, 0.5), path], device="cpu")
            self.assertEqual(net(PHOTO).shape, PHOTO.shape)
            self.assertRaises(ValueError, net.inspect)

    def test_errors_are_those_that_are_expected(self) -> None:
        net = load()
        wrong = [
            (FileNotFoundError, lambda: styleforge.load("missing.pth", device="cpu")),
            (FileNotFoundError, lambda: styleforge.load(Path("candy"), device="cpu")),
            (ValueError, lambda: styleforge.load("cand", device="cpu")),
            (IsADirectoryError, lambda: styleforge.load(STYLES, device="cpu")),
            (styleforge.CheckpointError, lambda: styleforge.load(b"x" * 100, device="cpu")),
            (TypeError, lambda: styleforge.load(3)),
            (ValueError, lambda: styleforge.load("candy", device="gpu")),
            (ValueError, lambda: load(model="huge")),
            (ValueError, lambda: load(precision="fp8")),
            (NotImplementedError, lambda: load(precision="fp16")),
            (TypeError, lambda: net([[1, 2, 3]])),
            (TypeError, lambda: net(PHOTO.astype(np.int32))),
            (TypeError, lambda: net(PHOTO, out=Image.fromarray(PHOTO))),
            (ValueError, lambda: net(PHOTO[..., 0])),
            (ValueError, lambda: net(PHOTO[:0])),
            (ValueError, lambda: net(PHOTO, out=PHOTO[1:].copy())),
            (ValueError, lambda: net(PHOTO, value_range=0)),
            (MemoryError, lambda: net._native.paint(b"", 3, 20_000, 20_000, False, None)),
        ]
        for number, (kind, call) in enumerate(wrong):
            with self.subTest(number), self.assertRaises(kind) as caught:
                call()
            self.assertNotIn("--", str(caught.exception))

    def test_painting_reports_progress_and_ends_when_asked(self) -> None:
        net = load(threads=1)
        shares: list[float] = []
        large = np.zeros((1500, 2000, 3), np.uint8)

        def stop(share: float) -> None:
            shares.append(share)
            raise StopIteration

        self.assertRaises(StopIteration, net, large, progress=stop)
        self.assertLess(shares[0], 1)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
        self.assertRaises(KeyboardInterrupt, net, large)
        shares.clear()
        net(PHOTO, progress=shares.append)
        self.assertEqual(shares[-1], 1)


def load_tests(loader: object, tests: unittest.TestSuite, pattern: object) -> unittest.TestSuite:
    names = {"numpy": np, "styleforge": styleforge}
    options = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
    tests.addTests(doctest.DocTestSuite(styleforge, extraglobs=names, optionflags=options))
    return tests


if __name__ == "__main__":
    sys.modules["test_styleforge"] = sys.modules["__main__"]
    unittest.main()
