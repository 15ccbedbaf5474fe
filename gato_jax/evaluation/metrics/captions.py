"""CIDEr and BLEU of captions, without Java.

The usual scripts cut captions into words with Stanford's PTBTokenizer. Here words are runs of letters and digits with
inner apostrophes, in lower case; punctuation is left out, as those scripts do too. Where a caption holds hyphens or
abbreviations the two differ, so figures agree with published ones only to about a point.
"""

import collections
import math
import re
from collections.abc import Sequence

import numpy as np

LONGEST = 4
"""n-grams of one to four words."""
SIGMA = 6.0
"""Of CIDEr-D's penalty for other lengths (Vedantam et al. 2015)."""
TOKENISER = "lower-case runs of letters and digits with inner apostrophes"

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")

Counts = collections.Counter


def words(text: str) -> list[str]:
    """What is counted of a text."""
    return _WORD.findall(text.lower())


def bleu(said: Sequence[str], references: Sequence[Sequence[str]], longest: int = LONGEST) -> float:
    """BLEU over all captions together, from 0 to 100 (Papineni et al. 2002), without smoothing.

    Args:
      said: one caption a picture.
      references: of each picture, one or more.

    Raises:
      ValueError: not as many, or a picture without references.
    """
    _check(said, references)
    matched, counted = np.zeros(longest), np.zeros(longest)
    said_length = reference_length = 0
    for one, others in zip(said, references, strict=True):
        candidate, rest = words(one), [words(other) for other in others]
        said_length += len(candidate)
        reference_length += min((abs(len(other) - len(candidate)), len(other)) for other in rest)[1]
        for n in range(1, longest + 1):
            counts = _grams(candidate, n)
            most: collections.Counter = collections.Counter()
            for other in rest:
                most |= _grams(other, n)
            matched[n - 1] += sum((counts & most).values())
            counted[n - 1] += sum(counts.values())
    if not matched.all():
        return 0.0
    brevity = min(0.0, 1 - reference_length / said_length)
    return 100 * math.exp(brevity + float(np.log(matched / counted).mean()))


def cider(said: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """CIDEr-D, the form that image captioning reports as CIDEr, times 100: about 100 is as people write.

    How rare an n-gram is, is counted over the pictures given: a single picture has only common ones, and scores 0.

    Raises:
      ValueError: not as many, or a picture without references.
    """
    _check(said, references)
    cut = [[words(other) for other in others] for others in references]
    seen: collections.Counter = collections.Counter()
    for others in cut:
        seen.update({gram for other in others for gram in _all_grams(other)})
    scores = [
        np.mean([_similarity(words(one), other, seen, len(references)) for other in others])
        for one, others in zip(said, cut, strict=True)
    ]
    return 1000 * float(np.mean(scores))


def _check(said: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    if not said or len(said) != len(references) or not all(references):
        raise ValueError(
            f"expected captions and one or more references of each, found {len(said)} captions and "
            f"{[len(one) for one in references][:10]} references"
        )


def _grams(of: Sequence[str], n: int) -> collections.Counter:
    return collections.Counter(tuple(of[i : i + n]) for i in range(len(of) - n + 1))


def _all_grams(of: Sequence[str]) -> collections.Counter:
    return sum((_grams(of, n) for n in range(1, LONGEST + 1)), collections.Counter())


def _vectors(of: Sequence[str], seen: Counts, pictures: int) -> list[dict[tuple[str, ...], float]]:
    """Weights by how rare they are, of the n-grams of each length."""
    vectors: list[dict[tuple[str, ...], float]] = [{} for _ in range(LONGEST)]
    for gram, count in _all_grams(of).items():
        vectors[len(gram) - 1][gram] = count * (math.log(pictures) - math.log(max(1, seen[gram])))
    return vectors


def _similarity(candidate: Sequence[str], reference: Sequence[str], seen: Counts, pictures: int) -> float:
    """Mean over lengths of the clipped cosine, less where the two captions differ in length."""
    total = 0.0
    pairs = zip(_vectors(candidate, seen, pictures), _vectors(reference, seen, pictures), strict=True)
    for mine, other in pairs:
        norm = math.sqrt(sum(v * v for v in mine.values())) * math.sqrt(sum(v * v for v in other.values()))
        if norm:
            total += sum(min(mine[gram], other[gram]) * other[gram] for gram in mine if gram in other) / norm
    return total / LONGEST * math.exp(-((len(candidate) - len(reference)) ** 2) / (2 * SIGMA**2))
