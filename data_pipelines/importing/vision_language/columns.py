"""Rows with named columns (of parquet files, TFDS directories, lists of captions) to items. No TensorFlow."""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.vision_language.coco import most_common
from data_pipelines.importing.vision_language.items import (
    Captions,
    Document,
    Item,
    Missing,
    Picture,
    Question,
    Text,
    Unusable,
)
from data_pipelines.importing.vision_language.readers import SourceOptions, find_column

URL = "picture is a URL, and nothing is downloaded"
_URL_COLUMNS = ("url", "URL", "image_url", "image_urls")


@dataclasses.dataclass(frozen=True)
class Columns:
    """Which column plays which role.

    Args:
      kind: kind of task that these columns make.
      names: role -> column.
      folder: of pictures that are given by their file names.
    """

    kind: str
    names: Mapping[str, str]
    folder: Path

    @classmethod
    def find(cls, found: Sequence[str], options: SourceOptions, source: Path, *, documents: bool = False) -> "Columns":
        """Roles among the columns that were found. Raises `SourceError` when they make no kind of task."""
        names = {role: name for role in _WANTED for name in [find_column(role, found, options)] if name is not None}
        urls = [name for name in _URL_COLUMNS if name in found]
        kinds = {
            "documents": ("images", "texts"),
            "vqa": ("image", "question", "answer"),
            "captions": ("image", "caption"),
            "text": ("text",),
        }
        chosen = {name: roles for name, roles in kinds.items() if (name == "documents") is documents}
        # A text with the URL of its page, as in C4, is no caption.
        captioned = "question" in names or names.get("caption") != names.get("text")
        if "image" not in names and urls and captioned and not documents:
            raise SourceError(
                f"{source}: its pictures are URLs (column {urls[0]!r}), and nothing is downloaded: fetch them first, "
                f"into an image column or a folder; to import the text alone, delete that column"
            )
        for kind, roles in chosen.items():
            if set(roles) <= set(names):
                extra = ("image_id", "answers") if kind in ("vqa", "captions") else ("id",)
                kept = {role: names[role] for role in (*roles, *extra) if role in names}
                return cls(kind, kept, options.images or (source if source.is_dir() else source.parent))
        wanted = " or ".join("+".join(roles) for roles in chosen.values())
        raise SourceError(f"{source}: expected columns {wanted} (or name them), found {sorted(found)}")

    def item(self, value_of: Callable[[str], Any]) -> Item:
        """One row as an item; `value_of` gives the value of a column."""
        row = {role: value_of(name) for role, name in self.names.items()}
        try:
            return _MAKE[self.kind](row, self.folder)
        except UnicodeDecodeError:
            return Unusable(content_id(repr(row.get("id"))), "text is not UTF-8")


_WANTED = ("text", "image", "images", "texts", "caption", "question", "answer", "answers", "image_id", "id")


def _text(row: Mapping[str, Any], folder: Path) -> Item:
    text = as_text(row["text"])
    return Text(_identity(row.get("id"), text), text)


def _captions(row: Mapping[str, Any], folder: Path) -> Item:
    picture = as_picture(row["image"], folder)
    captions = as_texts(row["caption"])
    if isinstance(picture, Missing):
        return Unusable(_identity(row.get("image_id"), *captions), picture.reason)
    return Captions(_identity(row.get("image_id"), picture), picture, captions)


def _question(row: Mapping[str, Any], folder: Path) -> Item:
    picture, question = as_picture(row["image"], folder), as_text(row["question"])
    given = as_texts(row["answer"])
    if isinstance(picture, Missing):
        return Unusable(_identity(row.get("image_id"), question), picture.reason)
    answers = as_texts(row.get("answers")) or given
    return Question(_identity(row.get("image_id"), picture), picture, question, most_common(given), answers)


def _document(row: Mapping[str, Any], folder: Path) -> Item:
    """OBELICS: two lists of one length, at each place a picture or a text, the other null."""
    images, texts = row["images"] or [], row["texts"] or []
    identity = _identity(row.get("id"), *(as_text(text) for text in texts if text is not None))
    if len(images) != len(texts):
        return Unusable(identity, "images and texts are not of one length")
    parts: list[str | Picture | Missing] = []
    for image, text in zip(images, texts, strict=True):
        parts += [] if image is None else [as_picture(image, folder)]
        parts += [] if text is None else [as_text(text)]
    return Document(identity, tuple(parts))


_MAKE: Mapping[str, Callable[[Mapping[str, Any], Path], Item]] = {
    "text": _text,
    "captions": _captions,
    "vqa": _question,
    "documents": _document,
}


def as_picture(value: Any, folder: Path) -> Picture | Missing:
    """Bytes, {"bytes", "path"} or a file name. A URL is missing: nothing is downloaded."""
    if isinstance(value, Mapping):
        value = value.get("bytes") or value.get("path")
    if isinstance(value, bytes) and value:
        return value
    if not isinstance(value, str) or not value:
        return Missing("picture is empty")
    return Missing(URL) if "://" in value else folder / value


def as_text(value: Any) -> str:
    """A string, or bytes in UTF-8; "" for nothing."""
    return value.decode("utf-8") if isinstance(value, bytes) else "" if value is None else str(value)


def as_texts(value: Any) -> tuple[str, ...]:
    """One or several texts; each may be {"answer"}, {"raw"}, {"text"} or {"caption"}, as data sets nest them."""
    if value is None or isinstance(value, str | bytes):
        return () if value is None else (as_text(value),)
    if isinstance(value, Mapping):
        inner = next((value[key] for key in ("answer", "raw", "text", "caption") if key in value), None)
        return as_texts(inner)
    try:
        return tuple(text for one in value for text in as_texts(one))
    except TypeError:
        return (str(value),)  # A number.


def content_id(*parts: str | bytes | Path) -> str:
    """An id from the content itself: equal pictures, or equal texts, are of one split."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part if isinstance(part, bytes) else str(part).encode())
    return digest.hexdigest()[:16]


def _identity(value: Any, *content: str | bytes | Path) -> str:
    if value is None:
        name = content[0] if len(content) == 1 and isinstance(content[0], Path) else None
        return content_id(*content) if name is None else name.name
    return as_text(value)
