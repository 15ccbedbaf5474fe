"""What an importer asks of a source, whatever its format."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.vision_language.items import Item


# The command line has an option for each field; the texts here are its help.
@dataclasses.dataclass(frozen=True)
class SourceOptions:
    """Where a source keeps its parts; each format says which it reads.

    Args:
      images: folder of the pictures, where it is not beside the annotations.
      split: which of the source's own splits to import; train and validation are made from it, by hash.
      columns: role and column (feature, JSON key), where names are not usual ones: --columns caption alt_text.
      part_characters: longer texts are stored in parts of about this many characters, cut between paragraphs or words.
    """

    images: Path | None = None
    split: str = "train"
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)
    part_characters: int = 65_536

    def __post_init__(self):
        unknown = sorted(set(self.columns) - set(ROLES))
        if unknown:
            raise ValueError(f"columns: expected roles among {sorted(ROLES)}, found {unknown}")
        if self.part_characters < 1:
            raise ValueError(f"part_characters must be positive, found {self.part_characters}")


ROLES: Mapping[str, tuple[str, ...]] = {
    "text": ("text", "content", "book_text", "document"),
    "image": ("image", "jpg", "png", "jpeg", "webp", "image_bytes"),
    "image_file": ("file_name", "filename", "image_file", "file", "image", "path"),
    "images": ("images",),
    "texts": ("texts",),
    "caption": ("captions/text", "captions", "caption", "sentences", "text", "txt", "alt_text"),
    "question": ("question",),
    "answer": ("multiple_choice_answer", "answer", "answers"),
    "answers": ("answers",),
    "image_id": ("image/filename", "image_id", "image/id"),
    "id": ("id", "key", "url", "title"),
}
"""Usual names of each role, the most telling first."""


def find_column(role: str, names: Any, options: SourceOptions) -> str | None:
    """The column of a role: the one `options` names, else the first usual name there is, else None.

    Raises:
      SourceError: the column that was named is not there.
    """
    if role in options.columns:
        if options.columns[role] not in names:
            raise SourceError(f"columns: no {role} column {options.columns[role]!r}, found {sorted(names)}")
        return options.columns[role]
    return next((name for name in ROLES[role] if name in names), None)


class Reader(Protocol):
    """An opened source: its items in an order that does not change."""

    @property
    def kind(self) -> str:
        """Kind of task it becomes: "text", "captions", "vqa" or "documents"."""

    @property
    def stamp(self) -> Mapping[str, Any]:
        """JSON-able: what tells this source from another one, or from itself after a change."""

    def __len__(self) -> int:
        """Number of items; 0 where only reading everything would tell."""

    def items(self, start: int) -> Iterator[Item]:
        """Items from number `start` on, without decoding the pictures of any."""
