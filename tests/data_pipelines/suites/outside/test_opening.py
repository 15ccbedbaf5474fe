"""Worlds of a stranger: opened from a module outside the package, played, checked, and refused with one clear error."""

import dataclasses
import sys

import dm_env
import numpy as np
import pytest

from data_pipelines.errors import TimestepError
from data_pipelines.recording.episodes import ExpertFailed, run_episode
from data_pipelines.recording.probe import probe
from data_pipelines.spec import TaskSpec, World
from data_pipelines.suites import catalog
from data_pipelines.suites.base.expert import RandomPolicy
from data_pipelines.suites.outside import consent
from data_pipelines.suites.outside.adapter import square
from data_pipelines.suites.outside.experts import check_reference, describe, open_expert
from data_pipelines.suites.outside.naming import check_task_name, task_name
from data_pipelines.suites.outside.objects import WorldError
from data_pipelines.suites.outside.opening import open_world

CODE = """
import dm_env, gymnasium, numpy as np
from dm_env import specs
from gymnasium import spaces

__version__ = "2"


class Walk(gymnasium.Env):
    '''Walks on a line from a random place to its end; `mode` chooses what goes wrong.'''

    observation_space = spaces.Dict(
        {"place": spaces.Box(-np.inf, np.inf, (1,), np.float64), "mode": spaces.Discrete(3, start=1)}
    )
    action_space = spaces.Discrete(2, start=1)
    metadata = {"render_modes": ["rgb_array"]}

    def __init__(self, mode="", length=5, render_mode=None):
        if mode == "raises":
            raise RuntimeError("no\\nlicence")
        self.mode, self.length = mode, length

    def _see(self):
        place = np.array([self.place / self.length])
        return {
            "shape": {"place": np.zeros(2), "mode": 1}, "nan": {"place": place * np.nan, "mode": 1},
            "key": {"place": place}, "range": {"place": place, "mode": 4}, "dtype": {"place": place, "mode": 1.5},
        }.get(self.mode, {"place": place, "mode": 1})

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        rng = np.random.default_rng() if self.mode == "chance" else self.np_random
        self.place, self.steps = float(rng.uniform()), 0
        return self._see(), {}

    def step(self, action):
        if self.mode == "breaks":
            return 1 / 0
        self.place += 1 if action == 2 else -1
        self.steps += 1
        over = self.place >= self.length
        reward = np.nan if self.mode == "reward" else np.float32(over)
        return self._see(), reward, over, self.steps >= 20, {"is_success": over} if over else {}

    def render(self):
        return np.full((30, 60, 3), 200, np.uint8)


class Catch(dm_env.Environment):
    def __init__(self, seed=None):
        self.start = seed % 3

    def observation_spec(self):
        return specs.BoundedArray((2,), np.float32, 0, 1)

    def action_spec(self):
        return specs.DiscreteArray(3)

    def reset(self):
        self.steps = 0
        return dm_env.restart(np.array([self.start / 3, 0], np.float32))

    def step(self, action):
        self.steps += 1
        see = np.array([self.start / 3, self.steps / 4], np.float32)
        return dm_env.termination(1.0, see) if self.steps == 4 else dm_env.transition(0.0, see)


def unseeded():
    return Catch(0)


class Ahead:
    def reset(self, env, seed):
        self.length = env.length

    def act(self, timestep):
        return 2


def on(observation):
    return 2


def off(observation):
    return 0


NUMBER = 3
"""


