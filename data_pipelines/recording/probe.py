"""What is tried of a world from outside and its expert before anything is recorded."""

import itertools

import dm_env
import numpy as np

from data_pipelines.recording.episodes import ExpertFailed, run_episode, time_limit
from data_pipelines.spec import lookup
from data_pipelines.suites.base.environment import Environment
from data_pipelines.suites.base.expert import Expert, RandomPolicy
from data_pipelines.suites.outside.objects import WorldError

SEED = 7
STEPS = 8
SECONDS = 120.0


def probe(env: Environment, expert: Expert) -> list[str]:
    """Plays a few steps twice, and some by the expert.

    Returns:
      What is worth knowing, though nothing is wrong.

    Raises:
      WorldError: a seed does not start the same episode twice, or the expert cannot act.
      TimestepError: an observation, a reward or an action is not what the spec says.
    """
    with time_limit(SECONDS):
        one, other = (run_episode(env, RandomPolicy(), SEED, limit=STEPS).timesteps for _ in range(2))
        if key := _difference(env, one[0], other[0]):
            raise WorldError(
                f"task {env.spec.name!r}: seed {SEED} must start the same episode every time, found another {key!r} "
                "the second time; draw all that is random from the seed"
            )
        try:
            run_episode(env, expert, SEED, limit=STEPS)
        except ExpertFailed as error:
            raise WorldError(f"task {env.spec.name!r}: the expert cannot act: {error}") from error
    notes = []
    if len(one) != len(other) or any(_difference(env, a, b) for a, b in zip(one, other)):
        notes.append(
            f"the same seed and actions led to other timesteps within {STEPS} steps: films, which replay an episode, "
            "may not show what happened"
        )
    return notes


def _difference(env: Environment, one: dm_env.TimeStep, other: dm_env.TimeStep) -> str | None:
    """The first key of the observation, or "reward", in which two timesteps differ."""
    keys = (
        (item.key, lookup(one.observation, item.path), lookup(other.observation, item.path))
        for item in env.spec.observation
    )
    pairs = itertools.chain(keys, [("reward", one.reward or 0.0, other.reward or 0.0)])
    return next((key for key, a, b in pairs if not np.array_equal(a, b)), None)
