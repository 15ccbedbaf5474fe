"""From where the factors of perturbed bodies are drawn."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Factors:
    """A factor is uniform in one of two ranges, which are equally long: the value becomes smaller, or larger.

    Args:
      smaller, larger: (lowest, highest) factor.
    """

    smaller: tuple[float, float]
    larger: tuple[float, float]

    def draw(self, rng: Any) -> float:
        """One factor, from a generator of NumPy."""
        return float(rng.uniform(*(self.smaller if rng.random() < 0.5 else self.larger)))
