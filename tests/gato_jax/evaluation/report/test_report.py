"""The report's mixture section: fixed weights, and weights that changed; and where the page is written."""

import re

import pytest

from gato_jax.evaluation.report.report import write_report
from gato_jax.evaluation.report.training import mixture


def test_weights_that_changed_are_drawn(tiny):
    experiment = tiny.tiny_experiment(steps=8, reseed_every=2)
    rows = {"step": 7, "task_rows": {"a.one": 10, "a.two": 54, "v.three": 64}}
    fixed = mixture(experiment, [rows])
    assert "<svg" not in fixed
    assert re.search(r"a\.one</td><td class=\"n\" data-label=\"declared\">25\.00 %</td><td [^>]*>7\.81 %</td>", fixed)
    said = {"step": 1, "policy_weights": {"a.one": 0.05, "a.two": 0.45, "v.three": 0.5}, "policy_weights_from": 4}
    late = {**said, "step": 7, "policy_weights_from": 10}
    changed = mixture(experiment, [said, rows, late])
    assert changed.count("<polyline") == 3
    assert 'a.one</td><td class="n" data-label="declared">15.00 %</td>' in changed
    assert "25.0 to 5.0 %" in changed


def test_a_page_that_cannot_be_written_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(IsADirectoryError, match="expected a file to write, found a directory"):
        write_report(tmp_path / "nowhere", out=tmp_path)
