"""Export round trip: bit-equal, whole or not at all, and strict about what it loads."""

import json
import shutil

import jax
import numpy as np
import pytest
import safetensors.numpy

from gato_jax.agent.weights import load_weights
from gato_jax.export import safetensors as export
from gato_jax.export.safetensors import ExportError, export_safetensors, load_export


@pytest.fixture(scope="module")
def exported(tiny_run, tmp_path_factory):
    out = tmp_path_factory.mktemp("export") / "weights"
    return export_safetensors(tiny_run, out), out


@pytest.fixture
def copy(exported, tmp_path):
    return shutil.copytree(exported[1], tmp_path / "copy")


def change(directory, edit):
    """Rewrites the tensors after `edit(dict)`."""
    path = directory / "model.safetensors"
    tensors = safetensors.numpy.load_file(path)
    edit(tensors)
    safetensors.numpy.save_file(tensors, path)


def test_round_trip_is_bit_equal(exported, tiny_run):
    result, out = exported
    assert sorted(path.name for path in out.iterdir()) == ["config.json", "model.safetensors", "tokenizer.model"]
    original, restored = load_weights(tiny_run), load_weights(out)
    assert restored.experiment == original.experiment
    assert restored.step == original.step == 2
    assert restored.text.encode("go to the red ball") == original.text.encode("go to the red ball")
    vocabulary = original.experiment.data.tokens.vocabulary
    assert jax.tree.structure(original.parameters) == jax.tree.structure(restored.parameters)
    for (path, a), b in zip(
        jax.tree_util.tree_leaves_with_path(original.parameters), jax.tree.leaves(restored.parameters), strict=True
    ):
        rows = vocabulary.size if a.shape[0] == vocabulary.padded_size else None
        np.testing.assert_array_equal(a[:rows], b[:rows], err_msg=str(path))
        assert a.shape == b.shape
    assert result.verified > 0
    assert json.dumps(result.to_dict())


def test_padding_rows_are_left_out(exported):
    tensors = safetensors.numpy.load_file(exported[1] / "model.safetensors")
    assert tensors["embedding/tokens"].shape[0] == 1024 + 1024 + 1
    assert sum(tensor.size for tensor in tensors.values()) == exported[0].parameters


def test_nothing_is_written_over(exported, tiny_run):
    with pytest.raises(FileExistsError, match="not empty"):
        export_safetensors(tiny_run, exported[1])


def test_a_failed_check_leaves_nothing_behind(tiny_run, tmp_path, monkeypatch):
    def fail(*_):
        raise ExportError("other logits")

    monkeypatch.setattr(export, "_verify", fail)
    with pytest.raises(ExportError, match="other logits"):
        export_safetensors(tiny_run, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_the_check_sees_a_changed_weight(exported, tiny_run, copy):
    def nudge(tensors):
        tensors["transformer/norm/scale"][0] += 1e-3

    change(copy, nudge)
    with pytest.raises(ExportError, match="other logits"):
        export._verify(load_weights(tiny_run), load_export(copy))


def test_missing_unknown_and_misshapen_tensors_are_named(copy):
    def edit(tensors):
        del tensors["transformer/norm/scale"]
        tensors["extra"] = np.zeros(1, np.float32)
        tensors["embedding/local"] = tensors["embedding/local"][:, :-1]
        tensors["embedding/tokens"] = tensors["embedding/tokens"].astype(np.float16)

    change(copy, edit)
    with pytest.raises(ExportError) as error:
        load_export(copy)
    text = str(error.value)
    assert "transformer/norm/scale: missing" in text
    assert "extra: not a parameter" in text
    assert "embedding/local: expected shape (512, 32), found (512, 31)" in text
    assert "embedding/tokens: expected dtype float32, found float16" in text


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_truncated_and_absent_files(copy, name):
    path = copy / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ExportError, match=f"{name} is damaged"):
        load_export(copy)
    path.unlink()
    with pytest.raises(ExportError, match=f"expected a file {name}"):
        load_export(copy)


def test_another_format_or_an_unknown_setting(copy):
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "format": "other"}))
    with pytest.raises(ExportError, match="expected 'gato-jax-safetensors-1', found 'other'"):
        load_export(copy)
    config["experiment"]["model"]["widht"] = 3
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(ExportError, match="widht"):
        load_export(copy)
