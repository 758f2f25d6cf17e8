"""Runs the cells of docs/python.ipynb without Jupyter. Cells whose packages are not installed are named and skipped."""

import ast
import importlib.util
import json
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def missing(code: str) -> list[str]:
    """The packages that a cell imports and that are not installed."""
    imports = [node for node in ast.walk(ast.parse(code)) if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = [getattr(node, "module", None) or node.names[0].name for node in imports]
    return [name for name in names if importlib.util.find_spec(name.partition(".")[0]) is None]


def main() -> None:
    cells = json.loads((ROOT / "docs" / "python.ipynb").read_text())["cells"]
    codes = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    os.environ["PATH"] = f"{Path(os.environ['STYLEFORGE']).resolve().parent}{os.pathsep}{os.environ['PATH']}"
    os.chdir(ROOT / "docs")
    # What a cell defines is a global of the next one.
    state: dict[str, object] = {"__name__": "notebook"}
    for index, code in enumerate(codes):
        lacking = missing(code)
        if lacking:
            print(f"cell {index} is skipped: it needs {', '.join(lacking)}")
            continue
        exec(compile(code, f"cell {index}", "exec"), state)


if __name__ == "__main__":
    main()
