"""When a demonstrator counts, from episodes made by hand, and that everybody who demonstrates can be judged."""

import dataclasses
import json

import pytest

from benchmarks.experts import digest_of, judge_again, score, settings_of
from benchmarks.experts_bars import bar_of
from data_pipelines.reports.measured import EXPERTS, RESULTS
from data_pipelines.suites import catalog
from data_pipelines.suites.base.suite import Source

OPEN_DOOR = catalog.get("babyai.open_door")
REACHER = catalog.get("dm_control.reacher_easy")


def records(who, returns, successes=None, failed=0):
    made = [{"who": who, "seed": seed, "return": value, "seconds": 0.5} for seed, value in enumerate(returns)]
    for record, success in zip(made, successes or []):
        record["success"] = success
    return made + [{"who": who, "seed": 99, "failed": "took more than 2.5 s", "seconds": 2.5}] * failed


RANDOM = records("random", [0.1, 0.0, 0.0, 0.3], [True, False, False, True])


def test_success_as_the_world_says_it():
    enough = score(OPEN_DOOR, records("expert", [0.9, 0.8, 0.9, 0.8, 0.0], [True] * 4 + [False]) + RANDOM, 5)
    assert (enough["counts"], enough["success"], enough["by_success"]) == (True, 0.8, True)
    assert enough["mean"] == pytest.approx(0.68)
    assert enough["random_mean"] == pytest.approx(0.1)
    too_few = score(OPEN_DOOR, records("expert", [0.9, 0.8, 0.9, 0.0, 0.0], [True] * 3 + [False] * 2) + RANDOM, 5)
    assert not too_few["counts"]


def test_an_attempt_that_failed_is_no_success_and_has_the_random_return():
    result = score(OPEN_DOOR, records("expert", [0.9] * 4, [True] * 4, failed=2) + RANDOM, 6)
    assert (result["success"], result["episodes"], result["counts"]) == (4 / 6, 6, False)
    assert result["failed"] == ["took more than 2.5 s"] * 2
    assert result["mean"] == pytest.approx((4 * 0.9 + 2 * 0.1) / 6)
    assert result["seconds_per_episode"] == pytest.approx((4 * 0.5 + 2 * 2.5) / 6, abs=1e-3)


def test_nothing_but_failures_is_no_success():
    result = score(OPEN_DOOR, records("expert", [], failed=3) + RANDOM, 3)
    assert (result["success"], result["by_success"], result["counts"]) == (0.0, True, False)
    with pytest.raises(SystemExit, match="no episode of the random policy"):
        score(OPEN_DOOR, records("expert", [0.9], [True]), 1)


def test_a_return_is_compared_with_the_most_that_can_be_had():
    random = records("random", [50.0, 60.0])
    assert score(REACHER, records("expert", [850.0, 860.0, 840.0]) + random, 3)["counts"]
    below = score(REACHER, records("expert", [785.0, 780.0, 790.0]) + random, 3)
    assert (below["counts"], below["bar"], below["reference"]) == (False, 787.8, 984.8)


def test_fewer_episodes_than_are_asked_for_do_not_count():
    assert not score(REACHER, records("expert", [990.0, 995.0]) + records("random", [50.0]), 20)["counts"]


def test_a_spread_that_reaches_down_to_random_does_not_count():
    wide = score(REACHER, records("expert", [0.0, 2000.0]) + records("random", [100.0]), 2)
    assert wide["mean"] > wide["bar"]
    assert not wide["counts"]


