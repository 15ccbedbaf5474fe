"""Every setting of an experiment."""

from gato_jax.config.experiment import Experiment
from gato_jax.config.load import experiment_module, experiment_names, load_data, load_experiment

__all__ = ["Experiment", "experiment_module", "experiment_names", "load_data", "load_experiment"]
