"""What the places of a sequence stand for: names from the layout, and values from the ids."""

import functools
from typing import NamedTuple

import numpy as np

from data_pipelines.spec import ItemSpec, Kind
from data_pipelines.tokenizers import continuous, images
from data_pipelines.tokenizers.continuous import Companding, Quantizer
from data_pipelines.tokenizers.discrete import DiscreteCodec
from data_pipelines.tokenizers.layout import TimestepLayout, TokenConfig
from data_pipelines.tokenizers.text import TextTokenizer
from data_pipelines.vocabulary import TokenType


class Meaning(NamedTuple):
    """What one place of a timestep stands for.

    Args:
      name: key and index, such as "position[1]", "camera patch 0, 3" (row, column) or "action[0]".
      item: of the spec; None for the separator.
    """

    name: str
    item: ItemSpec | None


def timestep_meanings(layout: TimestepLayout) -> tuple[Meaning, ...]:
    """Of every place of the layout, in order."""
    meanings = [meaning for place in layout.places for meaning in _names(place.item, place.size)]
    return (*meanings, Meaning("separator", None), *_names(layout.action.item, layout.action.size))


def _names(item: ItemSpec, size: int) -> list[Meaning]:
    if item.kind is Kind.TEXT:
        return [Meaning(f"{item.key} piece {index}", item) for index in range(size)]
    if item.kind is Kind.IMAGE:
        cells = np.ndindex(*images.grid(*item.shape[:2]))
        return [Meaning(f"{item.key} patch {row}, {column}", item) for row, column in cells]
    # The digits of a packed cell are one place.
    shape = item.shape if size == item.size else item.shape[:-1]
    return [Meaning(item.key + "".join(f"[{i}]" for i in index), item) for index in np.ndindex(shape)]


class Reader:
    """Turns ids back into values.

    Args:
      tokens: how the ids were made.
      text: the SentencePiece model, if any of the ids are text.
    """

    def __init__(self, tokens: TokenConfig, text: TextTokenizer | None = None):
        self.tokens, self.text = tokens, text

    def value(self, token: int, kind: int, item: ItemSpec | None = None) -> str:
        """The value behind an id: a piece of text, an integer, a cell's digits, the centre of a bin and the bin."""
        if kind == TokenType.TEXT:
            return repr(self.text.piece(token)) if self.text is not None else str(token)
        if kind == TokenType.SEPARATOR:
            return "|"
        if kind not in (TokenType.OBSERVATION, TokenType.ACTION) or item is None:
            return ""
        if item.kind is Kind.DISCRETE:
            return self._discrete(token - self.tokens.vocabulary.discrete_start, item)
        bin_ = token - self.tokens.vocabulary.continuous_start
        if kind == TokenType.ACTION:
            centre = _uniform(item.low, item.high).centres[bin_]
        elif self.tokens.companding is Companding.ALWAYS:
            centre = _companded().centres[bin_]
        else:  # Two values share a bin: one in [-1, 1] and one outside.
            return f"bin {bin_}"
        return f"{float(centre):.4g} (bin {bin_})"

    def _discrete(self, value: int, item: ItemSpec) -> str:
        codec = _codec(item, self.tokens.pack_discrete)
        if not codec.place_values:
            return str(value)
        digits = zip(codec.place_values, codec.radix, strict=True)
        return str(tuple(value // weight % radix for weight, radix in digits))


@functools.cache
def _codec(item: ItemSpec, pack: bool) -> DiscreteCodec:
    return DiscreteCodec.build(item, pack=pack)


@functools.cache
def _uniform(low: float, high: float) -> Quantizer:
    return continuous.uniform(low, high)


@functools.cache
def _companded() -> Quantizer:
    return continuous.companded()
