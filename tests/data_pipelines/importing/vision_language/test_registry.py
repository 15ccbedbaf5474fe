"""Text files, picture folders, parquet, OBELICS and TFDS: written in each layout, imported, read back."""

import csv
import json

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from data_pipelines.importing.vision_language import ImportingError, SourceError, SourceOptions, import_vision_language
from data_pipelines.seqio_tasks.sources import DocumentDataSource, ImageTextDataSource, TextDataSource
from data_pipelines.storage.recorded_tasks import read_task
from data_pipelines.stream.stream import Stream

SOURCES = {
    "text": TextDataSource, "captions": ImageTextDataSource, "vqa": ImageTextDataSource, "documents": DocumentDataSource
}  # fmt: skip


@pytest.fixture
def imported(tmp_path):
    """Imports a source as "a.b" and gives the summary and all its examples, train and validation."""

    def run(source, format, **options):
        data = tmp_path / "data"
        options = {"validation": 0.0, "progress": lambda progress: None, **options}
        summary = import_vision_language(source, data, "a.b", format=format, **options)
        task = read_task(data, "a.b")
        read = SOURCES[summary.kind](task)
        splits = [split for split in task.shards if task.examples(split)]
        examples = [e for split in splits for e in read.get_dataset(split, shuffle=False).as_numpy_iterator()]
        return summary, examples

    return run


def decoded(data):
    return tf.io.decode_image(data, channels=3, expand_animations=False).numpy()


def same_pictures(examples, truth):
    """Each example's caption, by the bytes of its pixels, are those of `truth`."""
    captions = {decoded(e["image"]).tobytes(): [text.decode() for text in e["captions"]] for e in examples}
    assert captions == {array.tobytes(): texts for array, texts in truth}


def test_text_files(tmp_path, imported):
    root = tmp_path / "texts"
    (root / "deep").mkdir(parents=True)
    (root / "a.txt").write_text("  The first.\n\nWith two paragraphs.\n")
    (root / "deep" / "b.md").write_text("# Title\nä text")
    (root / "c.jsonl").write_text('{"text": "one", "id": "x"}\n\n{"text": "two"}\nbroken\n{"title": "none"}\n[1]\n')
    (root / "empty.txt").write_text(" \n")
    (root / "latin.txt").write_bytes("ä".encode("latin-1"))
    (root / "ignored.pdf").write_bytes(b"%PDF")
    summary, examples = imported(root, "text")
    texts = {example["id"].decode(): example["text"].decode() for example in examples}
    assert texts == {
        "a.txt": "The first.\n\nWith two paragraphs.", "deep/b.md": "# Title\nä text", "x": "one", "c.jsonl:1": "two"
    }  # fmt: skip
    assert summary.skipped == {
        "line is not a JSON object": 2, "line has no text": 1, "text is empty": 1, "text is not UTF-8": 1
    }  # fmt: skip


def test_long_texts_are_stored_in_parts(tmp_path, imported):
    words = " ".join(str(number) for number in range(1000))
    (tmp_path / "long.txt").write_text(words)
    summary, examples = imported(tmp_path / "long.txt", "text", options=SourceOptions(part_characters=500))
    assert summary.counts["train"] == len(examples) > 7
    assert max(len(example["text"]) for example in examples) <= 500
    assert " ".join(example["text"].decode() for example in examples) == words


