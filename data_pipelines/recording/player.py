"""Plays worlds in a process of their own, without TensorFlow: they may draw, and bring any library.

Worlds from outside are played here, and those tasks of the catalog whose observations OpenGL draws.

Run as `python -m data_pipelines.recording.player PARENT`; behind the answer of an episode stand the bytes of an npz
file. `Player` is the other end.
"""

import io
import json
import sys
from collections.abc import Mapping
from typing import Any

import dm_env
import numpy as np

from data_pipelines.config_json import decode
from data_pipelines.errors import TimestepError
from data_pipelines.recording.episodes import (
    Episode,
    ExpertFailed,
    NoiseError,
    PlayerDied,
    PlayerGrew,
    TimeLimitExceeded,
    WorldFailed,
    patience,
    run_episode,
    time_limit,
)  # fmt: skip
from data_pipelines.recording.probe import probe
from data_pipelines.spec import TaskSpec, World, lookup
from data_pipelines.suites import catalog
from data_pipelines.suites.base.environment import Environment, nest
from data_pipelines.suites.base.expert import Expert, RandomPolicy
from data_pipelines.suites.outside.experts import open_expert
from data_pipelines.suites.outside.objects import WorldError, said
from data_pipelines.suites.outside.opening import current_version, open_world
from data_pipelines.suites.outside.world_process import (
    ProcessDied,
    ProcessGrew,
    ProcessHung,
    ProcessLost,
    Requests,
    WorldProcess,
)  # fmt: skip

EXPERT, RANDOM = "expert", "random"
_OPENING_SECONDS = 300.0
_LOST = {ProcessHung: TimeLimitExceeded, ProcessDied: PlayerDied, ProcessGrew: PlayerGrew}
_ERRORS = {"expert": ExpertFailed, "time": TimeLimitExceeded, "raised": WorldFailed}


class Player:
    """A world and its expert in a process of their own. Use with `with`.

    Args:
      world: which; its version becomes the one that is there, unless a spec says which is expected. None for the task
        of the catalog that `name` names, with its own expert.
      expert: of a world, as `open_expert` takes it.
      name: of the task; "" = the world's own.
      max_steps: cuts episodes after so many; 0 = where the world does.
      spec: as it was described before, which the world must still agree with.
      memory: MiB that the process may hold; 0 = any.

    Raises:
      WorldError: world or expert cannot be opened.
    """

    def __init__(
        self, world: World | None, expert: str = "", *, name: str = "", max_steps: int = 0,
        spec: TaskSpec | None = None, memory: float = 0.0,
    ):  # fmt: skip
        self._process = WorldProcess("data_pipelines.recording.player")
        self._memory = memory
        self._what = f"world {world.task!r}" if world else f"task {name!r}"
        request = {
            "world": world and json.loads(world.to_json()), "expert": expert, "name": name, "max_steps": max_steps,
            "spec": spec and json.loads(spec.to_json()),
        }  # fmt: skip
        try:
            self.spec = TaskSpec.from_dict(self._ask(request)[0]["spec"])
        except TimeLimitExceeded as error:
            self.close()
            raise WorldError(f"{error}: it hangs where it is opened") from error
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Player":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def isolated(self) -> bool:
        """Whether the world is in a process of its own."""
        return True

    @property
    def alive(self) -> bool:
        """Whether its process is there."""
        return self._process.alive

    @property
    def memory(self) -> float:
        """Of its process, in MiB."""
        return self._process.memory

    def close(self) -> None:
        """Ends the process, whatever it is doing."""
        self._process.close()

    def probe(self) -> list[str]:
        """What `probe` finds. Raises `WorldError`."""
        try:
            return self._ask({"do": "probe"})[0]["notes"]
        except TimeLimitExceeded as error:
            raise WorldError(f"{self._what}: trying a few of its steps took too long: {error}") from error

    @property
    def env(self) -> Environment:
        """Says what observations and actions are; it cannot act here."""
        return _Described(self.spec)

    def expert(
        self, seed: int, *, noise: float = 0.0, hold: int = 1, limit: int | None = None, seconds: float = 300.0,
        swap: bool = False,
    ) -> Episode:  # fmt: skip
        """One attempt of the expert, as `run_episode` makes it.

        Raises:
          ExpertFailed, TimeLimitExceeded: as there; a world that hangs is ended.
          WorldFailed: the world raised; `PlayerDied`, `PlayerGrew`: its process ended, or took too much memory.
          WorldError: the world showed what its spec does not say, or takes no noise.
        """
        return self._play(seed, policy=EXPERT, noise=noise, hold=hold, limit=limit, seconds=seconds, swap=swap)

    def random(self, seed: int, *, seconds: float = 300.0) -> Episode:
        """One episode of the random policy. Raises as `expert` does."""
        return self._play(seed, policy=RANDOM, noise=0.0, hold=1, limit=None, seconds=seconds, swap=False)

    def _play(self, seed: int, *, noise: float, seconds: float, **request: Any) -> Episode:
        request = {"do": "play", "seed": seed, "noise": noise, "seconds": seconds, **request}
        _, data = self._ask(request, patience(seconds))
        return _unpack(self.spec, seed, noise, data)

    def _ask(self, request: Mapping[str, Any], seconds: float = _OPENING_SECONDS) -> tuple[dict[str, Any], bytes]:
        try:
            answer, data = self._process.ask(request, seconds, memory=self._memory)
        except ProcessLost as lost:
            raise _LOST[type(lost)](f"{self._what}: {lost}") from lost
        if error := answer.get("error"):
            raise _ERRORS.get(error, WorldError)(answer["message"])
        return answer, data


