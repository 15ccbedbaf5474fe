"""Folders of text: .txt and .md files are a document each, .jsonl files hold one in each line."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.common.rules import check_split
from data_pipelines.importing.common.source_files import file_stamp
from data_pipelines.importing.vision_language.columns import Columns
from data_pipelines.importing.vision_language.items import Item, Text, Unusable
from data_pipelines.importing.vision_language.readers import SourceOptions, find_column
from data_pipelines.importing.vision_language.values import as_id

SUFFIXES = (".txt", ".md", ".jsonl")


class TextFiles:
    """Documents of a folder (and the folders in it), or of one file.

    Args:
      source: folder or file.
      options: `columns` names the keys of .jsonl lines, where they are not usual ones.

    Raises:
      SourceError: no such files.
    """

    kind = "text"

    def __init__(self, source: Path, options: SourceOptions):
        check_split(str(source), options.split, ())
        self._root = source.parent if source.is_file() else source
        paths = [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())
        self._files = [path for path in paths if path.suffix in SUFFIXES]
        if not self._files:
            raise SourceError(f"{source}: expected files {', '.join(SUFFIXES)}, found none")
        self.stamp = file_stamp(self._root, self._files)
        self._options = options
        self._sizes = [1 if path.suffix != ".jsonl" else count_lines(path) for path in self._files]

    def __len__(self) -> int:
        return sum(self._sizes)

    def items(self, start: int) -> Iterator[Item]:
        for path, size in zip(self._files, self._sizes, strict=True):
            if start >= size:
                start -= size
                continue
            name = as_id(path.relative_to(self._root))
            if path.suffix == ".jsonl":
                for number, row in read_lines(path, start):
                    yield self._line(f"{name}:{number}", row)
            else:
                try:
                    yield Text(name, path.read_text(encoding="utf-8-sig"))
                except UnicodeDecodeError:
                    yield Unusable(name, "text is not UTF-8")
            start = 0

    def _line(self, identity: str, row: Mapping[str, Any] | None) -> Item:
        if row is None:
            return Unusable(identity, "line is not a JSON object")
        named = self._options.columns.get("text")
        if named is not None and named not in row:
            return Unusable(identity, f"line has no {named!r}")
        column, name = (find_column(role, row, self._options) for role in ("text", "id"))
        if column is None:
            return Unusable(identity, "line has no text")
        if name is None or row[name] is None:
            item = Columns("text", {"text": column}, self._root).item(row.__getitem__)
            return dataclasses.replace(item, id=identity)
        return Columns("text", {"text": column, "id": name}, self._root).item(row.__getitem__)


def count_lines(path: Path) -> int:
    """Number of lines that are not blank."""
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip())


def read_lines(path: Path, start: int = 0) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """(number, object) of the lines that are not blank, from number `start`; None where a line is no JSON object."""
    with path.open("rb") as file:
        for number, line in enumerate(line for line in file if line.strip()):
            if number >= start:
                try:
                    row = json.loads(line)
                except ValueError:
                    row = None
                yield number, row if isinstance(row, dict) else None


def parts(text: str, characters: int) -> list[str]:
    """The text without outer white space, cut where it is longer: between paragraphs, else lines, else words.

    Nothing is lost but the white space at the cuts, and no part is longer than `characters`.
    """
    text, pieces = text.strip(), []
    while len(text) > characters:
        window = text[:characters]
        # A cut in the first half would make parts that are much shorter than they may be.
        cut = next((at for mark in ("\n\n", "\n", " ") if (at := window.rfind(mark)) > characters // 2), characters)
        pieces.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
    return [*pieces, text] if text else pieces
