"""MiniWorld draws its observations, and so is tried in a process without TensorFlow."""

import importlib.util
import json
import subprocess
import sys

import pytest

from data_pipelines.suites import catalog
from data_pipelines.suites.outside.process import process_environment, renderer

# One way through doors, one among things that must not be touched, one that begins at its goal.
DEMONSTRATED = [("maze_s2", 2), ("sign", 1), ("one_room_s6fast", 0)]
CODE = (
    f"""DEMONSTRATED = {DEMONSTRATED}"""
    + """
import json, gymnasium, numpy as np
from data_pipelines.recording.episodes import run_episode
from data_pipelines.suites import catalog

def play(env, seed, meanwhile):
    pictures = [env.reset_to(seed).observation["observation"]]
    rng = np.random.default_rng(seed)
    for _ in range(8):
        meanwhile()
        pictures.append(env.step(env.random_action(rng)).observation["observation"])
    return np.stack(pictures)

env, other = catalog.make("miniworld.one_room"), catalog.make("miniworld.hallway")
alone = play(env, 3, lambda: None)
other.reset_to(1)
beside = play(env, 3, lambda: other.step(np.int32(0)))
elsewhere = play(env, 4, lambda: None)
sign = catalog.make("miniworld.sign")
sign.reset_to(0)

def demonstrated(name, seed):
    task = catalog.get(name)
    env = catalog.make(name)
    episode = run_episode(env, task.make_expert(), seed)
    return bool(env.success), episode.episode_return >= task.bar

print(json.dumps({
    "ids": [name for name in gymnasium.registry if name.startswith("MiniWorld-")],
    "again": bool((alone == beside).all()),
    "moves": len(np.unique(alone.reshape(9, -1), axis=0)),
    "elsewhere": bool((alone[0] != elsewhere[0]).any()),
    "render": env.render(64).shape,
    "demonstrated": [demonstrated(f"miniworld.{name}", seed) for name, seed in DEMONSTRATED],
    "success": [sign.success, catalog.make("miniworld.collect_health").success],
    "items": [[item.key, item.kind.value, item.shape] for item in (*env.spec.observation, *sign.spec.observation)],
}))
"""
)


@pytest.fixture(scope="module")
def said():
    if importlib.util.find_spec("miniworld") is None:
        pytest.skip("miniworld is not installed")
    if renderer() == "disabled":
        pytest.skip("there is no EGL to draw with")
    done = subprocess.run(
        [sys.executable, "-c", CODE], env=process_environment(), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_id_is_a_task_that_draws(said):
    tasks = catalog.suite_of("miniworld").tasks
    assert sorted(task.origin for task in tasks) == sorted(said["ids"])
    assert len(tasks) == 23
    assert all(task.draws for task in tasks)


def test_a_seed_shows_the_same_pictures_also_beside_another_world(said):
    assert said["again"]
    assert said["moves"] > 4
    assert said["elsewhere"]


def test_what_it_shows(said):
    assert said["items"] == [
        ["observation", "image", [60, 80, 3]], ["goal", "discrete", []], ["obs", "image", [60, 80, 3]],
    ]  # fmt: skip
    assert said["render"] == [64, 64, 3]
    assert said["success"] == [False, None]


def test_goals_are_reached_and_kept(said):
    assert said["demonstrated"] == [[True, True]] * len(DEMONSTRATED)
