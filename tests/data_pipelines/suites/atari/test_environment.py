"""Atari's options: what is observed, what is executed, and states to come back to."""

import hashlib

import numpy as np
import pytest

from data_pipelines.spec import World
from data_pipelines.suites import catalog

ale_py = pytest.importorskip("ale_py", reason="ale-py is not installed")

from data_pipelines.suites.atari.environment import AtariEnvironment  # noqa: E402


def play(env, seed, actions):
    """Frames [steps + 1, ...] and rewards [steps]."""
    timesteps = [env.reset_to(seed), *(env.step(action) for action in actions)]
    frames = [timestep.observation["frame"] for timestep in timesteps]
    return np.stack(frames), [timestep.reward for timestep in timesteps[1:]]


def random_actions(env, seed, steps):
    rng = np.random.default_rng(seed)
    return [env.random_action(rng) for _ in range(steps)]


def test_breakout_is_as_it_was_first_recorded():
    env = catalog.make("atari.breakout")
    frames, rewards = play(env, 5, random_actions(env, 0, 150))
    digest = hashlib.sha256(frames.tobytes() + np.array(rewards, np.float32).tobytes()).hexdigest()
    assert digest[:16] == "a145a59b5eb29536"
    assert env.spec.max_episode_steps == 2000
    assert env.action_names == ["NOOP", "FIRE", "RIGHT", "LEFT"]


def test_a_frame_is_the_brighter_of_the_last_two():
    env = AtariEnvironment("atari.asteroids", rom="asteroids", frame_size=None)
    raw = AtariEnvironment("atari.asteroids", rom="asteroids")
    env.reset_to(3), raw.reset_to(3)
    frames = []
    for _ in range(4):
        raw.ale.act(ale_py.Action.UP)
        frames.append(raw.ale.getScreenRGB())
    frame = env.step(env.action_names.index("UP")).observation["frame"]
    np.testing.assert_array_equal(frame, np.maximum(frames[2], frames[3]))
    assert (frames[2] != frames[3]).any()


def test_sticky_actions_come_from_the_seed():
    def episode(sticky, actions=None):
        env = AtariEnvironment("atari.pong", rom="pong", sticky=sticky)
        return play(env, 7, random_actions(env, 1, 30) if actions is None else actions)[0]

    np.testing.assert_array_equal(episode(0.25), episode(0.25))
    assert (episode(0.25) != episode(0.0)).any()
    # Who nearly always repeats the action before goes on with the no-op of the start.
    np.testing.assert_array_equal(episode(1 - 1e-9), episode(0.0, actions=[0] * 30))


def test_a_state_is_come_back_to():
    env = AtariEnvironment("atari.ms_pacman", rom="ms_pacman", sticky=0.5)
    play(env, 2, random_actions(env, 2, 40))
    state, actions = env.get_state(), random_actions(env, 3, 25)
    first = [env.step(action) for action in actions]
    play(env, 9, actions[:5])
    env.set_state(state)
    for action, expected in zip(actions, first, strict=True):
        timestep = env.step(action)
        assert timestep.reward == expected.reward
        np.testing.assert_array_equal(timestep.observation["frame"], expected.observation["frame"])


def test_an_advance_is_a_step_without_its_picture():
    env = AtariEnvironment("atari.krull", rom="krull", episode_steps=60)
    actions = random_actions(env, 4, 60)
    stepped = [env.reset_to(1), *(env.step(action) for action in actions)]
    env.reset_to(1)
    for timestep, action in zip(stepped[1:], actions, strict=True):
        assert env.advance(int(action)) == (timestep.reward, timestep.last())


def test_modes_and_difficulties_come_from_the_seed():
    env = catalog.make("atari_extended.casino")
    drawn = []
    for seed in (*range(12), 0):
        env.reset_to(seed)
        drawn.append(env.mode)
    assert drawn[0] == drawn[-1]
    assert len({mode for mode, _ in drawn}) > 1
    assert {mode for mode, _ in drawn} <= set(env.ale.getAvailableModes())
    assert {difficulty for _, difficulty in drawn} <= set(env.ale.getAvailableDifficulties())


def test_options_are_arguments_of_a_world():
    world = World(
        "data_pipelines.suites.atari.environment:AtariEnvironment",
        {"name": "atari_full.pong", "rom": "pong", "frame_size": None, "sticky": 0.25, "all_actions": True},
    )
    env = catalog.make("atari_full.pong", world, allow=["data_pipelines"])
    assert env.spec.world == world
    assert env.spec.observation[0].shape == (210, 160, 3)
    assert env.spec.action.num_values == 18
    assert env.reset_to(0).observation["frame"].shape == (210, 160, 3)
    assert env.render(32).shape == (32, 32, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rom": "joust"}, r"task 'atari\.mine': ale-py plays no game 'joust'"),
        ({"rom": "pong", "sticky": 1}, "sticky is a chance of at least 0 and below 1, found 1"),
    ],
)
def test_what_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        AtariEnvironment("atari.mine", **options)


def test_a_rom_that_is_absent_or_damaged_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("ALE_ROMS_DIR", str(tmp_path))
    absent = r"^task 'atari\.mine': the ROM pong\.bin is absent or damaged: .*; ale-py's own wheel has it.*ALE_ROMS_DIR"
    with pytest.raises(ValueError, match=absent):
        AtariEnvironment("atari.mine", rom="pong")
    (tmp_path / "pong.bin").write_bytes(b"no game")
    with pytest.raises(ValueError, match=absent):
        AtariEnvironment("atari.mine", rom="pong")