@pytest.mark.parametrize("layout", ["jsonl", "csv", "txt", "beside"])
def test_picture_folders(tmp_path, sources, imported, layout):
    root = tmp_path / "pictures"
    (root / "in").mkdir(parents=True)
    truth = []
    for number in range(4):
        array = sources.pixels(number, 32, 16 + 16 * number)
        (root / f"in/{number}.png").write_bytes(sources.encoded(array))
        truth.append((array, [f"the {number}th", f'also "{number}"']))
    rows = [(f"in/{n}.png", text) for n, (_, texts) in enumerate(truth) for text in texts]
    if layout == "jsonl":
        lines = [json.dumps({"file_name": name, "text": text}) for name, text in rows]
        (root / "metadata.jsonl").write_text("\n".join([*lines, "broken"]))
    elif layout == "csv":
        with (root / "captions.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("image", "caption"), *rows, ("in/missing.png", "nothing"), ("in/0.png", "")])
    elif layout == "txt":
        lines = [f"{name}#{i % 2}\t{text}" for i, (name, text) in enumerate(rows)]
        (root / "captions.txt").write_text("\n".join([*lines, "no tab"]))
    else:
        truth = [(array, texts[:1]) for array, texts in truth]
        for number, (_, texts) in enumerate(truth):
            (root / f"in/{number}.txt").write_text(texts[0] + "\n")
        (root / "alone.png").write_bytes(sources.encoded(truth[0][0]))
    summary, examples = imported(root, "image_folder")
    same_pictures(examples, truth)
    assert (
        summary.skipped
        == {
            "jsonl": {"line is not in the layout of the list": 1},
            "csv": {"picture file is missing": 1, "line lacks a picture or a text": 1},
            "txt": {"line is not in the layout of the list": 1},
            "beside": {"picture has no text file beside": 1},
        }[layout]
    )
    assert summary.image_patches == (2, 8)


def test_questions_in_a_folder(tmp_path, sources, imported):
    (tmp_path / "p").mkdir()
    (tmp_path / "p/a.png").write_bytes(sources.encoded(sources.pixels(0, 16, 16)))
    lines = [{"image": "a.png", "question": f"q{n}?", "answers": ["x", "y", "y"]} for n in range(3)]
    (tmp_path / "p/captions.jsonl").write_text("\n".join(map(json.dumps, lines)))
    summary, examples = imported(tmp_path / "p", "image_folder")
    assert summary.kind == "vqa"
    assert sorted(example["question"].decode() for example in examples) == ["q0?", "q1?", "q2?"]
    assert {example["answer"].decode() for example in examples} == {"y"}
    assert examples[0]["answers"].tolist() == [b"x", b"y", b"y"]


def test_parquet_with_text(tmp_path, imported):
    for number in range(2):
        table = pyarrow.table({"text": [f"{number} text {n}" for n in range(5)] + [None], "url": ["u"] * 6})
        pyarrow.parquet.write_table(table, tmp_path / f"train-{number:05d}-of-00002.parquet", row_group_size=2)
    pyarrow.parquet.write_table(pyarrow.table({"text": ["held out"]}), tmp_path / "test-00000-of-00001.parquet")
    summary, examples = imported(tmp_path, "parquet")
    assert [example["text"].decode() for example in examples] == [f"{f} text {n}" for f in range(2) for n in range(5)]
    assert summary.skipped == {"text is empty": 2}
    with pytest.raises(SourceError, match=r"no file with split 'dev' in its name, found \['test-00000"):
        imported(tmp_path, "parquet", options=SourceOptions(split="dev"))


def test_parquet_with_pictures(tmp_path, sources, imported):
    arrays = [sources.pixels(number, 16, 32) for number in range(3)]
    (tmp_path / "beside.png").write_bytes(sources.encoded(arrays[2]))
    values = [{"bytes": sources.encoded(array), "path": None} for array in arrays[:2]]
    values += [{"bytes": None, "path": "beside.png"}, {"bytes": b"\x89PNG broken", "path": "x.png"},
               {"bytes": None, "path": "https://example.org/a.png"}]  # fmt: skip
    texts = [["a", "b"], ["c"], ["d"], ["e"], ["f"]]
    pyarrow.parquet.write_table(pyarrow.table({"image": values, "alt": texts}), tmp_path / "x.parquet")
    with pytest.raises(SourceError, match=r"expected columns image\+question\+answer or image\+caption or text.*'alt'"):
        imported(tmp_path, "parquet")
    summary, examples = imported(tmp_path, "parquet", options=SourceOptions(columns={"caption": "alt"}))
    same_pictures(examples, list(zip(arrays, texts, strict=False)))
    assert summary.skipped == {
        "picture is broken (UnidentifiedImageError)": 1, "picture is a URL, and nothing is downloaded": 1
    }  # fmt: skip


def test_pictures_that_are_urls_only(tmp_path, imported):
    pyarrow.parquet.write_table(pyarrow.table({"url": ["https://x"], "caption": ["a"]}), tmp_path / "x.parquet")
    with pytest.raises(SourceError, match=r"pictures are URLs \(column 'url'\), and nothing is downloaded"):
        imported(tmp_path, "parquet")


def test_interleaved_documents(tmp_path, sources, imported):
    url = "https://example.org/a.png"
    a, b, c = (sources.pixels(number, 16, 16 * (1 + number)) for number in range(3))
    documents = [
        ["before", a, "between", "and more", b],
        [c, "only after"],
        [a, url, "one picture is missing"],
        [url, "all pictures are missing"],
        ["no picture"],
        [a, b],
    ]
    sources.write_documents(tmp_path / "x.parquet", documents, url=url)
    summary, examples = imported(tmp_path, "obelics")
    by_id = {example["id"].decode(): example for example in examples}
    assert sorted(by_id) == ["document 0", "document 1", "document 2"]
    expected = {
        "document 0": (["before", "between\n\nand more", ""], [a, b]),
        "document 1": (["", "only after"], [c]),
        "document 2": (["", "one picture is missing"], [a]),
    }
    for name, (texts, pictures) in expected.items():
        assert [text.decode() for text in by_id[name]["texts"]] == texts
        for data, array, size in zip(by_id[name]["images"], pictures, by_id[name]["sizes"], strict=True):
            np.testing.assert_array_equal(decoded(data), array)
            assert tuple(size) == array.shape[:2]
    missing = "picture is a URL, and nothing is downloaded"
    assert summary.dropped_pictures == {missing: 1}
    assert summary.skipped == {
        f"no picture: {missing}": 1, "no picture: none in the document": 1, "text is empty": 1
    }  # fmt: skip
    sources.write_documents(tmp_path / "x.parquet", [[url, "t"]] * 2, url=url)
    with pytest.raises(ImportingError, match=r"none of 2 items could be used: no picture: picture is a URL.* \(2\)"):
        import_vision_language(tmp_path, tmp_path / "other", "a.b", format="obelics", progress=lambda progress: None)


def test_tfds_captions(tmp_path, sources, build_tfds, imported, configure, rows):
    arrays = [sources.pixels(number, 32, 32) for number in range(12)]
    features = {
        "image": tfds.features.Image(encoding_format="png"),
        "image/filename": tfds.features.Text(),
        "captions": tfds.features.Sequence({"id": np.int64, "text": tfds.features.Text()}),
    }
    examples = [
        {"image": array, "image/filename": f"{n}.png", "captions": [{"id": n, "text": f"{w} of {n}"} for w in "ab"]}
        for n, array in enumerate(arrays)
    ]
    build_tfds(tmp_path / "tfds", "coco_captions_like", features, examples)
    summary, imported_examples = imported(tmp_path / "tfds", "tfds")
    assert (summary.kind, summary.counts["train"]) == ("captions", 12)
    truth = [(array, [f"a of {n}", f"b of {n}"]) for n, array in enumerate(arrays)]
    same_pictures(imported_examples, truth)
    by_pixels = {array.tobytes(): texts for array, texts in truth}
    batch = next(Stream(configure(tmp_path / "data", "a.b", {"window_length": 64, "patches": 20})))["all"]
    for row in rows(batch):
        for picture, text in zip(row.pictures(), row.texts(), strict=True):
            assert text in by_pixels[picture.tobytes()]


def test_tfds_text(tmp_path, build_tfds, imported):
    text = "\n_START_ARTICLE_\nTitle\n_START_SECTION_\nPart\n_START_PARAGRAPH_\nOne._NEWLINE_Two."
    features = {"text": tfds.features.Text(), "wikidata_id": tfds.features.Text()}
    build_tfds(tmp_path / "tfds", "wiki40b", features, [{"text": text, "wikidata_id": "Q1"}])
    summary, examples = imported(tmp_path / "tfds", "tfds")
    assert summary.kind == "text"
    assert examples[0]["text"].decode() == "Title\n\nPart\nOne.\nTwo."
    with pytest.raises(SourceError, match=r"no split 'validation', found \['train'\]"):
        imported(tmp_path / "tfds", "tfds", options=SourceOptions(split="validation"))
    with pytest.raises(SourceError, match=r"expected one prepared TFDS data set .* found \[\]"):
        imported(tmp_path / "nothing", "tfds")
