"""What adding a domain does: measured where domains were left out, else from laws."""

import numpy as np
import pytest

from gato_jax.studies import designs
from gato_jax.studies.laws import transfer


def test_the_laws_find_the_neighbour_that_helps(made, fitted_sweep):
    matrix = fitted_sweep[1]["transfer"]
    assert matrix["source"] == "laws"
    before, after = transfer.towards(np.full(5, 0.2), 3, transfer.STEP)
    assert after == pytest.approx([0.175, 0.175, 0.175, 0.3, 0.175])
    exact = [made.exact(dict(zip(made.DOMAINS, point, strict=True))) for point in (before, after)]
    for at, domain in enumerate(made.DOMAINS):
        effect = matrix["effects"]["text"][domain]
        assert effect["effect"] == pytest.approx(exact[1][at] / exact[0][at] - 1, abs=0.004)
        assert effect["low"] <= effect["high"]
    assert matrix["effects"]["text"]["text"]["high"] < 0
    # A row of text is worth a tenth of a row of metaworld, so that text takes from babyai more than from metaworld.
    assert matrix["effects"]["text"]["babyai"]["effect"] > matrix["effects"]["text"]["metaworld"]["effect"] * 0.9


def test_left_out_domains_are_measured(made, tmp_path):
    even = designs.uniform(made.DOMAINS)
    design = (*made.points(10)[0], *designs.leave_one_out(even))
    made.sweep(tmp_path, design=design, noise=0.0)
    matrix = transfer.matrix(tmp_path, [], [])
    assert (matrix["source"], matrix["base"]) == ("leave one out", "uniform")
    without = next(point for point in designs.leave_one_out(even) if point.name == "without-vqa")
    expected = made.exact(even) / made.exact(without.shares) - 1
    effects = matrix["effects"]["vqa"]
    assert [effects[domain]["effect"] for domain in made.DOMAINS] == pytest.approx(list(expected))
    assert effects["vqa"]["effect"] < -0.2
    assert effects["vqa"]["low"] is None
