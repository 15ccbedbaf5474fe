"""From token sequences to an agent: model, training, sharding, acting, evaluation, export.

The public names, imported when they are first used; every other module is private and may change. `data_pipelines` has
those of the data.

Runs:
  Experiment        what is trained, on what, how, and how it acts afterwards
  load_experiment   by name, Python file, or a run's config.json
  train             trains an experiment in a run directory, or continues what is there
  evaluate          acts in every environment of a run, and scores against the experts
  export_weights    weights in formats that other programs read
  import_weights    an export back into training

Acting:
  Agent             acts in many environments at a time, writes, captions, answers
  load_weights      of a run, a checkpoint or an export
  Policy            observations in, actions out
  Generator         text in, text out; answers about pictures

Serving:
  PolicyServer      gives an agent's actions to robots and simulators, over WebSockets
  ServerOptions     where it listens, and its limits
  PolicyClient      asks it for actions

Settings:
  ModelConfig       the network
  gato_small        one that learns on two CPU cores
  TrainConfig       length, logging, checkpoints
  OptimizerConfig   AdamW and its schedule
  LossConfig        options of the loss
  StepConfig        how one update is computed
  MeshConfig        how it is laid over devices
  AgentConfig       how an agent remembers and decides
  Decode            how an action token is chosen
  Sampling          how it is drawn
  FullWindow        what an agent does when its window is full
  Prompt            what stands before an episode
  EvaluationConfig  episodes, questions, processes
"""

from typing import TYPE_CHECKING

from data_pipelines.startup.lazy_names import lazy_names
from gato_jax.platform import use_cpu_without_accelerator

if TYPE_CHECKING:
    from gato_jax.agent.agent import Agent, Prompt
    from gato_jax.agent.generate import Generator
    from gato_jax.agent.policy import Policy
    from gato_jax.api import train
    from gato_jax.config.agent import AgentConfig, Decode, FullWindow, Sampling
    from gato_jax.config.evaluation import EvaluationConfig
    from gato_jax.config.experiment import Experiment
    from gato_jax.config.load import load_experiment
    from gato_jax.config.loss import LossConfig
    from gato_jax.config.mesh import MeshConfig
    from gato_jax.config.model import ModelConfig
    from gato_jax.config.optimizer import OptimizerConfig
    from gato_jax.config.step import StepConfig
    from gato_jax.config.train import TrainConfig
    from gato_jax.evaluation.evaluate import evaluate
    from gato_jax.export.export import export_weights
    from gato_jax.export.imports import import_weights
    from gato_jax.model.presets import gato_small
    from gato_jax.serving.client import PolicyClient
    from gato_jax.serving.server import PolicyServer, ServerOptions
    from gato_jax.weights.load import load_weights

__version__ = "0.1.0"

__all__ = [
    "Agent",
    "AgentConfig",
    "Decode",
    "EvaluationConfig",
    "Experiment",
    "FullWindow",
    "Generator",
    "LossConfig",
    "MeshConfig",
    "ModelConfig",
    "OptimizerConfig",
    "Policy",
    "PolicyClient",
    "PolicyServer",
    "Prompt",
    "Sampling",
    "ServerOptions",
    "StepConfig",
    "TrainConfig",
    "evaluate",
    "export_weights",
    "gato_small",
    "import_weights",
    "load_experiment",
    "load_weights",
    "train",
]

if not TYPE_CHECKING:  # A type checker reads the imports above, and reports any other name.
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "Agent": "agent.agent",
            "AgentConfig": "config.agent",
            "Decode": "config.agent",
            "EvaluationConfig": "config.evaluation",
            "Experiment": "config.experiment",
            "FullWindow": "config.agent",
            "Generator": "agent.generate",
            "LossConfig": "config.loss",
            "MeshConfig": "config.mesh",
            "ModelConfig": "config.model",
            "OptimizerConfig": "config.optimizer",
            "Policy": "agent.policy",
            "PolicyClient": "serving.client",
            "PolicyServer": "serving.server",
            "Prompt": "agent.agent",
            "Sampling": "config.agent",
            "ServerOptions": "serving.server",
            "StepConfig": "config.step",
            "TrainConfig": "config.train",
            "evaluate": "evaluation.evaluate",
            "export_weights": "export.export",
            "gato_small": "model.presets",
            "import_weights": "export.imports",
            "load_experiment": "config.load",
            "load_weights": "weights.load",
            "train": "api",
        },
    )

use_cpu_without_accelerator()
