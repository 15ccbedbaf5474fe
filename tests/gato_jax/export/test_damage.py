"""Exports that changed since they were written, or say what cannot be, are refused by name; by every reader."""

import hashlib
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import safetensors.numpy

from gato_jax.export.export import export_weights
from gato_jax.export.imports import import_weights
from gato_jax.weights.load import load_export
from gato_jax.weights.source import open_source
from gato_jax.weights.tensor_names import ExportError


@pytest.fixture(scope="module")
def exported(small, tmp_path_factory):
    home = tmp_path_factory.mktemp("exported")
    export_weights(
        small.save(small.small_experiment(), home / "run"), home / "out", unverified=True, with_optimizer=True
    )
    (home / "out/tokenizer.model").write_bytes(b"pieces")
    digests = json.loads((home / "out/digests.json").read_text())
    digests["files"]["tokenizer.model"] = hashlib.sha256(b"pieces").hexdigest()
    (home / "out/digests.json").write_text(json.dumps(digests))
    return home / "out"


@pytest.fixture
def copy(exported, tmp_path):
    return shutil.copytree(exported, tmp_path / "copy")


def read_all(directory):
    source = open_source(directory)
    source.parameters()
    for name in source.optimizer:
        source.read_optimizer(name)


def flip(name):
    def damage(directory):
        data = bytearray((directory / name).read_bytes())
        data[-1] ^= 1
        (directory / name).write_bytes(data)

    return damage


def edit_tensors(change, stem="model"):
    def damage(directory):
        path = directory / f"{stem}.safetensors"
        tensors = safetensors.numpy.load_file(path)
        change(tensors)
        safetensors.numpy.save_file(tensors, path)

    return damage


def edit_json(name, change):
    def damage(directory):
        content = json.loads((directory / name).read_text())
        change(content)
        (directory / name).write_text(json.dumps(content))

    return damage


def swap(tensors):
    names = [f"transformer.blocks.layer_00.attention.{name}" for name in ("key", "value")]
    tensors[names[0]], tensors[names[1]] = tensors[names[1]], tensors[names[0]]


def poison(tensors):
    tensors["transformer.norm.scale"][0] = np.nan


