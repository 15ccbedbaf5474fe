"""Real processes: signals, several devices, and what "equal" means on each."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from gato_jax.training.checkpoints.checkpoint import load_params

ROOT = pathlib.Path(__file__).parents[3]
SCRIPT = pathlib.Path(__file__).parent / "tiny.py"
STEPS = 24


def start(out, *options, devices=1, cluster=None):
    """`cluster` = (index, processes, port) of one process of several."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}"
    names = ("JAX_PROCESS_ID", "JAX_NUM_PROCESSES", "JAX_COORDINATOR_ADDRESS")
    addresses = dict(zip(names, (str(cluster[0]), str(cluster[1]), f"localhost:{cluster[2]}"))) if cluster else {}
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(out), *map(str, options)],
        env={**os.environ, "XLA_FLAGS": flags, "PYTHONPATH": path, **addresses},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_all(out, *options, processes, devices=1):
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    return [start(out, *options, devices=devices, cluster=(i, processes, port)) for i in range(processes)]


def finish(process, code=0):
    out, error = process.communicate(timeout=300)
    assert process.returncode == code, out + error
    return out, error


def records(out):
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def losses(out):
    return [record["loss"] for record in records(out)]


def hashes(out):
    return [record["batch_hash"] for record in records(out)]


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
    """On a mesh of three axes, of which the run had none."""
    shutil.copytree(interrupted, tmp_path / "run")
    finish(start(tmp_path / "run", "--steps", STEPS, "--fsdp", 2, "--tensor", 2, devices=8))
    np.testing.assert_allclose(losses(tmp_path / "run"), losses(whole), rtol=1e-5)


@pytest.mark.slow
def test_beginning_with_weights_on_eight_devices(whole, tmp_path):
    """Each device gets its part of another run's weights; their digest and the losses are those of one device."""
    options = ("--steps", 2, "--init-from", whole)
    group = [
        start(tmp_path / "one", *options),
        start(tmp_path / "eight", *options, "--fsdp", 2, "--tensor", 2, devices=8),
    ]
    for process in group:
        finish(process)
    settings = [json.loads((tmp_path / name / "config.json").read_text())["train"] for name in ("one", "eight")]
    assert settings[0]["init_digest"] == settings[1]["init_digest"]
    np.testing.assert_allclose(losses(tmp_path / "eight"), losses(tmp_path / "one"), rtol=1e-5)
    assert abs(losses(tmp_path / "one")[0] - losses(whole)[0]) > 0.05, "fresh weights begin elsewhere"


def test_control_c_saves_too(tmp_path):
    """Also while checkpoints are written all the time."""
    out = tmp_path / "run"
    process = start(out, "--steps", STEPS, "--delay", 0.2, "--checkpoint-every", 1)
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


def kill_one(out, *, processes, victim, devices=1):
    """A run that loses one process by kill -9 after its first checkpoint; (code, error, seconds) of the others."""
    options = ("--steps", STEPS, "--delay", 0.2, "--checkpoint-every", 4)
    group = start_all(out, *options, processes=processes, devices=devices)
    wait_for_records(group[0], out, 7)
    killed = time.monotonic()
    group[victim].kill()
    survivors = []
    for index, process in enumerate(group):
        _, error = process.communicate(timeout=60)
        if index != victim:
            survivors.append((process.returncode, error, time.monotonic() - killed))
    return survivors, group[victim].pid


@pytest.fixture(scope="module")
def bereft(tmp_path_factory):
    """Two processes, the second of which was killed."""
    out = tmp_path_factory.mktemp("bereft") / "run"
    return out, *kill_one(out, processes=2, victim=1)


def test_the_death_of_a_process_is_named(bereft):
    _, [(code, error, seconds)], pid = bereft
    assert code == 1, error
    assert f"process 1 ({socket.gethostname()}, pid {pid}) is gone" in error
    assert "The last checkpoint is whole" in error
    assert seconds < 20


def test_two_processes_then_one(bereft, whole, tmp_path):
    """The same batches on another number of processes and devices, and the same losses within rounding."""
    shutil.copytree(bereft[0], tmp_path / "run")
    _, error = finish(start(tmp_path / "run", "--steps", STEPS))
    assert "continuing from step 4" in error
    assert hashes(tmp_path / "run") == hashes(whole)
    np.testing.assert_allclose(losses(tmp_path / "run"), losses(whole), rtol=1e-5)


@pytest.mark.slow
def test_one_process_then_two(interrupted, whole, tmp_path):
    shutil.copytree(interrupted, tmp_path / "run")
    for process in start_all(tmp_path / "run", "--steps", STEPS, processes=2):
        finish(process)
    assert hashes(tmp_path / "run") == hashes(whole)
    np.testing.assert_allclose(losses(tmp_path / "run"), losses(whole), rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 2])
def test_four_processes_lose_one_and_two_go_on(whole, tmp_path, victim):
    """The first process leads: JAX may abort the others before they can say more than that it is the leader."""
    survivors, pid = kill_one(tmp_path / "run", processes=4, victim=victim)
    for code, error, seconds in survivors:
        assert code != 0
        assert seconds < 30
        named = f"process {victim} ({socket.gethostname()}, pid {pid}) is gone" in error
        assert named or (victim == 0 and "the leader task was preempted/died" in error), error
    for process in start_all(tmp_path / "run", "--steps", STEPS, processes=2):
        finish(process)
    assert hashes(tmp_path / "run") == hashes(whole)
    np.testing.assert_allclose(losses(tmp_path / "run"), losses(whole), rtol=1e-5)


def test_a_second_run_in_the_directory_is_refused(tmp_path):
    out = tmp_path / "run"
    first = start(out, "--steps", STEPS, "--delay", 0.5)
    wait_for_records(first, out, 1)
    second = start(out, "--steps", STEPS)
    _, error = second.communicate(timeout=120)
    assert second.returncode
    assert f"is being trained by process {first.pid} on {socket.gethostname()}" in error
    first.kill()
    first.communicate()


def leaves(out):
    import jax

    return jax.tree.leaves(load_params(out)[1])
