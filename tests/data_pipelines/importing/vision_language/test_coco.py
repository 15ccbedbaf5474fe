"""COCO captions, VQAv2 and OKVQA: from their files through the stream back to text and pixels."""

import collections
import io
import json

import numpy as np
import pytest
from PIL import Image

from data_pipelines.importing.vision_language import SourceError, SourceOptions, import_vision_language
from data_pipelines.importing.vision_language.coco import CocoCaptions, VisualQuestions
from data_pipelines.importing.vision_language.items import Question, Unusable
from data_pipelines.stream.stream import Stream
from data_pipelines.stream.validation import validation_batches

SIZES = [(32, 48), (48, 32), (16, 64), (32, 32)] * 10


def quiet(progress):
    """Nothing to show."""


def test_captions_through_the_stream(tmp_path, sources, configure, rows):
    truth = sources.write_coco(tmp_path / "coco", SIZES)
    summary = import_vision_language(
        tmp_path / "coco", tmp_path / "data", "captions.coco", format="coco_captions", validation=0.2, progress=quiet
    )
    assert summary.kind == "captions"
    assert sum(summary.counts.values()) == len(SIZES)
    assert summary.counts["validation"] > 0
    assert summary.image_patches == (4, 6)
    config = configure(tmp_path / "data", "captions.coco", {"window_length": 200, "patches": 30}, image_text_pairs=5)
    stream = Stream(config)
    by_pixels = {array.tobytes(): captions for array, captions in truth.values()}
    drawn_pairs = set()
    for batch in (next(stream)["all"] for _ in range(10)):
        for row in rows(batch):
            pictures, texts = row.pictures(), row.texts()
            assert len(pictures) == len(texts) == 5
            for picture, text in zip(pictures, texts, strict=True):
                captions = by_pixels[picture.tobytes()]
                assert text in captions
                drawn_pairs.add((picture.tobytes(), captions.index(text)))
    stream.close()
    # Each picture comes with both of its captions: one is drawn in every pass.
    assert len(drawn_pairs) > 1.5 * summary.counts["train"]
    held_out = [row for batch in validation_batches(config, "captions.coco", 100) for row in rows(batch)]
    held_out_pictures = [picture.tobytes() for row in held_out for picture in row.pictures()]
    assert len(held_out_pictures) == len(set(held_out_pictures)) == summary.counts["validation"]
    assert not {picture for picture, _ in drawn_pairs} & set(held_out_pictures)


@pytest.mark.parametrize(("format", "prefix", "single"), [("vqa_v2", "v2_", True), ("ok_vqa", "", False)])
def test_questions_through_the_stream(tmp_path, sources, configure, rows, format, prefix, single):
    truth = sources.write_vqa(tmp_path / "vqa", 12, prefix=prefix, single_answer=single)
    summary = import_vision_language(
        tmp_path / "vqa", tmp_path / "data", "vqa.mine", format=format, validation=0.0, progress=quiet
    )
    assert (summary.kind, summary.counts) == ("vqa", {"train": 24, "validation": 0})
    config = configure(tmp_path / "data", "vqa.mine", {"window_length": 300, "patches": 30}, question_loss=False)
    row = rows(next(Stream(config))["all"])[0]
    assert len(row.pictures()) == len(row.texts()) == 5
    for picture, text in zip(row.pictures(), row.texts(), strict=True):
        question, answer = text[: text.index("?") + 1], text[text.index("?") + 1 :].strip()
        data, expected = truth[question]
        assert answer == expected
        np.testing.assert_allclose(picture, np.asarray(Image.open(io.BytesIO(data))), atol=6)  # Two JPEG decoders.
    learnt = row.loss > 0
    assert not learnt[row.kinds == 1].any()
    pieces = [row._text.decode([token]) for token in row.tokens[learnt]]
    assert "?" not in pieces
    assert "unsure" not in "".join(pieces)


