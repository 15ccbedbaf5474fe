"""Values over the steps of an episode, as short text that the page's script unpacks."""

import base64
from typing import Any

import numpy as np
from jaxtyping import Float64

NONE = 65535
"""Stands for "has no value", such as the action of the last step."""

_STEPS = NONE - 1
_FINE = 5
"""Digits of the ends of a range."""


def pack(values: Float64[np.ndarray, "points values"]) -> dict[str, Any]:
    """16 bits a value, each between the lowest and the highest of its own row; NaN and infinity have no value.

    Returns:
      {"lo", "hi": [values], "data": base64 of little-endian uint16 [values, points]}; a value is lo + code / 65534 *
      (hi - lo).
    """
    finite = np.isfinite(values)
    low = np.min(values, axis=0, initial=np.inf, where=finite)
    high = np.max(values, axis=0, initial=-np.inf, where=finite)
    low, high = np.where(np.isfinite(low), low, 0.0), np.where(np.isfinite(high), high, 0.0)
    low, high = _rounded(low, np.floor), _rounded(high, np.ceil)
    span = np.where(high > low, high - low, 1.0)
    codes = np.rint((np.where(finite, values, 0.0) - low) / span * _STEPS).clip(0, _STEPS)
    packed = np.where(finite, codes, NONE).astype("<u2").T
    return {
        "lo": low.tolist(),
        "hi": high.tolist(),
        "data": base64.b64encode(np.ascontiguousarray(packed).tobytes()).decode(),
    }


def _rounded(values: np.ndarray, to: Any) -> np.ndarray:
    """Few digits, and never inside the range."""
    size = np.floor(np.log10(np.maximum(np.abs(values), 1e-12)))
    unit = 10.0 ** (size - _FINE)
    return np.where(values == 0, 0.0, np.array([float(f"{v:.{_FINE + 1}g}") for v in to(values / unit) * unit]))


def points(steps: int, most: int) -> tuple[np.ndarray, int]:
    """(step of each point, steps from one to the next): at most `most` points over steps 0 to `steps`, evenly."""
    every = max(1, -(-(steps + 1) // max(2, most)))
    return np.arange(0, steps + 1, every), every


def largest(values: Float64[np.ndarray, " steps"], every: int) -> Float64[np.ndarray, " points"]:
    """Of each run of `every` values the one furthest from zero: a rare reward stays to be seen."""
    count = -(-len(values) // every)
    padded = np.zeros(count * every)
    padded[: len(values)] = values
    runs = padded.reshape(count, every)
    return runs[np.arange(count), np.abs(runs).argmax(axis=1)]
