"""The frozen normaliser: which return counts as 0 and which as 100 in each task.

100 is the mean return of all the expert's attempts without action noise, before the filter of recording; 0 is the mean
of the random policy's episodes. `scores.json` is written once beside the data and read from there ever after.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from data_pipelines.atomic_files import write_sorted_json
from data_pipelines.read_json import read_json

SCORES_FILE = "scores.json"

EVALUATION_SEED_BASE = 1_000_000
"""Episodes with seeds below this may be recorded; evaluation uses seeds from here on."""


@dataclasses.dataclass(frozen=True)
class Normaliser:
    """Maps returns of one task to percent of the expert (Gato, section 4.1).

    Args:
      expert: return that counts as 100.
      random: return that counts as 0.
      expert_returns, random_returns: the episodes that the two are means of.
    """

    expert: float
    random: float
    expert_returns: tuple[float, ...] = ()
    random_returns: tuple[float, ...] = ()

    def __post_init__(self):
        if not self.expert > self.random:
            raise ValueError(
                f"scores need an expert better than the random policy, found expert {self.expert} and random "
                f"{self.random}"
            )

    @classmethod
    def from_returns(cls, expert_returns: Sequence[float], random_returns: Sequence[float]) -> "Normaliser":
        """The means of both."""
        if not expert_returns or not random_returns:
            raise ValueError(
                f"scores need returns of both policies, found {len(expert_returns)} of the expert and "
                f"{len(random_returns)} of the random policy"
            )
        return cls(
            float(np.mean(expert_returns)), float(np.mean(random_returns)), tuple(expert_returns), tuple(random_returns)
        )

    def percent(self, returns: Float[np.ndarray, "..."] | Sequence[float] | float) -> Float[np.ndarray, "..."]:
        """100 * (return - random) / (expert - random), neither clipped below nor above."""
        return 100.0 * (np.asarray(returns, np.float64) - self.random) / (self.expert - self.random)


def load_scores(directory: str | Path) -> dict[str, Normaliser]:
    """Normalisers by task name, read from a data directory.

    Raises:
      FileNotFoundError: the directory has no scores.
      ValueError: the file is not what `freeze_scores` writes.
    """
    path = Path(directory) / SCORES_FILE
    if not path.is_file():
        raise FileNotFoundError(f"no {SCORES_FILE} in {directory}: expected a directory written by `gato record`")
    try:
        entries = read_json(path, "what expert and random policy score in each task")
        return {
            name: Normaliser(
                float(entry["expert"]), float(entry["random"]),
                tuple(entry["expert_returns"]), tuple(entry["random_returns"]),
            )
            for name, entry in entries.items()
        }  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is damaged: {type(error).__name__}: {error}") from error


def freeze_scores(directory: str | Path, normalisers: Mapping[str, Normaliser]) -> tuple[str, ...]:
    """Adds the normalisers of tasks that have none yet; an entry that is there stays as it is.

    Returns:
      The names that already had another entry.
    """
    path = Path(directory) / SCORES_FILE
    frozen = load_scores(directory) if path.exists() else {}
    entries = {name: dataclasses.asdict(value) for name, value in {**normalisers, **frozen}.items()}
    write_sorted_json(path, entries)
    return tuple(sorted(name for name in set(normalisers) & set(frozen) if normalisers[name] != frozen[name]))
