"""Every setting of an experiment, as frozen dataclasses that check themselves. Imports no jax.

An `Experiment` is composed of all of them; `load_experiment` finds one by name.
"""

from gato_jax.config.agent import AgentConfig, Decode, FullWindow, Sampling
from gato_jax.config.evaluation import EvaluationConfig
from gato_jax.config.experiment import Experiment
from gato_jax.config.load import experiment_module, experiment_names, load_data, load_experiment
from gato_jax.config.loss import LossConfig
from gato_jax.config.mesh import MeshConfig
from gato_jax.config.mixture_control import (
    Arms,
    BanditConfig,
    ControllerName,
    DoremiConfig,
    Measure,
    MixtureControllerConfig,
    Reward,
)
from gato_jax.config.model import FeedForward, ModelConfig, Norm, Positions
from gato_jax.config.optimizer import Decayed, OptimizerConfig
from gato_jax.config.step import PLAIN, Execution, Gather, Gradients, Kernel, Remat, StepConfig
from gato_jax.config.train import Distributed, OnDamaged, OnNan, TrainConfig

__all__ = [
    "PLAIN",
    "AgentConfig",
    "Arms",
    "BanditConfig",
    "ControllerName",
    "Decayed",
    "Decode",
    "Distributed",
    "DoremiConfig",
    "EvaluationConfig",
    "Execution",
    "Experiment",
    "FeedForward",
    "FullWindow",
    "Gather",
    "Gradients",
    "Kernel",
    "LossConfig",
    "Measure",
    "MeshConfig",
    "MixtureControllerConfig",
    "ModelConfig",
    "Norm",
    "OnDamaged",
    "OnNan",
    "OptimizerConfig",
    "Positions",
    "Remat",
    "Reward",
    "Sampling",
    "StepConfig",
    "TrainConfig",
    "experiment_module",
    "experiment_names",
    "load_data",
    "load_experiment",
]
