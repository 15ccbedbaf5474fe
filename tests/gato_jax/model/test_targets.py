"""Every place that the loss mask marks is predicted by the place of its sequence that stands before it."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from data_pipelines.schema import RowGroup
from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.tokenizers.layout import TimestepLayout, TokenConfig
from gato_jax.model.targets import Targets, count_targets, target_places

TEXTS = TaskSpec(
    "toy.texts",
    (ItemSpec("hint", Kind.TEXT, (), "str"), ItemSpec("mission", Kind.TEXT, (), "str")),
    ItemSpec("action", Kind.DISCRETE, (), "int32", num_values=5),
    100,
)


def timesteps(lengths, **options):
    """A segment of timesteps with texts of these lengths: loss_mask, segment_ids and targets, [1, places]."""
    layout = TimestepLayout.build(TEXTS, TokenConfig(text_tokens=4, **options))
    used = np.ones((len(lengths), layout.length), bool)
    for row, texts in enumerate(lengths):
        for place, count in zip(layout.places, texts, strict=True):
            used[row, place.start + count : place.stop] = False
    mask = np.where(used, layout.loss_mask, np.float32(0)).reshape(1, -1)
    mask[0, 0] = 0  # What begins a sequence has nothing before it.
    return mask, used.astype(np.int32).reshape(1, -1), np.arange(1, mask.size + 1, dtype=np.int32)[None]


@pytest.mark.parametrize("options", [{}, {"separator_loss": True}, {"predict_text_observations": False}])
def test_places_behind_padding_are_trained(options):
    """Two textual observations, or a separator behind the last one."""
    mask, segments, targets = timesteps([(4, 3), (1, 2), (2, 4)], **options)
    marked = int((mask > 0).sum())
    kinds = np.where(segments > 0, 3, 0)
    fields = {"loss_mask": mask, "segment_ids": segments, "targets": targets, "token_type": kinds}
    batch = {name: jnp.asarray(array) for name, array in fields.items()}
    for budget in (mask.shape[1], marked):
        compacted = Targets.of(batch, RowGroup(("a",), window_length=mask.shape[1], targets=budget))
        trained = np.asarray(compacted.targets)[np.asarray(compacted.weights) > 0]
        assert sorted(trained.tolist()) == targets[mask > 0].tolist(), budget
    assert count_targets(mask, segments).tolist() == [marked]


def test_random_rows_agree_with_a_loop():
    """Padding anywhere, sequences of any length, places that begin a sequence marked or not."""
    rng = np.random.default_rng(0)
    segments = np.sort(rng.integers(1, 5, (64, 24)), axis=1).astype(np.int32)
    segments[rng.random(segments.shape) < 0.3] = 0
    mask = (rng.random(segments.shape) < 0.5).astype(np.float32) * (segments > 0)
    pairs = []
    for row in range(64):
        there = np.flatnonzero(segments[row])
        pairs.append(
            [(a, b) for a, b in itertools.pairwise(there) if mask[row, b] and segments[row, a] == segments[row, b]]
        )
    most = max(map(len, pairs))
    for budget in (24, most):
        chosen, weights = (
            np.asarray(x) for x in target_places(jnp.asarray(mask), jnp.asarray(segments), budget=budget)
        )
        for row, expected in enumerate(pairs):
            assert chosen[row][weights[row] > 0].tolist() == [a for a, _ in expected]
    assert count_targets(mask, segments).tolist() == [len(expected) for expected in pairs]
