"""A coordinator that does not answer is one error; JAX itself aborts the process from C++."""

import os
import pathlib
import socket
import subprocess
import sys

import pytest

from gato_jax.config import TrainConfig
from gato_jax.training.distributed.join import start_distributed

ROOT = pathlib.Path(__file__).parents[4]
CODE = """
import sys
from gato_jax.config import TrainConfig
from gato_jax.training.distributed.join import NotJoined, start_distributed

address, process = sys.argv[1:]
config = TrainConfig(steps=1, coordinator=address, processes=2, process=int(process), wait_minutes=1 / 60)
try:
    start_distributed(config)
except NotJoined as error:
    print(error)
"""


def join(address, process):
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", CODE, address, str(process)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_nobody_answers():
    """Nothing listens; something else does; and the others do not come to the first process."""
    with socket.create_server(("localhost", 0)) as stranger, socket.socket() as closed:
        closed.bind(("localhost", 0))
        taken, nothing = (f"localhost:{one.getsockname()[1]}" for one in (stranger, closed))
        with socket.socket() as probe:
            probe.bind(("localhost", 0))
            own = f"localhost:{probe.getsockname()[1]}"
        processes = [join(nothing, 1), join(taken, 1), join(own, 0)]
        outputs = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    assert f"coordinator {nothing} could not be reached, waited 1 s" in outputs[0][0]
    assert "Connection refused" in outputs[0][0]
    assert f"coordinator {taken} could not be reached, waited 1 s" in outputs[1][0]
    assert "not the run's process 0" in outputs[1][0]
    assert f"process 0 at coordinator {own} waited 1 s (train.wait_minutes) for 2 processes" in outputs[2][0]
    assert not any("stack trace" in error for _, error in outputs), outputs


@pytest.mark.parametrize("address", ["host0", "host0:", ":1234", "host0:http", "host0:99999"])
def test_an_address_has_a_port(address):
    with pytest.raises(ValueError, match=r'train\.coordinator must be "host:port"'):
        start_distributed(TrainConfig(steps=1, coordinator=address, processes=2, process=1))
