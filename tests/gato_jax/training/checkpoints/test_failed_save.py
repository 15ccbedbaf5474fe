"""A checkpoint that cannot be written: one error that says so, and nothing half-written left in place."""

import subprocess
import sys

CODE = """
import pathlib, resource, sys
import jax, jax.numpy as jnp
from gato_jax.training.checkpoints.checkpoint import CheckpointError, Checkpoints

checkpoints = Checkpoints(pathlib.Path(sys.argv[1]), keep=2)
def state(value):
    weights = jax.random.normal(jax.random.key(value), (512, 512))
    return {"step": jnp.int32(value), "parameters": {"w": weights}, "optimizer": {"m": jnp.zeros(4)}}

checkpoints.save(1, state(1), {})
checkpoints.wait()
# The system refuses larger files from here on, as a full disk would.
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    checkpoints.save(2, state(2), {})
    checkpoints.close()
except CheckpointError as error:
    print(error)
    sys.exit(7)
"""


def test_a_failed_save_leaves_the_last_whole_checkpoint(tmp_path):
    directory = tmp_path / "checkpoints"
    command = [sys.executable, "-c", CODE, str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 7, done.stdout + done.stderr
    assert "could not save a checkpoint" in done.stdout
    assert "step 1 is the last whole one" in done.stdout
    assert [path.name for path in directory.iterdir()] == ["1"]
