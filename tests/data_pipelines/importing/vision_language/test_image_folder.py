"""Folders of pictures: each picture by its place, and whatever is left out counted."""

import json

import numpy as np
import pytest
from PIL import Image

from data_pipelines.importing.common.pictures import PictureError
from data_pipelines.importing.vision_language import PictureConfig, SourceOptions, import_vision_language
from data_pipelines.importing.vision_language.image_folder import ImageFolder
from data_pipelines.importing.vision_language.items import Captions, Unusable
from data_pipelines.importing.vision_language.pictures import store

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


@pytest.fixture
def folder(tmp_path):
    """Equal file names in sub-folders: two pictures of each colour."""
    for name, colour in COLOURS.items():
        (tmp_path / "pics" / name).mkdir(parents=True)
        for number in range(2):
            Image.new("RGB", (32, 32), colour).save(tmp_path / f"pics/{name}/{number:04d}.png")
    return tmp_path / "pics"


def files():
    return [(f"{colour}/{number:04d}.png", f"a {colour} square") for colour in COLOURS for number in range(2)]


def items(folder):
    return list(ImageFolder(folder, SourceOptions()).items(0))


def reasons(folder):
    return sorted(item.reason for item in items(folder) if isinstance(item, Unusable))


@pytest.mark.parametrize("layout", ["metadata.jsonl", "captions.csv", "captions.txt", "beside"])
def test_equal_file_names_in_sub_folders(folder, layout):
    rows = files()
    if layout == "beside":
        for name, caption in rows:
            (folder / name).with_suffix(".txt").write_text(caption)
    elif layout.endswith(".jsonl"):
        lines = [json.dumps({"file_name": name, "caption": caption}) for name, caption in rows]
        (folder / layout).write_text("\n".join(lines))
    else:
        mark, head = {"captions.csv": (",", ["image,caption"]), "captions.txt": ("\t", [])}[layout]
        (folder / layout).write_text("\n".join([*head, *(mark.join(row) for row in rows)]))
    captions = items(folder)
    assert sorted((item.id, item.captions) for item in captions) == sorted((name, (text,)) for name, text in rows)
    for item in captions:
        colour = item.id.split("/")[0]
        assert item.picture == folder / item.id
        assert item.captions == (f"a {colour} square",)


def test_they_are_stored_with_their_own_captions(folder, tmp_path):
    (folder / "captions.tsv").write_text("\n".join("\t".join(row) for row in files()))
    summary = import_vision_language(
        folder, tmp_path / "data", "captions.squares", format="image_folder", validation=0.0,
        pictures=PictureConfig(size=32), progress=lambda progress: None,
    )  # fmt: skip
    assert summary.counts == {"train": 6, "validation": 0}
    assert summary.skipped == {}
    import tensorflow_datasets as tfds

    (directory,) = (tmp_path / "data" / "captions.squares").glob("chunk-*")
    for example in tfds.builder_from_directory(directory).as_dataset(split="train").as_numpy_iterator():
        (caption,) = example["captions"]
        expected = COLOURS[caption.decode().split()[1]]
        np.testing.assert_array_equal(example["image"][0, 0], expected)


def test_a_picture_has_one_place_however_it_is_spelt(folder):
    (folder / "captions.txt").write_text(f"red/0000.png\tone\n./red/0000.png\ttwo\n{folder}/red/0000.png\tthree\n")
    (item_of_picture,) = (item for item in items(folder) if isinstance(item, Captions))
    assert item_of_picture.captions == ("one", "two", "three")


def test_what_is_left_out_of_a_list_is_counted(folder):
    """Lines without a picture or a caption, or with a comma too many; pictures that no line names."""
    lines = ["image,caption", "red/0000.png,fine", "red/0001.png,one, and more", "blue/0000.png,", ",nothing", "short"]
    (folder / "captions.csv").write_text("\n".join(lines))
    assert reasons(folder) == [
        *["line is not in the layout of the list"],
        *["line lacks a picture or a text"] * 3,
        *["picture is in no line of the list"] * 4,
    ]


def test_lists_as_other_programs_write_them(folder):
    """With a byte order mark; with bytes that are no UTF-8, which only their own line pays for."""
    content = "\ufeffimage,caption\nred/0000.png,fine\nred/0001.png,caf\xe9\n"
    (folder / "captions.csv").write_bytes(content.encode("utf-8-sig")[3:].replace("é".encode(), b"\xe9"))
    captions = {item.id: item.captions for item in items(folder) if isinstance(item, Captions)}
    assert captions["red/0000.png"] == ("fine",)
    from data_pipelines.importing.vision_language.examples import prepare

    broken = next(item for item in items(folder) if item.id == "red/0001.png")
    assert prepare(broken, PictureConfig(), 100).skipped == "text is not UTF-8"


def test_texts_and_pictures_that_stand_alone(folder):
    (folder / "red/0000.txt").write_text("a caption")
    (folder / "red/0009.txt").write_text("of nothing")
    (folder / "red/0001.txt").write_bytes(b"\xff")
    assert reasons(folder) == [
        *["picture has no text file beside"] * 4,
        *["text file has no picture beside"],
        *["text is not UTF-8"],
    ]


def test_empty_files_and_missing_pictures_are_counted(folder, tmp_path):
    (folder / "red/0000.png").write_bytes(b"")
    (folder / "blue/0000.png").unlink()
    (folder / "captions.txt").write_text("\n".join("\t".join(row) for row in files()))
    summary = import_vision_language(
        folder, tmp_path / "data", "a.b", format="image_folder", progress=lambda progress: None
    )
    assert summary.skipped == {"picture is empty": 1, "picture file is missing": 1}


@pytest.mark.parametrize("layout", ["metadata.jsonl", "beside"])
def test_a_changed_picture_changes_the_contents(folder, layout):
    rows = files()
    (folder / "metadata.jsonl").write_text(
        "\n".join(
            json.dumps({"file_name": name, "caption": caption}) for name, caption in [*rows, ("absent.png", "none")]
        )
    )
    if layout == "beside":
        (folder / "metadata.jsonl").unlink()
        for name, caption in rows:
            (folder / name).with_suffix(".txt").write_text(caption)
    before = ImageFolder(folder, SourceOptions()).stamp
    contents = before.contents()
    Image.new("RGB", (32, 32), "white").save(folder / "red/0001.png")
    after = ImageFolder(folder, SourceOptions()).stamp
    assert after == before, "the facts are as they were, so that older imports go on"
    assert [name for name, digest in after.contents().items() if contents[name] != digest] == ["red/0001.png"]


def test_a_pointer_in_place_of_a_picture_is_named(folder):
    (folder / "red/0001.png").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")
    with pytest.raises(PictureError, match="Git LFS pointer: run `git lfs pull`"):
        store(folder / "red/0001.png", PictureConfig())
