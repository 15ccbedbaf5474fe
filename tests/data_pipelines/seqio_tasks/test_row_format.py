"""Where a converter finds the rows' format, and what is refused."""

import pytest
import seqio
import tensorflow as tf

from data_pipelines.schema import RowGroup
from data_pipelines.seqio_tasks.feature_converter import GatoFeatureConverter
from data_pipelines.seqio_tasks.row_format import RowFormat
from data_pipelines.tokenizers.images import ImageFit

ROWS = RowFormat("g", RowGroup(("a", "b"), windows=3, window_length=8), 2, 4, ("a", "b"), {}, ImageFit.PAD)


def task(name, rows=None):
    source = seqio.FunctionDataSource(lambda split, shuffle_files: tf.data.Dataset.range(1), ["train"])
    made = seqio.Task(name, source, {})
    if rows is not None:
        made.row_format = rows
    return made


def test_the_format_of_a_task_and_of_a_mixture():
    assert RowFormat.of(task("a", ROWS)) is ROWS
    assert RowFormat.of(seqio.Mixture("m", [(task("a", ROWS), 1), (task("b", ROWS), 2)])) is ROWS
    assert RowFormat.of(ROWS).feature_lengths == {"places": 8, "frames": 2, "task_id": 3}


def test_rows_of_others_and_of_two_shapes_are_refused():
    with pytest.raises(ValueError, match=r"'m': expected tasks that data_pipelines.register registered.*\['b'\]"):
        RowFormat.of(seqio.Mixture("m", [(task("a", ROWS), 1), (task("b"), 2)]))
    other = RowFormat("h", RowGroup(("c",)), 0, 0, ("c",), {}, ImageFit.PAD)
    with pytest.raises(ValueError, match=r"'m': expected tasks of one row group, found \{'a': 'g', 'c': 'h'\}"):
        RowFormat.of(seqio.Mixture("m", [(task("a", ROWS), 1), (task("c", other), 2)]))


def test_lengths_are_the_rows_own():
    ROWS.check_lengths(None)
    ROWS.check_lengths({"places": None, "frames": 2})
    with pytest.raises(ValueError, match="expected 8 for 'places', the rows of group 'g', found 9"):
        ROWS.check_lengths({"places": 9})


@pytest.mark.parametrize("option", ["pack", "use_custom_packing_ops"])
def test_rows_are_packed_already(option):
    with pytest.raises(ValueError, match=f"expected pack=False.*{option}=True"):
        GatoFeatureConverter(ROWS, **{option: True})
