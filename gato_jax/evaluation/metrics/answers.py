"""Accuracy of answers: that of VQA (Antol et al. 2015), and bits per byte of text."""

import math
import re
from collections.abc import Sequence

import numpy as np

PEOPLE = 3
"""An answer is fully right when as many people gave it."""

_NUMBERS = {
    word: str(digit)
    for digit, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    )
} | {"none": "0"}  # fmt: skip
_ARTICLES = {"a", "an", "the"}


def normalised(answer: str) -> str:
    """An answer as it is compared: lower case, without punctuation and articles, numbers up to ten as digits.

    The official script puts lost apostrophes back ("dont" becomes "don't"); here they are left out on both sides.
    """
    text = re.sub("['\u2019]", "", answer.lower())
    text = re.sub(r"(?<=\d)[,.](?=\d)", "", text)  # 1,000
    kept = (word for word in re.sub(r"[^\w\s]", " ", text).split() if word not in _ARTICLES)
    return " ".join(_NUMBERS.get(word, word) for word in kept)


def vqa_accuracy(said: str, answers: Sequence[str]) -> float:
    """How right an answer is, from 0 to 1.

    As in the official evaluation, people are left out one by one, and the answer is right to the degree that three of
    the others gave it. Of fewer answers all others have to agree; with a single one it is right or wrong.

    Raises:
      ValueError: nobody answered.
    """
    if not answers:
        raise ValueError("expected answers of people, found none")
    own = normalised(said)
    same = np.asarray([normalised(answer) == own for answer in answers])
    if len(same) == 1:
        return float(same[0])
    others = same.sum() - same
    return float(np.minimum(1.0, others / min(PEOPLE, len(same) - 1)).mean())


def bits_per_byte(nats: float, text_bytes: int) -> float:
    """Bits that a byte of text costs, which does not depend on how text is cut into tokens.

    Args:
      nats: negative log-likelihood of all tokens together.
      text_bytes: bytes of UTF-8 that these tokens stand for.
    """
    return nats / math.log(2) / text_bytes
