"""The code of docs/agent.md runs, block after block."""

import contextlib
import io
import pathlib
import re

import pytest

PAGE = pathlib.Path(__file__).parents[3] / "docs" / "agent.md"


@pytest.mark.skipif(not PAGE.exists(), reason="runs a page of docs/, which an installed wheel does not have")
def test_the_page(tiny_run, recorded_data, outside_data, tmp_path, monkeypatch):
    for name, target in (("run", tiny_run), ("data", recorded_data), ("cartpole", outside_data)):
        (tmp_path / name).symlink_to(target, target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 5
    names: dict = {}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for block in blocks:
            exec(compile(block, str(PAGE), "exec"), names)
    assert printed.getvalue() == "('', '') the weights were trained without\n"
    assert names["details"].ids.shape == (8, 1)
    assert names["next_seed"] > 8, "episodes ended, and their rows began anew"
