"""Options of the loss."""

import dataclasses

from data_pipelines.ranges import Natural, NotNegative, check_fields


@dataclasses.dataclass(frozen=True)
class LossConfig:
    """What is minimised. The defaults are the paper's: plain next-token likelihood, no augmentation.

    Args:
      soft_target_sigma: standard deviation, in bins, of a Gaussian over the bins around the target of a continuous
        action; 0 = all mass on the target.
      observation_jitter: continuous observation tokens move by up to this many bins in training, uniformly; 0 = none.

    Examples:
      >>> import gato_jax
      >>> gato_jax.LossConfig(soft_target_sigma=3.0).soft_target_sigma
      3.0
    """

    soft_target_sigma: NotNegative = 0.0
    observation_jitter: Natural = 0

    def __post_init__(self):
        check_fields(self, "loss")
