"""Options of a recording, and the settings of one task that follow from them."""

import dataclasses
import enum
import math
from collections.abc import Mapping
from typing import Any

from data_pipelines.config_json import encode
from data_pipelines.ranges import Count, Natural, Positive, ShareAboveNone, ShareBelowAll, check_fields
from data_pipelines.suites.base.suite import Source, Task
from data_pipelines.suites.costs import cost_of


class Policy(enum.Enum):
    """Who acts while episodes are recorded.

    EXPERT: the task's demonstrator; an attempt must reach the task's bar.
    RANDOM: uniform actions; every episode is kept, and none gives a score.
    MIXED: the demonstrator, with a random action in its place at a share of the steps that is drawn anew for each
      episode, from 0 to 1; a quarter of the episodes are the demonstrator's alone. Every episode is kept, and the label
      stays what the demonstrator would have done.
    """

    EXPERT = "expert"
    RANDOM = "random"
    MIXED = "mixed"


MIXTURE: Mapping[str, Any] = {"low": 0.0, "high": 1.0, "share": 0.75, "swap": True}
"""Noise of a mixed recording, as its settings hold it: the level is the share of random actions."""


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
      counts: episodes to keep of single tasks, by name, in place of `episodes`.
      share: of every number of episodes, at least one episode of each task: how a budget of minutes is kept.
      filter: share of the way from the random policy's mean return to the demonstrator's that an episode must come, in
        addition to the task's own bar; None asks for the bar alone. Tasks whose demonstrator is judged by its goals,
        and those that were never measured, keep their own bar.
      policy: who acts.

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
    counts: Mapping[str, Count] = dataclasses.field(default_factory=dict)
    share: ShareAboveNone = 1.0
    filter: ShareAboveNone | None = None
    policy: Policy = Policy.EXPERT

    def __post_init__(self):
        check_fields(self, "recording")

    def task_settings(self, task: Task) -> dict[str, Any]:
        """Everything that decides one task's data, as JSON holds it: equal settings mean equal data."""
        settings: dict[str, Any] = {"task": task.name, "seed": self.seed}
        if task.source is Source.TEXT:
            return settings  # all documents, always
        asked = self.counts.get(task.name, self.episodes)
        episodes = self._scaled(task.episodes, self.scale) if asked is None else self._scaled(asked)
        settings["episodes"] = episodes
        if task.source is Source.ENVIRONMENT:
            # A number of episodes that was asked for is meant as it stands: no further beginnings beside it.
            starts = task.starts if asked is None and self.policy is Policy.EXPERT else None
            if starts is not None:
                starts = dataclasses.replace(starts, episodes=self._scaled(starts.episodes, self.scale))
            if held_out := math.ceil(episodes * self.validation):
                settings["validation"] = held_out
            bar = self._bar(task)
            settings |= {
                "bar": bar,
                # Few episodes are still shared between two workers.
                "chunk": min(task.chunk, max(1, -(-episodes // 2))),
                "noise": self._noise(task),
                "starts": _encode(starts, noise=None),
                "random_episodes": 0 if self.policy is Policy.RANDOM else self.random_episodes,
                "attempts_per_episode": self._attempts(task, bar),
                "time_limit": task.time_limit,
                **task.settings,
            }
            if self.policy is not Policy.EXPERT:
                settings["policy"] = self.policy.value
        return settings

    def _bar(self, task: Task) -> float | None:
        if self.policy is not Policy.EXPERT:
            return None
        cost = None if self.filter is None else cost_of(task.name)
        bar = None if cost is None or self.filter is None else cost.bar(self.filter)
        return task.bar if bar is None else bar if task.bar is None else max(task.bar, bar)

    def _noise(self, task: Task) -> Any:
        if self.policy is Policy.MIXED:
            return dict(MIXTURE)
        wanted = self.action_noise and self.policy is Policy.EXPERT
        return _encode(task.noise if wanted else None, hold=1)

    def _attempts(self, task: Task, bar: float | None) -> int:
        """Attempts for each episode to keep: more where a bar was raised above what every attempt reaches."""
        cost = cost_of(task.name)
        if bar == task.bar or cost is None:
            return self.attempts_per_episode
        return math.ceil(self.attempts_per_episode * cost.reached(task.bar) / cost.reached(bar))

    def _scaled(self, episodes: int, scale: float = 1.0) -> int:
        return max(1, round(episodes * scale * self.share))


def _encode(value: Any, **younger: Any) -> Any:
    """As JSON holds it, without the fields that stand at their first value: such data reads as before they came."""
    encoded = encode(value)
    if encoded is None:
        return None
    return {name: part for name, part in encoded.items() if name not in younger or part != younger[name]}
