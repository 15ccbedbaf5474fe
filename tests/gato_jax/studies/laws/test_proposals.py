"""Proposals: near the true optimum, with an honest interval, as a mixture file, and as runs of the sweep."""

import json
import shutil

import numpy as np
import pytest

from data_pipelines.mixtures import named as named_mixtures
from gato_jax.studies import designs, sweep
from gato_jax.studies.designs import Point
from gato_jax.studies.laws import proposals
from gato_jax.studies.plan import added_runs, read_plan, write_plan
from gato_jax.studies.study import Study
from gato_jax.studies.workers import worker


@pytest.fixture
def copied(fitted_sweep, tmp_path):
    out = tmp_path / "sweep"
    shutil.copytree(fitted_sweep[0], out)
    return out, fitted_sweep[1]


@pytest.mark.parametrize("target", ["mean", "worst", "babyai,vqa"])
def test_a_proposal_is_near_the_best_mixture(made, copied, target):
    out, fitted = copied
    proposal = proposals.propose(out, fitted, target=target, samples=6)
    least = np.min([made.exact(point.shares) for point in made.points()[0]], axis=0)
    chosen = proposals.target_domains(target, made.DOMAINS)
    at = [made.DOMAINS.index(domain) for domain in chosen]
    value = lambda shares: proposals.target_value(target, made.exact(shares)[None, at], least[at])[0]  # noqa: E731
    points = designs.sobol(made.DOMAINS, 4096, seed=5, least=0.05)
    assert value(proposal["shares"]) <= min(value(point.shares) for point in points) * 1.01
    true = {name: 1 - value(proposal["shares"]) / value(point.shares) for name, point in
            zip(("uniform", "skewed"), made.points()[2], strict=True)}  # fmt: skip
    assert proposal["gains"].keys() == true.keys()
    for name, gain in proposal["gains"].items():
        assert gain["low"] <= gain["high"]
        assert gain["gain"] == pytest.approx(true[name], abs=0.01)
    weights = named_mixtures.load(proposal["file"]).weights
    assert sum(weights.values()) == pytest.approx(1)
    assert weights["text.task"] == pytest.approx(proposal["shares"]["text"], abs=1e-6)
    assert proposals.proposals(out) == {f"proposal-{target.replace(',', '+')}": proposal}


def test_unknown_targets_are_refused(copied):
    with pytest.raises(ValueError, match="expected mean, worst or some of"):
        proposals.propose(*copied, target="babyai,sound")


def test_worst_is_not_the_domain_with_the_highest_entropy():
    least = np.asarray([0.5, 5.0])
    losses = np.asarray([[0.6, 5.0], [0.5, 5.5]])
    assert proposals.target_value("worst", losses, least) == pytest.approx([1.2, 1.1])


def test_added_runs_have_the_references_seeds_and_are_added_once(copied):
    out, fitted = copied
    first = proposals.propose(out, fitted, samples=2)
    names = [run.name for run in proposals.add(out, first)]
    assert names == ["proposal-mean.s0", "proposal-mean.s1", "proposal-mean.s2"]
    assert proposals.propose(out, fitted, samples=2) == first
    proposals.add(out, first)
    assert [run.name for run in read_plan(out)][-3:] == names
    # Laws of other results would choose otherwise: that is another proposal.
    second = proposals.propose(out, fitted, samples=2, seed=1)
    proposals.add(out, second)
    assert second["name"] == "proposal-mean-2"
    assert len(added_runs(out)) == 6
    assert sweep.status(out).waiting == tuple(run.name for run in added_runs(out))


def test_added_runs_are_taken_and_survive_the_study(tiny, tmp_path):
    base = tiny.tiny_experiment(steps=2, checkpoint_every=1, evaluate_every=1)
    domains = {"one": ("a.one",), "two": ("a.two",), "three": ("v.three",)}
    study = Study("tiny", base, domains, designs.sobol(tuple(domains), 2, least=0.1))
    planned = write_plan(study, tmp_path)
    shares = {"one": 0.3, "two": 0.3, "three": 0.4}
    added = proposals.add(tmp_path, {"name": "proposal-mean", "shares": shares})
    assert write_plan(study, tmp_path) == [*planned, *added] == read_plan(tmp_path)
    written = json.loads((tmp_path / "runs" / "proposal-mean.s0" / "experiment.json").read_text())
    assert written["data"]["mixture"]["weights"]["v.three"] == pytest.approx(0.4)

    def open_stream(*_):
        raise ValueError("no rows here")

    with pytest.raises(RuntimeError, match="the first 3 runs here failed"):
        worker.work(tmp_path, open_stream=open_stream)
    assert sweep.status(tmp_path).failed == {run.name: "ValueError: no rows here" for run in (*planned, *added)}
    clash = Study("tiny", base, domains, (*study.design, Point("proposal-mean", shares)))
    with pytest.raises(ValueError, match=r"added.json holds runs \['proposal-mean.s0'\]"):
        write_plan(clash, tmp_path)


def test_a_directory_that_is_no_sweep(tmp_path):
    with pytest.raises(ValueError, match=r"no plan.json"):
        proposals.add(tmp_path, {"name": "proposal-mean", "shares": {}})
