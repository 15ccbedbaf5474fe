"""From items to the examples of a task directory.

| kind | features |
|---|---|
| text | id, text |
| captions | id, image, height, width, captions [n] |
| vqa | id, image, height, width, question, answer, answers [n] |
| documents | id, texts [n + 1], images [n], sizes [n, 2]: texts[0], images[0], texts[1], ..., texts[n] |
"""

import dataclasses
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from data_pipelines.importing.common.pictures import PictureError
from data_pipelines.importing.vision_language.items import Captions, Document, Item, Missing, Question, Text, Unusable
from data_pipelines.importing.vision_language.pictures import PictureConfig, StoredPicture, store
from data_pipelines.importing.vision_language.text_files import parts

PARAGRAPH = "\n\n"
"""Between texts of a document that have no picture between them."""


_SURROGATE = re.compile("[\ud800-\udfff]")
"""Half of a pair, which JSON may hold; and how readers mark bytes that are not UTF-8."""


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What became of one item.

    Args:
      id: of the item; decides the split.
      examples: none when it was left out; several when a text was stored in parts.
      patches: of each of its pictures.
      skipped: why it was left out, else "".
      dropped: why pictures inside it were left out, by reason.
    """

    id: str
    examples: tuple[Mapping[str, Any], ...] = ()
    patches: tuple[int, ...] = ()
    skipped: str = ""
    dropped: tuple[str, ...] = ()


def features(kind: str) -> dict[str, Any]:
    """TFDS features of one kind of task. Imports TensorFlow, which a check before an import does without."""
    import tensorflow_datasets as tfds

    text, number = tfds.features.Text(), tfds.features.Scalar(np.int32)
    image = tfds.features.Image(shape=(None, None, 3), encoding_format=None)
    pair = {"id": text, "image": image, "height": number, "width": number}
    return {
        "text": {"id": text, "text": text},
        "captions": {**pair, "captions": tfds.features.Sequence(text)},
        "vqa": {**pair, "question": text, "answer": text, "answers": tfds.features.Sequence(text)},
        "documents": {
            "id": text,
            "texts": tfds.features.Sequence(text),
            "images": tfds.features.Sequence(image),
            "sizes": tfds.features.Tensor(shape=(None, 2), dtype=np.int32),
        },
    }[kind]


def prepare(item: Item, pictures: PictureConfig, part_characters: int) -> Prepared:
    """Examples of one item, or why there are none."""
    if isinstance(item, Unusable):
        return Prepared(item.id, skipped=item.reason)
    if not _is_utf8(item):
        return Prepared(item.id, skipped="text is not UTF-8")
    if isinstance(item, Text):
        cut = parts(item.text, part_characters)
        part_examples = tuple(
            {"id": item.id if len(cut) == 1 else f"{item.id}#{i}", "text": p} for i, p in enumerate(cut)
        )
        return Prepared(item.id, part_examples, skipped="" if part_examples else "text is empty")
    if isinstance(item, Document):
        return _document(item, pictures)
    texts, missing = _texts(item)
    if missing:
        return Prepared(item.id, skipped=missing)
    try:
        picture = store(item.picture, pictures)
    except PictureError as error:
        return Prepared(item.id, skipped=str(error))
    pair = {"id": item.id, "image": io.BytesIO(picture.data), "height": picture.height, "width": picture.width}
    return Prepared(item.id, ({**pair, **texts},), (picture.patches,))


def _is_utf8(item: Text | Captions | Question | Document) -> bool:
    """Whether all texts can be written as UTF-8."""
    match item:
        case Text():
            texts: Iterable[Any] = (item.text,)
        case Captions():
            texts = item.captions
        case Question():
            texts = (item.question, item.answer, *item.answers)
        case Document():
            texts = item.parts
    return not any(_SURROGATE.search(text) for text in texts if isinstance(text, str))


def _texts(item: Captions | Question) -> tuple[dict[str, Any], str]:
    if isinstance(item, Captions):
        captions = [caption.strip() for caption in item.captions if caption.strip()]
        return {"captions": captions}, "" if captions else "caption is empty"
    question, answer = item.question.strip(), item.answer.strip()
    texts = {"question": question, "answer": answer, "answers": list(item.answers or (answer,))}
    return texts, "question or answer is empty" if not question or not answer else ""


def _document(item: Document, config: PictureConfig) -> Prepared:
    texts: list[list[str]] = [[]]
    stored: list[StoredPicture] = []
    dropped: list[str] = []
    for part in item.parts:
        if isinstance(part, str):
            texts[-1] += [part.strip()] if part.strip() else []
        elif isinstance(part, Missing):
            dropped.append(part.reason)
        else:
            try:
                stored.append(store(part, config))
                texts.append([])
            except PictureError as error:
                dropped.append(str(error))
    if not stored or not any(texts):
        # One reason for each item: the first of its pictures stands for all.
        reason = "text is empty" if stored else f"no picture: {dropped[0] if dropped else 'none in the document'}"
        return Prepared(item.id, skipped=reason)
    example = {
        "id": item.id,
        "texts": [PARAGRAPH.join(between) for between in texts],
        "images": [io.BytesIO(picture.data) for picture in stored],
        "sizes": np.asarray([(picture.height, picture.width) for picture in stored], np.int32),
    }
    return Prepared(item.id, (example,), tuple(picture.patches for picture in stored), dropped=tuple(dropped))


def patch_range(prepared: Sequence[Prepared]) -> tuple[int, int] | None:
    """Fewest and most patches of a picture, None without any."""
    counts = [count for one in prepared for count in one.patches]
    return (min(counts), max(counts)) if counts else None
