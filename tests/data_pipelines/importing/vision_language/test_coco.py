"""COCO captions, VQAv2 and OKVQA: from their files through the stream back to text and pixels."""

import io

import numpy as np
import pytest
from PIL import Image

from data_pipelines.importing.vision_language import SourceError, SourceOptions, import_vision_language
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
    config = configure(tmp_path / "data", "captions.coco", {"segment_length": 200, "patches": 30}, image_text_pairs=5)
    stream = Stream(config)
    by_pixels = {array.tobytes(): captions for array, captions in truth.values()}
    seen = set()
    for batch in (next(stream)["all"] for _ in range(10)):
        for row in rows(batch):
            pictures, texts = row.pictures(), row.texts()
            assert len(pictures) == len(texts) == 5
            for picture, text in zip(pictures, texts, strict=True):
                captions = by_pixels[picture.tobytes()]
                assert text in captions
                seen.add((picture.tobytes(), captions.index(text)))
    stream.close()
    # Each picture comes with both of its captions: one is drawn in every pass.
    assert len(seen) > 1.5 * summary.counts["train"]
    held_out = [row for batch in validation_batches(config, "captions.coco", 100) for row in rows(batch)]
    found = [picture.tobytes() for row in held_out for picture in row.pictures()]
    assert len(found) == len(set(found)) == summary.counts["validation"]
    assert not {picture for picture, _ in seen} & set(found)


@pytest.mark.parametrize(("format", "prefix", "single"), [("vqa_v2", "v2_", True), ("ok_vqa", "", False)])
def test_questions_through_the_stream(tmp_path, sources, configure, rows, format, prefix, single):
    truth = sources.write_vqa(tmp_path / "vqa", 12, prefix=prefix, single_answer=single)
    summary = import_vision_language(
        tmp_path / "vqa", tmp_path / "data", "vqa.mine", format=format, validation=0.0, progress=quiet
    )
    assert (summary.kind, summary.counts) == ("vqa", {"train": 24, "validation": 0})
    config = configure(tmp_path / "data", "vqa.mine", {"segment_length": 300, "patches": 30}, question_loss=False)
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
