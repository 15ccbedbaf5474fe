"""How full the rows are."""

import dataclasses

import numpy as np
import pytest

from data_pipelines.reports.utilisation import utilisation
from data_pipelines.schema import RowGroup
from data_pipelines.stream.stream import Stream
from data_pipelines.vocabulary import TokenType


def measure(config, steps=4):
    stream = Stream(config)
    try:
        return utilisation(config, stream.pipelines.recorded, [next(stream) for _ in range(steps)])
    finally:
        stream.close()


def lengthened(config, length):
    """Rows of one segment of the paper's length."""
    groups = {
        name: RowGroup(group.tasks, windows=1, window_length=length) for name, group in config.mixture.groups.items()
    }
    return dataclasses.replace(config, mixture=dataclasses.replace(config.mixture, groups=groups))


@pytest.mark.parametrize("prompt_share", [0.0, 0.25])
def test_packed_windows_reach_their_bound(data_config, prompt_share):
    """Windows of 1,024 places, far longer than BabyAI's episodes, of which many share one."""
    config = lengthened(data_config(groups=("babyai", "metaworld", "text"), prompt_share=prompt_share), 1024)
    by_task = measure(config)
    assert sorted(by_task) == sorted(config.mixture.task_names)
    for task, value in by_task.items():
        # A window now and then is shorter; a prompt from an episode of a few timesteps is too, and BabyAI has such.
        assert value.of_bound > (0.93 if prompt_share else 0.98), task
        assert value.bound > 0.9


def test_without_packing_short_episodes_leave_most_of_a_window_empty(data_config):
    config = lengthened(data_config(groups=("babyai",), pack=False), 1024)
    assert all(value.of_bound < 0.8 for value in measure(config).values())


def test_share_counts_up_to_the_last_used_place(data_config):
    config = data_config(groups=("metaworld",))
    group = config.mixture.groups["metaworld"]
    rows = group.zeros(2)
    rows["token_type"][0, [0, 44]] = int(TokenType.TEXT)
    rows["token_type"][1, [89, 90]] = int(TokenType.TEXT)
    stream = Stream(config)
    stream.close()
    used = utilisation(config, stream.pipelines.recorded, [{"metaworld": rows}])["metaworld.drawer_close"]
    assert used.share == pytest.approx(np.mean([45 / 90, 0, 90 / 90, 1 / 90]))
    assert used.segments == 4
    assert used.bound == pytest.approx(88 / 90)
