"""How many tokens an example becomes: patches included, padding not. No TensorFlow."""

import functools
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from data_pipelines.spec import Kind
from data_pipelines.storage.example_fields import Example
from data_pipelines.storage.recorded_tasks import RecordedTask
from data_pipelines.tokenizers.images import grid
from data_pipelines.tokenizers.layout import TimestepLayout, TokenConfig
from data_pipelines.tokenizers.text import PAPER_TEXT_MODEL, TEXT_MODEL_FILE, TextTokenizer, resolve_text_model


class TokenCount(NamedTuple):
    """Tokens of an example, and characters of its texts."""

    tokens: int
    characters: int


class TokenCounter:
    """Counts the tokens of examples of a data directory.

    Where neither the settings nor the directory have a text model, the paper's size counts.

    Args:
      tokens: how values become tokens.
      directory: of the data.
    """

    def __init__(self, tokens: TokenConfig, directory: Path):
        self._tokens, self._directory = tokens, directory
        self._lengths: dict[bytes, int] = {}
        self._layouts: dict[str, TimestepLayout] = {}

    def count(self, task: RecordedTask, example: Example) -> TokenCount:
        """Tokens of an example.

        Raises:
          KeyError: a feature that its kind has is not there.
          ValueError: its values cannot become tokens, or a picture is broken.
        """
        if task.spec is None:
            return self._language(task.kind, example)
        if task.name not in self._layouts:
            self._layouts[task.name] = TimestepLayout.build(task.spec, self._tokens)
        layout = self._layouts[task.name]
        steps = max(0, len(example.numbers("steps/is_first")) - 1)
        total, characters = steps * layout.length, 0
        for item in (place.item for place in layout.places if place.item.kind is Kind.TEXT):
            texts = example.texts(f"steps/observation/{item.key}")[:steps]
            total += sum(map(self._text, texts)) - steps * self._tokens.text_tokens
            characters += sum(map(len, texts))
        return TokenCount(total, characters)

    def _language(self, kind: str, example: Example) -> TokenCount:
        """A document ends with eos, and a pair of a picture and its text does; of several captions one is drawn."""
        pictures, texts = {
            "text": (_NONE, ("text",)),
            "captions": (("image",), ("captions",)),
            "vqa": (("image",), ("question", "answer")),
            "documents": (("images",), ("texts",)),
        }[kind]
        files = [file for name in pictures for file in example.texts(name)]
        words = [text for name in texts for text in example.texts(name)]
        words = words[:1] if kind == "captions" else words
        tokens = sum(map(_patches, files)) + sum(map(self._text, words)) + 1
        return TokenCount(tokens, sum(map(len, words)))

    def _text(self, text: bytes) -> int:
        if len(text) > _SHORT:
            return len(self._tokenizer.encode(text.decode()))
        if text not in self._lengths:  # The same mission stands in every timestep.
            self._lengths[text] = len(self._tokenizer.encode(text.decode()))
        return self._lengths[text]

    @functools.cached_property
    def _tokenizer(self) -> TextTokenizer:
        named = bool(self._tokens.text_model) or (self._directory / TEXT_MODEL_FILE).is_file()
        model = self._tokens.text_model if named else PAPER_TEXT_MODEL
        return TextTokenizer(resolve_text_model(model, self._directory))


_NONE: Sequence[str] = ()
_SHORT = 200
"""Bytes of a text that is worth remembering."""


def _patches(file: bytes) -> int:
    try:
        with Image.open(io.BytesIO(file)) as picture:
            rows, columns = grid(picture.height, picture.width)
    except OSError as error:
        raise ValueError(f"a picture is broken: {error}") from error
    return rows * columns