@pytest.fixture(scope="module", autouse=True)
def strangers(tmp_path_factory):
    """A module on sys.path, and a config directory of its own."""
    folder = tmp_path_factory.mktemp("strangers")
    (folder / "strange_worlds.py").write_text(CODE)
    (folder / "strange_broken.py").write_text("import json\n\nraise OSError('no display')\n")
    (folder / "strange_syntax.py").write_text("def make(:\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        yield folder


def opened(reference="strange_worlds:Walk", kwargs=None, **options):
    return open_world(World(reference, kwargs or {}), allow=("strange_worlds", "gymnasium"), **options)


def test_a_gymnasium_environment_plays_by_our_rules():
    env = opened()
    assert env.spec.name == "strange_worlds.walk"
    assert [item.key for item in env.spec.observation] == ["mode", "place"]
    timestep = env.reset_to(3)
    assert timestep.first()
    assert timestep.observation["mode"] == 0
    assert timestep.observation["place"].dtype == np.float32
    assert env.success is None
    while not timestep.last():
        timestep = env.step(np.int32(1))
    assert (timestep.reward, timestep.discount, env.success) == (1.0, 0.0, True)
    timestep = env.reset_to(3)
    assert env.success is None
    while not timestep.last():
        timestep = env.step(np.int32(0))
    assert timestep.discount == 1.0  # cut by the environment, not ended by it
    assert opened(draw=True).render(16).shape == (16, 16, 3)


@pytest.mark.parametrize("reference", ["gymnasium:Pendulum-v1", "gymnasium:FrozenLake-v1", "strange_worlds:Catch"])
def test_episodes_repeat_and_random_policies_act(reference):
    env = opened(reference)
    episodes = [run_episode(env, RandomPolicy(), 5, limit=30) for _ in range(2)]
    assert env.spec.name == task_name(World(reference))
    np.testing.assert_array_equal(*[episode.executed for episode in episodes])
    assert episodes[0].episode_return == episodes[1].episode_return
    assert probe(env, RandomPolicy()) == []


def test_experts_act_in_the_worlds_own_terms():
    env = opened()
    for name in ("on", "Ahead"):
        episode = run_episode(env, open_expert(f"strange_worlds:{name}", env), 0)
        assert episode.episode_return == 1.0
        assert set(map(int, episode.labels)) == {1}
    with pytest.raises(ExpertFailed, match=r"key 'action': expected an integer in \[0, 2\), found -1"):
        run_episode(env, open_expert("strange_worlds:off", env), 0)
    with pytest.raises(WorldError, match="found a int"):
        open_expert("strange_worlds:NUMBER", env)


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        ("shape", r"seed 7', timestep 0, key 'place': expected shape \(1,\), found shape \(2,\)"),
        ("nan", "key 'place': expected a finite number, found nan"),
        ("key", r"key 'mode': expected a value, found none: 'mode' is not in \['place'\]"),
        ("range", r"key 'mode': expected an integer in \[0, 3\), found 3"),
        ("dtype", "key 'mode': expected an integer dtype, found float64"),
        ("reward", r"timestep 1, key 'reward': expected a finite number, found .*nan"),
        ("chance", "seed 7 must start the same episode every time, found another 'place'"),
    ],
)
def test_what_a_world_shows_is_checked_before_it_is_recorded(mode, message):
    env = opened(kwargs={"mode": mode})
    with pytest.raises((TimestepError, WorldError), match=message):
        probe(env, RandomPolicy())


@pytest.mark.parametrize(
    ("reference", "kwargs", "message"),
    [
        ("strange_world:Walk", {}, "Python finds no module 'strange_world'"),
        ("strange_worlds.py:Walk", {}, "write strange_worlds instead of strange_worlds.py"),
        ("strange_worlds:Wal", {}, r"strange_worlds has no 'Wal'; nearest there: \['Walk'"),
        (
            "strange_broken:make",
            {},
            r"importing strange_broken raised OSError: no display \(strange_broken.py, line 3\)",
        ),
        ("strange_syntax:make", {}, r"raised SyntaxError: .*\(strange_syntax.py, line 1\)"),
        ("strange_worlds:NUMBER", {}, "expected a function or class that makes an environment, found a int"),
        ("strange_worlds:on", {"observation": 1}, "expected an Environment of this package.*found a builtins.int"),
        ("strange_worlds:Walk", {"mod": 1}, r"its arguments are \(mode='', .*unexpected keyword argument 'mod'"),
        ("strange_worlds:Walk", {"mode": "raises"}, r"with {'mode': 'raises'} raised RuntimeError: no licence"),
        ("strange_worlds:unseeded", {}, "needs a parameter `seed`"),
        ("gymnasium:CartPol-v1", {}, "gymnasium has no id 'CartPol-v1'; did you mean CartPole-v"),
        ("gymnasium:CartPole", {}, "did you mean CartPole-v1?"),
        ("gymnasium:Pendulum-v1", {"gravity": 1}, r"making it with {'gravity': 1} raised TypeError"),
        ("gymnasium:no_such_pkg:A-v0", {}, "Python finds no module 'no_such_pkg'"),
    ],
)
def test_what_cannot_be_opened(reference, kwargs, message):
    with pytest.raises(WorldError, match=message):
        open_world(World(reference, kwargs), allow=(World(reference).code,))


