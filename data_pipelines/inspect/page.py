"""A batch as a person sees it: one self-contained HTML page."""

import base64
import html
import itertools
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from data_pipelines.config import DataConfig
from data_pipelines.directories import read_task
from data_pipelines.schema import INTERVAL_STEPS, PATCH_SIDE, Batch, RowGroup
from data_pipelines.timestep import TimestepLayout, TimestepTokenizer
from data_pipelines.tokenizers.text import TextTokenizer, resolve_text_model
from data_pipelines.vocabulary import BINS, TokenType

COLOURS = {
    TokenType.PADDING: "#eeeeee",
    TokenType.PATCH: "#9b7fd4",
    TokenType.OBSERVATION: "#6fa8dc",
    TokenType.SEPARATOR: "#555555",
    TokenType.ACTION: "#e69138",
    TokenType.TEXT: "#6aa84f",
}

_STYLE = """
body{font:14px/1.4 system-ui,sans-serif;margin:2em auto;max-width:1200px;color:#222}
.segment{margin:.15em 0 .15em 0;padding-left:.4em;border-left:3px solid #bbb;display:flex;flex-wrap:wrap;gap:1px}
.segment i{display:inline-block;min-width:1.1em;height:1.25em;font:10px/1.25em monospace;text-align:center;
  color:#fff;padding:0 1px;overflow:hidden;white-space:pre}
.segment i.t{box-shadow:inset 0 -3px 0 #cc0000}
.row{margin:.8em 0}.row p{margin:.2em 0}.frames img{image-rendering:pixelated;height:64px;margin-right:3px}
table{border-collapse:collapse}td,th{padding:.1em .8em;text-align:left}.legend i{padding:0 .6em;color:#fff}
"""


def inspect_page(config: DataConfig, *, rows: int = 4, step: int = 0) -> str:
    """The batch of one step as HTML: the first `rows` rows of each group.

    Places are coloured by modality and underlined in red where they carry loss; hovering shows ids and positions.
    Raises what `stream.Stream` raises.
    """
    from data_pipelines.stream import Stream  # TensorFlow is needed only here.

    stream = Stream(config, start_step=step)
    batch = next(stream)
    shares, weights, dealt = stream.realised_shares, stream.loss_weights, stream.rows
    whole = stream.read_whole
    stream.close()
    reader = _Reader(config)
    parts = [f"<h1>Step {step}</h1>", _legend(), _shares(config, shares)]
    if whole:
        parts.append(f"<p>Read whole by every shard (few examples): {html.escape(', '.join(whole))}.</p>")
    for name, group in sorted(config.mixture.groups.items()):
        loss = int(batch[name]["loss_mask"].sum())
        parts.append(
            f"<h2>{html.escape(name)}</h2><p>{dealt[name]} rows of {group.segments} segments of {group.segment_length} "
            f"places, {group.patches} patches; {loss} targets in the batch; {weights[name]:.1%} of the loss.</p>"
        )
        parts += [_row(reader, group, batch[name], index) for index in range(min(rows, dealt[name]))]
    title = f"gato-jax batch at step {step}"
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{_STYLE}</style>"
        f"<body>{''.join(parts)}</body></html>"
    )


class _Reader:
    """Turns ids back into what they stand for."""

    def __init__(self, config: DataConfig):
        self.vocabulary = config.tokens.vocabulary
        self.names = config.mixture.task_names
        self.layouts: dict[str, TimestepLayout] = {}
        for name in self.names:
            spec = read_task(config.directory, name).spec
            if spec is not None:
                self.layouts[name] = TimestepLayout.build(spec, config.tokens)
        needs_text = len(self.layouts) < len(self.names) or any(layout.has_text for layout in self.layouts.values())
        self.text = (
            TextTokenizer(resolve_text_model(config.tokens.text_model, config.directory)) if needs_text else None
        )

    def piece(self, token: int, kind: int) -> str:
        """One place in a word or number."""
        if kind == TokenType.TEXT and self.text is not None:
            return self.text.decode(np.array([token])) or "·"
        if kind in (TokenType.OBSERVATION, TokenType.ACTION):
            start = self.vocabulary.continuous_start
            if start <= token < start + BINS:
                return str(token - start)
            return str(token - self.vocabulary.discrete_start)
        return "|" if kind == TokenType.SEPARATOR else " "

    def actions(self, task: str, tokens: np.ndarray, kinds: np.ndarray) -> str:
        """The first actions of a segment, decoded."""
        layout = self.layouts[task]
        tokenizer = TimestepTokenizer(layout, self.text)
        ids = tokens[kinds == TokenType.ACTION].reshape(-1, layout.action.size)[:3]
        decoded = [np.array2string(np.asarray(tokenizer.decode_action(row)), precision=2) for row in ids]
        return ", ".join(decoded) + (" …" if (kinds == TokenType.ACTION).sum() > ids.size else "")


