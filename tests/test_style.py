"""ruff and mypy find nothing."""

import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
SOURCES = [
    name for name in ("gato_jax", "data_pipelines", "experiments", "benchmarks", "tests") if (ROOT / name).is_dir()
]
needs_checkout = pytest.mark.skipif(not (ROOT / "setup.py").exists(), reason="checks sources, not an installed wheel")


@needs_checkout
def test_ruff():
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *SOURCES], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


@needs_checkout
def test_types():
    done = subprocess.run([sys.executable, "-m", "mypy"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
