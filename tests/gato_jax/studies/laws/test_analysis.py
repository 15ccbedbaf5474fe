"""Fits over made-up sweeps: which law, how wrong, how noisy."""

import json

import numpy as np
import pytest

from gato_jax import cli
from gato_jax.studies.laws import analysis, laws


def test_laws_predict_held_out_mixtures_to_the_noise(fitted_sweep):
    out, results = fitted_sweep
    assert json.loads((out / analysis.FIT).read_text()) == results
    assert (results["fitted"], results["held_out"]) == (40, 8)
    assert {of["law"] for of in results["domains"].values()} <= {"effective_data", "exponential"}
    for of in (*(of["held_out"] for of in results["domains"].values()), results["all"]):
        assert 0 < of["low"] <= of["median"] <= of["high"] <= of["worst"] < 0.02
    assert results["all"]["median"] < 0.004
    for of in results["domains"].values():
        assert of["cross_validated"]["mean"]["median"] > 3 * of["cross_validated"][of["law"]]["median"]
        assert 0.0005 < of["noise"] < 0.005
    of = results["points"]["uniform"]["domains"]["text"]
    assert of["low"] <= of["predicted"] * 1.01
    assert of["predicted"] == pytest.approx(4.5, rel=0.02)


def test_too_few_runs_are_refused(made, tmp_path):
    made.sweep(tmp_path, design=made.points(4)[0])
    with pytest.raises(ValueError, match="at least 8 mixtures of the design, found 4"):
        analysis.fit(tmp_path)


def test_the_mean_wins_where_shares_mean_nothing(made, tmp_path):
    made.sweep(tmp_path, losses=lambda shares: np.ones(5), noise=0.01)
    results = analysis.fit(tmp_path, families=[laws.Law.MEAN, laws.Law.BOOSTED_TREES], samples=2)
    assert [of["law"] for of in results["domains"].values()].count("mean") >= 4


def test_the_command_says_what_is_missing(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["sweep", "fit", str(tmp_path)])
    assert ended.value.code == 1
    assert "plan.json" in capsys.readouterr().err
