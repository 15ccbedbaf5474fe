"""Continuous values: mu-law companding and 1024 uniform bins (Gato, section 2.1 and appendix B).

A quantizer is a sorted table of float32 bin edges, so encoding is a search in that table. Logarithms are taken once, in
float64, while the table is built: NumPy and TensorFlow then only compare numbers and cannot disagree by a rounding.
"""

import dataclasses
import enum

import numpy as np
from jaxtyping import Float32, Int, Int32

from data_pipelines.vocabulary import BINS

MU = 100.0
M = 256.0

SMALLEST_NORMAL = np.finfo(np.float32).tiny
"""Smaller magnitudes count as zero, as tf.data flushes them to zero inside its threads."""


class Companding(enum.Enum):
    """Which observation values are mu-law companded: all (appendix B) or those outside [-1, 1] (section 2.1)."""

    ALWAYS = "always"
    OUT_OF_RANGE = "out_of_range"


@dataclasses.dataclass(frozen=True, eq=False)
class Quantizer:
    """1024 bins of the real line.

    Args:
      edges: lower edge of bins 1 .. 1023, ascending. Bin 0 reaches down to -inf and bin 1023 up to inf.
      centres: value of each bin when decoded.
      inner: quantizer used for values in [-1, 1] instead of this one, if any.
    """

    edges: Float32[np.ndarray, "bins-1"]
    centres: Float32[np.ndarray, "bins"]
    inner: "Quantizer | None" = None

    def encode(self, values: Float32[np.ndarray, "..."]) -> Int32[np.ndarray, "..."]:
        """Bin of each value, in [0, 1024). NaN falls into the last bin."""
        values = np.asarray(values, np.float32)
        values = np.where(np.abs(values) < SMALLEST_NORMAL, np.float32(0), values)
        bins = np.searchsorted(self.edges, values, side="right").astype(np.int32)
        if self.inner is not None:
            bins = np.where(np.abs(values) <= 1, self.inner.encode(values), bins)
        return bins

    def decode(self, bins: Int[np.ndarray, "..."]) -> Float32[np.ndarray, "..."]:
        """Centre of each bin. Values outside [0, 1024) are clipped."""
        return self.centres[np.clip(bins, 0, BINS - 1)]


def mu_law(values: Float32[np.ndarray, "..."]) -> np.ndarray:
    """sign(x) ln(mu |x| + 1) / ln(mu M + 1) in float64: [-256, 256] to [-1, 1]."""
    values = np.asarray(values, np.float64)
    return np.sign(values) * np.log1p(MU * np.abs(values)) / np.log1p(MU * M)


def inverse_mu_law(values: Float32[np.ndarray, "..."]) -> np.ndarray:
    """The values whose `mu_law` is given: [-1, 1] to [-256, 256], in float64."""
    values = np.asarray(values, np.float64)
    return np.sign(values) * np.expm1(np.abs(values) * np.log1p(MU * M)) / MU


def uniform(low: float = -1.0, high: float = 1.0) -> Quantizer:
    """Equal bins over [low, high]; values outside are clamped. Actions use this, never companded."""
    if not low < high:
        raise ValueError(f"a continuous range needs low < high, found [{low}, {high}]")
    halves = low + (high - low) * np.arange(1, 2 * BINS, dtype=np.float64) / (2 * BINS)
    return Quantizer(_round_up(halves[1::2]), halves[::2].astype(np.float32))


def companded(companding: Companding = Companding.ALWAYS) -> Quantizer:
    """Equal bins of the companded value over [-1, 1]; values beyond +-256 are clamped."""
    halves = inverse_mu_law(-1 + np.arange(1, 2 * BINS, dtype=np.float64) / BINS)
    inner = uniform() if companding is Companding.OUT_OF_RANGE else None
    return Quantizer(_round_up(halves[1::2]), halves[::2].astype(np.float32), inner)


def _round_up(edges: np.ndarray) -> np.ndarray:
    """The smallest float32 that is not below each edge, so that comparing with it equals comparing with the edge."""
    rounded = edges.astype(np.float32)
    return np.where(rounded < edges, np.nextafter(rounded, np.float32(np.inf)), rounded).astype(np.float32)