SHA = "expected SHA-256 [0-9a-f]{12}, found [0-9a-f]{12}"
DAMAGES = {
    "a bit of a tensor": (flip("model.safetensors"), f"model.safetensors: tensor .*: {SHA}"),
    "a bit of the optimizer": (flip("optimizer.safetensors"), f"optimizer.safetensors: tensor .*: {SHA}"),
    "two tensors swapped": (edit_tensors(swap), rf"tensor '.*attention\.(key|value)': {SHA}"),
    "NaN": (edit_tensors(poison), rf"tensor 'transformer.norm.scale': {SHA}"),
    "a bit of the tokenizer": (flip("tokenizer.model"), f"tokenizer.model is damaged: {SHA}"),
    "an empty tokenizer": (lambda d: (d / "tokenizer.model").write_bytes(b""), "tokenizer.model is damaged: .*empty"),
    "no tokenizer": (lambda d: (d / "tokenizer.model").unlink(), "expected a file tokenizer.model, found none"),
    "no digests": (lambda d: (d / "digests.json").unlink(), "expected a file digests.json, as config.json says"),
    "digests cut short": (
        lambda d: (d / "digests.json").write_text((d / "digests.json").read_text()[:-9]),
        "digests.json is damaged: .*cut short",
    ),
    "digests of another kind": (edit_json("digests.json", lambda c: c.update(tensors=[1])), "'tensors' as object"),
    "a digest that is none": (
        edit_json("digests.json", lambda c: c["tensors"].update({"embedding.local": 5})),
        "embedding.local: expected a SHA-256, found 5",
    ),
    "a tensor without a digest": (
        edit_json("digests.json", lambda c: c["tensors"].pop("embedding.local")),
        "tensor 'embedding.local' is not in digests.json",
    ),
    "a config cut short": (
        lambda d: (d / "config.json").write_text((d / "config.json").read_text()[:-9]),
        "config.json is damaged: expected JSON, found .* bytes that are cut short",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_refused_by_name(copy, name):
    damage, says = DAMAGES[name]
    damage(copy)
    with pytest.raises(ExportError, match=says):
        read_all(copy)


@pytest.mark.parametrize("name", ["a bit of a tensor", "two tensors swapped", "NaN", "a bit of the tokenizer"])
def test_the_files_beside_the_weights_refuse_it_too(copy, name):
    """Without this package: the script that checks, and the model in NumPy that calls it."""
    whole = subprocess.run(
        [sys.executable, "-I", copy / "check_digests.py"], capture_output=True, text=True, check=True
    )
    digests = json.loads((copy / "digests.json").read_text())
    counts = (len(digests["tensors"]) + len(digests["optimizer"]), len(digests["files"]))
    assert whole.stdout == "{} tensors and {} files are as they were written\n".format(*counts)
    DAMAGES[name][0](copy)
    for script in ("check_digests.py", "numpy_gato.py"):
        done = subprocess.run([sys.executable, copy / script], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "is damaged: expected SHA-256" in done.stderr


@pytest.mark.parametrize(
    "header", [b"\xff" * 8, (2).to_bytes(8, "little") + b"{]", b"", (2).to_bytes(8, "little") + b"[]"]
)
def test_the_script_names_a_damaged_header(copy, header):
    (copy / "model.safetensors").write_bytes(header)
    done = subprocess.run([sys.executable, copy / "check_digests.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "model.safetensors: expected a header of safetensors" in done.stderr
    assert "Traceback" not in done.stderr


def without_digests(directory):
    (directory / "digests.json").unlink()
    edit_json("config.json", lambda config: config["gato"].pop("digests"))(directory)


def test_an_export_of_an_earlier_version_loads_with_one_warning(copy, exported):
    without_digests(copy)
    with pytest.warns(UserWarning, match="has no digests.json") as warned:
        loaded = load_export(copy)
    assert len(warned) == 1
    np.testing.assert_array_equal(
        loaded.parameters["embedding"]["tokens"], load_export(exported).parameters["embedding"]["tokens"]
    )
    edit_tensors(poison)(copy)
    with (
        pytest.warns(UserWarning, match="has no digests.json"),
        pytest.raises(ExportError, match=r"'transformer\.norm\.scale': expected finite values, found 1 of 32"),
    ):
        load_export(copy)


@pytest.mark.parametrize(
    ("name", "value"),
    [("width", 33), ("heads", 4), ("norm", "rms"), ("positions", "rotary"), ("layers", 2.0), ("vocabulary", 5)],
)
def test_an_architecture_that_is_stated_twice_must_be_one(copy, name, value):
    """The other readers go by the shape on top, we by the experiment."""
    edit_json("config.json", lambda config: config.update({name: value}))(copy)
    with pytest.raises(ExportError, match=rf"config.json: .*stands there twice, and differs:\s+{name}: expected"):
        load_export(copy)
    done = subprocess.run([sys.executable, copy / "numpy_gato.py"], capture_output=True, text=True, check=False)
    if value != 2.0:  # Python's 2 == 2.0, and NumPy reads the same network.
        assert f"{name}: expected" in done.stderr


def training(**values):
    return lambda own: own["training"].update(values)


def totals(**values):
    return lambda own: own["training"]["totals"].update(values)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda own: own.update(step=-5), "gato.step: expected a whole number from 0 to .*, found -5"),
        (lambda own: own.update(step=1e30), r"gato.step: expected .*, found 1e\+30"),
        (lambda own: own.update(step=10**30), "gato.step"),
        (lambda own: own.update(step=2.0), "gato.step"),
        (lambda own: own.update(step="2"), "gato.step"),
        (lambda own: own.update(step=True), "gato.step"),
        (lambda own: own.update(step=None), "gato.step"),
        (lambda own: own.update(step=5), "gato.step: expected at most the 4 steps of the experiment, found 5"),
        (lambda own: own.update(training=[]), "gato.training: expected a mapping"),
        (training(seconds="long"), "training.seconds: expected a finite number of seconds"),
        (training(seconds=-1.0), "training.seconds"),
        (training(seconds=float("inf")), "training.seconds: .*found Infinity"),
        (training(loss=[1]), "training.loss"),
        (training(loss=float("nan")), "training.loss"),
        (training(mesh={"data": 0}), "training.mesh"),
        (training(position=7), "training.position: expected a mapping, found 7"),
        (training(position={"step": 1}), "training.position.step: expected 2, the step of the weights, found 1"),
        (training(position={"step": 2, "weights": [[0]]}), r"position.weights\[0\]"),
        (training(position={"step": 2, "weights": {"a": "b"}}), "position.weights.*a: expected a finite number"),
        (training(totals=[1]), "training.totals: expected a mapping"),
        (training(surprise=1), "training.surprise: expected only position"),
        (totals(task_rows=[1]), "totals.task_rows: expected 3 whole numbers, one a task"),
        (totals(task_rows=None), "totals.task_rows"),
        (totals(task_loss_sum=["a", 0, 0]), "totals.task_loss_sum: expected 3 finite numbers"),
        (totals(group_loss={}), "totals.group_loss: expected a finite number for each of"),
        (totals(steps=-1), "totals.steps: expected a whole number"),
        (totals(loss="low"), "totals.loss: expected a finite number"),
        (totals(restore=1), "totals.restore: expected only"),
    ],
)
def test_what_no_run_counts_is_refused(copy, tmp_path, change, says):
    edit_json("config.json", lambda config: change(config["gato"]))(copy)
    with pytest.raises(ExportError, match=f"config.json: gato.*{says}" if not says.startswith("gato") else says):
        import_weights(copy, tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_what_belongs_to_a_machine_stays_there(copy, tmp_path):
    def edit(config):
        data, train = (config["gato"]["experiment"][name] for name in ("data", "train"))
        data.update(directory="/home/somebody/data", cache="/home/somebody/cache")
        train.update(coordinator="10.0.0.1:1234", processes=8, process=3, wandb="them/theirs", profile=[1, 2])
        train.update(distributed="cluster", peak_tflops=1.0)

    edit_json("config.json", edit)(copy)
    result = import_weights(copy, tmp_path / "back", data="mine")
    config = json.loads((tmp_path / "back/config.json").read_text())
    assert (config["data"]["directory"], config["data"]["cache"]) == ("mine", "")
    train = config["train"]
    names = ("coordinator", "processes", "process", "wandb", "profile", "peak_tflops")
    assert [train[name] for name in names] == [None] * 6
    assert train["distributed"] == "local"
    assert open_source(tmp_path / "back").meta["experiment"] == config
    said = "\n".join(result.machine)
    assert "train.coordinator: '10.0.0.1:1234' -> None" in said
    assert "data.directory: '/home/somebody/data' -> 'mine'" in said
    assert len(result.machine) == 9
