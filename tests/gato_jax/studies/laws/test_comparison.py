"""Proposals against references, paired by seed."""

import json
import shutil

import numpy as np
import pytest

from gato_jax.studies import sweep
from gato_jax.studies.laws import comparison, proposals
from gato_jax.studies.plan import added_runs
from gato_jax.studies.report import tables as sweep_tables


def test_differences_are_paired_by_seed(made, fitted_sweep, tmp_path):
    out = tmp_path / "sweep"
    shutil.copytree(fitted_sweep[0], out)
    proposal = proposals.propose(out, fitted_sweep[1], target="babyai,vqa", samples=4)
    proposals.add(out, proposal)
    assert comparison.compare(out)["differences"] == []
    runs = added_runs(out)
    made.finish(out, runs)
    compared = comparison.compare(out)
    assert compared["mixtures"].keys() == {"uniform", "skewed", "proposal-babyai+vqa"}
    difference = next(of for of in compared["differences"] if of["reference"] == "uniform")
    assert difference["seeds"] == [0, 1, 2]
    table = {(run["point"], run["seed"]): run["domain_losses"] for run in sweep.results(out)}
    each = [table[runs[0].point, s]["vqa"] / table["uniform", s]["vqa"] - 1 for s in range(3)]
    assert difference["values"]["vqa"]["mean"] == pytest.approx(np.mean(each))
    assert difference["values"]["vqa"]["error"] == pytest.approx(np.std(each, ddof=1) / 3**0.5)
    assert difference["values"]["babyai,vqa"]["mean"] == pytest.approx(difference["expected"]["mean"], abs=0.01)
    assert difference["values"]["babyai,vqa"]["mean"] < 0
    text = comparison.lines(compared)
    assert text[0].split() == ["loss", "seeds", *made.DOMAINS, "mean", "worst", "babyai,vqa"]
    assert any(line.startswith("proposal-babyai+vqa - skewed, %") and "±" in line for line in text)


def test_one_seed_has_no_error(made, tmp_path):
    made.sweep(tmp_path, seeds=(0,))
    of = comparison.compare(tmp_path)["mixtures"]["uniform"]["values"]["text"]
    assert of["error"] is None
    assert of["mean"] == pytest.approx(4.5, rel=0.02)


def test_scores_of_scored_runs_are_compared_in_points(made, fitted_sweep, tmp_path):
    out = tmp_path / "sweep"
    shutil.copytree(fitted_sweep[0], out)
    proposals.add(out, proposals.propose(out, fitted_sweep[1], samples=4))
    made.finish(out, added_runs(out))
    assert comparison.scored_domains(comparison.compare(out)) == []
    for name, first in (("uniform", 40.0), ("proposal-mean", 50.0)):
        for seed in range(3):
            path = out / "runs" / f"{name}.s{seed}" / "result.json"
            scores = {"babyai": first + seed, **({"vqa": 60.0} if seed else {})}
            path.write_text(json.dumps({**json.loads(path.read_text()), "domain_scores": scores}))
    compared = comparison.compare(out)
    assert comparison.scored_domains(compared) == ["babyai", "vqa"]
    assert compared["mixtures"]["uniform"]["scores"]["babyai"] == {"mean": 41.0, "error": pytest.approx(3**-0.5)}
    assert compared["mixtures"]["skewed"]["scores"] == {}
    of = next(of for of in compared["differences"] if of["reference"] == "uniform")
    assert of["scores"] == {"babyai": {"mean": 10.0, "error": 0.0}, "vqa": {"mean": 0.0, "error": 0.0}}
    text = "\n".join(comparison.lines(compared))
    assert "proposal-mean - uniform, points  3      +10.0 ± 0.0  +0.0 ± 0.0" in text
    assert "+10.0" in sweep_tables.comparison(compared)
