"""What an evaluation says: dataclasses that turn into JSON and back."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data_pipelines.read_json import read_json
from gato_jax.evaluation import score_table, statistics
from gato_jax.evaluation.baselines import Baseline

FORMAT = 1
PASS_PERCENT = 50.0
"""The paper's threshold for "can do the task" (Gato, section 4.1)."""


@dataclasses.dataclass(frozen=True)
class TaskScore:
    """One control task.

    Attributes:
      task, domain: names.
      decode: "argmax" or "sample".
      seeds, returns, lengths: per episode that was played to its end; lengths in steps.
      success: per episode where the task knows success, else empty.
      expert_mean, random_mean: the frozen normaliser, in units of return.
      random_episodes: how many random episodes stand behind `p_below_random`.
      percent: 0 = random, 100 = expert, with its 95 % interval (`low`, `high`, `interval`: method).
      p_below_random: one-sided permutation p-value of "worse than random".
      seconds: wall time of the rollouts, compiling included.
      failures: seed -> why an episode could not be played to its end. Scores are of the others.
      prompt: what stood before the episodes: "timesteps", "split", and "episodes", seed -> file and record; or empty.
      baseline: of the same seeds, where baselines were asked for.

    The last three are left out of JSON where there is nothing to say.
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
    failures: Mapping[str, str] = dataclasses.field(default_factory=dict)
    prompt: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    baseline: Baseline | None = None

    @property
    def passed(self) -> bool:
        return self.percent >= PASS_PERCENT

    @property
    def below_random(self) -> bool:
        """Worse than random at 95 % confidence."""
        return self.p_below_random < 1 - statistics.CONFIDENCE

    @property
    def below_baseline(self) -> bool:
        """Whether the baseline, which learnt nothing, has the higher mean."""
        return self.baseline is not None and self.baseline.percent is not None and self.percent < self.baseline.percent

    @property
    def baseline_name(self) -> str:
        return "" if self.baseline is None else self.baseline.name

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
      prompts: what stood before the episodes, in words.
      unprompted: task -> why it has no prompt although others have.
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
    prompts: str = "none"
    unprompted: Mapping[str, str] = dataclasses.field(default_factory=dict)

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

    @property
    def failed(self) -> int:
        """Episodes that could not be played to their end."""
        return sum(len(score.failures) for score in self.tasks)

    def to_dict(self) -> dict[str, Any]:
        """Plain data: the fields, and the aggregates under "summary"."""
        overall = self.overall()
        fields = dataclasses.asdict(self)
        for score in fields["tasks"]:
            for name in ("failures", "prompt", "baseline"):
                if not score[name]:
                    del score[name]
        return {
            "format": FORMAT,
            **fields,
            "summary": {
                "tasks": len(self.tasks),
                "at_least_50_percent": self.passed,
                "below_random": list(self.below_random),
                "failed_episodes": self.failed,
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
        added = ("prompts", "unprompted")  # Files of earlier versions have no such fields.
        fields = {field.name: data[field.name] for field in dataclasses.fields(cls) if field.name not in added}
        fields |= {name: data[name] for name in added if name in data}
        fields["tasks"] = [_task_score(score) for score in data["tasks"]]
        fields["language"] = [LanguageScore(**score) for score in data["language"]]
        return cls(**fields)


def _task_score(data: Mapping[str, Any]) -> TaskScore:
    baseline = data.get("baseline")
    return TaskScore(**{**data, "baseline": Baseline(**baseline) if baseline else None})


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
