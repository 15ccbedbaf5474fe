"""Options of evaluation (Gato, section 4.1)."""

import dataclasses
from collections.abc import Mapping

from data_pipelines.ranges import Count, Natural, Positive, check_fields
from data_pipelines.spec import World


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
    """How much is rolled out and asked.

    Args:
      episodes: per task; the paper has 50.
      seed: first episode's seed, counted from `data_pipelines.scores.EVALUATION_SEED_BASE`. Recording never uses seeds
        from there on.
      environments: of a task, that are stepped at a time; memory goes with them, and not with `episodes`.
      processes: tasks rolled out side by side.
      validation_rows: rows of each text and question task that the validation loss is taken over.
      questions: questions asked of each question-answering task.
      answer_tokens: longest answer, in tokens.
      text_samples: texts continued for the report, for each text task.
      text_tokens: length of a continuation, in tokens.
      text_temperature: of continuations; answers are always greedy.
      worlds: where tasks from outside this package are played; written when a run begins, from the data's own specs.

    Examples:
      >>> import gato_jax
      >>> gato_jax.EvaluationConfig(episodes=5).episodes
      5
    """

    episodes: Count = 10
    seed: Natural = 0
    environments: Count = 20
    processes: Count = 2
    validation_rows: Count = 64
    questions: Count = 256
    answer_tokens: Count = 8
    text_samples: Natural = 3
    text_tokens: Count = 48
    text_temperature: Positive = 0.7
    worlds: Mapping[str, World] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        check_fields(self, "evaluation")
