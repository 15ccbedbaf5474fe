"""Options of AdamW and its schedule (Gato, appendix C)."""

import dataclasses
import enum

from data_pipelines.ranges import Count, Natural, NotNegative, Positive, Share, check_fields


class Decayed(enum.Enum):
    """Which parameters weight decay pulls to zero."""

    MATRICES = "matrices"
    """All but norm scales and biases."""
    MATRICES_WITHOUT_TABLES = "matrices_without_tables"
    """Also leaves embedding tables alone."""
    ALL = "all"


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """AdamW and its schedule.

    Args:
      learning_rate: peak, reached at the end of the warm-up. The paper's: 1e-4, 2e-4 (364M).
      warmup_steps: linear from `warmup_from` to the peak.
      warmup_from: learning rate of step 0.
      decay_steps: steps of the cosine after the warm-up; None = the rest of the run.
      final_ratio: learning rate at the end of the cosine, and after it, as a share of the peak.
      b1: Adam's decay of the first moment.
      b2: its decay of the second moment.
      epsilon: its term in the denominator.
      weight_decay: decoupled, times the learning rate.
      decayed: parameters that it acts on.
      clip: largest global norm of a gradient; None = no clipping (the paper mentions none).

    Examples:
      >>> import gato_jax
      >>> gato_jax.OptimizerConfig(learning_rate=1e-3, warmup_steps=20).learning_rate
      0.001
    """

    learning_rate: Positive = 1e-4
    warmup_steps: Natural = 15_000
    warmup_from: NotNegative = 1e-7
    decay_steps: Count | None = None
    final_ratio: Share = 0.1
    b1: Share = 0.9
    b2: Share = 0.95
    epsilon: NotNegative = 1e-8
    weight_decay: NotNegative = 0.1
    decayed: Decayed = Decayed.MATRICES
    clip: Positive | None = None

    def __post_init__(self):
        check_fields(self, "optimizer")
