"""Options of AdamW and its schedule (Gato, appendix C)."""

import dataclasses
import enum


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
      b1, b2, epsilon: Adam's.
      weight_decay: decoupled, times the learning rate.
      decayed: parameters that it acts on.
      clip: largest global norm of a gradient; None = no clipping (the paper mentions none).
    """

    learning_rate: float = 1e-4
    warmup_steps: int = 15_000
    warmup_from: float = 1e-7
    decay_steps: int | None = None
    final_ratio: float = 0.1
    b1: float = 0.9
    b2: float = 0.95
    epsilon: float = 1e-8
    weight_decay: float = 0.1
    decayed: Decayed = Decayed.MATRICES
    clip: float | None = None

    def __post_init__(self):
        if self.learning_rate <= 0:
            raise ValueError(f"optimizer.learning_rate must be positive, found {self.learning_rate}")
        if self.warmup_steps < 0:
            raise ValueError(f"optimizer.warmup_steps must not be negative, found {self.warmup_steps}")
        if self.decay_steps is not None and self.decay_steps < 1:
            raise ValueError(f"optimizer.decay_steps must be positive, or None for the rest, found {self.decay_steps}")
        for name in ("b1", "b2", "final_ratio"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"optimizer.{name} must be in [0, 1], found {getattr(self, name)}")
        if self.clip is not None and self.clip <= 0:
            raise ValueError(f"optimizer.clip must be positive, or None for no clipping, found {self.clip}")