class _Described(Environment):
    """What a world is, without the world."""

    def __init__(self, spec: TaskSpec):
        self._spec = spec

    def reset_to(self, seed: int) -> dm_env.TimeStep:
        raise NotImplementedError

    def step(self, action: np.ndarray) -> dm_env.TimeStep:
        raise NotImplementedError

    def render(self, size: int) -> np.ndarray:
        raise NotImplementedError


def _pack(spec: TaskSpec, episode: Episode) -> bytes:
    buffer = io.BytesIO()
    after = episode.timesteps[1:]
    arrays: dict[str, Any] = {}
    for item in spec.observation:
        values = [np.asarray(lookup(timestep.observation, item.path)) for timestep in episode.timesteps]
        arrays[f"observation/{item.key}"] = np.stack(values)
    arrays["reward"] = np.asarray([timestep.reward for timestep in after], np.float64)
    arrays["discount"] = np.asarray([timestep.discount for timestep in after], np.float64)
    for name, actions in (("executed", episode.executed), ("label", episode.labels)):
        arrays[name] = np.asarray(actions, spec.action.dtype).reshape(len(after), *spec.action.shape)
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _unpack(spec: TaskSpec, seed: int, noise: float, data: bytes) -> Episode:
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    steps = len(arrays["reward"])
    # A text is a plain `str`, as environments give it.
    observations = [
        nest({item.path: _item(arrays[f"observation/{item.key}"][t]) for item in spec.observation})
        for t in range(steps + 1)
    ]
    timesteps = [dm_env.restart(observations[0])]
    for t in range(steps):
        kind = dm_env.StepType.LAST if t == steps - 1 else dm_env.StepType.MID
        timesteps.append(
            dm_env.TimeStep(kind, float(arrays["reward"][t]), float(arrays["discount"][t]), observations[t + 1])
        )
    return Episode(seed, noise, tuple(timesteps), tuple(arrays["executed"]), tuple(arrays["label"]))


def _item(value: Any) -> Any:
    return str(value) if isinstance(value, np.str_) else value


def main(parent: int) -> None:
    """The process: opens what the first request asks for, then probes and plays until there is none."""
    requests = Requests(parent)
    request = next(iter(requests))
    try:
        env, expert = _open_task(request["name"]) if request["world"] is None else _open_world(request)
    except ValueError as error:
        requests.answer({"error": "world", "message": str(error)})
        return
    requests.answer({"spec": json.loads(env.spec.to_json())})
    for request in requests:
        requests.answer(*_do(request, env, expert))


def _open_task(name: str) -> tuple[Environment, Expert]:
    """A task of the catalog, reset once: the first picture shows whether there is anything to draw with."""
    try:
        env, expert = open_task(name)
        env.reset_to(0)
    except Exception as error:  # Libraries of renderers raise whatever they like.
        raise WorldError(f"task {name!r}: opening it raised {said(error)}") from error
    return env, expert


def open_task(name: str) -> tuple[Environment, Expert]:
    """A task of the catalog and its expert, in this process. Raises `ValueError` where nobody demonstrates it."""
    task = catalog.get(name)
    if task.make_expert is None:
        raise ValueError(f"task {name!r} has no expert")
    return catalog.make(name), task.make_expert()


def _open_world(request: Mapping[str, Any]) -> tuple[Environment, Expert]:
    world, spec = decode(World, request["world"], path="world"), request["spec"]
    allow = (world.code,)  # The user named it: this process only plays what was asked for.
    if spec is None:
        world = current_version(world)
    env = open_world(world, name=request["name"], allow=allow, spec=spec and TaskSpec.from_dict(spec))
    if spec is None and request["max_steps"]:
        env.cut_after(request["max_steps"])
    return env, open_expert(request["expert"], env)


def _do(request: Mapping[str, Any], env: Environment, expert: Expert) -> tuple[dict[str, Any], bytes]:
    try:
        if request["do"] == "probe":
            return {"notes": probe(env, expert)}, b""
        policy = expert if request["policy"] == EXPERT else RandomPolicy()
        with time_limit(request["seconds"]):
            episode = run_episode(
                env, policy, request["seed"], **{key: request[key] for key in ("noise", "hold", "limit", "swap")}
            )
    except ExpertFailed as error:
        return {"error": "expert", "message": str(error)}, b""
    except TimeLimitExceeded as error:
        return {"error": "time", "message": str(error)}, b""
    except (WorldError, TimestepError, NoiseError) as error:
        return {"error": "world", "message": str(error)}, b""
    except Exception as error:  # Whatever a stranger's environment raises.
        return {"error": "raised", "message": f"task {env.spec.name!r}: the world raised {said(error)}"}, b""
    return {}, _pack(env.spec, episode)


if __name__ == "__main__":
    main(int(sys.argv[1]))
