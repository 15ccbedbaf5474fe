"""The experiment: one frozen value that says everything about a run.

Every room defines its own options; this file puts them together, checks what only the whole can know, and reads and
writes them.
"""

import dataclasses
import json
from typing import Any

from data_pipelines.config import DataConfig
from data_pipelines.config_json import decode, encode
from gato_jax.config.agent import AgentConfig
from gato_jax.config.evaluation import EvaluationConfig
from gato_jax.config.loss import LossConfig
from gato_jax.config.mesh import MeshConfig
from gato_jax.config.mixture_control import ControllerName
from gato_jax.config.model import ModelConfig, Positions
from gato_jax.config.optimizer import OptimizerConfig
from gato_jax.config.step import StepConfig
from gato_jax.config.train import TrainConfig


@dataclasses.dataclass(frozen=True)
class Experiment:
    """What is trained, on what, how, and how it acts afterwards.

    Examples:
      >>> import dataclasses
      >>> import gato_jax
      >>> experiment = gato_jax.load_experiment("run/config.json")
      >>> longer = dataclasses.replace(experiment, train=dataclasses.replace(experiment.train, steps=400))
      >>> gato_jax.Experiment.from_json(longer.to_json()) == longer
      True
    """

    name: str
    data: DataConfig
    model: ModelConfig
    train: TrainConfig
    loss: LossConfig = dataclasses.field(default_factory=LossConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)
    mesh: MeshConfig = dataclasses.field(default_factory=MeshConfig)
    step: StepConfig = dataclasses.field(default_factory=StepConfig)
    agent: AgentConfig = dataclasses.field(default_factory=AgentConfig)
    evaluation: EvaluationConfig = dataclasses.field(default_factory=EvaluationConfig)

    def __post_init__(self):
        tokens = self.data.tokens
        if tokens.local_positions > self.model.local_positions:
            extra = tokens.local_positions - tokens.max_observation_tokens
            raise ValueError(
                f"data.tokens.max_observation_tokens {tokens.max_observation_tokens} "
                f"{'and one row for actions exceed' if extra else 'exceeds'} "
                f"model.local_positions {self.model.local_positions}: later places would have no embedding"
            )
        for name, group in self.data.mixture.groups.items():
            if self.model.positions is Positions.LEARNED and group.window_length > self.model.max_length:
                raise ValueError(
                    f"row group {name!r}: window_length {group.window_length} exceeds model.max_length "
                    f"{self.model.max_length}, the rows of the learned position table"
                )

        controller, begin = self.train.mixture_controller.name, 2 * self.data.stream.reseed_every
        if controller is not ControllerName.NONE and self.data.mixture.schedule:
            raise ValueError(
                f"train.mixture_controller {controller.value!r} and mixture.schedule both set weights; drop one"
            )
        if controller is not ControllerName.NONE and self.train.steps is not None and self.train.steps <= begin:
            raise ValueError(
                f"train.mixture_controller {controller.value!r} changes nothing before step {begin}, when the data is "
                f"reseeded for the second time (data.stream.reseed_every = {begin // 2}); "
                f"found train.steps = {self.train.steps}"
            )

    def to_json(self) -> str:
        return json.dumps(encode(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Experiment":
        """Raises `ValueError` on unknown keys (with the nearest known ones), missing keys and values of other types."""
        return decode(cls, json.loads(text))

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Experiment":
        """As `from_json`, from what `json.loads` gives."""
        return decode(cls, data)
