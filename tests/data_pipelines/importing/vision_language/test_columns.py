"""Columns that are to hold texts or pictures, and hold something else: their type is told, never stored as a text."""

import json

import pyarrow
import pyarrow.parquet
import pytest
import tensorflow_datasets as tfds

from data_pipelines.importing.vision_language import ImportingError, SourceError, SourceOptions, import_vision_language
from data_pipelines.importing.vision_language.arrow_types import holds
from data_pipelines.importing.vision_language.columns import Holds

CHAT = [{"content": "You are kind.", "role": "system"}, {"content": "hi", "role": "user"}]
PICTURE = {"bytes": b"\x89PNG", "path": None}


@pytest.fixture
def run(tmp_path_factory):
    """(source, format, columns) to the summary of an import."""

    def imported(source, format, **columns):
        return import_vision_language(
            source, tmp_path_factory.mktemp("data"), "a.b", format=format, options=SourceOptions(columns=columns),
            validation=0.0, progress=lambda progress: None,
        )  # fmt: skip

    return imported


WRONG = {
    "conversations": (
        {"prompt": [CHAT] * 2}, {"text": "prompt"},
        r"text column 'prompt': expected text, found list<.*struct<content: string, role: string>>; --columns text ",
    ),
    "numbers": ({"n": [1, 2]}, {"text": "n"}, "text column 'n': expected text, found int64; .* another of"),
    "a number as a caption": (
        {"image": [PICTURE], "caption": [1.5]}, {},
        "caption column 'caption': expected one or several texts, found double",
    ),
    "a struct without a text": (
        {"image": [PICTURE], "caption": [[{"content": "a"}]]}, {}, "caption column 'caption': .* found list<.*content",
    ),
    "a list as a question": (
        {"image": [PICTURE], "question": [["a"]], "answer": ["b"]}, {}, "question column 'question': .* found list<",
    ),
    "flags as answers": (
        {"image": [PICTURE], "question": ["a"], "answer": [True]}, {}, "answer column 'answer': .* found bool",
    ),
    "numbers as pictures": (
        {"image": [1], "caption": ["a"]}, {}, "image column 'image': expected pictures: bytes, .* found int64",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(WRONG))
def test_parquet_columns_of_other_types(tmp_path, run, name):
    content, columns, says = WRONG[name]
    pyarrow.parquet.write_table(pyarrow.table(content), tmp_path / "a.parquet")
    with pytest.raises(SourceError, match=rf"a\.parquet: {says}"):
        run(tmp_path / "a.parquet", "parquet", **columns)


def test_a_later_file_with_other_types(tmp_path, run):
    for number, texts in enumerate((["a"], [1])):
        pyarrow.parquet.write_table(pyarrow.table({"text": texts}), tmp_path / f"{number}.parquet")
    with pytest.raises(SourceError, match=r"1\.parquet: text column 'text': expected text, found int64"):
        run(tmp_path, "parquet")


def test_documents_of_other_types(tmp_path, run):
    pyarrow.parquet.write_table(pyarrow.table({"images": [[PICTURE]], "texts": [[1]]}), tmp_path / "a.parquet")
    with pytest.raises(SourceError, match=r"texts column 'texts': expected lists of texts, found list<.*int64>"):
        run(tmp_path / "a.parquet", "obelics")


@pytest.mark.parametrize(
    "kind",
    [
        pyarrow.string(), pyarrow.large_string(), pyarrow.string_view(), pyarrow.binary(), pyarrow.null(),
        pyarrow.dictionary(pyarrow.int8(), pyarrow.string()),
    ],
)  # fmt: skip
def test_types_of_texts(kind):
    assert holds(kind, Holds.TEXT)
    assert holds(pyarrow.list_(kind), Holds.TEXTS)
    assert holds(pyarrow.list_(pyarrow.struct({"raw": kind, "id": pyarrow.int64()})), Holds.TEXTS)
    assert pyarrow.types.is_null(kind) or not holds(pyarrow.list_(kind), Holds.TEXT)


def test_json_lines_of_other_types(tmp_path, run):
    lines = [{"text": "a text"}, {"text": 3}, {"text": CHAT}, {"text": None}, {"text": "\ud800"}, {"n": 1}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert run(tmp_path / "a.jsonl", "text").skipped == {
        "int where a text is expected": 1, "list where a text is expected": 1, "text is empty": 1,
        "text is not UTF-8": 1, "line has no text": 1,
    }  # fmt: skip
    with pytest.raises(ImportingError, match=r"line has no 'body' \(6\)"):
        run(tmp_path / "a.jsonl", "text", text="body")
    (tmp_path / "b.jsonl").write_text('{"n": 1}')
    with pytest.raises(ImportingError, match=r"int where a text is expected \(1\)"):
        run(tmp_path / "b.jsonl", "text", text="n")


@pytest.mark.parametrize(
    ("features", "example", "says"),
    [
        ({"text": tfds.features.ClassLabel(num_classes=3)}, {"text": 1}, "expected text, found ClassLabel"),
        ({"text": tfds.features.Sequence(tfds.features.Text())}, {"text": ["a"]}, "expected text, found Sequence"),
    ],
)
def test_tfds_features_of_other_types(tmp_path, build_tfds, run, features, example, says):
    build_tfds(tmp_path / "tfds", "labels", features, [example])
    with pytest.raises(SourceError, match=f"text column 'text': {says}"):
        run(tmp_path / "tfds", "tfds")
