"""How many tokens a timestep takes, by what they stand for (Gato, section 2.1 and table 1)."""

from data_pipelines.mixtures.table1 import CONTROL
from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.tokenizers.layout import TimestepLayout, TokenConfig


def timestep_counts(layout: TimestepLayout) -> dict[str, int]:
    """Places of one timestep: text (used or not), image, discrete, ..., separator, action; the sum is its length."""
    counts = {kind.value: sum(place.size for place in layout.places if place.item.kind is kind) for kind in Kind}
    return {**counts, "separator": 1, "action": layout.action.size}


def screen_counts(height: int, width: int) -> dict[str, int]:
    """`timestep_counts` of a game that shows one RGB frame and has one button."""
    frame = ItemSpec("frame", Kind.IMAGE, (height, width, 3), "uint8")
    button = ItemSpec("action", Kind.DISCRETE, (), "int32", num_values=18)
    return timestep_counts(TimestepLayout.build(TaskSpec("game.screen", (frame,), button, 1), TokenConfig()))


def paper_tokens_per_episode(row: str) -> float:
    """Tokens over episodes of a row of table 1. Raises `KeyError` for another name."""
    control_row = {entry.name: entry for entry in CONTROL}[row]
    assert control_row.tokens is not None and control_row.episodes is not None  # noqa: PT018  Control rows have both.
    return control_row.tokens / control_row.episodes
