"""Back in: bit-equal, training goes on with the same losses, and nothing changes but by an explicit option."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import jax
import numpy as np
import pytest
import safetensors.numpy

from gato_jax.config import Positions
from gato_jax.export import imports
from gato_jax.export.export import export_weights
from gato_jax.export.imports import import_weights
from gato_jax.training.checkpoints import checkpoint, orbax_files
from gato_jax.training.train import train
from gato_jax.weights.load import load_weights
from gato_jax.weights.tensor_names import ExportError, flatten


@pytest.fixture(scope="module")
def run(small, tmp_path_factory):
    return small.save(small.small_experiment(), tmp_path_factory.mktemp("run") / "run")


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "weights"
    export_weights(run, out, unverified=True, with_optimizer=True)
    return out


def leaves_of(run, tree):
    path = checkpoint.find_checkpoint(run)
    shapes = checkpoint.leaf_shapes(path, tree)
    return {name: checkpoint.read_leaf(path, tree, name, shape) for name, shape in shapes.items()}


def assert_same(left, right, *, rows):
    assert set(left) == set(right)
    for name in left:
        cut = rows if name == "embedding/tokens" else None
        assert left[name].dtype == right[name].dtype
        np.testing.assert_array_equal(
            left[name][:cut] if cut else left[name], right[name][:cut] if cut else right[name]
        )


@pytest.mark.parametrize("stacked", [False, True])
def test_round_trip_is_bit_equal(small, run, exported, tmp_path, stacked):
    """Whether training stacks the layers or not: files hold them one by one."""
    if stacked:
        run = small.save(small.scanned(small.small_experiment()), tmp_path / "run")
        exported = tmp_path / "out"
        export_weights(run, exported, unverified=True, with_optimizer=True)
    result = import_weights(exported, tmp_path / "back", data="nowhere")
    assert result.new == result.dropped == result.machine == ()
    assert result.optimizer == "taken over"
    export_weights(tmp_path / "back", tmp_path / "again", unverified=True, with_optimizer=True)
    for name in ("model.safetensors", "optimizer.safetensors"):
        assert (exported / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    assert_same(leaves_of(run, "parameters"), leaves_of(tmp_path / "back", "parameters"), rows=2049)
    assert_same(leaves_of(run, "optimizer"), leaves_of(tmp_path / "back", "optimizer"), rows=None)
    old, new = (checkpoint.read_meta(checkpoint.find_checkpoint(path)) for path in (run, tmp_path / "back"))
    for name in ("experiment", "position", "totals", "seconds", "loss", "step"):
        assert old[name] == new[name]


def test_training_goes_on_with_the_same_losses(tiny, tmp_path):
    """With the optimizer's state, the next losses are those of the run that was never exported, bit for bit.

    Without it the weights are the same, so the next loss is; its moments begin at zero, so later ones are not.
    """
    stream = lambda experiment, host, hosts: tiny.SyntheticStream(experiment, host, hosts)  # noqa: E731

    def losses(out, steps):
        train(tiny.tiny_experiment(steps=steps, checkpoint_every=3), out, open_stream=stream)
        return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]

    losses(tmp_path / "run", 3)
    export_weights(tmp_path / "run", tmp_path / "all", unverified=True, with_optimizer=True)
    export_weights(tmp_path / "run", tmp_path / "weights", unverified=True)
    import_weights(tmp_path / "all", tmp_path / "from_all")
    assert import_weights(tmp_path / "weights", tmp_path / "from_weights").optimizer == "new: moments are zero"
    curves = {}
    for name in ("run", "from_all", "from_weights"):
        curves[name] = [
            (record["step"], record["loss"]) for record in losses(tmp_path / name, 6) if record["step"] >= 3
        ]
    assert [step for step, _ in curves["run"]] == [3, 4, 5]
    assert curves["from_all"] == curves["run"]
    assert curves["from_weights"][0] == curves["run"][0]
    assert curves["from_weights"][2] != curves["run"][2]


def test_paths_may_be_relative_and_of_any_name(exported, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(exported, "größe 1.0 ², weights")
    import_weights("größe 1.0 ², weights", "größe 1.0 ², run", data="my data")
    assert json.loads(pathlib.Path("größe 1.0 ², run/config.json").read_text())["data"]["directory"] == "my data"
    export_weights("größe 1.0 ², run", "größe 1.0 ², again", unverified=True)
    whole = (exported / "model.safetensors").read_bytes()
    assert (tmp_path / "größe 1.0 ², again/model.safetensors").read_bytes() == whole


def test_an_interrupted_import_goes_on_and_a_finished_one_is_known(exported, tmp_path, monkeypatch):
    out, write = tmp_path / "run", imports.run_directory.write_config

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(imports.run_directory, "write_config", interrupted)
    with pytest.raises(KeyboardInterrupt):
        import_weights(exported, out)
    assert [path.name for path in tmp_path.iterdir()] == [".run.partial"]
    monkeypatch.setattr(imports.run_directory, "write_config", write)
    assert not import_weights(exported, out).before
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert sorted(path.name for path in out.iterdir()) == ["checkpoints", "config.json"]
    assert import_weights(exported, out).before
    with pytest.raises(FileExistsError, match="not empty"):
        import_weights(exported, out, seed=1)


def test_ctrl_c_while_orbax_saves_waits_for_it(exported, tmp_path, monkeypatch):
    """Nobody would wait for its threads else, and the end of the interpreter hangs in them."""
    save = orbax_files.ocp.save_checkpointables_async

    def interrupted(*arguments, **options):
        saving = save(*arguments, **options)
        os.kill(os.getpid(), signal.SIGINT)
        return saving

    monkeypatch.setattr(orbax_files.ocp, "save_checkpointables_async", interrupted)
    with pytest.raises(KeyboardInterrupt):
        import_weights(exported, tmp_path / "run")
    checkpoint.verify(tmp_path / ".run.partial/checkpoints/2")


def test_growing_names_what_is_new(exported, run, tmp_path):
    result = import_weights(exported, tmp_path / "back", text_size=1500, max_length=300)
    assert result.new == ("embedding.positions rows 256 and up", "embedding.tokens rows 1024 to 1499")
    assert result.optimizer == "new: moments are zero, as the network changed"
    old, new = load_weights(run), load_weights(tmp_path / "back")
    a, b = old.parameters["embedding"], new.parameters["embedding"]
    np.testing.assert_array_equal(a["tokens"][:1024], b["tokens"][:1024])
    np.testing.assert_array_equal(a["tokens"][1024:2049], b["tokens"][1500:2525])  # bins and separator moved along
    assert np.abs(np.asarray(b["tokens"][1024:1500])).max() > 0
    np.testing.assert_array_equal(a["positions"], b["positions"][:256])
    assert b["positions"].shape[0] == 300
    assert new.experiment.data.tokens.vocabulary.text_size == 1500
    rest = [name for name in flatten(old.parameters) if name not in ("embedding/tokens", "embedding/positions")]
    for name in rest:
        np.testing.assert_array_equal(flatten(old.parameters)[name], flatten(new.parameters)[name])


def test_another_position_scheme_names_both_sides(exported, tmp_path):
    result = import_weights(exported, tmp_path / "back", positions="transformer_xl")
    assert result.dropped == ("embedding.positions [256, 32]",)
    assert [part for part in result.new if "layer_00" in part] == [
        f"transformer.blocks.layer_00.attention.{name}"
        for name in ("content_bias [16]", "position_bias [16]", "relative [32, 16]")
    ]
    assert len(result.new) == 6
    assert load_weights(tmp_path / "back").experiment.model.positions is Positions.TRANSFORMER_XL


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"text_size": 1000}, "text_size: expected at least the 1024 pieces"),
        ({"max_length": 100}, "max_length: expected at least 256 rows"),
        ({"positions": "rotary", "max_length": 500}, "only learned positions have a table"),
    ],
)
def test_nothing_learned_is_cut(exported, tmp_path, options, says):
    with pytest.raises(ValueError, match=says):
        import_weights(exported, tmp_path / "back", **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "found nothing in it"),
        ({"pytorch_model.bin": "", "README.md": ""}, "found README.md, pytorch_model.bin"),
        ({"config.json": '{"model_type": "gpt2"}'}, 'found config.json; config.json has no part "gato"'),
    ],
)
def test_what_is_neither_an_export_nor_a_run(tmp_path, files, says):
    (tmp_path / "there").mkdir()
    for name, text in files.items():
        (tmp_path / "there" / name).write_text(text)
    with pytest.raises(
        ExportError, match=rf"expected an export \(config.json.*or a run \(checkpoints/<step>\), {says}"
    ):
        import_weights(tmp_path / "there", tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_moments_that_do_not_fit_are_named(exported, tmp_path):
    copy = shutil.copytree(exported, tmp_path / "copy")
    tensors = safetensors.numpy.load_file(copy / "optimizer.safetensors")
    name = next(name for name in tensors if name.endswith("embedding/local"))
    tensors[name] = tensors[name][:1]
    safetensors.numpy.save_file(tensors, copy / "optimizer.safetensors")
    with pytest.raises(ExportError, match=r"embedding/local: expected float32\[512, 32\], found float32\[1, 32\]"):
        import_weights(copy, tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_a_run_on_another_mesh(tiny, tmp_path):
    """Saved from an fsdp and tensor mesh of 8 forced devices, exported from one device: the same bits."""
    code = (
        "import importlib.util, sys, jax, numpy as np\n"
        "spec = importlib.util.spec_from_file_location('small', sys.argv[1])\n"
        "small = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(small)\n"
        "from pathlib import Path\n"
        "from gato_jax import sharding\n"
        "from gato_jax.model.gato import abstract_model\n"
        "experiment = small.small_experiment()\n"
        "abstract = abstract_model(experiment.model, experiment.data.tokens.vocabulary)[1]\n"
        "mesh = sharding.make_mesh(sharding.MeshConfig(data=2, fsdp=2, tensor=2))\n"
        "places = sharding.parameter_shardings(abstract, mesh)\n"
        "make = small.random_state\n"
        "def placed(experiment, seed=0):\n"
        "    state = make(experiment, seed=seed)\n"
        "    return {**state, 'parameters': jax.tree.map(jax.device_put, state['parameters'], places)}\n"
        "small.random_state = placed\n"
        "small.save(experiment, Path(sys.argv[2]))\n"
    )
    environment = {
        **os.environ,
        "XLA_FLAGS": "--xla_force_host_platform_device_count=8 --xla_backend_optimization_level=0",
        "PYTHONHASHSEED": "0",
    }
    small = str(pathlib.Path(__file__).with_name("small.py"))
    subprocess.run([sys.executable, "-c", code, small, str(tmp_path / "run")], check=True, env=environment)
    export_weights(tmp_path / "run", tmp_path / "out", unverified=True)
    exported = load_weights(tmp_path / "out").parameters
    saved = leaves_of(tmp_path / "run", "parameters")
    for name, leaf in flatten(exported).items():
        rows = 2049 if name == "embedding/tokens" else None
        np.testing.assert_array_equal(np.asarray(leaf)[:rows], saved[name][:rows])
    assert len(jax.devices()) == 1
