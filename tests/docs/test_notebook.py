"""The notebook runs from its first cell to its last, and prints what is stored in it, but for the numbers."""

import importlib.util
import pathlib
import re

import pytest

HERE = pathlib.Path(__file__).parent
NOTEBOOK = HERE.parents[1] / "docs" / "from-data-to-policy.ipynb"


@pytest.mark.skipif(not NOTEBOOK.exists(), reason="runs a page of docs/, which an installed wheel does not have")
def test_the_notebook(monkeypatch, tmp_path):
    spec = importlib.util.spec_from_file_location("notebook", HERE / "notebook.py")
    notebook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(notebook)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cells = notebook.code_cells(notebook.read(NOTEBOOK))
    printed = notebook.run(cells)
    stored = [notebook.stored(cell) for cell in cells]

    def words(texts):
        return [re.sub(r"\d+(\.\d+)?", "#", text) for text in texts]

    assert words(printed) == words(stored)
    assert len(re.findall(r"policy \d+, random \d+", printed[-1])) == 5  # It acts; so few steps promise no more.
