"""Extrapolation over sizes that follow a known power law."""

import dataclasses

import numpy as np
import pytest

from gato_jax.model.gato import count_parameters
from gato_jax.studies import designs
from gato_jax.studies.laws import analysis, laws, proposals, scaling
from gato_jax.studies.plan import added_runs
from gato_jax.studies.report import page as sweep_page


def sized(made, tiny, out, width, *, noise=1e-4):
    base = tiny.tiny_experiment()
    experiment = dataclasses.replace(base, model=dataclasses.replace(base.model, width=width))
    size = count_parameters(experiment.model, experiment.data.tokens.vocabulary)
    losses = lambda shares: made.exact(shares) + 2 * (1e5 / size) ** 0.5  # noqa: E731
    made.sweep(out, noise=noise, losses=losses)
    (out / "runs" / "uniform.s0" / "experiment.json").write_text(experiment.to_json())
    analysis.fit(out, families=[laws.Law.EFFECTIVE_DATA], samples=1)
    return size, losses


def test_three_sizes_find_the_power_law(made, tiny, tmp_path):
    outs = [tmp_path / name for name in ("small", "middle", "large")]
    made_of = [sized(made, tiny, out, width) for out, width in zip(outs, (32, 64, 160), strict=True)]
    shares = designs.normalised(dict(zip(made.DOMAINS, (3, 2, 3, 2, 2), strict=True)))
    proposals.add(outs[-1], {"name": "proposal-mean", "shares": shares})
    made.finish(outs[-1], added_runs(outs[-1]), noise=1e-4, losses=made_of[-1][1])
    extrapolation = scaling.extrapolate([outs[2], outs[0], outs[1]], to=(4,), samples=50)
    assert extrapolation["sizes"] == [size for size, _ in made_of]
    assert extrapolation["mixtures"]["uniform"]["source"] == "runs"
    assert extrapolation["mixtures"]["proposal-mean"]["source"] == "laws and runs"
    exact = np.mean(made.exact(made.points()[2][0].shares) + 2 * (1e5 / extrapolation["targets"][0]) ** 0.5)
    of = extrapolation["mixtures"]["uniform"]["mean"]["extrapolated"][0]
    assert of["loss"] == pytest.approx(exact, rel=0.01)
    assert of["low"] <= of["loss"] <= of["high"]
    assert extrapolation["rank_correlation"] > 0.95
    assert extrapolation["ranked"] == 50
    assert extrapolation["statement"].startswith("An extrapolation: a power law with a floor through 3 sizes")
    assert any("extrapolated" in line for line in scaling.lines(extrapolation))
    assert "An extrapolation" in sweep_page.write_page(outs[2]).read_text()
    two = scaling.extrapolate(outs[1:], to=(4,), samples=5)
    assert "floor is taken as zero" in two["statement"]
    assert two["mixtures"]["uniform"]["mean"]["extrapolated"][0]["loss"] < of["loss"]
    with pytest.raises(ValueError, match="at least two different sizes"):
        scaling.extrapolate([outs[0], outs[0]])
    with pytest.raises(ValueError, match="multiples above 1"):
        scaling.extrapolate(outs, to=(0.5,))
    (outs[0] / analysis.FIT).unlink()
    with pytest.raises(ValueError, match=r"has no fit\.json"):
        scaling.extrapolate(outs)
