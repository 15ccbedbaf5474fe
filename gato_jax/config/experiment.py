"""The experiment: one frozen value that says everything about a run.

Every room defines its own options; this file puts them together, checks what only the whole can know, and reads and
writes them.
"""

import dataclasses
import difflib
import importlib
import importlib.util
import json
import pkgutil
from pathlib import Path
from typing import Any

from data_pipelines.config import DataConfig
from data_pipelines.mixtures.named import NAMED
from gato_jax.config.agent import AgentConfig
from gato_jax.config.encoding import decode, encode
from gato_jax.config.evaluation import EvaluationConfig
from gato_jax.config.model import ModelConfig, Positions
from gato_jax.config.train import PolicyName, TrainConfig
from gato_jax.sharding import MeshConfig
from gato_jax.training.step.loss import LossConfig
from gato_jax.training.step.optimizer import OptimizerConfig
from gato_jax.training.step.step import StepConfig

EXPERIMENTS = "experiments"


@dataclasses.dataclass(frozen=True)
class Experiment:
    """What is trained, on what, how, and how it acts afterwards."""

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
            if self.model.positions is Positions.LEARNED and group.segment_length > self.model.max_length:
                raise ValueError(
                    f"row group {name!r}: segment_length {group.segment_length} exceeds model.max_length "
                    f"{self.model.max_length}, the rows of the learned position table"
                )

        policy, begin = self.train.policy.name, 2 * self.data.stream.segment_steps
        if policy is not PolicyName.NONE and self.data.mixture.schedule:
            raise ValueError(f"train.policy {policy.value!r} and mixture.schedule both set weights; drop one")
        if policy is not PolicyName.NONE and self.train.steps is not None and self.train.steps <= begin:
            raise ValueError(
                f"train.policy {policy.value!r} changes nothing before step {begin}, in the third segment of "
                f"data.stream.segment_steps = {begin // 2}; found train.steps = {self.train.steps}"
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


def load_experiment(name: str | Path) -> Experiment:
    """An experiment by name ("quickstart"), by path to a Python file, or by path to a resolved config.json.

    A Python file holds a function `experiment()` or a value `EXPERIMENT`.

    Raises:
      ValueError: no such name (with the nearest ones), or a file without an experiment.
    """
    path = Path(name)
    if path.suffix == ".json":
        if not path.is_file():
            raise ValueError(f"experiment file {path} does not exist")
        return Experiment.from_json(path.read_text())
    if path.suffix == ".py":
        if not path.is_file():
            raise ValueError(f"experiment file {path} does not exist")
        spec = importlib.util.spec_from_file_location(f"experiment_{path.stem}", path)
        if spec is None or spec.loader is None:
            raise ValueError(f"experiment file {path} cannot be imported")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    else:
        module = experiment_module(str(name))
    if hasattr(module, "experiment"):
        found = module.experiment()
    elif hasattr(module, "EXPERIMENT"):
        found = module.EXPERIMENT
    else:
        raise ValueError(f"experiment {name} has neither a function experiment() nor a value EXPERIMENT")
    if not isinstance(found, Experiment):
        raise ValueError(f"experiment {name}: expected an Experiment, found a {type(found).__name__}")
    return found


def load_data(source: str) -> DataConfig:
    """The data of an experiment, of a run directory, or of a mixture (name or YAML file) as gato_79m streams it.

    Raises:
      ValueError: none of these, with the nearest names.
    """
    if (config := Path(source) / "config.json").is_file():
        return load_experiment(config).data
    if source.endswith((".yaml", ".yml")) or (source in NAMED and source not in experiment_names()):
        data = load_experiment("gato_79m").data
        mixture = dataclasses.replace(data.mixture, named=source, renormalise=True)
        return dataclasses.replace(data, mixture=mixture)
    return load_experiment(source).data


def experiment_names() -> list[str]:
    """Names that `load_experiment` knows: the modules of `experiments/`."""
    package = importlib.import_module(EXPERIMENTS)
    modules = (entry.name for entry in pkgutil.iter_modules(package.__path__) if not entry.ispkg)
    return sorted(name for name in modules if not name.startswith("_"))


def experiment_module(name: str) -> Any:
    """Module `experiments.<name>`, imported at run time: the one edge of the house that runs up."""
    known = experiment_names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3) or known
        raise ValueError(
            f"unknown experiment {name!r}; did you mean {' or '.join(near)}? A path to a .py file works too"
        )
    return importlib.import_module(f"{EXPERIMENTS}.{name}")
