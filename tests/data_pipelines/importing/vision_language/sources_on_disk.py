"""Small real sources in the layouts that others use, written by the tests that import them."""

import io
import json

import numpy as np
import pyarrow
import pyarrow.parquet
from PIL import Image


def pixels(seed, height, width):
    """A picture that JPEG keeps well: a smooth gradient in colours of its own."""
    low, high = np.random.default_rng(seed).integers(0, 255, (2, 3))
    ramp = np.linspace(0, 1, height * width).reshape(height, width, 1)
    return (low + (high - low) * ramp).astype(np.uint8)


def encoded(array, kind="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind)
    return buffer.getvalue()


def write_coco(root, sizes, *, split="train2017"):
    """captions_<split>.json and PNG pictures of the given (height, width); two captions of each."""
    (root / split).mkdir(parents=True)
    (root / "annotations").mkdir(exist_ok=True)
    images, annotations, truth = [], [], {}
    for number, size in enumerate(sizes):
        name = f"{number:012d}.png"
        array = pixels(number, *size)
        (root / split / name).write_bytes(encoded(array))
        images.append({"id": number, "file_name": name, "height": size[0], "width": size[1]})
        captions = [f"picture number {number}", f"a gradient called {number}"]
        annotations += [{"id": len(annotations) + i, "image_id": number, "caption": c} for i, c in enumerate(captions)]
        truth[name] = (array, captions)
    content = {"images": images, "annotations": annotations, "licenses": []}
    (root / "annotations" / f"captions_{split}.json").write_text(json.dumps(content))
    return truth


def write_vqa(root, pictures, *, questions=2, prefix="v2_", single_answer=True):
    """VQAv2's (or OKVQA's) questions and annotations with JPEG pictures of 32x48 pixels."""
    subset = "train2014"
    (root / subset).mkdir(parents=True)
    asked, answered, truth = [], [], {}
    for picture in range(pictures):
        data = encoded(pixels(picture, 32, 48), "JPEG")
        (root / subset / f"COCO_{subset}_{picture:012d}.jpg").write_bytes(data)
        for number in range(questions):
            identity, text = picture * 10 + number, f"what is number {number} of picture {picture}?"
            asked.append({"question_id": identity, "image_id": picture, "question": text})
            given = [f"it is {identity}"] * 7 + ["unsure"] * 3
            answers = [{"answer": answer, "answer_id": i + 1} for i, answer in enumerate(given)]
            single = {"multiple_choice_answer": given[0]} if single_answer else {}
            answered.append({"question_id": identity, "image_id": picture, "answers": answers, **single})
            truth[text] = (data, given[0])
    names = (f"{prefix}OpenEnded_mscoco_{subset}_questions.json", f"{prefix}mscoco_{subset}_annotations.json")
    for name, key, rows in zip(names, ("questions", "annotations"), (asked, answered), strict=True):
        (root / name).write_text(json.dumps({"data_subtype": subset, key: rows}))
    return truth


def write_documents(path, documents, *, url=None):
    """OBELICS: rows of lists `images` (structs of bytes) and `texts`; a document is a list of str and arrays.

    Where a document holds `url`, that is put in place of a picture's bytes.
    """
    rows = {"images": [], "texts": [], "id": []}
    for number, parts in enumerate(documents):
        is_text = [isinstance(part, str) and part != url for part in parts]
        images = [None if text else _image(part, url) for part, text in zip(parts, is_text, strict=True)]
        rows["images"].append(images)
        rows["texts"].append([part if text else None for part, text in zip(parts, is_text, strict=True)])
        rows["id"].append(f"document {number}")
    pyarrow.parquet.write_table(pyarrow.table(rows), path)


def _image(part, url):
    return {"bytes": None, "path": url} if isinstance(part, str) else {"bytes": encoded(part), "path": None}
