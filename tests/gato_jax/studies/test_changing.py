"""Points whose shares change inside a run, and what a run has really seen."""

import dataclasses

import numpy as np
import pytest

from data_pipelines.config_json import decode, encode
from data_pipelines.mixtures.config import Phase
from gato_jax.config import ControllerName, MixtureControllerConfig
from gato_jax.studies import designs, sweep
from gato_jax.studies.designs import Point, Stage
from gato_jax.studies.laws import analysis
from gato_jax.studies.study import Run
from gato_jax.studies.workers import worker
from gato_jax.studies.workers.realised import check_rows, planned_rows, realised
from gato_jax.training.mixture_control.controller import weights_in_force

FIRST, LAST = {"one": 0.6, "two": 0.2, "three": 0.2}, {"one": 0.1, "two": 0.1, "three": 0.8}


@pytest.fixture
def changing(study):
    """Eight steps in segments of two; a staged, an annealed and a controlled mixture beside the design."""
    train = dataclasses.replace(study.base.train, steps=8, checkpoint_every=8)
    stream = dataclasses.replace(study.base.data.stream, reseed_every=2)
    data = dataclasses.replace(study.base.data, stream=stream)
    references = (
        Point("staged", FIRST, (Stage(0.7, LAST),)),
        designs.annealed("annealed", FIRST, LAST, stages=4),
        Point("bandit", FIRST, policy=MixtureControllerConfig(ControllerName.BANDIT)),
    )
    base = dataclasses.replace(study.base, train=train, data=data)
    return dataclasses.replace(study, base=base, references=references, reference_seeds=(0,), design=study.design[:1])


def test_points_become_schedules(changing):
    staged, annealed, bandit, fixed = changing.runs()
    phases = changing.experiment(staged).data.mixture.schedule
    assert [phase.step for phase in phases] == [6]  # 0.7 of eight steps, at the nearest segment
    assert phases[0].weights == {"a.one": 0.1, "a.two": 0.1, "v.three": 0.8}
    assert staged.shares["one"] == pytest.approx(0.7 * 0.6 + 0.3 * 0.1)
    mixture = changing.experiment(annealed).data.mixture
    assert [phase.step for phase in mixture.schedule] == [2, 4, 6]
    levels = [mixture.weights["a.one"], *(phase.weights["a.one"] for phase in mixture.schedule)]
    np.testing.assert_allclose(levels, np.linspace(0.6, 0.1, 4))
    assert changing.experiment(bandit).train.mixture_controller.name is ControllerName.BANDIT
    assert not changing.experiment(fixed).data.mixture.schedule
    for run in (staged, annealed, bandit, fixed):
        assert decode(Run, encode(run)) == run
    old = {"name": "x.s0", "role": "fit", "point": "x", "shares": FIRST, "seed": 0}  # a plan of before
    assert decode(Run, old).schedule == ()


def test_what_is_refused(changing):
    moving = Point("moving", FIRST, (Stage(0.5, LAST),))
    with pytest.raises(ValueError, match=r"laws are of shares that stay; make \['moving'\] references"):
        dataclasses.replace(changing, held_out=(moving,))
    with pytest.raises(ValueError, match=r"stages must rise inside \(0, 1\), found \[0\.5, 0\.5\]"):
        Point("x", FIRST, (Stage(0.5, LAST), Stage(0.5, FIRST)))
    with pytest.raises(ValueError, match="a schedule and a mixture controller"):
        Point("x", FIRST, (Stage(0.5, LAST),), MixtureControllerConfig(ControllerName.BANDIT))
    with pytest.raises(ValueError, match=r"stage at 0\.5: expected \['one', 'three', 'two'\], found \['one'\]"):
        Point("x", FIRST, (Stage(0.5, {"one": 1.0}),))
    early = dataclasses.replace(changing, references=(Point("early", FIRST, (Stage(0.05, LAST),)),))
    with pytest.raises(ValueError, match=r"'early\.s0': a stage at 0\.05 of 8 steps needs segments that are shorter"):
        early.experiment(early.runs()[0])


def test_they_train_and_laws_leave_them_out(changing, plan, tiny, tmp_path):
    plan(changing, tmp_path)
    assert worker.work(tmp_path, open_stream=tiny.SyntheticStream)
    assert not sweep.status(tmp_path).failed
    staged, annealed, bandit, fixed = sweep.results(tmp_path)
    assert [run["role"] for run in (staged, annealed, bandit, fixed)] == ["reference"] * 3 + ["fit"]
    for run in (staged, annealed, bandit, fixed):
        assert sum(run["realised_shares"].values()) == pytest.approx(1)
        rows = run["rows"]
        assert sum(task["rows"] for task in rows.values()) == 8 * 16
        # The synthetic rows are full, and have two windows of eight or one of twelve places.
        assert all(task["tokens"] == task["rows"] * (12 if name == "v.three" else 16) for name, task in rows.items())
        assert rows["v.three"]["loss_tokens"] == 5 * rows["v.three"]["rows"]
        assert sum(task["planned"] for task in rows.values()) == pytest.approx(1)
        assert rows["v.three"]["passes"] is None  # there is no data to pass over
    with pytest.raises(ValueError, match=r"a fit needs at least .* found 1"):
        analysis.fit(tmp_path)


def test_the_plan_of_changing_weights(tiny):
    data = tiny.tiny_experiment(reseed_every=2).data
    phases = (Phase(2, {"a.one": 3, "a.two": 1, "v.three": 4}),)
    data = dataclasses.replace(data, mixture=dataclasses.replace(data.mixture, schedule=phases))
    # Eight rows a step for each group; a.one has a half of its group's for two steps, then three quarters for six.
    assert planned_rows(data, weights_in_force(data), 8) == {"a.one": 8 + 36, "a.two": 8 + 12, "v.three": 64}
    said = [{"step": 3, "policy_weights": {"a.one": 0.1, "a.two": 0.4, "v.three": 0.5}, "policy_weights_from": 6}]
    changed = planned_rows(data, weights_in_force(data, said), 8)
    assert changed == pytest.approx({"a.one": 8 + 24 + 3.2, "a.two": 8 + 8 + 12.8, "v.three": 64})
    # What never came into force is no part of the plan.
    late = [{**said[0], "policy_weights_from": 8}]
    assert planned_rows(data, weights_in_force(data, late), 8) == planned_rows(data, weights_in_force(data), 8)
    rows = {"a.one": 44, "a.two": 20, "v.three": 64}
    good = check_rows(rows, data, weights=weights_in_force(data), steps=8)
    assert good["a.one"]["planned"] == 44 / 128
    assert all(task["within"] for task in good.values())
    wrong = check_rows({"a.one": 20, "a.two": 44, "v.three": 64}, data, weights=weights_in_force(data), steps=8)
    assert not wrong["a.one"]["within"]
    summary = {"task_rows": rows, "task_tokens": {"a.one": 704, "a.two": 320, "v.three": 768}, "step": 8}
    by_task = realised(summary, data, data_tokens={"a.one": 352.0, "a.two": 0.0})
    assert (by_task["a.one"]["passes"], by_task["a.two"]["passes"], by_task["v.three"]["passes"]) == (2.0, None, None)
    assert by_task["a.one"]["loss_tokens"] is None


def test_shares_that_stay_are_the_means_to_the_last_bit():
    """A sweep directory compares them with those that it holds."""
    for point in designs.sobol(("one", "two", "three"), 16, seed=0, least=0.04):
        assert point.mean == point.shares
