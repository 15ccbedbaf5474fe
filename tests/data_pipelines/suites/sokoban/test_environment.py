"""Pictures, episodes and the demonstrator."""

import numpy as np
import pytest

from data_pipelines.recording.episodes import run_episode
from data_pipelines.suites import catalog
from data_pipelines.suites.base.expert import RandomPolicy
from data_pipelines.suites.planners.search import NoPlan
from data_pipelines.suites.sokoban import drawing
from data_pipelines.suites.sokoban.environment import EPISODE_STEPS
from data_pipelines.suites.sokoban.expert import SokobanExpert
from data_pipelines.suites.sokoban.rules import STAY, Level

SMALL = "sokoban.size_7_boxes_2"


def test_every_sign_has_a_tile_of_its_own_and_odd_rooms_get_a_wall():
    level = Level.from_text("#######\n#@ .$*#\n#######\n#######\n#######\n#######\n#######")
    picture = drawing.draw(level, level.start)
    assert (picture.shape, picture.dtype) == ((64, 64, 3), np.uint8)
    tiles = picture.reshape(8, 8, 8, 8, 3).swapaxes(1, 2)
    assert len({tiles[1, column].tobytes() for column in range(1, 7)}) == 6
    np.testing.assert_array_equal(tiles[7, 7], tiles[0, 0])
    np.testing.assert_array_equal(tiles[3, 7], tiles[0, 0])


@pytest.mark.parametrize("name", ["sokoban.boxoban", SMALL, "sokoban.size_10_boxes_3"])
def test_the_expert_solves_and_the_return_is_what_the_rules_say(name):
    task = catalog.get(name)
    env = task.make_environment()
    episode = run_episode(env, task.make_expert(), 0)
    assert env.success
    boxes = int(name[-1]) if name[-1].isdigit() else 4
    assert episode.episode_return == pytest.approx(boxes + 10 - 0.1 * len(episode.executed))
    assert episode.episode_return >= task.bar
    assert episode.timesteps[-1].discount == 0.0
    assert episode.timesteps[0].observation["frame"].shape == env.spec.observation[0].shape


def test_an_episode_is_cut_at_the_limit():
    env = catalog.make(SMALL)
    timestep = env.reset_to(0)
    for _ in range(EPISODE_STEPS):
        assert not timestep.last()
        timestep = env.step(np.int32(STAY))
    assert (timestep.last(), timestep.discount, env.success) == (True, 1.0, False)


def test_a_seed_names_an_episode():
    env = catalog.make(SMALL)
    first, again = (run_episode(env, RandomPolicy(), 3) for _ in range(2))
    for left, right in zip(first.timesteps, again.timesteps, strict=True):
        np.testing.assert_array_equal(left.observation["frame"], right.observation["frame"])
    assert env.render(96).shape == (96, 96, 3)


def test_the_expert_plans_again_when_something_else_was_done():
    env, expert = catalog.make(SMALL), SokobanExpert()
    timestep = env.reset_to(1)
    expert.reset(env, 1)
    action = expert.act(timestep)
    timestep = env.step(np.int32(STAY))
    assert expert.act(timestep) == action
    while not timestep.last():
        timestep = env.step(expert.act(timestep))
    assert env.success


def test_a_level_that_is_lost_fails_with_the_reason():
    """A box in a corner."""
    env, expert = catalog.make(SMALL), SokobanExpert()
    timestep = env.reset_to(0)
    env._level = Level.from_text("#####\n#$ .#\n# @ #\n#####")
    env._state = env._level.start
    expert.reset(env, 0)
    with pytest.raises(NoPlan, match="no plan exists"):
        expert.act(timestep)
