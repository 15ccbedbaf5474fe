"""A task's parts: what one worker records at a time. They do not depend on who records them."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_pipelines.recording.config import Policy, RecordingConfig
from data_pipelines.recording.job import Job
from data_pipelines.recording.players import outside_json
from data_pipelines.scores import EVALUATION_SEED_BASE
from data_pipelines.suites.base.suite import Source, Task

_STARTS_PER_CHUNK = 25
_MEMORY = 4096.0  # MiB that a process which plays a world may hold


def jobs_of(task: Task, config: RecordingConfig, partial: Path) -> list[Job]:
    """All parts of a task.

    Args:
      task: which.
      config: of the recording.
      partial: directory of unfinished tasks.

    Raises:
      ValueError: more episodes than there are seeds.
    """
    settings, root = config.task_settings(task), partial / task.name
    common: dict[str, Any] = {
        "task": task.name,
        "fingerprint": fingerprint(settings),
        "seed": config.seed,
        "outside": outside_json(task.outside),
    }
    if task.source is not Source.ENVIRONMENT:
        return [Job(chunk=0, episodes=settings.get("episodes", 0), directory=str(root / "chunk-00"), **common)]
    noise, size, starts = settings["noise"], settings["chunk"], settings["starts"]
    # (episodes, bar, steps, split, noise) of each chunk: whole episodes, beginnings of further ones, held-out ones.
    parts: list[tuple[int, float | None, int | None, str, dict[str, Any] | None]] = [
        (count, settings["bar"], None, "train", noise) for count in _sizes(settings["episodes"], size)
    ]
    if starts is not None:
        counts = _sizes(starts["episodes"], _STARTS_PER_CHUNK)
        other = noise and starts.get("noise", noise)
        parts += [(count, starts["bar"], starts["steps"], "train", other) for count in counts]
    held_out = _sizes(settings.get("validation", 0), size)
    parts += [(count, settings["bar"], None, "validation", noise) for count in held_out]
    # The same for all chunks of a task: their seeds are slices of this length.
    attempts = max(size, _STARTS_PER_CHUNK) * settings["attempts_per_episode"] + 10
    if len(parts) * attempts + settings["random_episodes"] > EVALUATION_SEED_BASE:
        raise ValueError(f"task {task.name!r}: {settings['episodes']} episodes need more seeds than there are")
    return [
        Job(
            chunk=index,
            episodes=episodes,
            directory=str(root / f"chunk-{index:02d}"),
            attempts=attempts,
            random_episodes=settings["random_episodes"] if index == 0 else 0,
            bar=bar,
            steps=steps,
            split=split,
            time_limit=task.time_limit,
            memory=_MEMORY,
            episodes_per_file=config.episodes_per_file,
            uniform=config.policy is Policy.RANDOM,
            **_noise(noise),
            **common,
        )
        for index, (episodes, bar, steps, split, noise) in enumerate(parts)
    ]


def fingerprint(settings: Mapping[str, Any]) -> str:
    """Names the settings of a task in each of its parts."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def _noise(noise: Mapping[str, Any] | None) -> dict[str, Any]:
    """The fields of a job that say how actions are disturbed."""
    if noise is None:
        return {"noise": None, "noise_share": 0.0}
    return {
        "noise": (noise["low"], noise["high"]),
        "noise_share": noise["share"],
        "noise_hold": noise.get("hold", 1),
        "noise_swap": noise.get("swap", False),
    }


def _sizes(total: int, size: int) -> list[int]:
    """Episodes of each chunk."""
    return [min(size, total - first) for first in range(0, total, size)]
