"""Texts and pictures of packages as they lie in a data directory."""

import dataclasses
import io
import json

import pytest
from PIL import Image

from data_pipelines.recording.writers import write_bundle
from data_pipelines.seqio_tasks.sources import ImageTextDataSource, TextDataSource
from data_pipelines.storage.recorded_tasks import read_task
from data_pipelines.suites.base.bundle import Bundle, Captioned
from data_pipelines.suites.base.suite import Source, Task


def picture(shade):
    buffer = io.BytesIO()
    Image.new("RGB", (16, 32), (shade, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


PICTURES = Bundle([Captioned(picture(i), (f"shade {i}", f"red {i}")) for i in range(40)], size=(32, 16))
CAPTIONS = Task("captions.reds", Source.CAPTIONS, "drawn", "nobody", "", make_examples=lambda: PICTURES)
TEXT = Task(
    "text.lines", Source.TEXT, "typed", "nobody", "", make_examples=lambda: Bundle([f"line {i}" for i in range(40)])
)


def write(root, task, **options):
    counts = write_bundle(task, root / task.name / "chunk-00", **options)
    (root / task.name / "spec.json").write_text(json.dumps({"name": task.name, "kind": task.source.value}))
    (root / task.name / "recording.json").write_text("{}")
    return counts, read_task(root, task.name)


def test_captions_are_read_back(tmp_path):
    counts, task = write(tmp_path, CAPTIONS, seed=0, count=25)
    assert counts == {"train": 25, "validation": 2}
    assert task.kind == "captions"
    read = {}
    for split in counts:
        for example in ImageTextDataSource(task).get_dataset(split, shuffle=False).as_numpy_iterator():
            first, second = (text.decode() for text in example["captions"])
            shade = int(first.removeprefix("shade "))
            assert second == f"red {shade}"
            assert example["image"] == picture(shade)  # Byte for byte.
            read[shade] = split
    assert len(read) == 27


def test_texts_are_all_there_and_a_seed_is_an_order(tmp_path):
    orders = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        counts, task = write(tmp_path / name, TEXT, seed=seed, count=0)
        assert counts == {"train": 38, "validation": 2}
        source = TextDataSource(task)
        orders.append(
            [e["text"] for split in counts for e in source.get_dataset(split, shuffle=False).as_numpy_iterator()]
        )
    assert len(set(orders[0])) == 40
    assert orders[0] == orders[1] != orders[2]


def test_a_task_without_examples(tmp_path):
    with pytest.raises(ValueError, match=r"'text\.lines' has neither a world nor examples"):
        write_bundle(dataclasses.replace(TEXT, make_examples=None), tmp_path, seed=0, count=0)
