"""A world that hangs in C, or dies, costs the score of its expert an episode, and nothing else."""

import json
import os
import subprocess
import sys

from data_pipelines.suites.outside.process import process_environment

SUITE = """
import collections, itertools, os, signal

import dm_env
import numpy as np

from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.expert import RandomPolicy
from data_pipelines.suites.base.suite import Source, Suite, Task


class World(Environment):
    _spec = TaskSpec(
        "fragile.world", (ItemSpec("x", Kind.CONTINUOUS, (1,)),),
        ItemSpec("action", Kind.DISCRETE, (), "int32", num_values=2), 1,
    )

    def reset_to(self, seed):
        if seed == 1:
            collections.deque(itertools.repeat(None), maxlen=0)  # C code that no signal interrupts
        if seed == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return dm_env.restart({"x": np.zeros(1, np.float32)})

    def step(self, action):
        return dm_env.termination(3.0, {"x": np.zeros(1, np.float32)})

    def render(self, size):
        raise NotImplementedError


SUITE = Suite("fragile", episode_steps=1, tasks=(
    Task("fragile.world", Source.ENVIRONMENT, "", "script", "json", make_environment=World, make_expert=RandomPolicy,
         time_limit=0.5),
))
"""


def test_what_a_world_does_costs_an_episode(tmp_path):
    info = tmp_path / "fragile-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fragile\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[gato_jax.suites]\nfragile = fragile_suite:SUITE\n")
    (tmp_path / "fragile_suite.py").write_text(SUITE)
    lines = tmp_path / "lines.jsonl"
    lines.write_text(json.dumps({"who": "expert", "seed": 3, "return": 7.0}) + "\n")
    environment = process_environment()
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), environment["PYTHONPATH"]])
    command = [sys.executable, "-m", "benchmarks.experts_child", str(os.getpid()), "fragile.world"]
    subprocess.run([*command, "0", "5", "1", "-inf", str(lines)], env=environment, check=True, timeout=120)
    records = [json.loads(line) for line in lines.read_text().splitlines()]
    outcome = {(record["who"], record["seed"]): record.get("failed") or record["return"] for record in records}
    assert outcome == {
        ("expert", 0): 3.0,
        ("expert", 1): "took more than 0.5 s",
        ("expert", 2): "its process ended with signal SIGKILL: it printed nothing",
        ("expert", 3): 7.0,
        ("expert", 4): 3.0,
        ("random", 0): 3.0,
    }
    assert len(records) == len(outcome)
