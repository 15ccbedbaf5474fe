"""Committed results follow from the committed runs: laws fitted to them anew predict the held-out mixtures as said."""

import csv
import json
import pathlib

import numpy as np
import pytest

from experiments.studies.local_domains import study
from gato_jax.studies.laws import laws

RESULTS = pathlib.Path(__file__).parents[2] / "experiments" / "results" / "local_domains"
DOMAINS = ("babyai", "dm_control", "metaworld", "text", "vqa")

if not RESULTS.exists():
    pytest.skip("results lie in the repository, not in the wheel", allow_module_level=True)


@pytest.fixture(scope="module")
def runs():
    return list(csv.DictReader((RESULTS / "sweep.csv").open()))


def arrays(runs, role):
    """Of the mixtures of a role: the seeds of a mixture count as one point."""
    of = {}
    for run in runs:
        if run["role"] == role:
            of.setdefault(run["point"], []).append(run)
    return (
        np.asarray([np.mean([[float(run[f"{kind} {d}"]) for d in DOMAINS] for run in some], 0) for some in of.values()])
        for kind in ("planned", "loss")
    )


def test_every_run_of_the_study_is_there(runs):
    by_name = {run["run"]: run for run in runs if run["role"] != "proposal"}
    assert list(by_name) == [run.name for run in study().runs()]
    for run in study().runs():
        assert [float(by_name[run.name][f"planned {d}"]) for d in DOMAINS] == pytest.approx(
            [run.shares[d] for d in DOMAINS], abs=1e-5
        )
    assert min(float(run["least_p"]) for run in runs) > 1e-6


def test_laws_predict_the_held_out_mixtures_as_said(runs):
    fitted = json.loads((RESULTS / "fit.json").read_text())
    (shares, losses), (held, truth) = arrays(runs, "fit"), arrays(runs, "held_out")
    assert (len(shares), len(held)) == (fitted["fitted"], fitted["held_out"]) == (32, 8)
    for at, domain in enumerate(DOMAINS):
        said = fitted["domains"][domain]
        if laws.Law(said["law"]) is laws.Law.GAUSSIAN_PROCESS:
            pytest.importorskip("sklearn")
        missed = np.abs(laws.fit(laws.Law(said["law"]), shares, losses[:, at])(held) / truth[:, at] - 1)
        # Shares and losses have six digits in the table.
        assert np.median(missed) == pytest.approx(said["held_out"]["median"], rel=0.02)
        assert missed.max() == pytest.approx(said["held_out"]["worst"], rel=0.02)
        assert said["held_out"]["median"] < 0.02
    assert fitted["all"]["median"] < 0.02
