"""safetensors: whole or not at all, checked by a fresh process, going on after an interrupt, strict when read back."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys

import jax
import numpy as np
import pytest
import safetensors.numpy

import gato_jax
from data_pipelines.storage.recorded_tasks import read_spec
from gato_jax.config import AgentConfig
from gato_jax.export import export as export_module
from gato_jax.export.export import export_weights
from gato_jax.export.formats.registry import FORMATS
from gato_jax.export.imports import import_weights
from gato_jax.export.verification import SCRIPT, RuntimeMissing, judge
from gato_jax.training.checkpoints import orbax_files
from gato_jax.training.checkpoints.checkpoint import CheckpointError
from gato_jax.weights.load import load_export, load_weights
from gato_jax.weights.source import open_source
from gato_jax.weights.tensor_names import ExportError, flatten, tensors_of


@pytest.fixture(scope="module")
def exported(tiny_run, tmp_path_factory):
    out = tmp_path_factory.mktemp("export") / "weights"
    return export_weights(tiny_run, out), out


@pytest.fixture(scope="module")
def plain(small, tmp_path_factory):
    """A run whose data is not there: random rows are compared."""
    return small.save(small.scanned(small.small_experiment()), tmp_path_factory.mktemp("plain") / "run")


@pytest.fixture
def copy(exported, tmp_path):
    return shutil.copytree(exported[1], tmp_path / "copy")


def change(directory, edit):
    """Rewrites the tensors after `edit(dict)`."""
    path = directory / "model.safetensors"
    tensors = safetensors.numpy.load_file(path)
    edit(tensors)
    safetensors.numpy.save_file(tensors, path)


def assert_same_parameters(left, right):
    """All but the rows that pad the token table."""
    rows = left.experiment.data.tokens.vocabulary.size
    a, b = flatten(left.parameters), flatten(right.parameters)
    assert list(a) == list(b)
    for name in a:
        cut = rows if name == "embedding/tokens" else None
        np.testing.assert_array_equal(a[name][:cut], b[name][:cut], err_msg=name)
        assert a[name].shape == b[name].shape


def test_round_trip_is_bit_equal(exported, tiny_run):
    result, out = exported
    names = ["README.md", "check_digests.py", "config.json", "demonstrations", "digests.json"]
    names += ["model.safetensors", "numpy_gato.py", "tokenizer.model"]
    assert sorted(path.name for path in out.iterdir()) == names
    original, restored = load_weights(tiny_run), load_weights(out)
    assert restored.experiment == original.experiment
    assert restored.step == original.step == 2
    assert restored.text.encode("go to the red ball") == original.text.encode("go to the red ball")
    assert_same_parameters(original, restored)
    assert json.dumps(result.to_dict())


def test_an_agent_has_specs_and_prompts_of_an_export_alone(copy, recorded_data):
    """The same demonstrations are drawn from it as from the data that it was made with, as far as it has them."""
    options = AgentConfig(context_timesteps=0)
    agent = gato_jax.Agent.load(copy, data="nowhere", options=options)
    assert agent.tasks == ["babyai.go_to_obj", "metaworld.drawer_close"]
    spec = agent.reset("babyai.go_to_obj", seeds=range(6), prompts="goal")
    assert spec == read_spec(recorded_data, "babyai.go_to_obj")
    assert 1 < len(set(agent.prompts)) <= 3
    path = copy / "demonstrations" / "babyai.go_to_obj.npz"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(ExportError, match=r"babyai.go_to_obj.npz is damaged: expected SHA-256"):
        gato_jax.Agent.load(copy, data="nowhere", options=options).reset("babyai.go_to_obj")


def test_a_fresh_process_compared_recorded_episodes(exported):
    result, out = exported
    verification = result.verification
    assert verification.differences["float32"] < 1e-4
    assert verification.tasks == ("babyai.go_to_obj", "metaworld.drawer_close")
    same, total = verification.greedy["float32"]
    assert same == total > 0
    assert {"numpy", "safetensors"} < set(verification.versions)
    assert not {"jax", "torch", "tensorflow"} & set(verification.versions)
    card = (out / "README.md").read_text()
    assert "greedy actions in float32" in card
    assert "| babyai.go_to_obj |" in card
    assert "gato export" in card


def test_the_card_tells_the_realised_mixture(exported, tiny_run):
    rows = json.loads((tiny_run / "summary.json").read_text())["task_rows"]
    card = (exported[1] / "README.md").read_text()
    for task, count in rows.items():
        assert f"| {task} | 25.00 % | {count} | {100 * count / sum(rows.values()):.2f} % |" in card


def test_the_fresh_process_cannot_import_our_package():
    code = (
        "import runpy, sys; module = runpy.run_path(sys.argv[1]); module['forbid'](module['OURS'])\n"
        "for name in module['OURS']:\n"
        "    try:\n        __import__(name)\n    except ImportError:\n        continue\n    sys.exit(1)\n"
    )
    process = subprocess.run([sys.executable, "-c", code, SCRIPT], check=False)
    assert process.returncode == 0


def test_padding_rows_are_left_out(exported):
    tensors = safetensors.numpy.load_file(exported[1] / "model.safetensors")
    assert tensors["embedding.tokens"].shape[0] == 1024 + 1024 + 1
    assert sum(tensor.size for tensor in tensors.values()) == exported[0].parameters


def test_nothing_is_written_over(exported, tiny_run):
    """The same call finds its work done, as after a kill behind its last line; any other is refused."""
    before = {path: path.read_bytes() for path in exported[1].rglob("*") if path.is_file()}
    with pytest.raises(FileExistsError, match="not empty"):
        export_weights(tiny_run, exported[1], dtype="bfloat16")
    (exported[1] / "job.json").write_text("{}")  # What a kill behind the renaming leaves.
    result = export_weights(tiny_run, exported[1])
    assert result.before
    assert before == {path: path.read_bytes() for path in exported[1].rglob("*") if path.is_file()}


def test_a_failed_check_leaves_nothing_behind(plain, tmp_path, monkeypatch):
    """The file on disk is damaged between writing and checking: the fresh process sees it."""
    form = FORMATS["safetensors"]

    def damage(order):
        form.write(order)
        change(order.directory, lambda tensors: tensors["transformer.norm.scale"].__iadd__(0.01))

    monkeypatch.setitem(FORMATS, "safetensors", dataclasses.replace(form, write=damage))
    with pytest.raises(ExportError, match=r"tensor 'transformer.norm.scale'.* is damaged: expected SHA-256"):
        export_weights(plain, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_check_of_actions():
    from gato_jax.export.reference import Reference

    measured = {
        "differences": {"float32": 1e-6},
        "largest": 3.0,
        "logits": 10,
        "greedy": {"float32": [9, 10]},
        "acting": [4, 5],
        "ties": 0,
        "load_seconds": 0.0,
        "seconds": 0.0,
        "peak_bytes": 0,
        "modules": {},
        "python": "3",
    }
    with pytest.raises(ExportError, match=r"1 of 10 tokens differ; its agent acts differently: 1 of 5"):
        judge(measured, Reference(None, (), 0, 0))
    with pytest.raises(ExportError, match="other logits"):
        judge({**measured, "differences": {"float32": float("nan")}}, Reference(None, (), 0, 0))


def test_an_absent_runtime_is_said_before_anything_is_written(tiny_run, tmp_path):
    interpreter = tmp_path / "python"
    interpreter.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')  # without any installed package
    interpreter.chmod(0o755)
    with pytest.raises(RuntimeMissing, match=r"torch.*pip install torch==2.13.0 transformers"):
        export_weights(tiny_run, tmp_path / "out", format="huggingface", python=str(interpreter))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["python"]


def test_unverified_says_so(exported, tmp_path):
    result = export_weights(exported[1], tmp_path / "out", unverified=True)
    assert result.verification is None
    assert "**No. This export was made with `--unverified`" in (tmp_path / "out/README.md").read_text()


def test_an_interrupted_export_goes_on(small, plain, tmp_path, monkeypatch):
    run = plain
    options = {"unverified": True, "shard_size": 200_000, "with_optimizer": True}
    export_weights(run, tmp_path / "whole", **options)
    opened, asked = export_module.open_source, []

    def interrupted(path, limit):
        source = opened(path)

        def read(name):
            asked.append(name)
            if len(asked) == limit:
                raise KeyboardInterrupt
            return source.read(name)

        return dataclasses.replace(source, read=read)

    monkeypatch.setattr(export_module, "open_source", lambda path: interrupted(path, 20))
    with pytest.raises(KeyboardInterrupt):
        export_weights(run, tmp_path / "out", **options)
    assert (tmp_path / ".out.partial").is_dir()
    assert not (tmp_path / "out").exists()
    asked.clear()
    monkeypatch.setattr(export_module, "open_source", lambda path: interrupted(path, 10**9))
    export_weights(run, tmp_path / "out", **options)
    assert len(asked) == len(tensors_of(open_source(run).experiment.model, small.Vocabulary(1024))) - 19
    for path in (tmp_path / "whole").rglob("*.safetensors"):
        assert path.read_bytes() == (tmp_path / "out" / path.name).read_bytes()
    assert not (tmp_path / ".out.partial").exists()
    assert_same_parameters(load_weights(run), load_weights(tmp_path / "out"))
    assert len(list((tmp_path / "out").glob("model-*.safetensors"))) == 4


@pytest.mark.parametrize("moment", [1, 7])
def test_ctrl_c_inside_orbax_is_no_damage(plain, tmp_path, monkeypatch, moment):
    """It would cancel what Orbax's event loop is at, which fails with errors of its own."""
    load, calls = orbax_files.ocp.load_checkpointables, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == moment:
            os.kill(os.getpid(), signal.SIGINT)
            raise ValueError("CANCELLED: the event loop was interrupted")
        return load(*arguments)

    monkeypatch.setattr(orbax_files.ocp, "load_checkpointables", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export_weights(plain, tmp_path / "out", unverified=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".out.partial"]
    assert len(calls) == moment
    export_weights(plain, tmp_path / "out", unverified=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
    assert_same_parameters(load_weights(plain), load_export(tmp_path / "out"))


@pytest.mark.parametrize("read", [export_weights, import_weights, lambda run, out: load_weights(run)])
def test_a_damaged_checkpoint_is_refused_by_every_reader(plain, tmp_path, read):
    run = shutil.copytree(plain, tmp_path / "run")
    path = max((run / "checkpoints/2/parameters").rglob("*"), key=lambda path: path.stat().st_size)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=rf"2 is damaged.*{path.name}: expected .* SHA-256 .*, found .* SHA-256"):
        read(run, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_stacked_layers_are_written_one_by_one(plain, tmp_path):
    run = plain
    export_weights(run, tmp_path / "out", unverified=True)
    tensors = safetensors.numpy.load_file(tmp_path / "out/model.safetensors")
    stack = load_weights(run).parameters["transformer"]["stack"]["attention"]["query"]
    for layer in range(2):
        np.testing.assert_array_equal(tensors[f"transformer.blocks.layer_0{layer}.attention.query"], stack[layer])
    assert_same_parameters(load_weights(run), load_export(tmp_path / "out"))


def test_bfloat16_is_rounded_to_nearest(plain, tmp_path):
    result = export_weights(plain, tmp_path / "out", dtype="bfloat16")
    assert result.verification.differences["float32"] < 1e-4
    original, rounded = flatten(load_weights(plain).parameters), flatten(load_export(tmp_path / "out").parameters)
    for name, rounded_values in rounded.items():
        rows = 2049 if name == "embedding/tokens" else None
        expected = np.asarray(original[name].astype(jax.numpy.bfloat16)).astype(np.float32)
        np.testing.assert_array_equal(rounded_values[:rows], expected[:rows])


def test_missing_unknown_and_misshapen_tensors_are_named(copy):
    def edit(tensors):
        del tensors["transformer.norm.scale"]
        tensors["extra"] = np.zeros(1, np.float32)
        tensors["embedding.local"] = tensors["embedding.local"][:, :-1]
        tensors["embedding.patches.rows"] = tensors["embedding.patches.rows"].astype(np.int32)

    change(copy, edit)
    with pytest.raises(ExportError) as error:
        load_export(copy)
    text = str(error.value)
    assert "transformer.norm.scale: missing" in text
    assert "extra: not a parameter" in text
    assert "embedding.local: expected shape (512, 32), found (512, 31)" in text
    assert "embedding.patches.rows: expected dtype float32 or bfloat16, found int32" in text


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_truncated_and_absent_files(copy, name):
    path = copy / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ExportError, match=rf"{name}.* is damaged"):
        load_export(copy)
    path.unlink()
    with pytest.raises(ExportError, match=f"expected a file {name}"):
        load_export(copy)


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda own: own.update(format="other"), "expected 'gato-jax-export-2', found 'other'"),
        (lambda own: own["experiment"]["model"].update(widht=3), "widht"),
        (lambda own: own["experiment"]["model"].update(layers=10**9), "hold at most"),
        (lambda own: own["experiment"]["model"].update(layers="2"), "hold at most"),
        (lambda own: own["experiment"]["model"].update(width=10**9), "does not fit"),
        (
            lambda own: own["experiment"]["model"].update(local_positions=10**12),
            "model.local_positions must be at most",
        ),
        (lambda own: own["experiment"].update(model=3), "config.json"),
        (lambda own: own.update(step="soon"), "soon"),
        (lambda own: own.pop("training"), "training"),
    ],
)
def test_a_config_that_lies(copy, edit, says):
    config = json.loads((copy / "config.json").read_text())
    edit(config["gato"])
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(ExportError, match=says):
        load_export(copy)
