"""Tiny steps that compile in seconds, for the tests of planning."""

import dataclasses

from data_pipelines.config import DataConfig, StreamConfig
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.schema import RowGroup
from data_pipelines.tokenizers.layout import TokenConfig
from data_pipelines.vocabulary import Vocabulary
from gato_jax.config import Experiment, MeshConfig, Positions, Remat, StepConfig, TrainConfig
from gato_jax.model.presets import gato_small

MODEL = {"width": 128, "layers": 3, "heads": 2, "head_size": 64, "hidden": 256, "max_length": 128, "scan_layers": True}


def experiment(*, patches=0, targets=None, windows=1, fsdp=2, rows=16, step=None, dtype="bfloat16", **model):
    group = RowGroup(("a.one",), windows=windows, window_length=128, patches=patches, targets=targets)
    mixture = MixtureConfig({"a.one": 1.0}, {"only": group}, rows)
    return Experiment(
        name="tiny",
        data=DataConfig("nowhere", TokenConfig(Vocabulary(1024)), mixture, StreamConfig(virtual_shards=8)),
        model=gato_small(**{**MODEL, "positions": Positions.ROTARY, **model}),
        train=TrainConfig(steps=1000, dtype=dtype),
        mesh=MeshConfig(fsdp=fsdp),
        step=step or StepConfig(remat=Remat.NAMES),
    )


def named(experiment):
    """As a mixture whose tasks come with its data."""
    mixture = experiment.data.mixture
    group = dataclasses.replace(mixture.groups["only"], tasks=("*",))
    mixture = MixtureConfig({}, {"only": group}, mixture.rows_per_step, named="gato")
    return dataclasses.replace(experiment, data=dataclasses.replace(experiment.data, mixture=mixture))
