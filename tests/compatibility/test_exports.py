"""Exports of commit 6c3b28a still run, and today's code exports the same run as the same tensors and functions.

The formats of PyTorch and ONNX are in `test_foreign_exports.py`.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from gato_jax.config import Experiment
from gato_jax.export.export import export_weights
from gato_jax.export.imports import import_weights
from gato_jax.training.checkpoints.checkpoint import load_params
from gato_jax.weights.load import load_weights
from gato_jax.weights.source import open_source
from gato_jax.weights.tensor_names import tensors_of

NEW = {"check_digests.py", "digests.json"}
"""What exports hold since then."""


@pytest.fixture(scope="module")
def stored(small):
    return small.expected("exports")


def without_versions(config: Path):
    """config.json, but for the versions of packages that wrote it, and for what names the digests.

    The experiment is compared as it is read, where settings that came later have their defaults.
    """
    content = json.loads(config.read_text())
    del content["gato"]["versions"]
    content["gato"].pop("digests", None)
    content["gato"]["experiment"] = Experiment.from_json(json.dumps(content["gato"]["experiment"]))
    return content


def tensors(small, directory: Path, stem="model"):
    arrays = safetensors.numpy.load_file(directory / f"{stem}.safetensors")
    return {name: small.digest(array) for name, array in arrays.items()}


def test_the_stored_run_gives_the_stored_logits(small, stored, home):
    """Our own network, with packed sequences, padding and patches."""
    weights = load_weights("run")
    vocabulary = weights.experiment.data.tokens.vocabulary
    logits = weights.model()(small.fields(vocabulary.size))
    small.assert_logits(small.shown(np.asarray(logits)[..., : vocabulary.size]), stored["logits"], "gato")


def test_the_stored_run_has_the_stored_tensors(small, stored, home):
    """Names, shapes and values, in the order in which files have them."""
    source = open_source("run")
    experiment = source.experiment
    names = [tensor.name for tensor in tensors_of(experiment.model, experiment.data.tokens.vocabulary)]
    assert {name: small.digest(source.read(name)) for name in names} == stored["tensors"]


@pytest.mark.parametrize("form", ["safetensors", "huggingface", "stablehlo"])
def test_an_old_export_is_read_back(small, stored, home, form, tmp_path):
    """By `gato evaluate` and the like, and by `gato import`."""
    directory = home / "exports" / form
    with pytest.warns(UserWarning, match="has no digests.json") as warned:
        source = open_source(directory)
    assert len(warned) == 1
    assert {name: small.digest(source.read(name)) for name in stored["tensors"]} == stored["tensors"]
    exported, run = load_weights(directory), load_weights("run")
    assert (exported.experiment, exported.step) == (run.experiment, run.step)
    size = run.experiment.data.tokens.vocabulary.size
    run_leaves = small.leaves(run.parameters)
    for name, leaf in small.leaves(exported.parameters).items():
        rows = slice(size if name == "embedding/tokens" else None)  # The rest only pads.
        np.testing.assert_array_equal(leaf[rows], run_leaves[name][rows], err_msg=name)
    assert Path(exported.text_model).name == "tokenizer.model"
    if form == "safetensors":
        import_weights(directory, tmp_path / "run", data=run.experiment.data.directory)
        experiment, parameters = load_params(tmp_path / "run")
        assert experiment == run.experiment
        assert small.digests(parameters).keys() == small.digests(run.parameters).keys()
        assert small.optimizer_digests(tmp_path / "run") == small.optimizer_digests(home / "run")


@pytest.mark.parametrize("form", ["safetensors", "stablehlo", "savedmodel"])
def test_old_and_new_exports_agree(small, stored, home, form):
    """The same files, the same config and tensors; and both give the stored logits in a fresh process."""
    checked = form == "safetensors"  # By the export itself; that takes twice as long for the other two.
    out, old = home / "new" / form, home / "exports" / form
    result = export_weights("run", out, format=form, with_optimizer=form == "safetensors", unverified=not checked)
    if checked:
        assert list(result.verification.tasks) == sorted(small.acting_experiment().data.mixture.task_names)
    assert sorted(small.exported(out) - NEW) == stored["files"][form]
    assert without_versions(out / "config.json") == without_versions(old / "config.json")
    assert (out / "tokenizer.model").read_bytes() == (old / "tokenizer.model").read_bytes()
    if form != "savedmodel":
        assert tensors(small, out) == tensors(small, old) == stored["tensors"]
    if form == "safetensors":
        assert tensors(small, out, "optimizer") == tensors(small, old, "optimizer")
    if form == "stablehlo":
        assert json.loads((out / "functions.json").read_text()) == json.loads((old / "functions.json").read_text())
    size = load_weights("run").experiment.data.tokens.vocabulary.size
    all_logits = small.run_exports(sys.executable, form, [old, out], home, size)
    for name, logits in zip(("old", "new"), all_logits, strict=True):
        small.assert_logits(small.shown(logits), stored["logits"], f"{form}, {name}")
