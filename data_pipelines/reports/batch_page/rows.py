"""Rows of a batch as HTML: windows, sequences in them, and timesteps line by line."""

import itertools
from collections.abc import Iterator, Mapping

import numpy as np

from data_pipelines.html_page import escape, image
from data_pipelines.reports.batch_page.pictures import pictures, png
from data_pipelines.schema import RowGroup
from data_pipelines.storage.recorded_tasks import RecordedTask
from data_pipelines.tokenizers.layout import TimestepLayout, TokenConfig
from data_pipelines.tokenizers.reading import Meaning, Reader, timestep_meanings
from data_pipelines.tokenizers.text import TextTokenizer
from data_pipelines.tokenizers.timestep import TimestepTokenizer
from data_pipelines.vocabulary import TokenType

TEXT_LINE = 64
"""Places of text in a line of their own note."""


class RowWriter:
    """Writes rows.

    Args:
      tokens: how ids were made.
      recorded: the tasks.
      text: the SentencePiece model, where any task has text.
    """

    def __init__(self, tokens: TokenConfig, recorded: Mapping[str, RecordedTask], text: TextTokenizer | None):
        self._reader, self._text = Reader(tokens, text), text
        self._layouts: dict[str, TimestepLayout] = {}
        for name, task in recorded.items():
            if task.spec is not None:
                self._layouts[name] = TimestepLayout.build(task.spec, tokens)
        self._meanings = {name: timestep_meanings(layout) for name, layout in self._layouts.items()}

    def row(
        self, task: str, group: RowGroup, row: Mapping[str, np.ndarray], prompt: np.ndarray | None, number: int
    ) -> str:
        """HTML of one row: its fields without the batch axis; `prompt` marks the actions of prompts, [L]."""
        parts = [f'<div class=row data-task="{escape(task)}"><h3>{escape(task)}, row {number}</h3>']
        shown = {picture.start: image(png(picture.pixels), "image/png", alt="picture") for picture in pictures(row)}
        for window in range(group.windows):
            start, stop = window * group.window_length, (window + 1) * group.window_length
            parts.append(f"<div class=window><b>window {window}</b>")
            parts += self._window(task, row, prompt, start, stop, shown)
            parts.append("</div>")
        return "".join([*parts, "</div>"])

    def _window(
        self, task: str, row: Mapping, prompt: np.ndarray | None, start: int, stop: int, shown: Mapping[int, str]
    ) -> Iterator[str]:
        used = start + int(np.max(np.flatnonzero(row["token_type"][start:stop]), initial=-1)) + 1
        begins = [int(place) for place in start + np.flatnonzero(row["positions"][start:used] == 0)]
        for begin, end in zip(begins, [*begins[1:], used], strict=True):
            yield "<div class=sequence>"
            if task in self._layouts:
                yield from self._timesteps(task, row, prompt, begin, end, shown)
            else:
                yield from self._words(row, begin, end, shown)
            yield "</div>"
        if used < stop:
            yield f'<div class=note data-padding="{stop - used}">{stop - used} places of padding</div>'

    def _timesteps(
        self, task: str, row: Mapping, prompt: np.ndarray | None, begin: int, end: int, shown: Mapping[int, str]
    ) -> Iterator[str]:
        length, meanings = self._layouts[task].length, self._meanings[task]
        for number, at in enumerate(range(begin, end, length)):
            places = range(at, min(at + length, end))
            is_prompt = prompt is not None and bool(prompt[at : at + length].any())
            frames = "".join(shown[place] for place in places if place in shown)
            cells = "".join(self._cell(row, place, meanings[place - at]) for place in places)
            label = f"{'prompt ' if is_prompt else ''}t{number}"
            kind = "step prompt" if is_prompt else "step"
            note = escape(self._action(task, row, at, at + length))
            yield f"<div class='{kind}'><span class=at>{label}</span>{frames}<div><div class=cells>{cells}</div>"
            yield f"<span class=note>{note}</span></div></div>"

    def _words(self, row: Mapping, begin: int, end: int, shown: Mapping[int, str]) -> Iterator[str]:
        """Text and pictures in order: a line for each picture, and for the text up to the next one."""
        cuts = sorted({begin, end, *(place for place in shown if begin < place < end)})
        for start, stop in itertools.pairwise(cuts):
            frame = shown.get(start, "")
            cells = "".join(self._cell(row, place, None) for place in range(start, stop))
            kinds = row["token_type"][start:stop]
            text = self._text.decode(row["tokens"][start:stop][kinds == TokenType.TEXT]) if self._text else ""
            note = f"<span class=note>“{escape(text)}”</span>" if frame or stop - start <= TEXT_LINE else ""
            yield f"<div class=step>{frame}<div><div class=cells>{cells}</div>{note}</div></div>"

    def _action(self, task: str, row: Mapping, start: int, stop: int) -> str:
        """The timestep's text, and its action and label as decoded."""
        layout, notes = self._layouts[task], []
        kinds, tokens = row["token_type"][start:stop], row["tokens"][start:stop]
        if self._text is not None and (kinds == TokenType.TEXT).any():
            notes.append(f"“{self._text.decode(tokens[kinds == TokenType.TEXT])}”")
        decode = TimestepTokenizer(layout, self._text).decode_action
        for name, ids in (("action", tokens), ("label", row["targets"][start:stop])):
            ids = ids[layout.action.slice]
            if name == "action" or (ids != tokens[layout.action.slice]).any():
                values = np.array2string(np.atleast_1d(decode(ids)), precision=3, suppress_small=True)
                notes.append(f"{name} {values}")
        return "; ".join(notes)

    def _cell(self, row: Mapping, place: int, meaning: Meaning | None) -> str:
        token, kind, target = (int(row[name][place]) for name in ("tokens", "token_type", "targets"))
        local, loss = int(row["observation_position"][place]), row["loss_mask"][place] > 0
        name = TokenType(kind).name.lower()
        value = self._reader.value(token, kind, meaning.item if meaning else None)
        words = [f"place {place}: {name}"]
        if meaning and kind and meaning.item:
            words.append(f"{meaning.name} = {value}" if value else meaning.name)
        elif value and kind == TokenType.TEXT:
            words.append(value)
        if kind not in (TokenType.PATCH, TokenType.PADDING):
            words.append(f"id {token}" + (f", target {target}" if target != token else ""))
        words.append(f"local position {local}" if local else "no local position")
        words.append(f"position {int(row['positions'][place])}" + (", carries loss" if loss else ""))
        css = f"k{kind}" + (" loss" if loss else "")
        shown = escape(_short(value, kind))
        return f'<i class="{css}" data-id="{token}" title="{escape("; ".join(words))}">{shown}</i>'


def _short(value: str, kind: int) -> str:
    """A value in few letters."""
    if kind == TokenType.TEXT:
        return value[1:-1].replace("▁", " ").replace("\\n", "↵") or "·"
    number = value.partition(" (bin")[0]
    if kind in (TokenType.OBSERVATION, TokenType.ACTION) and number != value:
        return f"{float(number):.2g}"
    return value.strip("()").replace("bin ", "").replace(", ", "·") or " "
