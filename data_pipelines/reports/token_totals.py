"""How many tokens the recorded data of a task are, counted on its own pipeline."""

import dataclasses

import tensorflow as tf

from data_pipelines.config import DataConfig
from data_pipelines.seqio_tasks.base import SeededTask
from data_pipelines.seqio_tasks.group_pipelines import Pipelines
from data_pipelines.sequences.windows import PLACES
from data_pipelines.vocabulary import TokenType

SAMPLE = 256
"""Examples that are read of each task."""


@dataclasses.dataclass(frozen=True)
class TokenCount:
    """Tokens of one split of a task, patches included, padding not.

    Args:
      tokens: of all examples.
      examples: episodes, documents or pictures.
      sampled: examples that were read; `tokens` is exact where these are all.
    """

    tokens: float
    examples: int
    sampled: int


def count_tokens(config: DataConfig, *, sample: int = SAMPLE, split: str = "train") -> dict[str, TokenCount]:
    """Counts of every task of the mixture, one pass over at most `sample` examples of each, without prompts.

    Raises what `Pipelines.build` raises.
    """
    pipelines = Pipelines.build(dataclasses.replace(config, cache=""))
    counts = {}
    for group in pipelines.groups.values():
        for task in group.mixture.tasks:
            examples = pipelines.recorded[task.name].examples(split)
            read = min(sample, examples)
            counts[task.name] = TokenCount(_tokens(task, split, read) * examples / max(read, 1), examples, read)
    return dict(sorted(counts.items()))


def _tokens(task: SeededTask, split: str, examples: int) -> int:
    if not examples:
        return 0
    task.source.limit = examples
    try:
        dataset = task.get_dataset(
            split=split, shuffle=False, seed=None, num_epochs=1, trim_output_features=False, try_in_mem_cache=False
        )
        kinds = dataset.map(lambda row: row["places"][:, PLACES.index("token_type")])
        filled = kinds.map(lambda kind: tf.math.count_nonzero(kind != int(TokenType.PADDING)))
        return int(filled.reduce(tf.constant(0, tf.int64), lambda total, count: total + count))
    finally:
        task.source.limit = None
