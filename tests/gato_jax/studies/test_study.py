"""Designs, claims, sweeps over tiny runs."""

import dataclasses
import json
import multiprocessing
import time

import pytest

from gato_jax.studies import designs, sweep
from gato_jax.studies.plan import write_plan
from gato_jax.studies.study import load_study
from gato_jax.studies.workers import worker
from gato_jax.studies.workers.claims import Claims
from gato_jax.studies.workers.realised import check_rows

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
    status = sweep.status(tmp_path)
    assert status.done == tuple(run.name for run in runs[1:])
    assert "missing key" in status.failed[runs[0].name]
    assert len(opened) == 2
    assert all(run["domain_losses"].keys() == set(DOMAINS) for run in sweep.results(tmp_path))
    other = dataclasses.replace(study, design=designs.dirichlet(DOMAINS, 3))
    with pytest.raises(ValueError, match="holds another study"):
        write_plan(other, tmp_path)


def test_runs_that_a_proposal_added_wait_for_the_next_sweep(study, plan, tiny, tmp_path):
    """A worker that goes on while `propose --add` writes must not call them failed."""
    runs = plan(study, tmp_path)
    (tmp_path / "runs" / runs[1].name / "experiment.json").unlink()
    assert worker.work(tmp_path, open_stream=tiny.SyntheticStream)
    status = sweep.status(tmp_path)
    assert (len(status.done), status.failed, status.waiting) == (2, {}, (runs[1].name,))


def test_an_owner_is_waited_for_until_it_is_known_to_live(study, plan, tiny, tmp_path):
    """The claim of another machine that died a moment ago: nobody else would train its run."""
    runs = plan(study, tmp_path)
    claims = Claims(tmp_path / "claims", stale_seconds=2)
    claims.take(runs[0].name, lost=lambda: None).release()
    path = claims.last(runs[0].name)
    path.with_name(path.name + ".released").unlink()
    path.write_text(json.dumps({**json.loads(path.read_text()), "machine": "elsewhere"}))
    assert claims.alive(runs[0].name)
    assert worker.work(tmp_path, open_stream=tiny.SyntheticStream, stale_seconds=2)
    assert len(sweep.status(tmp_path).done) == 3
    assert claims.deaths(runs[0].name) == 1
    assert claims.deaths(runs[1].name) == 0


def test_a_mixture_under_two_names_is_refused(study):
    with pytest.raises(ValueError, match="'sobol0-000' and 'again' are the same mixture"):
        dataclasses.replace(study, held_out=(designs.Point("again", study.design[0].shares),))
    points = designs.one_at_a_time(designs.uniform(DOMAINS), [0.5, 1, 2])
    assert [point.name for point in points][:2] == ["base", "one-x0.5"]
    assert len(points) == 7


def test_a_measure_is_of_the_last_step(tmp_path):
    """Not of an earlier validation."""
    training = {"step": 3, "task_loss": {"a": 3.0}, "task_rows": {"a": 1}}
    lines = [{"step": 2, "validation": {"a": {"loss": 1.0}}}, training, {"step": 4, "validation": {"a": {"loss": 2.0}}}]
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert worker.measure(tmp_path, 4)["a"] == {"loss": 2.0, "measured": "validation"}
    assert worker.measure(tmp_path, 5)["a"] == {"loss": 3.0, "measured": "training, last fifth"}


def test_rows_are_tested_exactly(tiny):
    data = tiny.tiny_experiment().data
    good = check_rows({"a.one": 260, "a.two": 252, "v.three": 512}, data)
    assert all(task["within"] for task in good.values())
    assert not check_rows({"a.one": 400, "a.two": 112, "v.three": 512}, data)["a.one"]["within"]


def test_one_compiled_step_serves_all_runs():
    """What a step is compiled from does not hold shares or seeds."""
    from gato_jax.training.step.spec import step_spec

    local_study = load_study("local_domains", design=4, held_out=2)
    specs = [step_spec(local_study.experiment(run)) for run in local_study.runs()]
    assert {run.seed for run in local_study.runs()} == {0, 1, 2}
    assert all(spec == specs[0] for spec in specs)
