"""`play`: watch one task."""

import dataclasses
from pathlib import Path
from typing import Any

import rich.table

from data_pipelines import atomic_files
from data_pipelines.scores import EVALUATION_SEED_BASE
from data_pipelines.suites import catalog
from gato_jax.agent.policy import Policy
from gato_jax.evaluation.report import pictures
from gato_jax.evaluation.rollouts import Rollout, roll_out
from gato_jax.weights.load import load_weights

FRAMES = 60


@dataclasses.dataclass(frozen=True)
class PlayResult:
    """Episodes that were played.

    Attributes:
      task: name.
      seeds, returns, lengths, success: per episode.
      pictures: path of each episode's picture.
      notes: why an episode is shown as a plot instead of a film; empty where it is a film.
    """

    task: str
    seeds: list[int]
    returns: list[float]
    lengths: list[int]
    success: list[bool]
    pictures: list[str]
    notes: list[str]

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def table(self) -> rich.table.Table:
        table = rich.table.Table("seed", "return", "steps", "success", "picture", box=None, title=self.task)
        for i, seed in enumerate(self.seeds):
            success = str(self.success[i]) if self.success else ""
            note = f" ({self.notes[i]})" if self.notes[i] else ""
            table.add_row(str(seed), f"{self.returns[i]:.4g}", str(self.lengths[i]), success, self.pictures[i] + note)
        return table


def play(run: Path | str, task: str, *, episodes: int = 1, out: Path | str = "play", seed: int = 0) -> PlayResult:
    """Rolls out one task and writes a GIF of each episode; a plot where nothing can render.

    Args:
      run: run, checkpoint or export directory.
      task: any control task of the catalog, trained on or not.
      episodes: how many.
      out: directory for the pictures.
      seed: first episode, counted from `EVALUATION_SEED_BASE`.

    Raises:
      ValueError: an unknown task, with the nearest names.
      FileNotFoundError, CheckpointError, ExportError: the weights cannot be loaded.
    """
    if episodes < 1:
        raise ValueError(f"episodes must be positive, found {episodes}")
    catalog.get(task)  # an unknown name is said before anything is loaded
    weights = load_weights(run)
    environments = [catalog.make(task) for _ in range(episodes)]
    try:
        policy = Policy(weights, environments[0].spec)
        first = EVALUATION_SEED_BASE + seed
        rollout = roll_out(policy, environments, list(range(first, first + episodes)))
    finally:
        for environment in environments:
            environment.close()
    paths, notes = zip(*(_picture(rollout, i, Path(out)) for i in range(episodes)), strict=True)
    return PlayResult(
        task=task,
        seeds=list(rollout.seeds),
        returns=list(rollout.returns),
        lengths=list(rollout.lengths),
        success=list(rollout.success),
        pictures=list(paths),
        notes=list(notes),
    )


def _picture(rollout: Rollout, index: int, out: Path) -> tuple[str, str]:
    picture = pictures.episode(rollout, index, frames=FRAMES, size=256)
    path = out / f"{rollout.task}-{rollout.seeds[index]}.{picture.suffix}"
    atomic_files.write_bytes(path, picture.data)
    return str(path), picture.note
