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
from data_pipelines.importing.common.source_files import SourceStamp, file_stamp, named
from data_pipelines.importing.vision_language.columns import Columns
from data_pipelines.importing.vision_language.items import Captions, Item, Question, Unusable, with_pictures
from data_pipelines.importing.vision_language.readers import SourceOptions, find_column
from data_pipelines.importing.vision_language.text_files import read_lines
from data_pipelines.importing.vision_language.values import as_texts, picture_id

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
            texts = _files(self._folder, (".txt",))
            self.stamp: Mapping[str, Any] = SourceStamp(
                {"pictures": len(self._items)}, named(self._folder, _files(self._folder, PICTURES) + texts)
            )
            return
        rows = list(_rows(path))
        usable = next((row for row in rows if row is not None), None)
        if usable is None:
            raise SourceError(f"{path}: expected a line for each picture, found none")
        file = options.columns.get("image") or find_column("image_file", usable, options)
        chosen = {**options.columns, **({} if file is None else {"image": file})}
        columns = Columns.find(list(usable), dataclasses.replace(options, columns=chosen), path)
        self.kind = columns.kind
        if self.kind == "text":
            raise SourceError(f"{path}: expected a column of picture files, found {sorted(usable)}")
        items = [_item(row, columns, self._folder, number) for number, row in enumerate(rows)]
        pictures = (item.picture for item in items if isinstance(item, Captions | Question))
        self.stamp = with_pictures(file_stamp(path.parent, [path]), pictures, self._folder)
        self._items = shuffled(_together(items) if self.kind == "captions" else items)
        if path.parent == self._folder:  # Another folder may hold the pictures of other lists too.
            told = [row.get(columns.names["image"]) for row in rows if row is not None]
            self._items += _unnamed([name for name in told if isinstance(name, str)], self._folder)

    def __len__(self) -> int:
        return len(self._items)

    def items(self, start: int) -> Iterator[Item]:
        yield from self._items[start:]


def _find_list(folder: Path) -> Path | None:
    if not folder.is_dir():
        raise SourceError(f"no file or folder {str(folder)!r}")
    lists = sorted({path for stem in _LISTS for suffix in _SUFFIXES for path in folder.glob(stem + suffix)})
    if len(lists) > 1:
        raise SourceError(f"{folder}: expected one list of captions, found {[path.name for path in lists]}; name one")
    return lists[0] if lists else None


def _rows(path: Path) -> Iterator[Mapping[str, Any] | None]:
    if path.suffix == ".jsonl":
        yield from (row for _, row in read_lines(path))
        return
    # What is not UTF-8 becomes surrogates, which no text may have, so that such lines are left out and counted.
    with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
        if path.suffix == ".csv":
            # A line with more cells than the header would lose the end of its caption at an unquoted comma.
            yield from (None if None in row else row for row in csv.DictReader(file))
            return
        for line in file:
            name, tab, text = line.rstrip("\r\n").partition("\t")
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
        earlier = pictures.get(item.id)
        captions = item.captions if earlier is None else earlier.captions + item.captions
        pictures[item.id] = Captions(item.id, item.picture, captions)
    return [*pictures.values(), *others]


def _unnamed(names: list[str], folder: Path) -> list[Item]:
    """The pictures of a folder that its list does not name."""
    named_ids = {picture_id(folder / name, folder) for name in names}
    identities = (picture_id(path, folder) for path in _files(folder, PICTURES))
    return [
        Unusable(identity, "picture is in no line of the list") for identity in identities if identity not in named_ids
    ]


def _files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in suffixes and path.is_file())


def _beside(folder: Path) -> list[Item]:
    pictures, texts = _files(folder, PICTURES), _files(folder, (".txt",))
    if not pictures:
        raise SourceError(f"{folder}: expected a list of captions, or pictures with .txt files beside, found neither")
    items: list[Item] = []
    for path in pictures:
        name, text = picture_id(path, folder), path.with_suffix(".txt")
        if not text.is_file():
            items.append(Unusable(name, "picture has no text file beside"))
            continue
        try:
            items.append(Captions(name, path, as_texts(text.read_text(encoding="utf-8-sig"))))
        except UnicodeDecodeError:
            items.append(Unusable(name, "text is not UTF-8"))
    described = {path.with_suffix("") for path in pictures}
    alone = [path for path in texts if path.with_suffix("") not in described]
    return items + [Unusable(picture_id(path, folder), "text file has no picture beside") for path in alone]
