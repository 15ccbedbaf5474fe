"""Predictive sampling in an emulator: action sequences are tried in the emulator itself, and the best one is begun.

Howell et al. (2022), "Predictive Sampling", for games of few actions. The plan is kept from one replanning to the next,
shifted by what was executed. Beside it, sequences are tried that change a part of it, and random ones that hold each
action for a while. Nothing draws, so a simulated step costs what the emulator costs.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol

import dm_env
import numpy as np
from jaxtyping import Int

from data_pipelines.suites.base.environment import Environment

METHOD = "predictive sampling in the emulator"
READS = "privileged: the emulator's states and their future"
"""`Task.expert` and `Task.reads` of those who demonstrate so."""


class Emulator(Protocol):
    """What an environment offers to be planned in. What follows from a state depends on the actions alone."""

    def get_state(self) -> Any:
        """Where the episode stands."""

    def set_state(self, state: Any) -> None:
        """Goes back to a state of the same episode."""

    def advance(self, action: int) -> tuple[float, bool]:
        """As `step`, without a picture: the reward, and whether the episode is over."""


@dataclasses.dataclass(frozen=True)
class Sampling:
    """Settings of the planner. An episode costs about sequences x horizon / execute simulated steps for each own one.

    Args:
      sequences: tried at each replanning, the kept plan among them.
      horizon: steps that a sequence looks ahead.
      execute: steps that are executed between two plans.
      longest_run: an action of a random sequence is held for 1 to this many steps.
      changed: share of the sequences, beside the kept plan, that change a part of it; the others are random.
      discount: of later rewards, for each step.
      life: what a lost life costs, in units of reward. A sequence is not followed further than that.
      end: what the end of the episode costs before its time; it is added to what the lost life costs.

    Raises:
      ValueError: a setting is out of its range.
    """

    sequences: int = 8
    horizon: int = 20
    execute: int = 5
    longest_run: int = 8
    changed: float = 0.5
    discount: float = 0.99
    life: float = 0.0
    end: float = 0.0

    def __post_init__(self):
        for name in ("sequences", "horizon", "execute", "longest_run"):
            if getattr(self, name) < 1:
                raise ValueError(f"predictive sampling: {name} must be at least 1, found {getattr(self, name)}")
        if self.execute > self.horizon:
            raise ValueError(
                f"predictive sampling: execute must be at most horizon ({self.horizon}), found {self.execute}"
            )
        for name in ("changed", "discount"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"predictive sampling: {name} lies in [0, 1], found {getattr(self, name)}")


class PredictiveSamplingExpert:
    """Plans by trying sequences, and goes back to where it was.

    Args:
      settings: of the planner.
      actions: the actions that are tried, as their numbers; None = all of the environment's.
      value: what a state is worth beside the rewards on the way to it, such as how near it is to what gives the next
        one; a sequence gets what it gains of that. None for nothing.
      lives: how many are left; None where the game has none.
    """

    def __init__(
        self,
        settings: Sampling,
        *,
        actions: Callable[[Any], list[int]] | None = None,
        value: Callable[[Any], float] | None = None,
        lives: Callable[[Any], int] | None = None,
    ):
        self._settings = settings
        self._choose, self._value, self._lives = actions, value, lives

    def reset(self, env: Environment, seed: int) -> None:
        self._env: Any = env
        self._actions = np.array(self._choose(env) if self._choose else range(env.spec.action.num_values))
        self._rng = np.random.default_rng(seed)
        self._plan = self._random(self._settings.horizon)
        self._executed = self._settings.execute

    def act(self, timestep: dm_env.TimeStep) -> np.ndarray:
        del timestep
        if self._executed >= self._settings.execute:
            self._replan()
        self._executed += 1
        return np.asarray(self._plan[self._executed - 1], np.int32)

    def _replan(self) -> None:
        settings, here = self._settings, self._env.get_state()
        fresh = self._random(self._executed)
        kept = np.concatenate([self._plan[self._executed :], fresh])
        changed = round(settings.changed * (settings.sequences - 1))
        tried = [kept]
        tried += [self._changed(kept) for _ in range(changed)]
        tried += [self._random(settings.horizon) for _ in range(settings.sequences - 1 - changed)]
        scores, value = [], self._value(self._env) if self._value else 0.0
        for sequence in tried:
            scores.append(self._score(sequence, value))
            self._env.set_state(here)
        # Of equal ones the first: the kept plan is not left for one that is no better.
        self._plan, self._executed = tried[int(np.argmax(scores))], 0

    def _score(self, sequence: Int[np.ndarray, "horizon"], value: float) -> float:
        """What a sequence is worth from where the emulator stands, which is then elsewhere; `value` is that of now."""
        settings, env, lives = self._settings, self._env, self._lives
        before = lives(env) if lives else 0
        score, weight = 0.0, 1.0
        for action in sequence:
            reward, over = env.advance(int(action))
            score += weight * reward
            lost = lives is not None and lives(env) < before
            if over or lost:
                return score - weight * (settings.life * lost + settings.end * over)
            weight *= settings.discount
        return score + (self._value(env) - value if self._value else 0.0)

    def _random(self, length: int) -> Int[np.ndarray, "length"]:
        """Actions that are each held for a while."""
        runs = self._rng.integers(1, self._settings.longest_run + 1, length)
        return np.repeat(self._rng.choice(self._actions, length), runs)[:length]

    def _changed(self, plan: Int[np.ndarray, "horizon"]) -> Int[np.ndarray, "horizon"]:
        """The plan with one or two runs in it replaced."""
        plan = plan.copy()
        for _ in range(self._rng.integers(1, 3)):
            begin, run = self._rng.integers(len(plan)), self._rng.integers(1, self._settings.longest_run + 1)
            plan[begin : begin + run] = self._rng.choice(self._actions)
        return plan
