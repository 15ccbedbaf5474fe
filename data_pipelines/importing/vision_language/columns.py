"""Rows with named columns (of parquet files, TFDS directories, lists of captions) to items. No TensorFlow."""

import dataclasses
import enum
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from data_pipelines.importing.common.errors import SourceError
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
from data_pipelines.importing.vision_language.values import (
    NotText,
    as_id,
    as_picture,
    as_text,
    as_texts,
    content_id,
    most_common,
    picture_id,
)

T = TypeVar("T")

_URL_COLUMNS = ("url", "URL", "image_url", "image_urls")


class Holds(enum.Enum):
    """What the values of a column are."""

    TEXT = "text"
    TEXTS = "one or several texts"
    LIST_OF_TEXTS = "lists of texts"
    PICTURE = "pictures: bytes, {bytes, path}, or names of files"
    LIST_OF_PICTURES = "lists of pictures"


ROLE_HOLDS: Mapping[str, Holds] = {
    "text": Holds.TEXT,
    "question": Holds.TEXT,
    "caption": Holds.TEXTS,
    "answer": Holds.TEXTS,
    "answers": Holds.TEXTS,
    "texts": Holds.LIST_OF_TEXTS,
    "image": Holds.PICTURE,
    "images": Holds.LIST_OF_PICTURES,
}
"""Role -> what its column must hold; an id may be anything."""


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
    def find(
        cls, column_names: Sequence[str], options: SourceOptions, source: Path, *, documents: bool = False
    ) -> "Columns":
        """Roles among the columns that were found. Raises `SourceError` when they make no kind of task."""
        names = {
            role: name for role in _WANTED for name in [find_column(role, column_names, options)] if name is not None
        }
        urls = [name for name in _URL_COLUMNS if name in column_names]
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
                role_columns = {role: names[role] for role in (*roles, *extra) if role in names}
                return cls(kind, role_columns, options.images or (source if source.is_dir() else source.parent))
        expected = " or ".join("+".join(roles) for roles in chosen.values())
        raise SourceError(f"{source}: expected columns {expected} (or name them), found {sorted(column_names)}")

    def check(self, types: Mapping[str, T], holds: Callable[[T, Holds], bool], source: Path | str) -> None:
        """Compares the types that a source declares with what the roles need.

        Args:
          types: column -> its type, in the source's own terms.
          holds: whether values of that type are such.
          source: for the message.

        Raises:
          SourceError: naming role, column, the types expected and found.
        """
        for role, name in self.names.items():
            if role in ROLE_HOLDS and not holds(types[name], ROLE_HOLDS[role]):
                raise SourceError(
                    f"{source}: {role} column {name!r}: expected {ROLE_HOLDS[role].value}, found {types[name]}; "
                    f"--columns {role} NAME names another of {sorted(types)}"
                )

    def item(self, value_of: Callable[[str], Any]) -> Item:
        """One row as an item; `value_of` gives the value of a column."""
        row = {role: value_of(name) for role, name in self.names.items()}
        try:
            return _MAKE[self.kind](row, self.folder)
        except UnicodeDecodeError:
            return Unusable(content_id(repr(row.get("id"))), "text is not UTF-8")
        except NotText as error:
            return Unusable(content_id(repr(row)), f"{error} where a text is expected")


_WANTED = ("text", "image", "images", "texts", "caption", "question", "answer", "answers", "image_id", "id")


def _text(row: Mapping[str, Any], folder: Path) -> Item:
    text = as_text(row["text"])
    return Text(_identity(row, "id", content_id(text)), text)


def _captions(row: Mapping[str, Any], folder: Path) -> Item:
    picture = as_picture(row["image"], folder)
    captions = as_texts(row["caption"])
    if isinstance(picture, Missing):
        return Unusable(_identity(row, "image_id", content_id(*captions)), picture.reason)
    return Captions(_identity(row, "image_id", picture_id(picture, folder)), picture, captions)


def _question(row: Mapping[str, Any], folder: Path) -> Item:
    picture, question = as_picture(row["image"], folder), as_text(row["question"])
    texts = as_texts(row["answer"])
    if isinstance(picture, Missing):
        return Unusable(_identity(row, "image_id", content_id(question)), picture.reason)
    answers = as_texts(row.get("answers")) or texts
    identity = _identity(row, "image_id", picture_id(picture, folder))
    return Question(identity, picture, question, most_common(texts), answers)


def _document(row: Mapping[str, Any], folder: Path) -> Item:
    """OBELICS: two lists of one length, at each place a picture or a text, the other null."""
    images, texts = row["images"] or [], row["texts"] or []
    identity = _identity(row, "id", content_id(*(as_text(text) for text in texts if text is not None)))
    if len(images) != len(texts):
        return Unusable(identity, "images and texts are not of one length")
    parts: list[str | Picture | Missing] = []
    for image, text in zip(images, texts, strict=True):
        parts += [] if image is None else [as_picture(image, folder)]
        parts += [] if text is None else [as_text(text)]
    return Document(identity, tuple(parts))


def _identity(row: Mapping[str, Any], role: str, otherwise: str) -> str:
    return otherwise if row.get(role) is None else as_id(row[role])


_MAKE: Mapping[str, Callable[[Mapping[str, Any], Path], Item]] = {
    "text": _text,
    "captions": _captions,
    "vqa": _question,
    "documents": _document,
}
