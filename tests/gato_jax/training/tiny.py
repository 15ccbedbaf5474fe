"""A tiny experiment on synthetic rows, and a script that trains it: `python tiny.py OUT [--steps N]`.

The rows are a pure function of (seed, step), as the real stream's are.
"""

import argparse
import dataclasses
import sys
import time
from pathlib import Path

import numpy as np

from data_pipelines.config import DataConfig, StreamConfig
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.schema import RowGroup
from data_pipelines.tokenizers.layout import TokenConfig
from data_pipelines.vocabulary import TokenType, Vocabulary
from gato_jax.config import (
    Distributed,
    Experiment,
    LossConfig,
    MeshConfig,
    OptimizerConfig,
    Positions,
    StepConfig,
    TrainConfig,
)
from gato_jax.model.presets import gato_small

VOCABULARY = Vocabulary(1024)
GROUPS = {
    "control": RowGroup(("a.one", "a.two"), windows=2, window_length=8, targets=2),
    "images": RowGroup(("v.three",), windows=1, window_length=12, patches=2, targets=5),
}


def tiny_model(**changes):
    small = {"width": 32, "layers": 2, "heads": 2, "head_size": 8, "hidden": 32, "max_length": 32}
    return gato_small(**{**small, "patch_channels": 4, "patch_groups": 2, **changes})


def tiny_experiment(*, mesh=None, model=None, reseed_every=None, rows=16, patch_budget=1.0, **train):
    mixture = MixtureConfig(weights={"a.one": 1, "a.two": 1, "v.three": 2}, groups=GROUPS, rows_per_step=rows)
    stream = StreamConfig(virtual_shards=8)
    if reseed_every:
        stream = dataclasses.replace(stream, reseed_every=reseed_every)
    defaults = {
        "steps": 6,
        "log_every": 1,
        "checkpoint_every": 100,
        "hash_batches": False,
        "distributed": Distributed.OFF,
    }
    return Experiment(
        name="tiny",
        data=DataConfig("nowhere", TokenConfig(VOCABULARY), mixture, stream),
        model=model or tiny_model(positions=Positions.LEARNED, stochastic_depth=0.1),
        train=TrainConfig(**{**defaults, **train}),
        loss=LossConfig(soft_target_sigma=3.0, observation_jitter=2),
        optimizer=OptimizerConfig(learning_rate=1e-2, warmup_steps=2, clip=1.0),
        mesh=mesh or MeshConfig(),
        step=StepConfig(patch_budget=patch_budget),
    )


def rows(group: RowGroup, count: int, seed, task_ids=(0,)):
    """Random rows: two windows' worth of observations, then targets; image rows begin with patches."""
    generator = np.random.default_rng(seed)
    batch = group.zeros(count)
    place = np.tile(np.arange(group.window_length), group.windows)
    is_target = place >= group.window_length - group.target_budget
    batch["tokens"][...] = generator.integers(1, VOCABULARY.size, batch["tokens"].shape)
    batch["targets"][...] = np.where(is_target, generator.integers(1, VOCABULARY.size, batch["tokens"].shape), 0)
    batch["loss_mask"][...] = is_target
    batch["token_type"][...] = np.where(is_target, TokenType.ACTION, TokenType.OBSERVATION)
    batch["observation_position"][...] = np.where(is_target, 0, place + 1)
    batch["segment_ids"][...] = np.repeat(np.arange(group.windows) + 1, group.window_length)
    batch["positions"][...] = place
    batch["task_id"][...] = generator.choice(task_ids, count)
    if group.patches:
        batch["patches"][...] = generator.integers(0, 256, batch["patches"].shape)
        batch["patch_slot"][...] = np.arange(group.patches)
        batch["patch_slot"][0, -1] = group.length
        batch["patch_interval"][...] = generator.integers(0, 65, batch["patch_interval"].shape)
        batch["patch_interval"][..., 1::2] += 64
        batch["token_type"][:, : group.patches] = TokenType.PATCH
        batch["tokens"][:, : group.patches] = 0
    return batch


class SyntheticStream:
    """Stands in for `data_pipelines.stream.stream.Stream`."""

    def __init__(self, experiment, host=0, hosts=1, *, delay=0.0):
        self.config, self.host, self.hosts, self.step, self.delay = experiment.data, host, hosts, 0, delay
        self.table = [list(entry) for entry in self.config.mixture.weight_table(self.reseed_every)]

    @property
    def reseed_every(self):
        return self.config.stream.reseed_every

    def __next__(self):
        time.sleep(self.delay)
        mixture, step = self.config.mixture, self.step
        self.step += 1
        weights = next(w for first, w in reversed(self.table) if first <= step // self.reseed_every)
        counts = mixture.rows(self.config.stream.virtual_shards, weights)
        ids = {
            name: [mixture.task_names.index(task) for task in group.tasks if weights[task]]
            for name, group in mixture.groups.items()
        }
        whole = {
            name: rows(group, counts[name], [index, step], ids[name])
            for index, (name, group) in enumerate(mixture.groups.items())
        }
        return {
            name: {field: np.array_split(value, self.hosts)[self.host] for field, value in batch.items()}
            for name, batch in whole.items()
        }

    def set_weights(self, weights):
        self.table.append([(self.step - 1) // self.reseed_every + 2, dict(weights)])
        return self.table[-1][0]

    def position(self):
        return {"step": self.step, "weights": [list(entry) for entry in self.table]}

    def restore(self, position):
        if position["weights"][0] != self.table[0]:
            raise ValueError(f"weights: expected {position['weights'][0]}, found {self.table[0]}")
        self.step, self.table = position["step"], position["weights"]

    def close(self):
        pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--fsdp", type=int, default=1)
    parser.add_argument("--tensor", type=int, default=1)
    parser.add_argument("--checkpoint-every", type=int, default=100)
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--profile", type=int, nargs=2)
    parser.add_argument("--init-from")
    parser.add_argument("--patch-budget", type=float, default=1.0)
    arguments = parser.parse_args()
    from gato_jax.training.train import train
    from gato_jax.weights.initial import open_initial_weights

    experiment = tiny_experiment(
        mesh=MeshConfig(fsdp=arguments.fsdp, tensor=arguments.tensor),
        steps=arguments.steps,
        minutes=arguments.minutes,
        distributed=Distributed.LOCAL,
        checkpoint_every=arguments.checkpoint_every,
        rows=arguments.rows,
        profile=tuple(arguments.profile) if arguments.profile else None,
        patch_budget=arguments.patch_budget,
        hash_batches=True,
        init_from=arguments.init_from,
    )
    result = train(
        experiment,
        arguments.out,
        open_stream=lambda e, host, hosts: SyntheticStream(e, host, hosts, delay=arguments.delay),
        open_weights=open_initial_weights,
    )
    assert "tensorflow" not in sys.modules, "its import costs 6 s of every start"
    print(dataclasses.asdict(result)["message"])
    sys.exit(0)


if __name__ == "__main__":
    main()
