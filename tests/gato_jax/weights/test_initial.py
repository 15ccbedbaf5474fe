"""Weights for another run to begin with: which rows are read, what begins anew, and what is refused."""

import dataclasses
import pathlib
import types

import jax
import numpy as np
import pytest

from data_pipelines.tokenizers.continuous import Companding
from data_pipelines.tokenizers.layout import ActionPositions
from data_pipelines.vocabulary import BINS, DiscreteIds, Vocabulary
from gato_jax import sharding
from gato_jax.config import MeshConfig, Positions
from gato_jax.training.step.spec import step_spec
from gato_jax.training.step.state import abstract_state
from gato_jax.weights import initial
from gato_jax.weights.initial import open_initial_weights
from gato_jax.weights.tensor_names import ExportError, flatten, tensors_of

TEXT = 1500


def experiment_of(tiny, *, tokens=None, model=None, **train):
    """A tiny experiment with other settings of its tokens and its network."""
    base = tiny.tiny_experiment(**train)
    tokens = dataclasses.replace(base.data.tokens, vocabulary=Vocabulary(TEXT), **(tokens or {}))
    model = dataclasses.replace(base.model, **{"scan_layers": True, **(model or {})})
    return dataclasses.replace(base, data=dataclasses.replace(base.data, tokens=tokens), model=model)


@pytest.fixture
def weights_of(tiny, monkeypatch):
    """A function: experiment of the weights, experiment of the run -> what the run would begin with, and its tensors.

    No file is written: a source hands out random tensors.
    """

    def begin(there, here, *, text_model=""):
        random = np.random.default_rng(7)
        tensors = tensors_of(there.model, there.data.tokens.vocabulary)
        tensors_there = {tensor.name: random.normal(size=tensor.shape).astype(np.float32) for tensor in tensors}
        source = types.SimpleNamespace(
            path=pathlib.Path("there"),
            experiment=there,
            meta={"step": 3},
            text_model=text_model,
            read=tensors_there.__getitem__,
        )
        monkeypatch.setattr(initial, "open_source", lambda path: source)
        here = dataclasses.replace(here, train=dataclasses.replace(here.train, init_from="there"))
        return open_initial_weights(here), tensors_there

    return begin


def placed(begun, here):
    """Tensors of the run's fresh state, before and after, and the digest."""
    spec = step_spec(here)
    shapes = abstract_state(spec, sharding.make_mesh(MeshConfig()))["parameters"]
    random = np.random.default_rng(1)
    fresh = jax.tree.map(
        lambda leaf: jax.device_put(random.normal(size=leaf.shape).astype(np.float32), leaf.sharding), shapes
    )
    parameters, digest = begun.place(fresh)
    jax.tree.map(
        lambda a, b: pytest.fail("laid out otherwise") if a.sharding != b.sharding else None, fresh, parameters
    )
    tensors = tensors_of(spec.model, spec.vocabulary)
    before, after = (
        {tensor.name: tensor.of(np.asarray(flatten(tree)[tensor.leaf])) for tensor in tensors}
        for tree in (fresh, parameters)
    )
    return before, after, digest


def test_the_same_network_is_read_whole(weights_of, tiny):
    """From unrolled layers to stacked ones: the same bits."""
    there, here = experiment_of(tiny, model={"scan_layers": False}), experiment_of(tiny)
    begun, tensors_there = weights_of(there, here)
    assert (begun.new, begun.unused) == ((), ())
    assert begun.lines()[0].startswith("begins with the weights of there, step 3 (tiny): ")
    _, after, digest = placed(begun, here)
    assert set(after) == set(tensors_there)
    for name, value in after.items():
        np.testing.assert_array_equal(value, tensors_there[name], err_msg=name)
    assert placed(weights_of(there, there)[0], there)[2] == digest, "it says nothing of how they are laid out"
    tensors_there["transformer.norm.scale"] = tensors_there["transformer.norm.scale"] + 1
    assert placed(begun, here)[2] != digest


def test_rows_of_the_same_meaning_are_read(weights_of, tiny):
    """A larger vocabulary with a block for discrete values: every token keeps its vector, wherever its row is now."""
    there = experiment_of(tiny)
    here = experiment_of(tiny)
    larger = Vocabulary(TEXT + 100, DiscreteIds.OFFSET)
    tokens = dataclasses.replace(here.data.tokens, vocabulary=larger)
    here = dataclasses.replace(here, data=dataclasses.replace(here.data, tokens=tokens))
    begun, tensors_there = weights_of(there, here)
    old, table = there.data.tokens.vocabulary, tensors_there["embedding.tokens"]
    before, after, _ = placed(begun, here)
    rows = after["embedding.tokens"]
    np.testing.assert_array_equal(rows[:TEXT], table[:TEXT])
    np.testing.assert_array_equal(rows[TEXT : TEXT + 100], before["embedding.tokens"][TEXT : TEXT + 100])
    bins = slice(larger.continuous_start, larger.continuous_start + BINS)
    np.testing.assert_array_equal(rows[bins], table[old.continuous_start : old.continuous_start + BINS])
    np.testing.assert_array_equal(rows[larger.separator], table[old.separator])
    np.testing.assert_array_equal(rows[larger.discrete_start :], table[:BINS])
    assert [str(one) for one in begun.new] == ["embedding/tokens, rows 1500 to 1599 (text): absent on the other side"]
    assert begun.unused == ()


