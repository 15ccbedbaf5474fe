"""What an evaluation says: dataclasses that turn into JSON and back."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data_pipelines.read_json import read_json
from gato_jax.evaluation import score_table, statistics

FORMAT = 1
PASS_PERCENT = 50.0
"""The paper's threshold for "can do the task" (Gato, section 4.1)."""


@dataclasses.dataclass(frozen=True)
class TaskScore:
    """One control task.

    Attributes:
      task, domain: names.
      decode: "argmax" or "sample".
      seeds, returns, lengths: per episode; lengths in steps.
      success: per episode where the task knows success, else empty.
      expert_mean, random_mean: the frozen normaliser, in units of return.
      random_episodes: how many random episodes stand behind `p_below_random`.
      percent: 0 = random, 100 = expert, with its 95 % interval (`low`, `high`, `interval`: method).
      p_below_random: one-sided permutation p-value of "worse than random".
      seconds: wall time of the rollouts, compiling included.
    """

    task: str
    domain: str
    decode: str
    seeds: Sequence[int]
    returns: Sequence[float]
    lengths: Sequence[int]
    success: Sequence[bool]
    expert_mean: float
    random_mean: float
    random_episodes: int
    percent: float
    low: float
    high: float
    interval: str
    p_below_random: float
    seconds: float

    @property
    def passed(self) -> bool:
        return self.percent >= PASS_PERCENT

    @property
    def below_random(self) -> bool:
        """Worse than random at 95 % confidence."""
        return self.p_below_random < 1 - statistics.CONFIDENCE

    @property
    def success_rate(self) -> float | None:
        return sum(self.success) / len(self.success) if self.success else None


@dataclasses.dataclass(frozen=True)
class LanguageScore:
    """One text or question-answering task on its validation split.

    Attributes:
      loss: mean negative log-likelihood per target token, in nats.
      tokens: number of target tokens behind `loss`.
      accuracy: share of answers that are exactly right, None for plain text; `low`, `high`: its 95 % interval.
      majority: accuracy of always giving the commonest answer of the questions asked: what seeing nothing would reach.
      questions: number of questions asked.
      samples: a few prompts with what the model said, for the report.
    """

    task: str
    domain: str
    loss: float
    tokens: int
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None
    majority: float | None = None
    questions: int = 0
    samples: Sequence[Mapping[str, str]] = dataclasses.field(default_factory=list)
    seconds: float = 0.0


@dataclasses.dataclass(frozen=True)
class EvaluationResult:
    """All scores of one run.

    Attributes:
      name, step: the experiment and the training step of its weights.
      episodes: per control task.
      context: how much the agent saw, in words.
      tasks, language: the scores, sorted by name.
      seconds: wall time, of all attempts.
      complete: False for an evaluation that was interrupted.
      versions: of the packages that matter.
    """

    name: str
    step: int
    episodes: int
    context: str
    tasks: Sequence[TaskScore]
    language: Sequence[LanguageScore]
    seconds: float
    complete: bool
    versions: Mapping[str, str]

    def domains(self) -> dict[str, statistics.Interval]:
        """Percent of expert per domain: mean over its tasks."""
        groups: dict[str, list[statistics.Interval]] = {}
        for score in self.tasks:
            interval = statistics.Interval(score.percent, score.low, score.high, score.interval)
            groups.setdefault(score.domain, []).append(interval)
        return {name: statistics.mean_of_means(group) for name, group in sorted(groups.items())}

    def overall(self) -> statistics.Interval | None:
        """Mean over domains of the mean over tasks (the paper's aggregate of figure 8)."""
        domains = list(self.domains().values())
        return statistics.mean_of_means(domains) if domains else None

    @property
    def passed(self) -> int:
        """Number of tasks at or above 50 % of the expert."""
        return sum(score.passed for score in self.tasks)

    @property
    def below_random(self) -> tuple[str, ...]:
        return tuple(score.task for score in self.tasks if score.below_random)

    def to_dict(self) -> dict[str, Any]:
        """Plain data: the fields, and the aggregates under "summary"."""
        overall = self.overall()
        return {
            "format": FORMAT,
            **dataclasses.asdict(self),
            "summary": {
                "tasks": len(self.tasks),
                "at_least_50_percent": self.passed,
                "below_random": list(self.below_random),
                "domains": {name: dataclasses.asdict(interval) for name, interval in self.domains().items()},
                "overall": dataclasses.asdict(overall) if overall else None,
            },
        }

    def table(self) -> score_table.ScoreTable:
        """The scores for a terminal."""
        return score_table.ScoreTable(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "EvaluationResult":
        """Raises `ValueError` for a file of another format."""
        if data.get("format") != FORMAT:
            raise ValueError(f"evaluation: expected format {FORMAT}, found {data.get('format')!r}")
        fields = {field.name: data[field.name] for field in dataclasses.fields(cls)}
        fields["tasks"] = [TaskScore(**score) for score in data["tasks"]]
        fields["language"] = [LanguageScore(**score) for score in data["language"]]
        return cls(**fields)


def load_result(path: Path) -> EvaluationResult:
    """Reads an `evaluation.json`.

    Raises:
      FileNotFoundError: there is none; evaluate the run first.
      ValueError: it is not an evaluation of this format.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no evaluation here; run `gato evaluate` on the run first")
    content = read_json(path, "the scores of a run", remedy="delete it and evaluate the run again")
    return EvaluationResult.from_dict(content)


RESULT = "evaluation.json"


ROLLOUTS = "rollouts"
