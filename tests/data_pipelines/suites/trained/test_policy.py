"""Trained policies: their files are those that were trained, small, and act in the worlds they were made for."""

import json
import pathlib
import shutil

import numpy as np
import pytest
import safetensors.numpy

from data_pipelines.recording.episodes import run_episode
from data_pipelines.suites import catalog
from data_pipelines.suites.base.recorded import TRAINED
from data_pipelines.suites.trained import policy, settings
from data_pipelines.suites.trained.features import StateFeatures

RECORDS = json.loads((settings.WEIGHTS / settings.RECORDS).read_text())
MOST_BYTES, MOST_BYTES_IN_ALL = 200_000, 5_000_000


def test_every_shipped_policy_is_small_recorded_and_used():
    files = {path.stem: path.stat().st_size for path in settings.WEIGHTS.glob("*.safetensors")}
    assert set(files) == set(RECORDS)
    assert max(files.values()) <= MOST_BYTES
    assert sum(files.values()) <= MOST_BYTES_IN_ALL
    for name, record in RECORDS.items():
        assert record["command"].startswith(f"python -m experiments.policies {name} ")
        policy.load(name)
    used = {task.settings["policy"]["weights"] for task in catalog.catalog().values() if task.expert == TRAINED}
    assert used == set(RECORDS)
    for task in catalog.catalog().values():
        if task.expert == TRAINED:
            assert task.settings["policy"]["sha256"] == RECORDS[task.settings["policy"]["weights"]]["sha256"]


def test_a_file_that_is_another_is_refused(tmp_path):
    name = next(iter(RECORDS))
    shutil.copytree(settings.WEIGHTS, tmp_path / "weights")
    file = tmp_path / "weights" / f"{name}.safetensors"
    file.write_bytes(file.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(ValueError, match=f"{name}.safetensors: expected SHA-256 {RECORDS[name]['sha256']}, found"):
        policy.load(name, tmp_path / "weights")
    with pytest.raises(ValueError, match=r"expected one of .*, found 'none'"):
        policy.load("none", tmp_path / "weights")


def test_features_are_the_chosen_values_and_fast_ones_are_cut():
    features = StateFeatures(positions=(1,), turns=(2,), velocities=(0, 2))
    states = np.array([[9.0, 0.1, 0.2, np.pi / 2, 50.0, 2.0, -3.0]])  # time, three positions, three velocities
    np.testing.assert_allclose(features.of(states, 3), [[0.2, 1.0, 0.0, 10.0, -3.0]], atol=1e-12)
    assert features.size == 5


def test_the_network_is_two_layers_of_tanh_on_normalised_features():
    rng = np.random.default_rng(0)
    tensors = {"mean": rng.normal(size=3), "scale": rng.uniform(1, 2, 3)}
    for layer, (inputs, outputs) in enumerate(((3, 4), (4, 4), (4, 2))):
        tensors |= {f"kernel_{layer}": rng.normal(size=(inputs, outputs)), f"bias_{layer}": rng.normal(size=outputs)}
    features = rng.normal(size=3)
    hidden = (features - tensors["mean"]) / tensors["scale"]
    hidden = np.tanh(tensors["kernel_0"].T @ hidden + tensors["bias_0"])
    hidden = np.tanh(tensors["kernel_1"].T @ hidden + tensors["bias_1"])
    expected = tensors["kernel_2"].T @ hidden + tensors["bias_2"]
    np.testing.assert_allclose(policy.mean_actions(tensors, features[None])[0], expected)


def test_a_policy_earns_its_bar_in_time_and_holds_its_actions():
    task = catalog.get("dm_control.finger_spin")
    env = task.make_environment()
    episode = run_episode(env, task.make_expert(), 100, limit=300)
    env.close()
    assert episode.episode_return > 0.25 * task.bar
    labels = np.stack(episode.labels)
    np.testing.assert_array_equal(labels[0], labels[1])
    assert not np.array_equal(labels[1], labels[2])


def test_weights_hold_float32_and_no_more_than_the_network():
    for name in RECORDS:
        tensors = safetensors.numpy.load_file(pathlib.Path(settings.WEIGHTS) / f"{name}.safetensors")
        assert {values.dtype.name for values in tensors.values()} == {"float32"}
        assert sorted(tensors) == sorted(
            ["mean", "scale", *(f"{part}_{layer}" for part in ("kernel", "bias") for layer in range(3))]
        )
