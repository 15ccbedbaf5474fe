"""Runs a notebook: `python tests/docs/notebook.py docs/from-data-to-policy.ipynb` stores in it what its cells print.

The cells run one after the other in one namespace of this process. No kernel is needed, so magics and displayed values
are not known here: cells print what they show.
"""

import contextlib
import io
import json
import pathlib
import sys
from typing import Any


def read(path: pathlib.Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def code_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def stored(cell: dict[str, Any]) -> str:
    """What a cell printed when its output was stored."""
    return "".join(line for output in cell["outputs"] for line in output["text"])


def run(cells: list[dict[str, Any]]) -> list[str]:
    """What each cell prints to standard output. An error of a cell names it and its line."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    printed = []
    for cell in cells:
        code = compile("".join(cell["source"]), f"<cell {cell['id']}>", "exec")
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(code, namespace)
        printed.append(out.getvalue())
    return printed


def main() -> None:
    path = pathlib.Path(sys.argv[1])
    notebook = read(path)
    cells = code_cells(notebook)
    for number, (cell, text) in enumerate(zip(cells, run(cells), strict=True), start=1):
        stream = {"name": "stdout", "output_type": "stream", "text": text.splitlines(keepends=True)}
        cell.update(execution_count=number, outputs=[stream] if text else [])
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