def _row(reader: _Reader, group: RowGroup, batch: Batch, index: int) -> str:
    row = {name: values[index] for name, values in batch.items()}
    task = reader.names[int(row["task_id"])]
    parts = [f"<p><b>{html.escape(task)}</b></p>"]
    frames = list(_frames(row))
    if frames:
        shown = "".join(f'<img src="{_png(frame)}" alt="frame">' for frame in frames[:12])
        parts.append(f"<p class=frames>{shown} {len(frames)} frames</p>")
    for number in range(group.segments):
        window = slice(number * group.segment_length, (number + 1) * group.segment_length)
        places = {
            name: values[window] for name, values in row.items() if np.ndim(values) and len(values) == group.length
        }
        notes = _notes(reader, task, places)
        cells = "".join(_cell(reader, places, place) for place in range(group.segment_length))
        parts.append(f"<div class=segment>{cells}</div><p>{html.escape(notes)}</p>")
    return f"<div class=row>{''.join(parts)}</div>"


def _cell(reader: _Reader, places: Mapping[str, np.ndarray], place: int) -> str:
    token, kind = int(places["tokens"][place]), int(places["token_type"][place])
    target, position = int(places["targets"][place]), int(places["observation_position"][place])
    label = f" → {target}" if target != token else ""
    title = f"{place}: {TokenType(kind).name.lower()} {token}{label}; local position {position}"
    loss = " class=t" if places["loss_mask"][place] else ""
    piece = html.escape(reader.piece(token, kind))
    return f'<i{loss} style="background:{COLOURS[TokenType(kind)]}" title="{title}">{piece}</i>'


def _notes(reader: _Reader, task: str, places: Mapping[str, np.ndarray]) -> str:
    tokens, kinds = places["tokens"], places["token_type"]
    notes = []
    if reader.text is not None and (kinds == TokenType.TEXT).any():
        notes.append(f"“{reader.text.decode(tokens[kinds == TokenType.TEXT])[:200]}”")
    if task in reader.layouts and (kinds == TokenType.ACTION).any():
        notes.append(f"actions {reader.actions(task, tokens, kinds)}")
        if (places["targets"] != tokens).any():
            notes.append(f"labels {reader.actions(task, places['targets'], kinds)}")
    return "; ".join(notes)


def _frames(row: Mapping[str, np.ndarray]) -> Iterator[np.ndarray]:
    """Images put together again; a new one begins where the interval returns to the top left corner."""
    used = row["patch_slot"] < len(row["tokens"])
    patches, intervals = row["patches"][used], row["patch_interval"][used]
    starts = [*np.flatnonzero((intervals[:, 0] == 0) & (intervals[:, 2] == 0)), len(patches)]
    for start, stop in itertools.pairwise(starts):
        columns = int(np.argmax(intervals[start:stop, 3] == INTERVAL_STEPS)) + 1
        whole = (stop - start) // columns
        cells = patches[start : start + whole * columns].reshape(whole, columns, PATCH_SIDE, PATCH_SIDE, 3)
        yield cells.transpose(0, 2, 1, 3, 4).reshape(whole * PATCH_SIDE, columns * PATCH_SIDE, 3)


def _png(image: np.ndarray) -> str:
    """A data address of the image, written without an image library."""
    height, width, _ = image.shape
    lines = np.concatenate([np.zeros((height, 1), np.uint8), image.reshape(height, -1)], axis=1).tobytes()

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(data).decode()


def _legend() -> str:
    cells = [f'<i style="background:{colour}">{kind.name.lower()}</i>' for kind, colour in COLOURS.items()]
    return f"<p class=legend>{' '.join(cells)} underlined in red: carries loss</p>"


def _shares(config: DataConfig, realised: Mapping[str, float]) -> str:
    declared: dict[str, Any] = config.mixture.declared_shares
    lines = [
        f"<tr><td>{html.escape(task)}</td><td>{declared[task]:.2%}</td><td>{realised[task]:.2%}</td></tr>"
        for task in config.mixture.task_names
    ]
    return f"<table><tr><th>task</th><th>declared share</th><th>share of rows</th></tr>{''.join(lines)}</table>"