def test_what_is_wrong_with_a_source_is_said_before_any_work(tmp_path, sources):
    sources.write_coco(tmp_path / "coco", SIZES[:2])
    with pytest.raises(SourceError, match=r"expected one file .*'val' in its name, found .*captions_train2017.json"):
        import_vision_language(
            tmp_path / "coco", tmp_path / "data", "a.b", format="coco_captions", options=SourceOptions(split="val")
        )
    with pytest.raises(ValueError, match=r"no import format 'coco_caption'; nearest: \['coco_captions'"):
        import_vision_language(tmp_path / "coco", tmp_path / "data", "a.b", format="coco_caption")
    assert not (tmp_path / "data").exists()


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_captions_that_cannot_be_used_are_counted(tmp_path, sources):
    sources.write_coco(tmp_path / "coco", [(16, 16)] * 6)

    def change(content):
        images, annotations = content["images"], content["annotations"]
        del images[0]["id"], images[1]["file_name"]
        images.append(dict(images[2]))
        annotations[-1]["caption"] = 3
        del annotations[-2]["caption"]
        annotations.append({"image_id": 99, "caption": "nobody"})

    edit(tmp_path / "coco/annotations/captions_train2017.json", change)
    summary = import_vision_language(
        tmp_path / "coco", tmp_path / "data", "a.b", format="coco_captions", validation=0.0, progress=quiet
    )
    assert summary.counts["train"] == 3
    assert summary.skipped == {
        "picture lacks id": 1, "picture lacks file_name": 1, "picture has the id of another": 1,
        # Two captions of each picture that cannot be used, and one of none.
        "annotation names no picture of the list": 5,
        "annotation lacks caption": 1, "annotation has int as its caption": 1, "caption is empty": 1,
    }  # fmt: skip
    edit(tmp_path / "coco/annotations/captions_train2017.json", lambda content: content.update(images=[{"name": "a"}]))
    with pytest.raises(SourceError, match=r"expected pictures with id and file_name, found: picture lacks id \(1\)"):
        CocoCaptions(tmp_path / "coco", SourceOptions())


def test_questions_that_cannot_be_used_are_counted(tmp_path, sources):
    sources.write_vqa(tmp_path, 4, questions=2)

    def asked(content):
        del content["questions"][0]["image_id"]
        content["questions"][1]["question"] = ["two", "words"]
        content["questions"].append({"question_id": 99, "image_id": 0, "question": "who?"})
        del content["questions"][2]

    def answered(content):
        content["annotations"][3]["answers"][0]["answer"] = 7
        content["annotations"].append(dict(content["annotations"][4]))

    edit(tmp_path / "v2_OpenEnded_mscoco_train2014_questions.json", asked)
    edit(tmp_path / "v2_mscoco_train2014_annotations.json", answered)
    reader = VisualQuestions(tmp_path, SourceOptions())
    all_items = list(reader.items(0))
    assert len(reader) == len(all_items)
    assert collections.Counter(item.reason for item in all_items if isinstance(item, Unusable)) == {
        "question lacks image_id": 1, "question has list as its question": 1, "question has no annotation": 1,
        "an answer is no text": 1, "annotation has the id of another": 1, "annotation names no question of the list": 1,
    }  # fmt: skip
    assert sum(isinstance(item, Question) for item in all_items) == 4
    for start in range(len(all_items) + 1):
        assert list(reader.items(start)) == all_items[start:]


def test_a_changed_picture_changes_the_contents(tmp_path, sources):
    sources.write_coco(tmp_path / "coco", SIZES[:4])
    sources.write_vqa(tmp_path / "vqa", 4, prefix="v2_", single_answer=True)
    for folder, reader in ((tmp_path / "coco", CocoCaptions), (tmp_path / "vqa", VisualQuestions)):
        before = reader(folder, SourceOptions()).stamp
        contents = before.contents()
        picture = sorted(path for path in folder.rglob("*.*g") if path.name in contents)[0]
        picture.write_bytes(picture.read_bytes()[:-1])
        after = reader(folder, SourceOptions()).stamp
        assert after == before, "the facts are as they were, so that older imports go on"
        assert {name for name, digest in after.contents().items() if contents[name] != digest} == {picture.name}
