"""`play`: watch one task."""

import dataclasses
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import rich.table

from data_pipelines import atomic_files
from data_pipelines.scores import EVALUATION_SEED_BASE
from data_pipelines.spec import World
from data_pipelines.suites import catalog
from gato_jax.agent.policy import Policy
from gato_jax.evaluation import prompts as prompts_module
from gato_jax.evaluation import worlds
from gato_jax.evaluation.prompts import prompted
from gato_jax.evaluation.report import pictures
from gato_jax.evaluation.rollouts import Actor, Rollout, roll_out
from gato_jax.weights.load import load_weights

FRAMES = 60
FILM = ".gif"


@dataclasses.dataclass(frozen=True)
class PlayResult:
    """Episodes that were played.

    Attributes:
      task: name.
      seeds, returns, lengths, success: per episode.
      pictures: path of each episode's picture.
      notes: why an episode is shown as a plot instead of a film; empty where it is a film.
      failures: seed -> why an episode could not be played to its end; it has no picture.
      prompts: what stood before the episodes, in words.
    """

    task: str
    seeds: list[int]
    returns: list[float]
    lengths: list[int]
    success: list[bool]
    pictures: list[str]
    notes: list[str]
    failures: dict[str, str] = dataclasses.field(default_factory=dict)
    prompts: str = "none"

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def table(self) -> rich.table.Table:
        table = rich.table.Table("seed", "return", "steps", "success", "picture", box=None, title=self.task)
        for i, seed in enumerate(self.seeds):
            success = str(self.success[i]) if self.success else ""
            note = f" ({self.notes[i]})" if self.notes[i] else ""
            table.add_row(str(seed), f"{self.returns[i]:.4g}", str(self.lengths[i]), success, self.pictures[i] + note)
        for name, failure in self.failures.items():
            table.add_row(name, "failed", "", "", failure)
        table.caption = f"prompts: {self.prompts}"
        return table


def play(
    run: Path | str,
    task: str,
    *,
    episodes: int = 1,
    out: Path | str = "play",
    seed: int = 0,
    prompts: str = prompts_module.AUTO,
    kwargs: Mapping[str, Any] | None = None,
    allow_code: Sequence[str] = (),
) -> PlayResult:
    """Rolls out one task and writes a GIF of each episode; a plot where nothing can render.

    Args:
      run: run, checkpoint or export directory.
      task: any control task of the catalog, trained on or not; one of the run's own data; or a world outside this
        package by "package.module:factory" or "gymnasium:ID", whose code then runs.
      episodes: how many.
      out: directory for the pictures; or, for one episode, a file that ends in .gif.
      seed: first episode, counted from `EVALUATION_SEED_BASE`.
      prompts: "auto": demonstrations from the run's data directory, when it trained with prompts and the task is there;
        "none"; or another data directory.
      kwargs: of a world that is named so.
      allow_code: packages whose code may be imported although only the run's data or config name their worlds.

    Raises:
      ValueError: an unknown task, with the nearest names; or a file of a kind that is not written.
      DataError, ValidationError: the prompts cannot be read.
      FileNotFoundError, CheckpointError, ExportError: the weights cannot be loaded.
    """
    if episodes < 1:
        raise ValueError(f"episodes must be positive, found {episodes}")
    world = World(task, kwargs or {}) if ":" in task else None
    if kwargs and world is None:
        raise ValueError(f"kwargs are of a world named package.module:factory or gymnasium:ID, found task {task!r}")
    check_destination(Path(out), episodes)
    weights = load_weights(run)
    where = worlds.where_to_play(task, weights.experiment, allow=allow_code) if world is None else world
    os.environ.setdefault("MUJOCO_GL", catalog.renderer_for([task], () if where is None else [task]))
    allowed = (*allow_code, world.code) if world is not None else allow_code
    environments = [catalog.make("" if world else task, where, allow=allowed) for _ in range(episodes)]
    try:
        task = environments[0].spec.name
        directory = str(weights.experiment.data.directory)
        shown = prompts_module.plan(weights, [task], prompts, data=directory, episodes=episodes)
        policy = Policy(weights, environments[0].spec)
        actor: Actor = policy
        if task in shown.requests:
            with tempfile.TemporaryDirectory() as temporary:
                shown.read([task], Path(temporary))
                actor = prompted(policy, Path(temporary), shown.settings[task])
        first = EVALUATION_SEED_BASE + seed
        rollout = roll_out(actor, environments, list(range(first, first + episodes)))
    finally:
        for environment in environments:
            environment.close()
    paths, notes = zip(*(_picture(rollout, i, Path(out), allowed) for i in range(len(rollout.seeds))), strict=True)
    return PlayResult(
        task=task,
        seeds=list(rollout.seeds),
        returns=list(rollout.returns),
        lengths=list(rollout.lengths),
        success=list(rollout.success),
        pictures=list(paths),
        notes=list(notes),
        failures=dict(rollout.failures),
        prompts=shown.about,
    )


def check_destination(out: Path, episodes: int) -> None:
    """Raises `ValueError` where `out` reads as a file that `play` does not write."""
    kind = out.suffix.lower()
    if kind in (".mp4", ".webm", ".avi", ".mov", ".mkv", ".png", ".jpg", ".jpeg", ".webp", ".html"):
        raise ValueError(
            f"--out {out}: films are written as {FILM}; expected a directory, or a file that ends in {FILM}"
        )
    if kind == FILM and episodes > 1:
        raise ValueError(f"--out {out}: one file holds one episode, found --episodes {episodes}; name a directory")
    if out.is_file() and kind != FILM:
        raise ValueError(f"--out {out}: expected a directory, or a file that ends in {FILM}; found a file")


def _picture(rollout: Rollout, index: int, out: Path, allow: Sequence[str]) -> tuple[str, str]:
    picture = pictures.episode(rollout, index, frames=FRAMES, size=256, allow=allow)
    path = out / f"{rollout.task}-{rollout.seeds[index]}.{picture.suffix}"
    if out.suffix.lower() == FILM:
        path = out.with_suffix(f".{picture.suffix}")  # a plot where nothing can render
    atomic_files.write_bytes(path, picture.data)
    return str(path), picture.note
