"""Tokens per timestep of what is here, explained beside the paper's table 1 (docs/tokens.md)."""

import pytest

from data_pipelines.reports.timestep_tokens import paper_tokens_per_episode, screen_counts, timestep_counts
from data_pipelines.suites import catalog
from data_pipelines.tokenizers.layout import TimestepLayout, TokenConfig


def counts_of(name, **options):
    spec = catalog.make(name).spec
    layout = TimestepLayout.build(spec, TokenConfig(**options))
    counts = timestep_counts(layout)
    assert sum(counts.values()) == layout.length
    return counts, spec


def test_dm_control():
    counts, spec = counts_of("dm_control.reacher_easy")
    assert counts == {"text": 0, "image": 0, "discrete": 0, "continuous": 6, "separator": 1, "action": 2}
    assert spec.max_episode_steps == 1000
    # The paper has 57 tokens in a step; the 28 benchmark tasks of dm_control have 27 on average (docs/tokens.md).
    assert paper_tokens_per_episode("DM Control Suite") / 1000 == pytest.approx(57, abs=0.1)


def test_meta_world():
    pytest.importorskip("metaworld")
    counts, _ = counts_of("metaworld.drawer_close")
    assert counts == {"text": 0, "image": 0, "discrete": 0, "continuous": 39, "separator": 1, "action": 4}
    # The paper's 72 per step are 28 more: physics state that the public observation leaves out.
    assert paper_tokens_per_episode("Meta-World") / 500 == pytest.approx(44 + 28, abs=0.5)


def test_baby_ai():
    pytest.importorskip("minigrid")
    counts, _ = counts_of("babyai.go_to_obj")
    assert counts == {"text": 16, "image": 0, "discrete": 1 + 7 * 7 * 3, "continuous": 0, "separator": 1, "action": 1}
    # 147 cells in every step: 4.9k tokens are about 31 steps, or 30 with our fixed places for the mission.
    assert 29 < paper_tokens_per_episode("BabyAI") / sum(counts.values()) < 31
    packed, _ = counts_of("babyai.go_to_obj", pack_discrete=True)
    assert packed["discrete"] == 1 + 7 * 7


@pytest.mark.parametrize(
    ("shape", "patches", "row", "steps"),
    [((64, 64), 16, "Procgen Benchmark", 155), ((80, 64), 20, "ALE Atari", 903), ((84, 84), 36, "ALE Atari", 523)],
)
def test_screens(shape, patches, row, steps):
    """The length of an episode that the paper's tokens would make."""
    counts = screen_counts(*shape)
    assert counts["image"] == patches
    assert sum(counts.values()) == patches + 2
    assert paper_tokens_per_episode(row) / (patches + 2) == pytest.approx(steps, abs=0.6)
