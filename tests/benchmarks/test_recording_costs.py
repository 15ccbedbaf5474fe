"""What is measured of recordings, and whether it agrees with what is known of the demonstrators."""

import json
import statistics

import pytest

from benchmarks.recording_costs import measured, take_in, text_of
from data_pipelines.suites.costs import COSTS_FILE
from data_pipelines.suites.frozen_scores import frozen_scores


def test_attempts_take_about_what_the_experts_scores_say():
    """Scores are timed on the clock of a machine that did other things too, recordings on that of the processor."""
    rows, scores = json.loads(COSTS_FILE.read_text())["tasks"], frozen_scores().tasks
    timed = [name for name in rows if name in scores and (scores[name].seconds or 0) > 0.05]
    assert len(timed) > 30
    assert 0.2 < statistics.median(rows[name]["attempt"] / scores[name].seconds for name in timed) < 1.5


def test_what_a_recording_took(recorded_data):
    """Real recordings: the parts of a task's seconds make up no more than all of them."""
    name = "babyai.go_to_obj"
    row = measured(recorded_data / name)
    recorded = json.loads((recorded_data / name / "recording.json").read_text())
    size = sum(path.stat().st_size for path in (recorded_data / name).rglob("*.tfrecord*"))
    assert row["bytes"] * recorded["kept"] == pytest.approx(size, rel=0.01)
    assert row["steps"] * recorded["kept"] == pytest.approx(recorded["steps"], rel=0.01)
    attempts = recorded["kept"] + recorded["rejected"]
    played = row["attempt"] * attempts + row["writing"] * recorded["kept"] + row["random"] * 10
    assert 0 < played < played + row["opening"] * recorded["parts"] <= 1.01 * recorded["seconds"]
    taken = take_in([recorded_data], {"a.b": {"attempt": 1.0}})
    assert (taken[name], taken["a.b"]) == (row, {"attempt": 1.0})
    assert "text.python_docs" in taken
    assert json.loads(text_of(taken, "today"))["tasks"] == taken