def test_another_text_model_and_other_bins_begin_anew(weights_of, tiny, tmp_path):
    """Discrete values share their rows with text, and are still the same values."""
    (tmp_path / "a.model").write_bytes(b"one")
    (tmp_path / "b.model").write_bytes(b"another")
    here = experiment_of(tiny, tokens={"text_model": str(tmp_path / "b.model"), "companding": Companding.OUT_OF_RANGE})
    begun, tensors_there = weights_of(experiment_of(tiny), here, text_model=str(tmp_path / "a.model"))
    expected = [
        f"embedding/tokens, rows 1024 to {TEXT - 1} (text): other text model on the other side",
        f"embedding/tokens, rows {TEXT} to {TEXT + BINS - 1} (continuous bins): other companding on the other side",
    ]
    assert [str(one) for one in begun.new] == expected
    assert [str(one) for one in begun.unused] == expected
    before, after, _ = placed(begun, here)
    rows, fresh, table = (one["embedding.tokens"] for one in (after, before, tensors_there))
    np.testing.assert_array_equal(rows[:BINS], table[:BINS])
    np.testing.assert_array_equal(rows[BINS : TEXT + BINS], fresh[BINS : TEXT + BINS])
    np.testing.assert_array_equal(rows[-1], table[-1])
    same = experiment_of(tiny, tokens={"text_model": str(tmp_path / "b.model")})
    assert weights_of(experiment_of(tiny), same, text_model=str(tmp_path / "b.model"))[0].new == ()


def test_tables_of_positions_by_place(weights_of, tiny):
    """Shorter and longer tables; the row of action positions stands behind the observation's, wherever that ends."""
    action = {"action_positions": ActionPositions.SAME}
    there = experiment_of(tiny, tokens={**action, "max_observation_tokens": 20}, model={"local_positions": 30})
    here = experiment_of(
        tiny, tokens={**action, "max_observation_tokens": 24}, model={"local_positions": 32, "max_length": 48}
    )
    begun, tensors_there = weights_of(there, here)
    assert [str(one) for one in begun.new] == [
        "embedding/local, row 20 (local positions): absent on the other side",
        "embedding/local, rows 30 to 31 (local positions): absent on the other side",
        "embedding/positions, rows 32 to 47 (positions): absent on the other side",
    ]
    assert [str(one) for one in begun.unused] == ["embedding/local, row 24 (local positions): absent on the other side"]
    _, after, _ = placed(begun, here)
    np.testing.assert_array_equal(after["embedding.local"][24], tensors_there["embedding.local"][20])
    np.testing.assert_array_equal(after["embedding.local"][:20], tensors_there["embedding.local"][:20])
    np.testing.assert_array_equal(after["embedding.positions"][:32], tensors_there["embedding.positions"])


def test_a_damaged_export_is_refused_when_it_is_opened(tiny, tmp_path, monkeypatch):
    """Its last tensor too, though none is placed before the step is compiled."""
    experiment = experiment_of(tiny, init_from=str(tmp_path))
    last = tensors_of(experiment.model, experiment.data.tokens.vocabulary)[-1].name

    def read(name):
        if name == last:
            raise ExportError(f"tensor {name!r}: expected SHA-256 12, found 34")

    source = types.SimpleNamespace(path=tmp_path, experiment=experiment, text_model="", read=read)
    monkeypatch.setattr(initial, "open_source", lambda path: source)
    (tmp_path / "config.json").touch()
    with pytest.raises(ExportError, match="expected SHA-256 12, found 34"):
        open_initial_weights(experiment)


def test_another_network_is_refused_with_what_differs(weights_of, tiny):
    there = experiment_of(tiny, model={"dropout": 0.1, "stochastic_depth": 0.5})
    here = experiment_of(tiny, model={"width": 64, "positions": Positions.ROTARY})
    with pytest.raises(ValueError, match="there holds the weights of another network") as error:
        weights_of(there, here)
    assert str(error.value).splitlines()[1:] == [
        "  model.width: expected 32 as there, found 64",
        "  model.positions: expected 'learned' as there, found 'rotary'",
    ]
