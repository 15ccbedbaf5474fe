"""A checkpoint that cannot be written: said at once, saved once more when there is room, and nothing half-written."""

import errno
import subprocess
import sys

from gato_jax.training.checkpoints import orbax_files
from gato_jax.training.train import train

CODE = """
import pathlib, resource, sys, time
import jax, jax.numpy as jnp
from gato_jax.training.checkpoints.checkpoint import CheckpointError, Checkpoints

said = []
checkpoints = Checkpoints(pathlib.Path(sys.argv[1]), keep=2, say=said.append)
def state(value):
    weights = jax.random.normal(jax.random.key(value), (512, 512))
    return {"step": jnp.int32(value), "parameters": {"w": weights}, "optimizer": {"m": jnp.zeros(4)}}

def limit(size):
    # The system refuses larger files, as a full disk would.
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

def look():
    # As the loop does at every boundary.
    deadline = time.monotonic() + 60
    while checkpoints._pending is not None and time.monotonic() < deadline:
        again = checkpoints.once_more()
        time.sleep(0.01)
    return again

checkpoints.save(1, state(1), {})
assert look() is False
limit(10_000)
checkpoints.save(2, state(2), {})
assert look() is True
print(*said)
limit(resource.RLIM_INFINITY)
checkpoints.save(3, state(3), {})
assert look() is False
checkpoints.wait()
limit(10_000)
checkpoints.save(4, state(4), {})
assert look() is True
checkpoints.save(5, state(5), {})
try:
    look()
except CheckpointError as error:
    print(error)
    sys.exit(7)
"""


def test_a_failed_save_is_said_repeated_and_leaves_the_last_whole_checkpoint(tmp_path):
    directory = tmp_path / "checkpoints"
    command = [sys.executable, "-c", CODE, str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 7, done.stdout + done.stderr
    first, second = done.stdout.splitlines()
    assert "could not save a checkpoint" in first
    assert "step 1 is the last whole one. Saving once more when 0.00 GB are free" in first
    assert "step 3 is the last whole one" in second
    assert sorted(path.name for path in directory.iterdir()) == ["1", "3"]


class Full:
    """A save that finds the disk full."""

    def result(self):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_training_says_it_at_the_next_step_and_saves_once_more(tiny, tmp_path, monkeypatch, capsys):
    start, saved = orbax_files.start_saving, []

    def save(path, *arguments):
        saved.append(path.name)
        return Full() if len(saved) == 1 else start(path, *arguments)

    monkeypatch.setattr(orbax_files, "start_saving", save)
    experiment = tiny.tiny_experiment(steps=6, checkpoint_every=3)
    assert train(experiment, tmp_path / "run", open_stream=tiny.SyntheticStream).finished
    assert saved in (["3", "4", "6"], ["3", "5", "6"])  # The thread in the background may take a step to fail.
    assert sorted(path.name for path in (tmp_path / "run/checkpoints").iterdir()) == saved[1:]
    assert "the disk is full; there is no whole one yet. Saving once more when" in capsys.readouterr().err
