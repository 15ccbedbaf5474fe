"""The check of tasks of texts and pictures that lie in a data directory: what is damaged, empty, or does not fit."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from data_pipelines.importing.check import check_data
from data_pipelines.importing.vision_language import examples
from data_pipelines.tokenizers.layout import TokenConfig
from gato_jax import cli

MODEL = TokenConfig(text_model="package:mistral_common/data/tokenizer.model.v1")


def picture(height=32, width=32, kind="PNG", **options):
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(buffer, kind, **options)
    return buffer.getvalue()


def pair(file, height=32, width=32, **texts):
    return {"id": "a", "image": io.BytesIO(file), "height": height, "width": width, **texts}


def vqa(file, question="what is it?", answer="a ramp", **size):
    return pair(file, question=question, answer=answer, answers=[answer], **size)


def document(texts, files, sizes):
    return {"id": "a", "texts": texts, "images": [io.BytesIO(file) for file in files], "sizes": np.int32(sizes)}


def text(value):
    return {"id": "a", "text": value}


@pytest.fixture
def write(tmp_path):
    """(kind, training examples, more of spec.json, more of recording.json) to a data directory with that task."""
    from data_pipelines.recording.writers import ExampleWriter

    def make(kind, train, *, chunks=1, spec=(), record=()):
        root = tmp_path / "data" / "mine.task"
        each = -(-len(train) // chunks)
        for number in range(chunks):
            with ExampleWriter(
                root / f"chunk-{number:05d}", name="mine_task", features=examples.features(kind),
                splits=("train", "validation"), examples_per_file=2,
            ) as writer:  # fmt: skip
                writer.write("train", train[number * each : (number + 1) * each])
        (root / "spec.json").write_text(json.dumps({"name": "mine.task", "kind": kind, **dict(spec)}))
        counts = {"train": len(train), "validation": 0}
        (root / "recording.json").write_text(json.dumps({"kept": len(train), "counts": counts, **dict(record)}))
        return tmp_path / "data"

    return make


def check(data, **options):
    (task,) = (report := check_data(data, **{"tokens": MODEL, **options})).tasks
    assert report.errors == sum(problem.line().startswith("error") for problem in task.problems)
    return task, [problem.line() for problem in task.problems]


def test_whole_tasks(write):
    task, lines = check(write("text", [text("one two three")] * 3))
    assert (task.kind, task.sampled, task.total, task.unit) == ("text", 3, 3, "items")
    assert lines == ["note: the text of an item takes 3 tokens"]


def test_texts(write):
    data = write("text", [text("fine"), text(" \n"), text(b"\xff\xfe"), text("a much longer text of many words")])
    assert check(data)[1] == [
        "error: 1 of 4 items: 'text' is not UTF-8 (chunk-00000/mine_task-train.tfrecord-00001 record 0) -> record or "
        "import it again",
        "warning: 1 of 4 items: 'text' is empty (chunk-00000/mine_task-train.tfrecord-00000 record 1) -> record or "
        "import it again",
        "note: the text of an item takes 0 to 7 (median 1) tokens",
    ]


def test_blocks_are_spread_over_directories(write):
    """Of a task with more items than are read, the first and the last quarter are both seen."""
    data = write("text", [text("")] + [text("fine")] * 14 + [text("")], chunks=3)
    task, lines = check(data, episodes=8)
    assert (task.sampled, task.total) == (8, 16)
    assert lines[0].startswith("warning: 1 of 8 items: 'text' is empty (chunk-00000/mine_task-train.tfrecord-00000 rec")
    task, lines = check(data)
    assert lines[0].startswith("warning: 2 of 16 items: 'text' is empty (chunk-00000/mine_task-train.tfrecord-00000 re")
    assert "chunk-00002/mine_task-train.tfrecord-00001 record 1" in lines[0]


def test_pictures(write):
    half = picture(kind="JPEG")[:300]
    turned = Image.Exif()
    turned[0x0112] = 3
    data = write(
        "vqa",
        [
            vqa(picture()), vqa(half), vqa(picture(48, 32)), vqa(picture(kind="JPEG", exif=turned)),
            vqa(picture(), question=""), vqa(picture(), answer=" "),
        ],
        spec={"image_patches": [4, 4]},
    )  # fmt: skip
    lines = check(data)[1]
    for start in (
        "error: 1 of 6 items: picture is broken (OSError) (chunk-00000/mine_task-train.tfrecord-00000 record 1)",
        "error: 1 of 6 items: a picture has 48x32 pixels, its record says 32x32 (chunk-00000/mine_task-train.tfrecord",
        "error: spec.json says that pictures have 4 to 4 patches, found 4 to 6",
        "warning: 1 of 6 items: a picture is no upright PNG or JPEG of 8 bits, so training sees other pixels",
        "warning: 1 of 6 items: 'question' is empty",
        "warning: 1 of 6 items: 'answer' is empty",
        "note: a picture becomes 4 to 6 patches",
    ):
        assert sum(line.startswith(start) for line in lines) == 1, (start, lines)
    assert len(lines) == 8


def test_captions(write):
    data = write("captions", [pair(picture(), captions=["a ramp", ""]), pair(picture(), captions=[])])
    lines = check(data)[1]
    assert lines[0].startswith("error: 1 of 2 items: a picture has no caption (chunk-00000/mine_task-train.tfrecord-00")
    assert lines[1].startswith("warning: 1 of 2 items: 'captions' is empty")


def test_documents(write):
    file = picture()
    data = write(
        "documents",
        [
            document(["see", ""], [file], [[32, 32]]), document(["", " "], [file], [[32, 32]]),
            document(["see", "it"], [file], [[32, 48]]), document(["see"], [file], [[32, 32]]),
        ],
        spec={"image_patches": [4, 4]},
    )  # fmt: skip
    lines = check(data)[1]
    for start in (
        "error: 1 of 4 items: a picture has 32x32 pixels, its record says 32x48",
        "error: 1 of 4 items: a document has 1 texts, 1 pictures and 1 sizes; expected a text more than pictures",
        "warning: 1 of 4 items: a document has no text",
    ):
        assert sum(line.startswith(start) for line in lines) == 1, (start, lines)


def test_what_does_not_fit(write):
    data = write("vqa", [vqa(picture()), vqa(picture(), answer="a ramp of many gray values")])
    task, lines = check(data, window_length=14)
    assert task.errors == 0
    assert lines[0].startswith(
        "warning: 1 of 2 pairs take more than the 14 places of a window (up to 15): their texts are cut, or refused"
    )
    lines = check(data, window_length=4)[1]
    assert lines[0].startswith("error: a picture has 4 patches, and no text fits a window of 4")
    lines = check(data, tokens=TokenConfig(text_model=MODEL.text_model, max_observation_tokens=3))[1]
    assert lines[0].startswith("error: a picture has 4 patches, the table of positions 3 places")


def test_what_the_record_declares(write):
    data = write("text", [text("fine")] * 2, record={"counts": {"train": 3, "validation": 1}})
    assert check(data)[1][:2] == [
        "error: recording.json declares 3 items of split 'train', the files hold 2 -> record or import it again",
        "error: recording.json declares 1 items of split 'validation', the files hold 0 -> record or import it again",
    ]
    (data / "mine.task" / "recording.json").write_text('{"counts": ')
    assert "recording.json: expected the record of a task, found 11 bytes that are cut short" in check(data)[1][0]


def test_other_kinds_and_missing_features(write):
    data = write("text", [text("fine")])
    path = data / "mine.task" / "spec.json"
    path.write_text(json.dumps({"name": "mine.task", "kind": "sound"}))
    assert check(data)[1] == [
        "error: spec.json says kind 'sound', expected control or one of ['captions', 'documents', 'text', 'vqa'] -> "
        "record or import it again"
    ]
    path.write_text(json.dumps({"name": "mine.task", "kind": "vqa"}))
    assert check(data)[1][0].startswith(
        "error: features.json has no ['answer', 'height', 'image', 'question', 'width'], which a task of kind 'vqa' "
    )


def test_damage_and_the_command(write, capsys):
    data = write("text", [text("one two three")] * 3)
    cli.main(["check-data", str(data)])
    assert "warning: the data directory has no text model, and none is named" in capsys.readouterr().out
    path = data / "mine.task" / "chunk-00000" / "mine_task-train.tfrecord-00001"
    whole = path.read_bytes()
    path.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    with pytest.raises(SystemExit) as ended:
        cli.main(["check-data", str(data)])
    assert ended.value.code == 1
    assert "mine_task-train.tfrecord-00001: a record does not match its checksum" in capsys.readouterr().out
