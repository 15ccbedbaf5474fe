"""A simulator of ours that hangs, crashes or is killed costs an episode at most, never the recording."""

import functools
import json
import re
import sys

import pytest

from data_pipelines import recording
from data_pipelines.errors import TimestepError
from data_pipelines.recording import pool as pool_module
from data_pipelines.recording import recorder
from data_pipelines.recording.job import Job
from data_pipelines.recording.pool import WorkerPool
from data_pipelines.recording.worker import episode_seeds, record_episodes
from data_pipelines.storage import data_directory

NAME = "fragile.world"
SUITE = """
import collections, itertools, json, os, pathlib

import dm_env
import numpy as np

from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.expert import RandomPolicy
from data_pipelines.suites.base.suite import Source, Suite, Task

HERE = pathlib.Path(__file__).parent
SEEDS = json.loads((HERE / "seeds.json").read_text())


class Expert(RandomPolicy):
    def act(self, timestep):
        return np.int32(1)


class World(Environment):
    _spec = TaskSpec(
        "fragile.world", (ItemSpec("x", Kind.CONTINUOUS, (1,)),),
        ItemSpec("action", Kind.DISCRETE, (), "int32", num_values=2), 3,
    )

    def reset_to(self, seed):
        self.seed, self.steps = seed, 0
        return dm_env.restart({"x": np.full(1, seed, np.float32)})

    def step(self, action):
        self.steps += 1
        if self.seed == SEEDS["hangs"] and not (HERE / "once").exists():
            (HERE / "once").touch()
            collections.deque(itertools.repeat(None), maxlen=0)  # C code that no signal interrupts
        if self.seed == SEEDS["dies"]:
            os._exit(3)
        x = {"x": np.full(1, np.nan if self.seed == SEEDS["lies"] else self.steps, np.float32)}
        return dm_env.termination(float(action), x) if self.steps == 3 else dm_env.transition(float(action), x)

    def render(self, size):
        raise NotImplementedError


SUITE = Suite("fragile", episode_steps=3, tasks=(
    Task("fragile.world", Source.ENVIRONMENT, "", "script", "json", make_environment=World, make_expert=Expert,
         episodes=3, chunk=3, time_limit=1.0),
))
"""


def test_a_recording_goes_on_whatever_its_workers_do(install_suite, tmp_path, monkeypatch):
    seeds = [int(seed) for seed in episode_seeds(NAME, 0)[:3]]
    (tmp_path / "seeds.json").write_text(json.dumps({"hangs": seeds[0], "dies": seeds[1], "lies": -1}))
    install_suite("fragile", SUITE)
    monkeypatch.setattr(recorder, "WorkerPool", functools.partial(WorkerPool, grace=6.0))
    news = []
    config = recording.RecordingConfig(episodes=3, random_episodes=6)
    out = tmp_path / "data"
    data_directory.claim(out)
    (out / "tokenizer.model").touch()  # so that none is trained
    recording.record(NAME, out, workers=1, config=config, progress=lambda report: news.append(report.message))
    (again,) = [message for message in news if "is recorded again" in message]
    assert again.startswith("part 0 is recorded again: its worker did nothing for too long, so it was ended")
    recorded = json.loads((out / NAME / "recording.json").read_text())
    died = f"task '{NAME}': its process ended with code 3: it printed nothing"
    assert (recorded["rejected_because"], recorded["processes_replaced_because"]) == ({died: 1}, {"died": 2})
    assert (recorded["kept"], recorded["returns"]["kept"], len(recorded["returns"]["random"])) == (3, [3.0] * 3, 6)
    import tensorflow_datasets as tfds

    episodes = tfds.builder_from_directory(str(out / NAME / "chunk-00")).as_dataset(split="train")
    kept = sorted(int(episode["seed"]) for episode in episodes)
    assert kept == sorted([seeds[0], seeds[2]]), "what hung once, and so may have been an accident, costs no episode"


def test_an_observation_that_leaves_its_spec_ends_the_recording(install_suite, tmp_path):
    seed = int(episode_seeds(NAME, 0)[0])
    (tmp_path / "seeds.json").write_text(json.dumps({"hangs": -1, "dies": -1, "lies": seed}))
    install_suite("fragile", SUITE)
    job = Job(NAME, 0, 1, str(tmp_path / "chunk"), "", attempts=1)
    found = f"task '{NAME}', episode 'of seed {seed}', timestep 1, key 'x': expected a finite number, found nan at [0]"
    with pytest.raises(TimestepError, match=re.escape(found)):
        record_episodes(job, lambda message: None)


def test_a_worker_that_hangs_before_it_is_ready_is_ended(tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text("import time\ntime.sleep(600)")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(pool_module, "_OPENING", 0.3)
    with WorkerPool(1, logs=tmp_path) as pool:
        ((_, message),) = pool.run([Job(NAME, 0, 1, str(tmp_path), "")])
    assert message["message"] == (
        "3 times while recording nothing yet: its worker did nothing for too long, so it was ended"
    )


def test_a_worker_that_grows_amid_an_attempt_is_ended(tmp_path):
    with WorkerPool(1, logs=tmp_path) as pool:
        news = pool.run([Job("babyai.go_to_obj", 0, 1, str(tmp_path / "chunk"), "", attempts=1, memory=1.0)])
        _, message = next(news)
    assert re.match(r"its worker took \d+ MiB of memory, more than 2, so it was ended", message["message"])


def test_a_job_that_a_dead_worker_never_read_is_no_error_where_the_pool_ends(tmp_path):
    with WorkerPool(1, logs=tmp_path) as pool:
        (worker,) = pool._processes.values()
        worker.kill()
        worker.wait()
        pool._give(0, Job(NAME, 0, 1, str(tmp_path), ""))
    assert worker.stdin.closed


def test_a_job_that_kills_its_workers_ends_no_other(tmp_path, monkeypatch):
    """Such as one that needs more memory than there is: the system kills the worker without a word."""
    worker = tmp_path / "worker"
    worker.write_text(
        '#!/bin/sh\necho \'{"type": "ready"}\'\nwhile read -r job; do\n'
        'case "$job" in *greedy*) kill -9 $$;; esac\necho \'{"type": "done"}\'\ndone\n'
    )
    worker.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(worker))
    jobs = [Job(f"a.{task}", 0, 1, "", "") for task in ("greedy", "modest", "late")]
    with WorkerPool(1, logs=tmp_path) as pool:
        heard = [(job.task, message) for job, message in pool.run(jobs, wanted=lambda job: job.task != "a.late")]
    assert [(task, message["type"]) for task, message in heard] == [
        ("a.greedy", "again"), ("a.greedy", "again"), ("a.greedy", "failed"), ("a.modest", "done"),
    ]  # fmt: skip
    failed = heard[2][1]
    assert not failed["all"]
    assert re.search(
        "3 times while recording a.greedy: its worker ended with signal SIGKILL.*was memory short", failed["message"]
    )
