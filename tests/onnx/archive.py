"""How the corpora are stored: archives and indices whose bytes only depend on their content."""

import io
import json
import lzma
import tarfile


def packed(files):
    """A compressed tar of the files (bytes by name), in their order."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    # Most of it is numbers of four bytes.
    numbers = {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 0, "lp": 2, "pb": 2}
    return lzma.compress(whole.getvalue(), filters=[numbers])


def index_text(versions, **lists):
    """JSON with one line per entry of the lists."""
    parts = [f' "versions": {json.dumps(versions)}']
    for name, entries in lists.items():
        lines = ",\n".join(f"  {json.dumps(entry)}" for entry in entries)
        parts.append(f' "{name}": [\n{lines}\n ]')
    return "{\n" + ",\n".join(parts) + "\n}\n"
