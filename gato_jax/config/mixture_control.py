"""Options of what changes the mixture inside a run."""

import dataclasses
import enum
from collections.abc import Mapping

from data_pipelines.ranges import NotNegative, Positive, ShareAboveNone, ShareBelowAll, check_fields


class ControllerName(enum.Enum):
    """What decides the weights of the mixture while the run goes on (`training.mixture_control`)."""

    NONE = "none"
    """The mixture and its schedule alone."""
    DOREMI = "doremi"
    """More of what is furthest above the losses of a reference run."""
    BANDIT = "bandit"
    """More of what has the highest reward: its loss, or how fast its loss falls."""


class Arms(enum.Enum):
    """What a controller deals weight to."""

    TASK = "task"
    DOMAIN = "domain"
    """The part of a task's name before the dot; the tasks of a domain keep their proportions in the mixture."""


class Measure(enum.Enum):
    """Which loss a controller goes by."""

    TRAINING = "training"
    """Mean over the targets of the data segment that has ended."""
    VALIDATION = "validation"
    """The latest one in that segment; every task or domain must have one, and train.evaluate_every be set."""


class Reward(enum.Enum):
    """What a bandit wants."""

    LOSS = "loss"
    """The loss, as in Albalak et al. 2023: what is not learned yet."""
    PROGRESS = "progress"
    """By how much the loss fell since the segment before: what is being learned."""


@dataclasses.dataclass(frozen=True)
class DoremiConfig:
    """Group DRO over the mixture (Xie et al. 2023, arXiv 2305.10429).

    Args:
      reference: file with the losses of a finished run: what `gato evaluate-loss --json` prints, result.json of a
        sweep's run, {task: loss}; or a run directory, whose last validation is taken.
      losses: reference losses in nats per target; read from `reference` before the run begins, and kept in its config.
      step_size: of the exponentiated gradient, the paper's eta.
      smoothing: share of the uniform distribution in the weights, the paper's c.
    """

    reference: str = ""
    losses: Mapping[str, NotNegative] = dataclasses.field(default_factory=dict)
    step_size: Positive = 1.0
    smoothing: ShareAboveNone = 1e-3

    def __post_init__(self):
        check_fields(self, "train.mixture_controller.doremi")


@dataclasses.dataclass(frozen=True)
class BanditConfig:
    """EXP3 with a moving average of rewards (Albalak et al. 2023, arXiv 2312.02406).

    Args:
      reward: see `Reward`.
      rate: multiplies the rewards, which are in nats; 1 is the paper's, and progress needs more.
      memory: part of the average reward that the next segment leaves, the paper's alpha.
    """

    reward: Reward = Reward.LOSS
    rate: Positive = 1.0
    memory: ShareBelowAll = 0.9

    def __post_init__(self):
        check_fields(self, "train.mixture_controller.bandit")


@dataclasses.dataclass(frozen=True)
class MixtureControllerConfig:
    """Control of the mixture inside a run: asked at the end of every data segment, obeyed from the next but one on.

    Args:
      name: which controller.
      arms: what it deals weight to.
      measure: which loss it goes by.
      doremi, bandit: options of the controller of that name.
    """

    name: ControllerName = ControllerName.NONE
    arms: Arms = Arms.TASK
    measure: Measure = Measure.TRAINING
    doremi: DoremiConfig = dataclasses.field(default_factory=DoremiConfig)
    bandit: BanditConfig = dataclasses.field(default_factory=BanditConfig)

    def __post_init__(self):
        check_fields(self, "train.mixture_controller")
        if self.name is ControllerName.DOREMI and not self.doremi.reference and not self.doremi.losses:
            raise ValueError(
                "train.mixture_controller.doremi.reference must name a file with the losses of a reference run"
            )

    @property
    def controlled_by_validation(self) -> bool:
        """Whether there is a controller, and it goes by held-out losses."""
        return self.name is not ControllerName.NONE and self.measure is Measure.VALIDATION
