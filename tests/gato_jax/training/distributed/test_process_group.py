"""Several processes without any training: who is missing, who has died, and when all of them stop."""

import os
import pathlib
import signal
import socket
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[4]
HOST = socket.gethostname()
CODE = """
import sys, time
import jax
from gato_jax.config.train import TrainConfig
from gato_jax.training.distributed.join import start_distributed
from gato_jax.training.distributed.preemption import Preemption
from gato_jax.training.distributed.process_group import Peers

what, index = sys.argv[1], None
with Preemption() as preemption:
    start_distributed(TrainConfig(steps=1))
    with Peers(wait_seconds=2.0 if what == "late" else 60.0) as peers:
        preemption.join(peers)
        print("ready", flush=True)
        if what == "late":  # The others are nowhere near a barrier.
            peers.barrier("late") if jax.process_index() == 0 else time.sleep(60)
        boundaries = 1
        while not preemption.requested():
            # Hosts are never at quite the same boundary.
            time.sleep(0.05 + 0.02 * jax.process_index())
            boundaries += 1
            peers.barrier(f"step {boundaries // 2}") if boundaries % 2 == 0 else None
        print("stopped at", boundaries, flush=True)
        peers.barrier("end")
"""


@pytest.fixture
def start():
    """Starts processes that know each other, and returns when all are ready; ends them after the test."""
    group = []

    def begin(what, processes):
        with socket.socket() as probe:
            probe.bind(("localhost", 0))
            address = f"localhost:{probe.getsockname()[1]}"
        for index in range(processes):
            names = {"JAX_COORDINATOR_ADDRESS": address, "JAX_NUM_PROCESSES": processes, "JAX_PROCESS_ID": index}
            path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
            group.append(
                subprocess.Popen(
                    [sys.executable, "-c", CODE, what],
                    env={**os.environ, **{name: str(value) for name, value in names.items()}, "PYTHONPATH": path},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
        for process in group:
            while (line := process.stdout.readline()) != "ready\n":
                assert line, process.stderr.read()
        return group

    yield begin
    for process in group:
        process.kill()
        process.communicate()


def test_a_barrier_names_who_is_missing(start):
    late = start("late", 3)
    _, error = late[1].communicate(timeout=60)
    assert late[1].returncode == 1
    missing = f"still missing: process 1 ({HOST}, pid {late[1].pid}), process 2 ({HOST}, pid {late[2].pid})"
    assert f"process 0 ({HOST}, pid {late[0].pid}) failed: Missing: barrier 'late': after 2 s {missing}" in error


def test_the_death_of_the_first_process_is_named(start):
    """JAX aborts the others, which cannot speak any more: their witnesses do."""
    first, *others = start("wait", 3)
    first.kill()
    for index, process in enumerate(others, 1):
        _, error = process.communicate(timeout=30)
        assert process.returncode
        text = f"gato train: process 0 ({HOST}, pid {first.pid}) is gone. process {index} ({HOST}, pid {process.pid})"
        assert error.count(text) == 1


@pytest.mark.parametrize("signalled", [0, 1])
def test_all_stop_at_the_same_boundary(start, signalled):
    group = start("wait", 2)
    group[signalled].send_signal(signal.SIGTERM)
    outputs = [process.communicate(timeout=60) for process in group]
    assert [process.returncode for process in group] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0]
    assert outputs[0][0].startswith("stopped at")
    assert not any("is gone" in error for _, error in outputs)
