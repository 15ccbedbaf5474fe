"""Makes `plans.json`: how the first nine demonstrated tasks of dm_control are recorded, and how their episodes begin.

    python tests/compatibility/make_plans.py [plans.json]

The committed file is from commit 787a8d5, whose tree stood first on PYTHONPATH. Recordings of these tasks are large and
widely used: what is recorded of a seed must stay what it was.
"""

import dataclasses
import json
import os
import pathlib
import sys

os.environ["MUJOCO_GL"] = "disabled"
import numpy as np

from data_pipelines.recording.episodes import run_episode
from data_pipelines.spec import lookup
from data_pipelines.suites import catalog

FILE = pathlib.Path(__file__).with_name("plans.json")
TASKS = (
    "ball_in_cup_catch", "cartpole_balance", "cartpole_swingup", "pendulum_swingup", "point_mass_easy", "reacher_easy",
    "reacher_hard", "walker_stand", "walker_walk",
)  # fmt: skip
SEED, STEPS, NOISE, HOLD = 123, 6, 0.2, 2


def episode_of(name, expert):
    """Labels, executed actions, observations and rewards of an episode's first steps, as float32."""
    env = catalog.make(name)
    episode = run_episode(env, expert, SEED, noise=NOISE, hold=HOLD, limit=STEPS)
    shown = [
        np.concatenate([np.ravel(lookup(step.observation, item.path)) for item in env.spec.observation])
        for step in episode.timesteps
    ]
    rewards = [step.reward for step in episode.timesteps[1:]]
    env.close()
    arrays = {"labels": episode.labels, "executed": episode.executed, "observations": shown, "rewards": rewards}
    return {key: np.asarray(values, np.float32) for key, values in arrays.items()}


def recorded(name):
    """What decides which episodes are recorded, as JSON."""
    task = catalog.get(name)
    fields = {key: getattr(task, key) for key in ("bar", "episodes", "chunk", "time_limit", "held_out")}
    nested = {
        key: value and dataclasses.asdict(value) for key, value in (("noise", task.noise), ("starts", task.starts))
    }
    return json.loads(json.dumps({**fields, **nested}))


def main(file):
    plans = {}
    for task in TASKS:
        name = f"dm_control.{task}"
        expert = catalog.get(name).make_expert()
        plans[name] = {
            "recorded": recorded(name),
            "settings": dataclasses.asdict(expert._settings),
            "episode": {
                key: [[float(f"{x:.9g}") for x in np.ravel(row)] for row in values]
                for key, values in episode_of(name, expert).items()
            },
        }
    file.write_text(
        "{\n" + ",\n".join(f"{json.dumps(name)}: {json.dumps(plan)}" for name, plan in plans.items()) + "\n}\n"
    )


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else FILE)
