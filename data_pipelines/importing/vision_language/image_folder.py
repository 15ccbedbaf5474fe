"""A plain folder of pictures with what was said about them. No TensorFlow.

captions.jsonl, metadata.jsonl     {"file_name": "a.jpg", "text": "..."} in each line; or question and answer
captions.csv, metadata.csv         the same with a header
captions.txt, captions.tsv         a.jpg <tab> text; a.jpg#1 <tab> text is a further one
a.jpg, a.txt                       without any of these: a text file beside each picture
"""

import csv
import dataclasses
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from data_pipelines.importing.common.errors import SourceError
from data_pipelines.importing.common.rules import check_split
from data_pipelines.importing.common.shuffling import shuffled
from data_pipelines.importing.common.source_files import file_stamp
from data_pipelines.importing.vision_language.columns import Columns, as_texts
from data_pipelines.importing.vision_language.items import Captions, Item, Unusable
from data_pipelines.importing.vision_language.readers import SourceOptions, find_column
from data_pipelines.importing.vision_language.text_files import read_lines

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")
_LISTS = ("*captions*", "metadata")
_SUFFIXES = (".jsonl", ".csv", ".txt", ".tsv")


class ImageFolder:
    """Pictures with captions (all of a picture's rows together), or with questions and answers (one row each).

    Args:
      source: the folder, or the list inside it.
      options: `columns` names the columns of the list, `images` the folder of the pictures if it is another one.

    Raises:
      SourceError: no pictures, several lists, or a list without such columns.
    """

    def __init__(self, source: Path, options: SourceOptions):
        check_split(str(source), options.split, ())
        path = source if source.is_file() else _find_list(source)
        self._folder = options.images or (source.parent if source.is_file() else source)
        if path is None:
            self.kind, self._items = "captions", shuffled(_beside(self._folder))
            self.stamp: Mapping[str, Any] = {"pictures": len(self._items)}
            return
        self.stamp = file_stamp(path.parent, [path])
        rows = list(_rows(path))
        usable = next((row for row in rows if row is not None), None)
        if usable is None:
            raise SourceError(f"{path}: expected a line for each picture, found none")
        file = options.columns.get("image") or find_column("image_file", usable, options)
        named = {**options.columns, **({} if file is None else {"image": file})}
        columns = Columns.find(list(usable), dataclasses.replace(options, columns=named), path)
        self.kind = columns.kind
        if self.kind == "text":
            raise SourceError(f"{path}: expected a column of picture files, found {sorted(usable)}")
        items = [_item(row, columns, self._folder, number) for number, row in enumerate(rows)]
        self._items = shuffled(_together(items) if self.kind == "captions" else items)

    def __len__(self) -> int:
        return len(self._items)

    def items(self, start: int) -> Iterator[Item]:
        yield from self._items[start:]


def _find_list(folder: Path) -> Path | None:
    if not folder.is_dir():
        raise SourceError(f"no file or folder {str(folder)!r}")
    found = sorted({path for stem in _LISTS for suffix in _SUFFIXES for path in folder.glob(stem + suffix)})
    if len(found) > 1:
        raise SourceError(f"{folder}: expected one list of captions, found {[path.name for path in found]}; name one")
    return found[0] if found else None


def _rows(path: Path) -> Iterator[Mapping[str, Any] | None]:
    if path.suffix == ".jsonl":
        yield from (row for _, row in read_lines(path))
    elif path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            yield from csv.DictReader(file)
    else:
        for line in path.read_text(encoding="utf-8").splitlines():
            name, tab, text = line.partition("\t")
            if line.strip():
                yield {"file_name": re.sub(r"#\d+$", "", name.strip()), "text": text} if tab else None


def _item(row: Mapping[str, Any] | None, columns: Columns, folder: Path, number: int) -> Item:
    if row is None:
        return Unusable(f"line {number}", "line is not in the layout of the list")
    if any(row.get(columns.names[role]) in (None, "") for role in columns.names if role != "image_id"):
        return Unusable(f"line {number}", "line lacks a picture or a text")
    # The picture's file names it, whatever else does: its rows are to come together.
    chosen = {role: name for role, name in columns.names.items() if role != "image_id"}
    return Columns(columns.kind, chosen, folder).item(row.get)


def _together(items: list[Item]) -> list[Item]:
    """One item for each picture, with the captions of all its rows."""
    pictures: dict[str, Captions] = {}
    others: list[Item] = []
    for item in items:
        if not isinstance(item, Captions):
            others.append(item)
            continue
        known = pictures.get(item.id)
        captions = item.captions if known is None else known.captions + item.captions
        pictures[item.id] = Captions(item.id, item.picture, captions)
    return [*pictures.values(), *others]


def _beside(folder: Path) -> list[Item]:
    pictures = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES)
    if not pictures:
        raise SourceError(f"{folder}: expected a list of captions, or pictures with .txt files beside, found neither")
    items: list[Item] = []
    for path in pictures:
        name, text = str(path.relative_to(folder)), path.with_suffix(".txt")
        if not text.is_file():
            items.append(Unusable(name, "picture has no text file beside"))
        else:
            items.append(Captions(name, path, as_texts(text.read_text(encoding="utf-8"))))
    return items
