"""The guide's example runs as it is printed, from the environment to a rollout, but for the length of its training."""

import pathlib
import re
import runpy
import shlex
import subprocess
import sys

import numpy as np
import pytest

from data_pipelines.reports.batch_page import inspect_page
from gato_jax import cli
from gato_jax.config import load_experiment

GUIDE = pathlib.Path(__file__).parents[4] / "docs" / "your-own-data.md"


@pytest.mark.skipif(not GUIDE.exists(), reason="reads the guide, which an installed wheel does not have")
def test_the_example(tmp_path, monkeypatch, capsys):
    text = GUIDE.read_text()
    files = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", text, re.DOTALL))
    commands = [["gato", *shlex.split(line.replace("\\\n", " "), comments=True)]
                for line in re.findall(r"\$ gato ((?:.*\\\n)*.*)", text)]  # fmt: skip
    assert [command[1] for command in commands] == ["check-data", "import-data", "inspect", "train", "check-data"]
    assert sorted(files) == ["pendulum.py", "record.py", "rollout.py"]
    monkeypatch.chdir(tmp_path)
    for name, code in files.items():
        pathlib.Path(name).write_text(code)
    subprocess.run([sys.executable, "record.py"], check=True)
    with pytest.raises(SystemExit) as caught:
        cli.main(commands[0][1:])
    assert caught.value.code == 1
    problem = re.search(r"error: 'action'.*?--clip-actions", text, re.DOTALL).group()
    assert re.sub(r"\s+", " ", problem) in capsys.readouterr().out
    cli.main(commands[1][1:])
    shown = re.sub(r"[│ ]+", " ", capsys.readouterr().out)
    for line in re.findall(r"^ (\w[\w ]+?) +\| (.*)$", text, re.MULTILINE):
        assert " ".join(line) in shown, line
    page = inspect_page(load_experiment("pendulum.py").data, rows=1)
    assert "gymnasium.pendulum" in page
    # One step of a model of one block: that the rollout runs is tested, not that it swings up.
    small = [
        "--train.steps",
        "1",
        "--train.evaluate-every",
        "0",
        "--model.layers",
        "1",
        "--optimizer.warmup-steps",
        "0",
    ]
    cli.main([*commands[3][1:], *small])
    capsys.readouterr()
    # Two episodes, so that one begins where another has ended.
    pathlib.Path("rollout.py").write_text(files["rollout.py"].replace("range(1000, 1005)", "range(1000, 1002)"))
    runpy.run_path("rollout.py")
    returns = re.findall(r"^seed (\d+): return (-?\d+)$", capsys.readouterr().out, re.MULTILINE)
    assert [seed for seed, _ in returns] == ["1000", "1001"]
    # The worst that 200 steps can cost: upside down at full speed and torque.
    assert all(-200 * (np.pi**2 + 0.1 * 8**2 + 0.001 * 2**2) <= int(total) <= 0 for _, total in returns)
