"""Shapes of row groups."""

import pytest

from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.schema import FIELDS, RowGroup


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"windows": 0}, "windows must be positive, found 0"),
        ({"window_length": -1}, "window_length must be positive, found -1"),
        ({"patches": -1}, "patches must not be negative, found -1"),
        ({"tasks": ()}, "at least one task"),
    ],
)
def test_shapes_that_no_row_can_have(wrong, message):
    with pytest.raises(ValueError, match=message):
        RowGroup(**{"tasks": ("a",), "windows": 2, "window_length": 8} | wrong)


def test_more_patches_than_places():
    """Is the mixture's error: an exported function has groups of unknown sizes."""
    with pytest.raises(ValueError, match=r"groups\['all'\].patches.* = 16 are expected, found 17"):
        MixtureConfig({"a": 1.0}, {"all": RowGroup(("a",), windows=2, window_length=8, patches=17)}, 8)


def test_an_empty_batch_has_the_shapes_of_the_fields():
    group = RowGroup(("a",), windows=2, window_length=8, patches=16)
    batch = group.zeros(3)
    assert {name: values.shape for name, values in batch.items()} == {
        name: (3, *group.field_shape(name)) for name in FIELDS
    }
    assert (batch["patch_slot"] == group.length).all()  # past the last place: unused
