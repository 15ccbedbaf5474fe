"""Every experiment that ships is a test: shrunk, it takes two steps on really recorded data."""

import dataclasses
import math
import os
from typing import ClassVar

import numpy as np
import pytest

from gato_jax.config import Distributed, Experiment, FeedForward, experiment_names, load_experiment

os.environ.setdefault("JAX_PLATFORMS", "cpu")

PAPER = ("gato_1b", "gato_364m", "gato_79m")
BEYOND = ("gato_1b_rotary", "gato_30b", "gato_70b", "gato_7b")


def shrink(experiment: Experiment, directory) -> Experiment:
    """The same experiment with a tiny network and batch, over the tasks that the test run has recorded."""
    mixture = experiment.data.mixture
    if mixture.named:
        mixture = dataclasses.replace(mixture, renormalise=True)
    else:
        recorded = {path.parent.name for path in directory.glob("*/recording.json")}
        groups = {
            name: dataclasses.replace(group, tasks=tuple(task for task in group.tasks if task in recorded))
            for name, group in mixture.groups.items()
            if recorded & set(group.tasks)
        }
        weights = {task: weight for task, weight in mixture.weights.items() if task in recorded}
        mixture = dataclasses.replace(mixture, groups=groups, weights=weights)
    mixture = dataclasses.replace(mixture, rows_per_step=4 * len(mixture.groups))
    model = dataclasses.replace(
        experiment.model, width=32, layers=2, heads=2, head_size=16, hidden=32, patch_channels=4, patch_groups=2
    )
    stream = dataclasses.replace(experiment.data.stream, virtual_shards=1, shuffle_buffer=64)
    data = dataclasses.replace(experiment.data, directory=str(directory), mixture=mixture, stream=stream)
    train = dataclasses.replace(experiment.train, steps=2, minutes=None, log_every=1, distributed=Distributed.OFF)
    return dataclasses.replace(experiment, data=data, model=model, train=train)


def test_the_names():
    assert set(experiment_names()) == {"quickstart", *PAPER, *BEYOND}


class Replay:
    """The first batches of a real stream, kept: opening a stream costs more than training on it."""

    _kept: ClassVar[dict[str, list[dict]]] = {}

    def __init__(self, experiment: Experiment, host: int, hosts: int):
        from data_pipelines.stream.stream import Stream

        assert hosts == 1
        if str(experiment.data) not in self._kept:
            stream = Stream(experiment.data)
            self._kept[str(experiment.data)] = [next(stream) for _ in range(experiment.train.steps)]
            stream.close()
        self._batches = iter(self._kept[str(experiment.data)])

    def __next__(self):
        return next(self._batches)

    def position(self):
        return {}

    def close(self):
        pass


TRAINED = ("quickstart", "gato_1b", "gato_30b")


@pytest.mark.parametrize("name", TRAINED)
def test_two_steps_on_recorded_data(name, recorded_data, tmp_path):
    from gato_jax.training.train import train

    # The experiments of one data configuration train on the same rows.
    result = train(shrink(load_experiment(name), recorded_data), tmp_path / "run", open_stream=Replay)
    assert result.finished
    assert math.isfinite(result.loss)


def test_the_others_are_these_in_another_size(recorded_data):
    """Shrunk, each is one of those that train, up to its learning rate and feed-forward, which both of them have."""

    def essence(name):
        experiment = shrink(load_experiment(name), recorded_data)
        model = dataclasses.replace(experiment.model, feed_forward=FeedForward.GEGLU)
        optimizer = dataclasses.replace(experiment.optimizer, learning_rate=1.0)
        return dataclasses.replace(experiment, name="", model=model, optimizer=optimizer)

    trained = [essence(name) for name in TRAINED]
    assert [name for name in experiment_names() if essence(name) not in trained] == []


@pytest.mark.parametrize("name", experiment_names())
def test_the_resolved_config_reads_back(name):
    experiment = load_experiment(name)
    assert Experiment.from_json(experiment.to_json()) == experiment


@pytest.mark.parametrize("name", PAPER)
def test_the_paper_settings(name):
    experiment = load_experiment(name)
    (group,) = experiment.data.mixture.groups.values()
    assert (group.windows, group.window_length, experiment.data.mixture.rows_per_step) == (1, 1024, 512)
    assert experiment.data.mixture.named == "gato"
    assert experiment.data.stream.prompt_share == 0.25
    assert experiment.data.stream.prompt_end_share == 0.5
    assert experiment.data.tokens.vocabulary.size == 33_025
    assert experiment.train.steps == 1_000_000
    assert experiment.optimizer.clip is None
    assert experiment.loss.soft_target_sigma == experiment.loss.observation_jitter == 0


def test_prompts_are_in_the_paper_stream(recorded_data):
    """A prompted row holds more than one episode in one segment: its instruction changes inside."""
    from data_pipelines.stream.stream import Stream

    experiment = shrink(load_experiment("gato_79m"), recorded_data)
    stream = Stream(experiment.data)
    task = stream.task_names.index("metaworld.drawer_close")
    jumps = []
    for _ in range(40):
        (batch,) = next(stream).values()
        for row in np.flatnonzero(batch["task_id"] == task):
            # The first coordinate of the hand moves slowly inside an episode. Short episodes share a row, in segments.
            for segment in range(1, batch["segment_ids"][row].max() + 1):
                first = (batch["segment_ids"][row] == segment) & (batch["observation_position"][row] == 1)
                if first.sum() > 1:
                    jumps.append(np.abs(np.diff(batch["tokens"][row][first])).max())
    stream.close()
    assert len(jumps) >= 10
    share = np.mean(np.asarray(jumps) > 40)
    assert 0 < share < 0.6
