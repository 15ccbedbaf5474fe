"""Shapes of row groups."""

import pytest

from data_pipelines.schema import FIELDS, RowGroup


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"segments": 0}, "segments must be positive, found 0"),
        ({"segment_length": -1}, "segment_length must be positive, found -1"),
        ({"patches": -1}, "from 0 to segments x segment_length = 16, found -1"),
        ({"patches": 17}, "from 0 to segments x segment_length = 16, found 17"),
        ({"tasks": ()}, "at least one task"),
    ],
)
def test_shapes_that_no_row_can_have(wrong, message):
    with pytest.raises(ValueError, match=message):
        RowGroup(**{"tasks": ("a",), "segments": 2, "segment_length": 8} | wrong)


def test_an_empty_batch_has_the_shapes_of_the_fields():
    group = RowGroup(("a",), segments=2, segment_length=8, patches=16)
    batch = group.zeros(3)
    assert {name: values.shape for name, values in batch.items()} == {
        name: (3, *group.field_shape(name)) for name in FIELDS
    }
    assert (batch["patch_slot"] == group.length).all()  # past the last place: unused
