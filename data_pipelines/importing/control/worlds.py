"""The world that imported episodes are of: so that a policy trained on them can be played and scored. No TensorFlow."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data_pipelines.importing.control.findings import Problem, Severity
from data_pipelines.importing.control.options import ControlOptions
from data_pipelines.recording.player import RANDOM, Player
from data_pipelines.recording.worker import episode_seeds
from data_pipelines.scores import Normaliser, freeze_scores
from data_pipelines.spec import TaskSpec
from data_pipelines.suites.outside import consent
from data_pipelines.suites.outside.opening import disagreements

RANDOM_EPISODES = 10


def open_world_of(options: ControlOptions, task: str) -> TaskSpec | None:
    """The spec of the world that the options name, after a few steps in it; None where they name none.

    Raises:
      WorldError: what is wrong with it.
    """
    world = options.where
    if world is None:
        return None
    with Player(world, RANDOM, name=task) as player:
        player.probe()
        assert player.spec.world is not None, "a player's spec says where it is played"
        consent.remember(player.spec.world)
        return player.spec


def world_problems(spec: TaskSpec, world: TaskSpec) -> list[Problem]:
    """In what the episodes are not of that world."""
    fix = "give the arrays the world's names, kinds and ranges (--observation, --kinds, --num-values, --action-low)"
    return [Problem(Severity.ERROR, "", f"--world: {difference}", fix) for difference in disagreements(spec, world)]


def placed(spec: TaskSpec, world: TaskSpec | None) -> TaskSpec:
    """The spec of the episodes with the world that they are of, whose length bounds evaluation too."""
    if world is None:
        return spec
    longest = max(spec.max_episode_steps, world.max_episode_steps)
    return dataclasses.replace(spec, world=world.world, max_episode_steps=longest)


def freeze_score(data: Path, spec: TaskSpec, returns: Sequence[float]) -> str:
    """Plays the random policy and writes the score entry of imported episodes: 100 is their mean return.

    Returns:
      What was written, or why nothing was, in a sentence.
    """
    assert spec.world is not None
    with Player(spec.world, RANDOM, name=spec.name, spec=spec) as player:
        seeds = episode_seeds(spec.name, 0)[-RANDOM_EPISODES:]
        random = [player.random(int(seed)).episode_return for seed in seeds]
    expert, chance = float(np.mean(returns)), float(np.mean(random))
    numbers = f"{expert:.6g}, the mean return of the episodes kept, over {chance:.6g} of the random policy"
    if not expert > chance:
        return f"scores.json gets no entry: expected {numbers}, found it below"
    before = freeze_scores(data, {spec.name: Normaliser(expert, chance, (), tuple(random))})
    return "scores.json keeps the entry it had: scores are frozen" if before else f"a score of 100 is {numbers}"
