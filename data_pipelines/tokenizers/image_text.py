"""A picture with its text as one sequence, in NumPy: the twin of `sequences.image_text.pair_windows`.

Patches, question, answer and eos follow each other; question and answer are tokenised apart, so that the tokens of an
answer are the same whatever was asked. A caption is an answer without a question. Places of a pair count from 1; behind
the end of the table of local positions text has none (Gato, section 2.3; the order and this are our choice).
"""

import dataclasses

import numpy as np
from jaxtyping import UInt8

from data_pipelines.tokenizers import images
from data_pipelines.tokenizers.layout import TokenConfig
from data_pipelines.tokenizers.text import TextTokenizer
from data_pipelines.vocabulary import TokenType


@dataclasses.dataclass(frozen=True)
class ImageTextTokenizer:
    """Builds what the model must see to answer a question about a picture.

    Args:
      tokens: the experiment's token settings.
      text: its SentencePiece model.
    """

    tokens: TokenConfig
    text: TextTokenizer

    def encode_prefix(self, image: UInt8[np.ndarray, "height width 3"], question: str) -> dict[str, np.ndarray]:
        """Places up to the end of the question; the answer and eos follow.

        Returns:
          tokens, token_type, observation_position, positions, segment_ids int32 [n]; patches uint8 [p, 768], patch_slot
          int32 [p], patch_interval int32 [p, 4].

        Raises:
          ValueError: when the image has another shape, or more patches than there are local positions.
        """
        return self._encode(image, self.text.encode(question))

    def encode_pair(
        self, image: UInt8[np.ndarray, "height width 3"], question: str, answer: str
    ) -> dict[str, np.ndarray]:
        """Places of the whole pair with its eos, as in training; fields as in `encode_prefix`.

        The question of a caption is "".
        """
        return self._encode(image, [*self.text.encode(question), *self.text.encode(answer), self.text.eos])

    def _encode(self, image: np.ndarray, words: list[int]) -> dict[str, np.ndarray]:
        image = np.asarray(image)
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"a picture must be uint8 [height, width, 3], found {image.dtype} {image.shape}")
        patches = images.patchify(image[None], self.tokens.image_fit)[0]
        count = len(patches)
        length = count + len(words)
        limit = self.tokens.max_observation_tokens
        if count > limit:
            raise ValueError(f"a picture of {count} patches exceeds tokens.max_observation_tokens = {limit}")
        place = np.arange(1, length + 1, dtype=np.int32)
        kinds = [int(TokenType.PATCH)] * count + [int(TokenType.TEXT)] * len(words)
        return {
            "tokens": np.asarray([0] * count + words, np.int32),
            "token_type": np.asarray(kinds, np.int32),
            "observation_position": np.where(place <= limit, place, 0).astype(np.int32),
            "positions": np.arange(length, dtype=np.int32),
            "segment_ids": np.ones(length, np.int32),
            "patches": patches,
            "patch_slot": np.arange(count, dtype=np.int32),
            "patch_interval": images.patch_intervals(*image.shape[:2]),
        }
