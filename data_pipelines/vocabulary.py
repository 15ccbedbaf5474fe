"""Token ids: the one place where an id is a number.

Layout (Gato, section 2.1), shown for the paper's 32,000 text pieces:

    text        [0, 32000)        SentencePiece
    discrete    [0, 1024)         shared with text as the paper prints it, or a block of its own by option
    continuous  [32000, 33024)    mu-law companded where asked, 1024 uniform bins
    separator   33024             between the observation and the action of a timestep

Padding is id 0 with token type `PADDING`, so it needs no id of its own.
"""

import dataclasses
import enum

BINS = 1024
"""Bins of a continuous value, and the number of ids a discrete value may take (Gato, section 2.1)."""

TABLE_MULTIPLE = 256
"""Embedding tables are padded to a multiple of this, so that they shard over any usual mesh."""

MOST_TEXT = 2**24
"""Text pieces, at most: far more than any text model has."""


class DiscreteIds(enum.Enum):
    """Where discrete values live. SHARED takes the paper literally; NEKO and others gave them a block of their own."""

    SHARED_WITH_TEXT = "shared_with_text"
    OFFSET = "offset"


class TokenType(enum.IntEnum):
    """What a place of the sequence holds; stored in the field `token_type`."""

    PADDING = 0
    PATCH = 1
    OBSERVATION = 2
    SEPARATOR = 3
    ACTION = 4
    TEXT = 5


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """Id ranges of every modality.

    Args:
      text_size: number of SentencePiece pieces.
      discrete: whether discrete values share the ids [0, 1024) with text (the paper) or follow the separator.

    Examples:
      >>> from data_pipelines import Vocabulary
      >>> Vocabulary().size
      33025
    """

    text_size: int = 32_000
    discrete: DiscreteIds = DiscreteIds.SHARED_WITH_TEXT

    def __post_init__(self):
        if not 1 <= self.text_size <= MOST_TEXT:
            raise ValueError(f"vocabulary.text_size must be in [1, {MOST_TEXT:,}], found {self.text_size}")
        if self.discrete is DiscreteIds.SHARED_WITH_TEXT and self.text_size < BINS:
            raise ValueError(
                f"discrete values share the ids [0, {BINS}) with text, so vocabulary.text_size must be at least "
                f"{BINS}, found {self.text_size}; or set vocabulary.discrete to OFFSET"
            )

    @property
    def continuous_start(self) -> int:
        return self.text_size

    @property
    def separator(self) -> int:
        return self.text_size + BINS

    @property
    def discrete_start(self) -> int:
        return 0 if self.discrete is DiscreteIds.SHARED_WITH_TEXT else self.separator + 1

    @property
    def size(self) -> int:
        """Number of ids that mean something: 33,025 for the paper's text vocabulary."""
        return self.separator + 1 + (BINS if self.discrete is DiscreteIds.OFFSET else 0)

    @property
    def padded_size(self) -> int:
        """Rows of the embedding table: `size` rounded up to a multiple of `TABLE_MULTIPLE`."""
        return -(-self.size // TABLE_MULTIPLE) * TABLE_MULTIPLE
