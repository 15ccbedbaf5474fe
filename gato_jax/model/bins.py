"""Bins of continuous values that know their neighbours: smooth features of a bin's number, added to its embedding.

The paper gives each of the 1,024 bins a vector of its own, and nothing says that bin 511 is nearly bin 512: a network
learns a function of six binned numbers from every combination of bins by itself. With features, the vector of a bin is

    table[bin] + features(bin) @ weights

where `features` are a line and waves of many lengths, fixed, and `weights` are learnt by all bins together. The sum is
a table again: whoever reads trained weights gets that, and the paper's network.
"""

import functools

import numpy as np
from jaxtyping import Float32

from data_pipelines.vocabulary import BINS

SHORTEST = 2.0**6
"""The shortest wave goes through so many half periods over half of the range."""


def feature_count(waves: int) -> int:
    """Features of a bin: one, its place in the range, and a sine and a cosine of each wave."""
    return 2 + 2 * waves


@functools.lru_cache(maxsize=4)
def bin_features(waves: int) -> Float32[np.ndarray, "bins features"]:
    """Features of every bin, within [-1/2, 1/2]; the lengths of the waves grow by equal factors."""
    place = (np.arange(BINS) + 0.5) / (BINS / 2) - 1
    angles = place[:, None] * (0.5 * np.pi * np.geomspace(1.0, SHORTEST, waves))
    columns = [np.ones((BINS, 1)), place[:, None], np.sin(angles), np.cos(angles)]
    return (0.5 * np.concatenate(columns, axis=1)).astype(np.float32)


def folded(
    table: Float32[np.ndarray, "ids width"], weights: Float32[np.ndarray, "features width"], *, start: int
) -> Float32[np.ndarray, "ids width"]:
    """The table that has in it what the features add to the bins, whose first id is `start`."""
    whole = np.array(table, np.float32)
    whole[start : start + BINS] += bin_features((len(weights) - 2) // 2) @ np.asarray(weights, np.float32)
    return whole
