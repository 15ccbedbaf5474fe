"""Settings of a task: bars that a filter raises, attempts for them, numbers of episodes, and who acts."""

import pytest

from data_pipelines.recording.config import Policy, RecordingConfig
from data_pipelines.suites import catalog, costs
from data_pipelines.suites.costs import Cost

REACHER = catalog.get("dm_control.reacher_easy")


@pytest.fixture
def reacher_costs(monkeypatch):
    def set_returns(*returns):
        made = {REACHER.name: Cost(returns=returns, random_mean=100.0)}
        monkeypatch.setattr(costs, "costs", lambda: made)

    return set_returns


def test_a_filter_raises_a_bar_and_the_attempts_for_it(reacher_costs):
    own = RecordingConfig(episodes=4).task_settings(REACHER)
    reacher_costs(1000.0, 1000.0, 1000.0, 800.0)
    raised = RecordingConfig(episodes=4, filter=0.9).task_settings(REACHER)
    assert raised["bar"] == 865.0  # 100 + 0.9 * (950 - 100)
    assert (own["attempts_per_episode"], raised["attempts_per_episode"]) == (3, 4)
    assert {key for key in own if own[key] != raised[key]} == {"bar", "attempts_per_episode"}
    reacher_costs(110.0, 120.0)
    assert RecordingConfig(episodes=4, filter=0.9).task_settings(REACHER)["bar"] == REACHER.bar, "never lowered"


def test_goals_and_what_was_not_measured_keep_their_own_bar(monkeypatch):
    monkeypatch.setattr(costs, "costs", lambda: {"babyai.go_to": Cost(attempt=1.0)})
    for name in ("babyai.go_to", "metaworld.reach"):
        assert RecordingConfig(filter=0.8).task_settings(catalog.get(name))["bar"] == catalog.get(name).bar


def test_numbers_of_single_tasks_and_a_share_of_all():
    config = RecordingConfig(episodes=10, counts={REACHER.name: 30}, share=0.5)
    assert config.task_settings(REACHER)["episodes"] == 15
    assert config.task_settings(catalog.get("babyai.go_to"))["episodes"] == 5
    own = RecordingConfig(share=0.001).task_settings(catalog.get("dm_control.pendulum_swingup"))
    assert (own["episodes"], own["starts"]["episodes"]) == (1, 1)
    with pytest.raises(ValueError, match=r"recording\.counts\['a\.b'\] must be positive, found 0"):
        RecordingConfig(counts={"a.b": 0})


def test_who_acts():
    plain = RecordingConfig().task_settings(REACHER)
    assert "policy" not in plain, "what was recorded before there was a choice is reused"
    mixed = RecordingConfig(policy=Policy.MIXED).task_settings(REACHER)
    assert (mixed["policy"], mixed["bar"], mixed["starts"]) == ("mixed", None, None)
    assert mixed["noise"] == {"low": 0.0, "high": 1.0, "share": 0.75, "swap": True}
    alone = RecordingConfig(policy=Policy.RANDOM).task_settings(REACHER)
    assert (alone["policy"], alone["noise"], alone["random_episodes"]) == ("random", None, 0)
