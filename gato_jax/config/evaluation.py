"""Options of evaluation (Gato, section 4.1)."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
    """How much is rolled out and asked.

    Args:
      episodes: per task; the paper has 50.
      seed: first episode's seed, counted from `data_pipelines.scores.EVALUATION_SEED_BASE`. Recording never uses seeds
        from there on.
      processes: tasks rolled out side by side.
      validation_rows: rows of each text and question task that the validation loss is taken over.
      questions: questions asked of each question-answering task.
      answer_tokens: longest answer, in tokens.
      text_samples: texts continued for the report, for each text task.
      text_tokens: length of a continuation, in tokens.
      text_temperature: of continuations; answers are always greedy.
    """

    episodes: int = 10
    seed: int = 0
    processes: int = 2
    validation_rows: int = 64
    questions: int = 256
    answer_tokens: int = 8
    text_samples: int = 3
    text_tokens: int = 48
    text_temperature: float = 0.7

    def __post_init__(self):
        for name in ("episodes", "processes", "validation_rows", "questions", "answer_tokens", "text_tokens"):
            if getattr(self, name) < 1:
                raise ValueError(f"evaluation.{name} must be positive, found {getattr(self, name)}")
        for name in ("seed", "text_samples"):
            if getattr(self, name) < 0:
                raise ValueError(f"evaluation.{name} must not be negative, found {getattr(self, name)}")
        if not self.text_temperature > 0:
            raise ValueError(f"evaluation.text_temperature must be positive, found {self.text_temperature}")
