#!/usr/bin/env python3
"""Packs the Python package and a built library into a wheel.

    wheel.py LIBRARY FOLDER LIBC   writes FOLDER/styleforge-VERSION-cp310-abi3-manylinux_LIBC_MACHINE.whl

The same files result in the same wheel: entries have the time SOURCE_DATE_EPOCH.
"""

import base64
import hashlib
import os
import re
import sys
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
library, folder, libc = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
machine = os.environ.get("MACHINE") or os.uname().machine
version = re.search(r'^version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
tag = f"cp310-abi3-manylinux_{libc.replace('.', '_')}_{machine}"
info = f"styleforge-{version}.dist-info"
licences = {name: ROOT / name for name in ("LICENSE-APACHE", "LICENSE-MIT", "THIRD-PARTY-LICENSES.txt")}
licences["NOTICE"] = ROOT / "python/NOTICE"

files = {f"styleforge/{p.name}": p for p in (ROOT / "python/styleforge").iterdir() if p.is_file()}
files["styleforge/_native.abi3.so"] = library
files |= {f"styleforge/{p.relative_to(ROOT)}": p for p in (ROOT / "styles").rglob("*") if p.is_file()}
files |= {f"{info}/licenses/{name}": path for name, path in licences.items()}
contents = {name: path.read_bytes() for name, path in files.items()}
contents[f"{info}/METADATA"] = "\n".join([
    "Metadata-Version: 2.4",
    "Name: styleforge",
    f"Version: {version}",
    "Summary: Paints pictures in the style of a picture, on the CPU or an NVIDIA GPU",
    "License-Expression: MIT OR Apache-2.0",
    *(f"License-File: {name}" for name in licences),
    "Requires-Python: >=3.10",
    "Requires-Dist: numpy>=1.23",
    "Description-Content-Type: text/markdown",
    "",
    (ROOT / "docs/python.md").read_text(),
]).encode()
contents[f"{info}/WHEEL"] = (
    f"Wheel-Version: 1.0\nGenerator: StyleForge\nRoot-Is-Purelib: false\nTag: {tag}\n".encode()
)


def digest(content: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


record = f"{info}/RECORD"
lines = [f"{name},{digest(content)},{len(content)}\n" for name, content in sorted(contents.items())]
contents[record] = ("".join(lines) + f"{record},,\n").encode()

wheel = folder / f"styleforge-{version}-{tag}.whl"
moment = time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"]))[:6]
with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
    # The entries about the wheel come last.
    for name in sorted(contents, key=lambda name: (name.startswith(info), name)):
        entry = zipfile.ZipInfo(name, moment)
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.external_attr = (0o755 if name.endswith(".so") else 0o644) << 16
        archive.writestr(entry, contents[name], compresslevel=int(os.environ.get("LEVEL", "9")))
print(wheel)
