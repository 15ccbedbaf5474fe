"""The package's scores are those that were measured."""

import json

import pytest

from benchmarks import frozen_scores as command
from data_pipelines.reports.measured import RESULTS
from data_pipelines.suites import frozen_scores
from data_pipelines.suites.frozen_scores import FrozenScore, Sample

pytestmark = pytest.mark.skipif(
    not RESULTS.exists(), reason="tests outside the tree: the wheel holds no measured results"
)


def test_what_is_frozen_is_what_was_measured():
    """Tasks may be measured and not frozen yet; what normalises scores has to be equal."""
    built = command.build()
    for name, score in frozen_scores.frozen_scores().tasks.items():
        for part in ("random", "expert", "human", "human_random"):
            frozen = getattr(score, part)
            assert frozen is None or frozen == getattr(built[name], part), (
                f"{name}: {part} was measured again; run python -m benchmarks.frozen_scores, which raises the version"
            )


def test_failed_attempts_count_with_the_random_mean(tmp_path):
    (tmp_path / "experts").mkdir()
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "atari_human.json").write_text('{"source": "a table", "scores": {}}')
    measured = {
        "task": "a.b", "expert": "script", "counts": True, "success": 0.5, "seconds_per_episode": 2.5,
        "returns": {"expert": [10.0], "random": [1.0, 3.0]}, "failed": ["time limit"], "source": "a book",
        "reference": 12.0, "versions": {"sim": "1.2"}, "date": "2026-11-28", "machine": "a machine",
    }  # fmt: skip
    (tmp_path / "experts" / "a.b.json").write_text(json.dumps(measured))
    others = {"a.c": {"returns": [1.0, 2.0], "versions": {"sim": "1.2"}}, "a.d": {"returns": [], "failed": ["broken"]}}
    others["a.b"] = {"returns": [7.0], "versions": {}}
    (tmp_path / "random.json").write_text(json.dumps({"date": "2026-11-28", "machine": "it", "tasks": others}))
    tasks = command.build(tmp_path)
    assert list(tasks) == ["a.b", "a.c"], "a task that nobody could play has no score"
    assert tasks["a.c"] == FrozenScore(random=Sample(1.5, 0.707107, (1.0, 2.0)), measured="2026-11-28; sim 1.2; it")
    score = tasks["a.b"]
    assert (score.expert.mean, score.expert.episodes, score.random.mean) == (6.0, 2, 2.0)
    assert score.random.std == pytest.approx(2**0.5, rel=1e-5)
    assert (score.seconds, score.published, score.measured) == (2.5, 12.0, "2026-11-28; sim 1.2; a machine")
    text = command.document(3, {"a.b": score})
    assert frozen_scores.read_entry(json.loads(text)["tasks"]["a.b"]) == score
    assert command.changes({"a.b": score, "a.c": score}, {"a.b": FrozenScore(), "a.d": score}) == {
        "added": ["a.d"], "changed": ["a.b"], "lost": ["a.c"],
    }  # fmt: skip
