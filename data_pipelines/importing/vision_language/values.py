"""Values of a source, in whatever shape data sets have them, as texts, pictures and ids. No TensorFlow."""

import collections
import hashlib
import os.path
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.importing.vision_language.items import Missing, Picture

URL = "picture is a URL, and nothing is downloaded"

TEXT_KEYS = ("answer", "raw", "text", "caption")
"""Fields that data sets put a text into: {"raw": "a dog"}."""


class NotText(ValueError):
    """A value that is to be a text, and is none; the message is its type."""


def as_picture(value: Any, folder: Path) -> Picture | Missing:
    """Bytes, {"bytes", "path"} or a file name. A URL is missing: nothing is downloaded."""
    if isinstance(value, Mapping):
        value = value.get("bytes") or value.get("path")
    if isinstance(value, bytes) and value:
        return value
    if value is not None and not isinstance(value, str | bytes):
        return Missing(f"{type(value).__name__} where a picture is expected")
    if not isinstance(value, str) or not value:
        return Missing("picture is empty")
    return Missing(URL) if "://" in value else folder / value


def as_text(value: Any) -> str:
    """A string, or bytes in UTF-8; "" for nothing.

    Raises:
      NotText: anything else, whose Python spelling must not become training text.
      UnicodeDecodeError: bytes that are not UTF-8.
    """
    if value is None:
        return ""
    if not isinstance(value, str | bytes):
        raise NotText(type(value).__name__)
    return value.decode("utf-8") if isinstance(value, bytes) else value


def as_texts(value: Any) -> tuple[str, ...]:
    """One or several texts; each may be {"answer"}, {"raw"}, {"text"} or {"caption"}, as data sets nest them.

    Raises:
      NotText, UnicodeDecodeError: as `as_text`.
    """
    if value is None or isinstance(value, str | bytes):
        return () if value is None else (as_text(value),)
    if isinstance(value, Mapping):
        inner = next((key for key in TEXT_KEYS if key in value), None)
        if inner is None:
            raise NotText(f"dict with {sorted(map(str, value))}")
        return as_texts(value[inner])
    if not isinstance(value, Sequence | np.ndarray):
        raise NotText(type(value).__name__)
    return tuple(text for one in value for text in as_texts(one))


def as_id(value: Any) -> str:
    """An id, whatever the source has it as: a number's digits, and a mark for what UTF-8 cannot say."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text.encode("utf-8", "replace").decode()


def content_id(*parts: str | bytes) -> str:
    """An id from the content itself: equal pictures, or equal texts, are of one split."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part if isinstance(part, bytes) else part.encode("utf-8", "replace"))
    return digest.hexdigest()[:16]


def picture_id(picture: Picture, folder: Path) -> str:
    """An id of a picture: its file's place in the folder, however that is spelt, or one from its content."""
    if isinstance(picture, bytes):
        return content_id(picture)
    return as_id(os.path.normpath(picture.relative_to(folder) if picture.is_relative_to(folder) else picture))


def most_common(answers: Sequence[str]) -> str:
    """The answer given most often, the first of those that tie, "" of none."""
    return collections.Counter(answers).most_common(1)[0][0] if answers else ""
