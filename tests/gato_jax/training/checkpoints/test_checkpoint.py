"""Checkpoints and run directories that were damaged, locked or cannot be written."""

import json
import os
import shutil
import time
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from gato_jax.config import OnDamaged
from gato_jax.training.checkpoints.checkpoint import (
    CheckpointError,
    Checkpoints,
    leaf_shapes,
    load_params,
    read_leaf,
    verify,
)
from gato_jax.training.distributed.run_lock import RunLock, RunLocked
from gato_jax.training.train import train


@pytest.fixture(scope="module")
def run(tiny, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    train(tiny.tiny_experiment(checkpoint_every=2, keep=3), out, open_stream=tiny.SyntheticStream)
    return out


def losses(out):
    return [json.loads(line)["loss"] for line in (out / "metrics.jsonl").read_text().splitlines()]


def largest(checkpoint):
    """The file with the most values of arrays."""
    return max((path for path in checkpoint.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize("damage", [flip, truncate, os.remove])
def test_damage_is_named_and_the_last_good_one_used_when_told_to(run, tiny, tmp_path, damage, capsys):
    shutil.copytree(run, tmp_path / "run")
    victim = largest(tmp_path / "run" / "checkpoints" / "6")
    damage(victim)
    longer = {"steps": 6, "checkpoint_every": 2, "keep": 3}
    with pytest.raises(CheckpointError, match=rf"(?s)checkpoint .*/6 is damaged.*{victim.name}.*continue from .*/4"):
        train(tiny.tiny_experiment(**longer), tmp_path / "run", open_stream=tiny.SyntheticStream)
    with pytest.raises(CheckpointError, match=victim.name):
        load_params(tmp_path / "run")
    assert sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir()) == ["2", "4", "6"]
    if damage is not flip:
        return
    strangers = ["²", "40.orbax-checkpoint-tmp-0", "5", "60"]
    for name in strangers:
        (tmp_path / "run/checkpoints" / name).mkdir()
        (tmp_path / "run/checkpoints" / name / "precious").write_text("mine")
    again = tiny.tiny_experiment(**longer | {"keep": 1}, on_damaged=OnDamaged.LAST_GOOD)
    assert train(again, tmp_path / "run", open_stream=tiny.SyntheticStream).finished
    assert losses(tmp_path / "run") == losses(run)
    names = sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert names == ["40.orbax-checkpoint-tmp-0", "6", "damaged-6", "set-aside-5", "set-aside-60", "²"]
    said = capsys.readouterr().err
    assert all(f"checkpoints/{name} is no checkpoint" in said for name in strangers)


def test_a_checkpoint_without_digests_is_said_to_be_unchecked_once(run, tmp_path):
    """Its process ended before it wrote them. From then on it is checked."""
    copy = shutil.copytree(run / "checkpoints/6", tmp_path / "6")
    (copy / "digests.json").unlink()
    said = []
    verify(copy, say=said.append)
    verify(copy, say=said.append)
    assert len(said) == 1
    assert "6 is unchecked" in said[0]
    flip(largest(copy))
    with pytest.raises(CheckpointError, match=r"is damaged.*expected .* SHA-256 .*, found"):
        verify(copy, say=said.append)


def test_values_that_are_not_finite_are_named(tiny, tmp_path):
    """Whoever wrote them: digests only tell that nothing changed since."""
    weights = np.ones((3, 4), np.float32)
    weights[1, 2] = np.nan
    checkpoints = Checkpoints(tmp_path, keep=1)
    checkpoints.save(1, {"step": jnp.int32(1), "parameters": {"w": weights}, "optimizer": {}}, {})
    checkpoints.close()
    verify(tmp_path / "1")
    shapes = leaf_shapes(tmp_path / "1", "parameters")
    with pytest.raises(CheckpointError, match="parameters/w: expected finite values, found 1 of 12"):
        read_leaf(tmp_path / "1", "parameters", "w", shapes["w"])
    abstract = {"step": jnp.int32(0), "parameters": {"w": jnp.zeros((3, 4))}, "optimizer": {}}
    with pytest.raises(CheckpointError, match="expected finite values, found others in parameters/w"):
        Checkpoints(tmp_path, keep=1).restore(1, abstract)


def test_paths_may_be_relative_and_of_any_name(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(run, "größe 1.0 ² run")
    _, parameters = load_params(Path("größe 1.0 ² run"))
    shapes = leaf_shapes(Path("größe 1.0 ² run/checkpoints/6"), "parameters")
    leaf = read_leaf(
        Path("./größe 1.0 ² run/checkpoints/6"), "parameters", "embedding/tokens", shapes["embedding/tokens"]
    )
    np.testing.assert_array_equal(leaf, parameters["embedding"]["tokens"])


def test_a_directory_that_cannot_be_written(tiny, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"cannot write in the run directory .*file/run: Not a directory"):
        train(tiny.tiny_experiment(), tmp_path / "file" / "run", open_stream=tiny.SyntheticStream)


def test_lock_of_a_living_process(tmp_path):
    with (
        RunLock(tmp_path, say=print),
        pytest.raises(RunLocked, match=rf"is being trained by process {os.getpid()} on"),
        RunLock(tmp_path, say=print),
    ):
        pass
    with RunLock(tmp_path, say=print):
        pass


def test_lock_of_another_host(tmp_path):
    """Its kernel's lock is unknown here: whether it lives is seen by its touches."""
    said = []
    path = tmp_path / "run.lock"
    path.write_text(json.dumps({"host": "elsewhere", "pid": 7, "since": "2026-01-01"}))
    start = time.monotonic()
    with RunLock(tmp_path, say=said.append, stale_seconds=0.5):
        assert "last held on elsewhere" in said[0]
    assert time.monotonic() - start >= 0.5

    path.write_text(json.dumps({"host": "elsewhere", "pid": 7, "since": "2026-01-01"}))

    def touch_soon(text):
        import threading

        threading.Timer(0.2, lambda: os.utime(path)).start()

    with (
        pytest.raises(RunLocked, match="is being trained by process 7 on elsewhere, since 2026-01-01"),
        RunLock(tmp_path, say=touch_soon, stale_seconds=2.0),
    ):
        pass
