"""Real processes: signals, several devices, and what "equal" means on each."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from gato_jax.training.checkpoint import load_params

ROOT = pathlib.Path(__file__).parents[3]
SCRIPT = pathlib.Path(__file__).parent / "tiny.py"
STEPS = 24


def start(out, *options, devices=1):
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}"
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(out), *map(str, options)],
        env={**os.environ, "XLA_FLAGS": flags, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process, code=0):
    out, error = process.communicate(timeout=300)
    assert process.returncode == code, out + error
    return out, error


def losses(out):
    return [json.loads(line)["loss"] for line in (out / "metrics.jsonl").read_text().splitlines()]


def wait_for_records(process, out, count):
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        path = out / "metrics.jsonl"
        if path.exists() and len(path.read_text().splitlines()) >= count:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.kill()
    raise AssertionError(f"no {count} records in time")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "run"
    finish(start(out, "--steps", STEPS))
    return out


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """A run that SIGTERM stopped between two steps; it ended well."""
    out = tmp_path_factory.mktemp("interrupted") / "run"
    process = start(out, "--steps", STEPS, "--delay", 0.5)
    wait_for_records(process, out, 3)
    process.send_signal(signal.SIGTERM)
    text, _ = finish(process)
    assert "interrupted; saved at step" in text
    assert not json.loads((out / "summary.json").read_text())["finished"]
    (step,) = [int(path.name) for path in (out / "checkpoints").iterdir()]
    assert 3 <= step < STEPS
    assert len(losses(out)) == step
    return out


def test_sigterm_and_resume_are_bit_equal(whole, interrupted, tmp_path):
    shutil.copytree(interrupted, tmp_path / "run")
    text, error = finish(start(tmp_path / "run", "--steps", STEPS))
    assert "continuing from step" in error
    assert f"trained {STEPS} steps" in text
    assert losses(tmp_path / "run") == losses(whole)
    for left, right in zip(leaves(whole), leaves(tmp_path / "run"), strict=True):
        np.testing.assert_array_equal(left, right)


def test_resume_on_eight_devices(whole, interrupted, tmp_path):
    shutil.copytree(interrupted, tmp_path / "run")
    finish(start(tmp_path / "run", "--steps", STEPS, devices=8))
    np.testing.assert_allclose(losses(tmp_path / "run"), losses(whole), rtol=1e-5)


def test_eight_devices_equal_one(whole, tmp_path):
    finish(start(tmp_path / "run", "--steps", STEPS, "--fsdp", 2, "--tensor", 2, devices=8))
    np.testing.assert_allclose(losses(tmp_path / "run")[:20], losses(whole)[:20], rtol=1e-5)


def test_control_c_saves_too(tmp_path):
    out = tmp_path / "run"
    process = start(out, "--steps", STEPS, "--delay", 0.5)
    wait_for_records(process, out, 2)
    process.send_signal(signal.SIGINT)
    text, error = finish(process)
    assert "stopping at the next boundary" in error
    assert "interrupted; saved at step" in text


def test_signal_before_the_first_step_leaves_nothing(tmp_path):
    """While the budget is timed: clean end, no checkpoint."""
    out = tmp_path / "run"
    process = start(out, "--minutes", 9, "--delay", 0.5)
    for line in process.stderr:
        if "step compiled" in line:
            break
    process.send_signal(signal.SIGTERM)
    text, _ = finish(process)
    assert "interrupted before the first step" in text
    assert not (out / "checkpoints").exists()


def leaves(out):
    import jax

    return jax.tree.leaves(load_params(out)[1])
