"""The fuzzing corpus in one file: an index of lines `target/name bytes`, an empty line, and the contents of the files,
all compressed. Headers of an archive would take a sixth of it.

    corpus.py pack FOLDER FILE      numbers the inputs in the order of their contents and writes them
    corpus.py unpack FILE FOLDER    writes the inputs to the folder and keeps its other files
"""

import lzma
import sys
from pathlib import Path

# Inputs whose names have a meaning and are kept.
NAMED = ("found-", "shape-")
# Inputs are not aligned to words.
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "pb": 0}]


def pack(folder: Path, file: Path) -> None:
    index, contents = [], []
    for target in sorted(path for path in folder.iterdir() if path.is_dir()):
        inputs = [path for path in target.iterdir() if not path.name.startswith(NAMED)]
        inputs.sort(key=lambda path: path.read_bytes())
        # libFuzzer names files by their hash, which does not compress.
        for number, path in enumerate(inputs):
            path.rename(target / f".{number:04}")
        for number in range(len(inputs)):
            (target / f".{number:04}").rename(target / f"{number:04}")
        for path in sorted(target.iterdir()):
            contents.append(path.read_bytes())
            index.append(f"{target.name}/{path.name} {len(contents[-1])}\n")
    whole = "".join(index).encode() + b"\n" + b"".join(contents)
    file.write_bytes(lzma.compress(whole, filters=FILTERS))


def unpack(file: Path, folder: Path) -> None:
    index, contents = lzma.decompress(file.read_bytes()).split(b"\n\n", 1)
    at = 0
    for line in index.decode().splitlines():
        name, length = line.rsplit(" ", 1)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents[at : at + int(length)])
        at += int(length)


if __name__ == "__main__":
    action, source, target = sys.argv[1:]
    {"pack": pack, "unpack": unpack}[action](Path(source), Path(target))
