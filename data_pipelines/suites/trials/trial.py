"""One world tried in this process: reset twice, stepped at random, drawn."""

import copy
import dataclasses
import time
from pathlib import Path
from typing import Any

import dm_env
import numpy as np
from PIL import Image

from data_pipelines.errors import Origin
from data_pipelines.spec import TaskSpec, lookup
from data_pipelines.suites import catalog
from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.outside.adapter import checked_observation

SEED = 7
STEPS = 20
FRAMES = 4
_TIMED_SECONDS = 0.1


class TrialFailed(Exception):
    """What a world did that it must not do."""


@dataclasses.dataclass(frozen=True)
class Trial:
    """What came of a world.

    Args:
      ok: whether it did all that a world has to do.
      reason: what it did not, in one line; "" where it did.
      seconds: that it took, without the import of its simulator where another task came before.
      steps_per_second: of random actions, without checks; None where it failed.
      frames_per_second: of pictures of the size that was asked for; None where it failed.
    """

    ok: bool
    reason: str = ""
    seconds: float = 0.0
    steps_per_second: float | None = None
    frames_per_second: float | None = None


def try_task(name: str, *, steps: int = STEPS, size: int = 64, picture: Path | None = None) -> Trial:
    """Tries a task of the catalog.

    Args:
      name: of the task.
      steps: random ones, each checked against the task's spec.
      size: height and width of its pictures.
      picture: file to which the last one is saved.
    """
    begun = time.perf_counter()
    try:
        env = catalog.make(name)
        try:
            first = _checked(env.spec, env.reset_to(SEED), 0)
            start = _picture(env, size)
            stepped = _random_steps(env, steps)
            frames = _pictures(env, size, start, picture)
            if key := _difference(env.spec, first, _checked(env.spec, env.reset_to(SEED), 0)):
                raise TrialFailed(f"seed {SEED} started another episode the second time: {key!r} differs")
        finally:
            env.close()
    except Exception as error:  # Whatever a simulator raises is the answer.
        text = (str(error).strip().splitlines() or [""])[0]
        reason = text if isinstance(error, TrialFailed) else f"{type(error).__name__}: {text}"
        return Trial(False, reason, time.perf_counter() - begun)
    return Trial(True, "", time.perf_counter() - begun, stepped, frames)


def _random_steps(env: Environment, steps: int) -> float:
    """Steps a second of the environment alone. More than `steps` are timed where they take no time."""
    rng = np.random.default_rng(SEED)
    spent, taken, index = 0.0, 0, 0
    last = False
    while taken < steps or spent < _TIMED_SECONDS:
        if last:
            _checked(env.spec, env.reset_to(SEED + taken), 0)
            index = 0
        action = env.random_action(rng)
        env.action_spec().validate(action)
        begun = time.perf_counter()
        timestep = env.step(action)
        spent += time.perf_counter() - begun
        taken, index = taken + 1, index + 1
        _checked(env.spec, timestep, index)
        last = timestep.last()
    return taken / spent


def _checked(spec: TaskSpec, timestep: dm_env.TimeStep, index: int) -> dict[str, Any]:
    """A copy of the observation, which is inside the spec; so are reward and discount."""
    observation = checked_observation(spec, timestep.observation, Origin(f"of seed {SEED}", index))
    if index == 0:
        if not timestep.first():
            raise TrialFailed("reset_to gave a timestep that is not the first of an episode")
        return copy.deepcopy(observation)
    for key, value in (("reward", timestep.reward), ("discount", timestep.discount)):
        if np.shape(value) != () or not np.isfinite(value):
            raise TrialFailed(f"timestep {index}: expected a finite number as {key}, found {value!r}")
    if not 0.0 <= timestep.discount <= 1.0:
        raise TrialFailed(f"timestep {index}: expected a discount in [0, 1], found {timestep.discount}")
    return observation


def _difference(spec: TaskSpec, one: dict[str, Any], other: dict[str, Any]) -> str:
    """The first key in which two observations differ, else ""."""
    pairs = ((item.key, lookup(one, item.path), lookup(other, item.path)) for item in spec.observation)
    return next((key for key, a, b in pairs if not np.array_equal(a, b)), "")


def _picture(env: Environment, size: int) -> np.ndarray:
    frame = env.render(size)
    if frame.dtype != np.uint8 or frame.shape != (size, size, 3):
        raise TrialFailed(f"render: expected uint8 [{size}, {size}, 3], found {frame.dtype} {list(frame.shape)}")
    return frame.copy()


def _pictures(env: Environment, size: int, start: np.ndarray, file: Path | None) -> float:
    """Pictures a second. The start or the end must show something: games may blank their screen for a moment."""
    frame = _picture(env, size)
    if start.min() == start.max() and frame.min() == frame.max():
        raise TrialFailed(f"render: expected a picture, found {frame.min()} at every pixel")
    if file is not None:
        Image.fromarray(frame).save(file)
    begun = time.perf_counter()
    for _ in range(FRAMES):
        env.render(size)
    return FRAMES / (time.perf_counter() - begun)
