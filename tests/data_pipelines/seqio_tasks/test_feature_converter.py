"""Patches find their slots, by the short way and by the long one."""

import numpy as np
import pytest

from data_pipelines.schema import PATCH_VALUES, RowGroup
from data_pipelines.seqio_tasks.feature_converter import BatchedFeatureConverter, _take
from data_pipelines.seqio_tasks.row_format import RowFormat
from data_pipelines.tokenizers.images import ImageFit
from data_pipelines.vocabulary import TokenType


@pytest.mark.parametrize(
    ("chosen", "needed"),
    [
        ([[0, 1, 2, 0], [3, 4, 5, 0]], [3, 3]),  # In turn.
        ([[0, 1, 2, 5], [3, 4, 5, 5]], [4, 4]),  # As full as can be, not in turn.
        ([[0, 2, 1, 0], [3, 4, 5, 0]], [3, 3]),
        ([[0, 1, 2, 0], [3, 4, 0, 0]], [3, 2]),
        ([[0, 1, 0, 0], [3, 4, 0, 0]], [2, 2]),  # As many in each row, but not all of them.
        ([[0, 0, 0, 0], [0, 0, 0, 0]], [0, 0]),
    ],
)
def test_patches_of_rows(chosen, needed):
    patches = np.random.default_rng(0).integers(0, 256, (6, PATCH_VALUES), dtype=np.uint8)
    expected = np.zeros((2, 4, PATCH_VALUES), np.uint8)
    for row, count in enumerate(needed):
        expected[row, :count] = patches[chosen[row][:count]]
    taken = _take(patches, np.array(chosen, np.int32), np.array(needed, np.int32))
    np.testing.assert_array_equal(taken, expected)


def test_rows_without_pictures():
    taken = _take(np.zeros((0, PATCH_VALUES), np.uint8), np.zeros((2, 3), np.int32), np.zeros(2, np.int32))
    np.testing.assert_array_equal(taken, np.zeros((2, 3, PATCH_VALUES)))


def test_what_begins_a_sequence_is_no_target():
    """Also where an empty text leaves unused places before it: nothing stands there to predict it from."""
    group = RowGroup(("a",), window_length=10)
    converter = BatchedFeatureConverter(RowFormat("g", group, 0, 0, ["a"], {}, ImageFit.PAD))
    text, none, action = int(TokenType.TEXT), int(TokenType.PADDING), int(TokenType.ACTION)
    kinds = [none, none, text, text, action, text, none, text, action, none]
    position = [0, 1, 2, 3, 4, 0, 1, 2, 3, 9]
    marked = [int(kind != none) for kind in kinds]
    places = np.array([[[[7] * 10, [7] * 10, kinds, [0] * 10, marked, position]]], np.int32)
    fields = converter._convert({"places": places, "frames": np.zeros((1, 1, 0), "S1"), "task_id": np.array([[0]])})
    assert fields["loss_mask"].numpy().tolist() == [[0, 0, 0, 1, 1, 0, 0, 1, 1, 0]]
    assert fields["segment_ids"].numpy().tolist() == [[0, 0, 1, 1, 1, 2, 0, 2, 2, 0]]
