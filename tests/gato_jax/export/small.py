"""Small checkpoints without training: random weights, saved as training saves them."""

import dataclasses
import zlib
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from data_pipelines.config import DataConfig, StreamConfig
from data_pipelines.config_json import encode
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.schema import RowGroup
from data_pipelines.tokenizers.layout import TokenConfig
from data_pipelines.vocabulary import Vocabulary
from gato_jax.config import AgentConfig, Distributed, Experiment, TrainConfig
from gato_jax.model.presets import gato_small
from gato_jax.training.checkpoints.checkpoint import DIRECTORY, Checkpoints
from gato_jax.training.logging.metrics import Totals
from gato_jax.training.step.optimizer import make_optimizer
from gato_jax.weights.tensor_names import parameter_leaves, unflatten

GROUPS = {
    "babyai": RowGroup(("babyai.go_to_obj",), window_length=216, targets=63),
    "metaworld": RowGroup(("metaworld.drawer_close",), window_length=132, targets=12),
    "dm_control": RowGroup(("dm_control.cartpole_balance",), window_length=32, targets=8),
}
SIZES = {"width": 32, "layers": 2, "heads": 2, "head_size": 8, "hidden": 32, "max_length": 256}


def small_experiment(data="nowhere", *, context=3, groups=GROUPS, text_size=1024, **model) -> Experiment:
    tokens = TokenConfig(Vocabulary(text_size), pack_discrete=True, text_tokens=20)
    weights = {task: 1.0 for group in groups.values() for task in group.tasks}
    return Experiment(
        name="small",
        data=DataConfig(str(data), tokens, MixtureConfig(weights, groups, 16), StreamConfig(virtual_shards=4)),
        model=gato_small(**{**SIZES, "patch_channels": 4, "patch_groups": 2, **model}),
        train=TrainConfig(steps=4, log_every=1, distributed=Distributed.OFF),
        agent=AgentConfig(context_timesteps=context),
    )


def random_state(experiment: Experiment, *, seed=0):
    """Weights that nobody trained, but no scale is 1 and no bias 0; and moments that are not zero."""

    def weights(name, leaf):
        random = np.random.default_rng([seed, zlib.crc32(name.encode())])
        mean = 1 if name.endswith("scale") else 0
        return jax.device_put((mean + 0.2 * random.standard_normal(leaf.shape)).astype(leaf.dtype))

    shapes = parameter_leaves(experiment.model, experiment.data.tokens.vocabulary)
    parameters = unflatten({name: weights(name, leaf) for name, leaf in shapes.items()})
    moments = jax.eval_shape(make_optimizer(experiment.optimizer).init, parameters)
    optimizer = jax.tree.map(lambda leaf: jax.device_put(np.ones(leaf.shape, leaf.dtype)), moments)
    return {"step": jnp.int32(2), "parameters": parameters, "optimizer": optimizer}


def save(experiment: Experiment, run: Path, *, seed=0, step=2) -> Path:
    """A run directory with one checkpoint."""
    mixture = experiment.data.mixture
    totals = Totals(mixture.task_names, tuple(mixture.groups))
    totals.task_rows = [10 * (i + 1) for i in range(len(mixture.task_names))]
    checkpoints = Checkpoints(run / DIRECTORY, keep=1)
    meta = {
        "experiment": encode(experiment),
        "position": {"step": step, "weights": dict(mixture.weights)},
        "totals": totals.to_dict(),
        "seconds": 1.0,
        "loss": 2.5,
        "mesh": {"data": 1, "fsdp": 1, "tensor": 1},
    }
    checkpoints.save(step, random_state(experiment, seed=seed), meta)
    checkpoints.close()
    return run


def scanned(experiment: Experiment) -> Experiment:
    return dataclasses.replace(experiment, model=dataclasses.replace(experiment.model, scan_layers=True))
