"""What an evaluation says: dataclasses that turn into JSON and back."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.read_json import read_json
from gato_jax.evaluation import score_table, statistics
from gato_jax.evaluation.baselines import Baseline
from gato_jax.evaluation.metrics import summaries

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
      success: per episode, at its last step, where the task knows success; else empty.
      expert_mean, random_mean: the frozen normaliser, in units of return.
      random_episodes: how many random episodes stand behind `p_below_random`.
      percent: 0 = random, 100 = expert, with its 95 % interval (`low`, `high`, `interval`: method).
      p_below_random: one-sided permutation p-value of "worse than random".
      seconds: wall time of the rollouts, compiling included.
      failures: seed -> why an episode could not be played to its end. Scores are of the others.
      prompt: what stood before the episodes: "timesteps", "split", and "episodes", seed -> file and record; or empty.
      baseline: of the same seeds, where baselines were asked for.
      others: name -> further policies, on the same seeds.
      ever: per episode, whether it was a success at any of its steps.
      truncated: per episode, whether a limit of steps cut it: that alone is no success.

    The last six are left out of JSON where there is nothing to say.
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
    others: Mapping[str, Baseline] = dataclasses.field(default_factory=dict)
    ever: Sequence[bool] = ()
    truncated: Sequence[bool] = ()

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

    @property
    def ever_rate(self) -> float | None:
        """Share of the episodes that were a success at any step."""
        return sum(self.ever) / len(self.ever) if self.ever else None

    @property
    def percents(self) -> np.ndarray:
        """Percent of the expert by episode."""
        returns = np.asarray(self.returns, np.float64)
        return 100.0 * (returns - self.random_mean) / (self.expert_mean - self.random_mean)


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
      bits_per_byte: of text tasks: what a byte of the held-out text costs, whatever the tokens.
      vqa_accuracy: of questions: the official accuracy over all answers that people gave, from 0 to 1.
      cider, bleu: of captions, times 100; `metrics.captions` says how words are cut.
      captions: number of pictures described.

    The last five are left out of JSON where they do not apply.
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
    bits_per_byte: float | None = None
    vqa_accuracy: float | None = None
    cider: float | None = None
    bleu: float | None = None
    captions: int = 0


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
      scores: version and SHA-256 of the package's frozen scores.
      packaged: tasks that the data directory has no scores of, so that those of the package normalise them.
      machine: where it was evaluated: device, CPUs, commit of the code.

    The last three are absent from evaluations of earlier versions.
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
    scores: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    packaged: Sequence[str] = ()
    machine: Mapping[str, str] = dataclasses.field(default_factory=dict)

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
            _leave_out(score, ("failures", "prompt", "baseline", "others", "ever", "truncated"))
        for score in fields["language"]:
            _leave_out(score, ("bits_per_byte", "vqa_accuracy", "cider", "bleu", "captions"))
        return {
            "format": FORMAT,
            **fields,
            "summary": {
                **summaries.summary(self),
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
        # Files of earlier versions have no such fields.
        added = ("prompts", "unprompted", "scores", "packaged", "machine")
        fields = {field.name: data[field.name] for field in dataclasses.fields(cls) if field.name not in added}
        fields |= {name: data[name] for name in added if name in data}
        fields["tasks"] = [_task_score(score) for score in data["tasks"]]
        fields["language"] = [LanguageScore(**score) for score in data["language"]]
        return cls(**fields)


def _task_score(data: Mapping[str, Any]) -> TaskScore:
    baseline = data.get("baseline")
    others = {name: Baseline(**of) for name, of in data.get("others", {}).items()}
    return TaskScore(**{**data, "baseline": Baseline(**baseline) if baseline else None, "others": others})


def _leave_out(fields: dict[str, Any], names: Sequence[str]) -> None:
    """Removes what says nothing."""
    for name in names:
        value = fields[name]
        if value is None or (not isinstance(value, float) and not value):
            del fields[name]


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
