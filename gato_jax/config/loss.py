"""Options of the loss."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class LossConfig:
    """What is minimised. The defaults are the paper's: plain next-token likelihood, no augmentation.

    Args:
      soft_target_sigma: standard deviation, in bins, of a Gaussian over the bins around the target of a continuous
        action; 0 = all mass on the target.
      observation_jitter: continuous observation tokens move by up to this many bins in training, uniformly; 0 = none.
    """

    soft_target_sigma: float = 0.0
    observation_jitter: int = 0

    def __post_init__(self):
        for name in ("soft_target_sigma", "observation_jitter"):
            if getattr(self, name) < 0:
                raise ValueError(f"loss.{name} must not be negative, found {getattr(self, name)}")