def test_bars_come_from_outside():
    assert bar_of(catalog.get("classic_control.cart_pole"), has_success=False).return_ == 475.0
    assert bar_of(catalog.get("atari.breakout"), has_success=False).return_ == 30.5
    assert bar_of(catalog.get("classic_control.mountain_car"), has_success=True).by_success
    assert bar_of(catalog.get("dm_control_pixels.pendulum_swingup"), has_success=False).return_ == 676.6
    out_of_reach = bar_of(catalog.get("dm_control_random_large.reacher_easy"), has_success=False)
    assert out_of_reach.return_ == pytest.approx(0.75 * 787.84, abs=0.1)
    assert out_of_reach.source.startswith("75% of the published return")
    assert bar_of(catalog.get("dm_control.fish_upright"), has_success=False).return_ == 800.0
    assert bar_of(catalog.get("classic_control.pendulum"), has_success=False).return_ == -189.9
    unknown = bar_of(catalog.get("dm_control_manipulation.reach_site_features"), has_success=False)
    assert (unknown.return_, unknown.by_success) == (None, False)


def test_no_regulator_gets_more_than_the_bound_of_its_start():
    pytest.importorskip("dm_control")
    from benchmarks.experts_reachable import reachable

    stored = json.loads((RESULTS / EXPERTS / "dm_control.lqr_lqr_2_1.json").read_text())
    first = reachable("dm_control.lqr_lqr_2_1", stored["settings"]["first_seed"])
    assert stored["returns"]["expert"][0] < first < 1000.0
    assert first == pytest.approx(868.5, abs=0.1)
    assert stored["bar"] < stored["mean"]


def test_a_wrist_that_bends_too_little_reaches_no_target_near_the_shoulder():
    """Episodes that the planner lost, and only those: scores were made without this knowledge."""
    pytest.importorskip("dm_control")
    from benchmarks.experts_reachable import can_touch

    name = "dm_control_random_large.reacher_easy"
    returns = json.loads((RESULTS / EXPERTS / f"{name}.json").read_text())["returns"]["expert"]
    for episode in (4, 5, 6, 7):
        assert can_touch(name, 1_000_000 + episode) == (returns[episode] > 0)
    assert {returns[episode] > 0 for episode in (4, 5)} == {True, False}


def test_it_is_known_of_each_expert_what_it_looks_at():
    worlds = [task for task in catalog.catalog().values() if task.source is Source.ENVIRONMENT]
    assert {(task.demonstrated, bool(task.reads)) for task in worlds} == {(True, True), (False, False)}


def test_equal_settings_and_versions_are_measured_once():
    settings = settings_of(OPEN_DOOR, 20)
    known = digest_of(settings, {"minigrid": "3.2.0"})
    assert digest_of(dict(reversed(settings.items())), {"minigrid": "3.2.0"}) == known
    assert digest_of(settings, {"minigrid": "3.3.0"}) != known
    slower = settings_of(dataclasses.replace(OPEN_DOOR, time_limit=9.0), 20)
    assert digest_of(slower, {"minigrid": "3.2.0"}) != known


def test_scores_are_judged_again_when_a_bar_changes(tmp_path, capsys):
    file = tmp_path / "dm_control.reacher_easy.json"
    result = score(REACHER, records("expert", [850.0, 860.0, 840.0]) + records("random", [50.0, 60.0]), 3)
    old = result | {"settings": {"episodes": 3}, "bar": 900.0, "source": "another", "counts": False}
    file.write_text(json.dumps(old))
    judge_again(tmp_path)
    assert json.loads(file.read_text()) == json.loads(json.dumps(result | {"settings": {"episodes": 3}}))
    assert "dm_control.reacher_easy: counts: True, False before" in capsys.readouterr().err
    before = file.stat().st_mtime_ns
    judge_again(tmp_path)
    assert file.stat().st_mtime_ns == before


def test_every_committed_score_was_made_with_the_settings_of_its_task():
    """Whoever changes how a demonstrator works sees here which scores are no longer its own."""
    stale = []
    for path in sorted((RESULTS / EXPERTS).glob("*.json")):
        score = json.loads(path.read_text())
        assert score["digest"] == digest_of(score["settings"], score["versions"]), path.name
        if (
            json.loads(json.dumps(settings_of(catalog.get(score["task"]), score["settings"]["episodes"])))
            != score["settings"]
        ):
            stale.append(score["task"])
    assert not stale, f"measure again: python -m benchmarks.experts {' '.join(stale)}"
