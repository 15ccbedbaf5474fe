"""Designs, claims, sweeps over tiny runs, laws."""

import dataclasses
import json
import multiprocessing
import subprocess
import sys
import time

import numpy as np
import pytest

from data_pipelines import named_mixtures
from gato_jax.studies import analysis, designs, laws, sweep, worker
from gato_jax.studies.claims import Claims
from gato_jax.studies.realised import check_rows

DOMAINS = ("one", "two", "three")


@pytest.mark.parametrize(
    "make",
    [
        lambda: designs.dirichlet(DOMAINS, 20, seed=3, least=0.05),
        lambda: designs.sobol(DOMAINS, 20, seed=3, least=0.05),
        lambda: designs.grid(DOMAINS, 6),
        lambda: designs.one_at_a_time(designs.uniform(DOMAINS), [0.5, 2]),
        lambda: designs.leave_one_out(designs.uniform(DOMAINS)),
        lambda: designs.temperature_ladder({"one": 1, "two": 10, "three": 100}, [1, 2, 1e9]),
    ],
)
def test_designs_lie_on_the_simplex_and_come_again(make):
    points = make()
    assert points == make()
    assert len({point.name for point in points}) == len(points) >= 3
    for point in points:
        assert set(point.shares) == set(DOMAINS)
        assert abs(sum(point.shares.values()) - 1) < 1e-9
        assert min(point.shares.values()) > 0


def test_the_grid_is_whole_and_least_holds():
    assert len(designs.grid(DOMAINS, 6)) == 10
    assert min(min(point.shares.values()) for point in designs.sobol(DOMAINS, 50, least=0.05)) >= 0.05 - 1e-9


def take_once(directory, start, taken):
    start.wait()
    claim = Claims(directory).take("run", lost=lambda: None)
    taken.put(claim is not None)
    time.sleep(1.0 if claim else 0)


def test_one_of_many_takes_a_run(tmp_path):
    context = multiprocessing.get_context("fork")
    start, taken = context.Event(), context.Queue()
    processes = [context.Process(target=take_once, args=(tmp_path, start, taken)) for _ in range(6)]
    for process in processes:
        process.start()
    start.set()
    assert sorted(taken.get(timeout=60) for _ in processes) == [False] * 5 + [True]
    for process in processes:
        process.join()
    # The owner has ended without releasing: the run is free at once on this machine.
    claim = Claims(tmp_path).take("run", lost=lambda: None)
    assert claim is not None
    assert claim.path.name == "run.2"
    claim.release()


def test_a_slow_owner_learns_that_it_lost(tmp_path):
    lost = []
    claims = Claims(tmp_path, stale_seconds=0.5)
    claim = claims.take("run", lost=lambda: lost.append(True))
    assert claims.take("run", lost=lambda: None) is None
    (tmp_path / "run.2").write_text(claim.path.read_text())
    for _ in range(100):
        if lost:
            break
        time.sleep(0.1)
    assert lost == [True]


def test_an_error_is_kept_and_a_result_is_not_made_twice(study, plan, tiny, tmp_path):
    runs = plan(study, tmp_path)
    (tmp_path / "runs" / runs[0].name / "experiment.json").write_text("{}")
    opened = []

    def open_stream(experiment, host, hosts):
        opened.append(experiment.name)
        return tiny.SyntheticStream(experiment, host, hosts)

    assert worker.work(tmp_path, open_stream=open_stream)
    assert worker.work(tmp_path, open_stream=open_stream)
    found = sweep.status(tmp_path)
    assert found.done == tuple(run.name for run in runs[1:])
    assert "missing key" in found.failed[runs[0].name]
    assert len(opened) == 2
    assert all(run["domain_losses"].keys() == set(DOMAINS) for run in sweep.results(tmp_path))
    other = dataclasses.replace(study, design=designs.dirichlet(DOMAINS, 3))
    with pytest.raises(ValueError, match="holds another study"):
        sweep.write_plan(other, tmp_path)


def test_rows_are_tested_exactly(tiny):
    data = tiny.tiny_experiment().data
    good = check_rows({"a.one": 260, "a.two": 252, "v.three": 512}, data)
    assert all(task["within"] for task in good.values())
    assert not check_rows({"a.one": 400, "a.two": 112, "v.three": 512}, data)["a.one"]["within"]


def written(tmp_path, losses, points, held):
    plan = {"study": "made", "domains": {name: [f"{name}.task"] for name in DOMAINS}, "runs": []}
    for role, some in (("fit", points), ("held_out", held)):
        for point in some:
            run = {"name": point.name, "role": role, "point": point.name, "shares": dict(point.shares), "seed": 0}
            plan["runs"].append(run)
            result = {**run, "domain_losses": losses(point), "seconds": 1.0}
            directory = tmp_path / "runs" / point.name
            directory.mkdir(parents=True)
            (directory / "result.json").write_text(json.dumps(result))
    (tmp_path / "plan.json").write_text(json.dumps(plan))


TRUE = {"one": (1.0, [-3, 0.5, 0.2]), "two": (0.5, [0.1, -4, 0.3]), "three": (2.0, [0.4, 0.1, -2])}


def test_a_known_law_is_found_again(tmp_path):
    generator = np.random.default_rng(0)

    def losses(point):
        row = np.asarray([point.shares[name] for name in DOMAINS])
        exact = {name: floor + np.exp(row @ t) for name, (floor, t) in TRUE.items()}
        return {name: float(value * (1 + 0.002 * generator.standard_normal())) for name, value in exact.items()}

    points, held = designs.sobol(DOMAINS, 32, least=0.03), designs.dirichlet(DOMAINS, 8, seed=9, least=0.05)
    written(tmp_path, losses, points, held)
    found = analysis.fit(tmp_path)
    assert {of["law"] for of in found["domains"].values()} == {"exponential"}
    assert found["all"]["median"] < 0.005
    assert found["all"]["worst"] < 0.02

    proposal = analysis.propose(tmp_path, found, samples=5)
    grid = np.asarray([[point.shares[name] for name in DOMAINS] for point in designs.grid(DOMAINS, 40)])
    truth = lambda rows: np.mean([floor + np.exp(rows @ np.asarray(t)) for floor, t in TRUE.values()], axis=0)  # noqa: E731
    chosen = np.asarray([[proposal["shares"][name] for name in DOMAINS]])
    assert truth(chosen)[0] <= truth(grid).min() * 1.01
    assert proposal["gain_low"] <= proposal["gain"] + 1e-2
    weights = named_mixtures.load(proposal["file"]).weights
    assert weights.keys() == {"one.task", "two.task", "three.task"}
    with pytest.raises(ValueError, match="expected mean, worst or some of"):
        analysis.propose(tmp_path, found, target="four")


@pytest.mark.parametrize("law", [laws.Law.GAUSSIAN_PROCESS, laws.Law.BOOSTED_TREES])
def test_regressors_beat_the_mean(law):
    pytest.importorskip("sklearn")
    points = designs.sobol(DOMAINS, 32, least=0.03)
    shares = np.asarray([[point.shares[name] for name in DOMAINS] for point in points])
    losses = 1 + np.exp(shares @ np.asarray([-3, 0.5, 0.2]))
    errors = laws.cross_validated(law, shares, losses, folds=4)
    assert np.median(errors) < np.median(laws.cross_validated(laws.Law.MEAN, shares, losses, folds=4)) / 2


def test_the_command_says_what_is_missing(tmp_path):
    command = [sys.executable, "-m", "gato_jax.cli", "sweep", "fit", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "plan.json" in done.stderr
