"""The measured costs that come with the package."""

from data_pipelines.suites import catalog
from data_pipelines.suites.base.suite import Source
from data_pipelines.suites.costs import Cost, _of_its_suite, cost_of, costs


def test_every_cost_is_of_a_task_and_makes_sense():
    assert costs().keys() <= catalog.catalog().keys()
    for name, cost in costs().items():
        task = catalog.get(name)
        assert 0 < cost.kept <= 1, name
        assert cost.attempt > 0 or task.source is not Source.ENVIRONMENT, name
        assert cost.counts <= task.demonstrated, name
    assert cost_of("no.such") is None


def test_what_was_not_recorded_is_reckoned_as_its_suites_median():
    recorded = {"a.x": {"bytes": 10.0, "random": 2.0}, "a.y": {"bytes": 30.0}, "b.z": {"bytes": 99.0}}
    guess = _of_its_suite("a.new", recorded)
    assert guess == {"bytes": 20.0, "random": 1.0, "writing": 0.0, "opening": 0.0, "steps": 0.0}
    assert _of_its_suite("c.new", recorded) == {}


def test_bars_by_share_are_for_returns():
    assert costs()["babyai.go_to"].bar(0.8) is None, "the world says when its goal is reached"
    assert 10 < costs()["atari.breakout"].bar(0.8) < 62


def test_a_bar_by_share():
    cost = Cost(returns=(10.0, 20.0, 30.0), random_mean=-20.0)
    assert cost.bar(0.8) == 12.0
    assert (cost.reached(12.0), cost.reached(10.0), cost.reached(None), cost.reached(99.0)) == (2 / 3, 1.0, 1.0, 0.05)
    assert Cost().bar(0.8) is None
    assert Cost(attempt=3.0, kept=0.5).seconds == 6.0
