"""Sweeps in real processes: killed at random moments, and two at once, they give the table of an undisturbed one."""

import collections
import dataclasses
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gato_jax.studies import sweep
from gato_jax.studies.plan import run_directory
from gato_jax.studies.study import load_study
from gato_jax.studies.workers import worker

SWEEPER = Path(__file__).with_name("sweeper.py")
RECORDED = Path(__file__).with_name("recorded_study.py")


@pytest.fixture
def longer(study):
    """Two mixtures, eight steps, saved every third."""
    train = dataclasses.replace(study.base.train, steps=8, checkpoint_every=3, hash_batches=True)
    return dataclasses.replace(study, base=dataclasses.replace(study.base, train=train), design=study.design[:2])


def table(out):
    """What a sweep is for, without times."""
    names = ("name", "shares", "losses", "domain_losses", "rows", "steps")
    return [{name: result[name] for name in names} for result in sweep.results(out)]


def start(out, tiny):
    """A worker in a process of its own."""
    with (out / f"log-{time.monotonic_ns()}").open("w") as log:
        return subprocess.Popen([sys.executable, SWEEPER, out, tiny.__file__], stdout=log, stderr=log)


def tries(out):
    """Run -> how many workers took it."""
    claims = [path.name for path in (out / "claims").iterdir() if path.suffix != ".released"]
    return collections.Counter(name.rpartition(".")[0] for name in claims if not name.startswith("."))


def hashes(out, run):
    lines = (run_directory(out, run) / "train" / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["batch_hash"] for line in lines]


def test_killed_and_doubled_sweeps_give_the_same_table(longer, plan, tiny, tmp_path):
    quiet, killed, doubled = (tmp_path / name for name in ("quiet", "killed", "doubled"))
    runs = plan(longer, quiet)
    assert worker.work(quiet, open_stream=tiny.SyntheticStream)
    assert len(table(quiet)) == 2

    # SIGKILL at moments that a seed gives, counted from when a run is begun.
    plan(longer, killed)
    moments = random.Random(7)
    for _ in range(2):
        process = start(killed, tiny)
        while process.poll() is None and not sweep.status(killed).running:
            time.sleep(0.01)
        time.sleep(moments.uniform(0.2, 3.0))
        process.kill()
        process.wait()
    assert start(killed, tiny).wait() == 0
    assert table(killed) == table(quiet)
    assert sum(tries(killed).values()) > 2  # the kills hit something
    assert all(hashes(killed, run) == hashes(quiet, run) for run in runs)

    # Two sweepers at once: every run is taken once.
    plan(longer, doubled)
    both = [start(doubled, tiny) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert table(doubled) == table(quiet)
    assert tries(doubled) == {run.name: 1 for run in runs}
    owners = {json.loads((doubled / "claims" / f"{run.name}.1").read_text())["pid"] for run in runs}
    assert owners == {process.pid for process in both}


@pytest.mark.slow
def test_a_command_that_is_killed_again_and_again(recorded_data, tmp_path):
    """`gato sweep` on recorded data with two workers: the whole process group is killed five times."""
    quiet, killed = tmp_path / "quiet", tmp_path / "killed"
    command = [
        sys.executable,
        "-m",
        "gato_jax.cli",
        "sweep",
        RECORDED,
        "--data",
        recorded_data,
        "--workers",
        "2",
        "--out",
    ]
    subprocess.run([*command, quiet], check=True)
    assert len(table(quiet)) == 6
    moments = random.Random(11)
    for _ in range(5):
        process = subprocess.Popen([*command, killed], start_new_session=True)
        time.sleep(moments.uniform(8, 40))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    subprocess.run([*command, killed], check=True)
    assert table(killed) == table(quiet)
    assert sum(tries(killed).values()) > 6
    for result in table(killed):
        assert all(task["within"] and task["passes"] > 0 for task in result["rows"].values())
        assert sum(task["rows"] for task in result["rows"].values()) == 60 * 16
    again = sweep.sweep(load_study(RECORDED, directory=recorded_data), killed, workers=1)
    assert len(again.done) == 6