@pytest.mark.parametrize("reference", ["Pendulum-v1", "a.b", "gymnasium:", "a:b c", "../x:y"])
def test_names_that_are_none(reference):
    with pytest.raises(ValueError, match=r"a world is named package\.module:factory, or gymnasium:ID"):
        World(reference)


def test_arguments_are_json():
    with pytest.raises(ValueError, match="kwargs must be JSON"):
        World("a:b", {"x": object()})


def test_a_spec_holds_its_world_and_old_ones_none():
    env = opened(kwargs={"length": 3})
    spec = dataclasses.replace(env.spec, world=World("strange_worlds:Walk", {"length": 3}, "2"))
    assert TaskSpec.from_json(spec.to_json()) == spec
    assert '"world": {' in spec.to_json()
    assert '"world":' not in dataclasses.replace(spec, world=None).to_json()


def test_another_world_than_the_datas_is_refused():
    recorded = dataclasses.replace(opened("gymnasium:Pendulum-v1").spec, world=World("gymnasium:CartPole-v1"))
    with pytest.raises(
        WorldError, match=r"is not the world of the data.*observation\.observation\.shape: \[3\] in the"
    ):
        catalog.make(recorded.name, recorded, allow=("gymnasium",))
    walk = dataclasses.replace(opened().spec, world=World("strange_worlds:Walk", version="1"))
    with pytest.raises(WorldError, match=r"data are of version '1', found version '2'"):
        catalog.make(walk.name, walk, allow=("strange_worlds",))
    short = dataclasses.replace(walk, max_episode_steps=2, world=World("strange_worlds:Walk", version="2"))
    env = catalog.make(walk.name, short, allow=("strange_worlds",))
    env.reset_to(0)
    assert [env.step(np.int32(0)).step_type for _ in range(2)] == [dm_env.StepType.MID, dm_env.StepType.LAST]


def test_nothing_is_imported_without_consent(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "strange_trap.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    for reference in ("strange_trap:make", "gymnasium:strange_trap:A-v0"):
        world = World(reference, {"a": 1})
        for allow in ((), ("gymnasium",), ("strange",), ("strange_trap.deeper",)):
            with pytest.raises(consent.CodeNotAllowed, match="allow it: --allow-code strange_trap"):
                open_world(world, allow=allow)
        assert "strange_trap" not in sys.modules
        with pytest.raises(SystemExit, match="imported"):
            open_world(world, allow=("strange_trap",))
        monkeypatch.setenv(consent.ALLOW, "other, strange_trap")
        consent.check("a.b", world)
        monkeypatch.delenv(consent.ALLOW)
        consent.remember(world)
        consent.remember(world)
        consent.check("a.b", world)
        with pytest.raises(consent.CodeNotAllowed):  # with other arguments it is another world
            consent.check("a.b", World(reference, {"a": 2}))
    assert len(consent.known_worlds().read_text().splitlines()) == 2


def test_experts_by_name(tmp_path):
    for reference, message in (
        ("policy.onnx", "no such file"),
        ("walk", "expected package.module:callable, a file of"),
    ):
        with pytest.raises(WorldError, match=message):
            check_reference(reference)
    (tmp_path / "policy.zip").write_bytes(b"a")
    check_reference(str(tmp_path / "policy.zip"))
    assert describe(str(tmp_path / "policy.zip"))["sha256"].startswith("ca978112")
    assert describe("random") == {"expert": "random"}


def test_names_of_tasks():
    assert task_name(World("gymnasium:ALE/Pong-v5")) == "gymnasium.ale_pong_v5"
    assert task_name(World("gymnasium:pkg:My-v0")) == "gymnasium.my_v0"
    assert task_name(World("pkg.deep:Maker.make")) == "pkg.maker_make"
    for name in ("a", "a.b.c", "a/b.c", "a.ö"):
        with pytest.raises(WorldError, match=r"a task is named domain\.task"):
            check_task_name(name)


def test_pictures_become_squares():
    picture = square(np.full((30, 60, 3), 255, np.uint8), 32)
    assert picture[16].min() == 255
    assert picture[:8].max() == picture[-8:].max() == 0
    for wrong in (None, np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3))):
        with pytest.raises(WorldError, match="render: expected a picture"):
            square(wrong, 32)
