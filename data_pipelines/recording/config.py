"""Options of a recording, and the settings of one task that follow from them."""

import dataclasses
import math
from typing import Any

from data_pipelines.config_json import encode
from data_pipelines.ranges import Count, Natural, Positive, ShareBelowAll, check_fields
from data_pipelines.suites.base.suite import Source, Task


@dataclasses.dataclass(frozen=True)
class RecordingConfig:
    """Options of a recording; together with the seed they decide the data.

    Args:
      seed: of all episodes.
      episodes: to keep per control task (questions for VQA); None takes each task's own number.
      scale: multiplies each task's own number.
      validation: held-out episodes beside those, as a share of them; rounded up, so that any share gives one.
      action_noise: whether tasks with noise get it.
      random_episodes: of the random policy per task, whose mean return scores 0.
      attempts_per_episode: a chunk gives up after this many attempts per episode to keep, and ten more.
      episodes_per_file: shard size.
      text_pieces: size of the SentencePiece model trained on the recorded text.

    Examples:
      >>> from data_pipelines import RecordingConfig
      >>> RecordingConfig(episodes=12, validation=0.1).action_noise
      True
    """

    seed: Natural = 0
    episodes: Count | None = None
    scale: Positive = 1.0
    validation: ShareBelowAll = 0.0
    action_noise: bool = True
    random_episodes: Count = 10
    attempts_per_episode: Count = 3
    episodes_per_file: Count = 64
    text_pieces: Count = 1024

    def __post_init__(self):
        check_fields(self, "recording")

    def task_settings(self, task: Task) -> dict[str, Any]:
        """Everything that decides one task's data, as JSON holds it: equal settings mean equal data."""
        settings: dict[str, Any] = {"task": task.name, "seed": self.seed}
        if task.source is Source.TEXT:
            return settings  # all documents, always
        episodes = self._scaled(task.episodes) if self.episodes is None else self.episodes
        settings["episodes"] = episodes
        if task.source is Source.ENVIRONMENT:
            noise = task.noise if self.action_noise else None
            # A number of episodes that was asked for is meant as it stands: no further beginnings beside it.
            starts = task.starts if self.episodes is None else None
            if starts is not None:
                starts = dataclasses.replace(starts, episodes=self._scaled(starts.episodes))
            if held_out := math.ceil(episodes * self.validation):
                settings["validation"] = held_out
            settings |= {
                "bar": task.bar,
                # Few episodes are still shared between two workers.
                "chunk": min(task.chunk, max(1, -(-episodes // 2))),
                "noise": _encode(noise, hold=1),
                "starts": _encode(starts, noise=None),
                "random_episodes": self.random_episodes,
                "attempts_per_episode": self.attempts_per_episode,
                "time_limit": task.time_limit,
                **task.settings,
            }
        return settings

    def _scaled(self, episodes: int) -> int:
        return max(1, round(episodes * self.scale))


def _encode(value: Any, **younger: Any) -> Any:
    """As JSON holds it, without the fields that stand at their first value: such data reads as before they came."""
    encoded = encode(value)
    if encoded is None:
        return None
    return {name: part for name, part in encoded.items() if name not in younger or part != younger[name]}
