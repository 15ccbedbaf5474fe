"""The scores that come with the package: what the file holds, and what compares with what."""

import json

import pytest

from data_pipelines.read_json import DamagedFile
from data_pipelines.suites import catalog, frozen_scores
from data_pipelines.suites.frozen_scores import FrozenScore, Sample, check_same


def test_the_file_is_whole():
    frozen = frozen_scores.frozen_scores()
    assert frozen.version >= 1
    assert len(frozen.sha256) == 64
    assert set(frozen.tasks) <= set(catalog.catalog()), "tasks of the catalog only"
    demonstrated = [score for score in frozen.tasks.values() if score.expert is not None]
    assert len(demonstrated) > 200
    for name, score in frozen.tasks.items():
        for sample in (score.random, score.expert):
            if sample is not None:
                assert sample.episodes >= 1, name
                assert min(sample.returns) - 1e-3 <= sample.mean <= max(sample.returns) + 1e-3 or sample.failed, name
    assert all(score.seconds > 0 for score in demonstrated)


def test_normalisers():
    breakout = frozen_scores.frozen_scores().tasks["atari.breakout"]
    # Wang et al. (2016), table 2: 1.7 at random, 30.5 for people.
    assert breakout.human_normaliser.percent([1.7, 30.5, 16.1]).tolist() == pytest.approx([0, 100, 50])
    assert breakout.normaliser.percent(breakout.expert.mean) == pytest.approx(100)
    assert breakout.normaliser.random_returns == breakout.random.returns
    worse = FrozenScore(random=Sample(1.0, 0.0, (1.0,)), expert=Sample(0.5, 0.0, (0.5,)))
    assert worse.normaliser is None
    assert worse.human_normaliser is None


def test_what_is_written_is_read(tmp_path):
    score = FrozenScore(random=Sample(0.5, 0.7, (0.0, 1.0)), expert=Sample(2.0, 0.0, (3.0,), failed=1), seconds=0.5)
    assert frozen_scores.read_entry(json.loads(json.dumps(frozen_scores.entry_json(score)))) == score
    assert frozen_scores.entry_json(FrozenScore()) == {}
    path = tmp_path / "scores.json"
    path.write_text('{"version": 1')
    with pytest.raises(DamagedFile, match=r"scores.json: expected frozen scores, found 13 bytes that are cut short"):
        frozen_scores.frozen_scores(path)


def test_other_versions_are_not_compared():
    one, other = {"version": 1, "sha256": "a" * 64}, {"version": 2, "sha256": "b" * 64}
    check_same({"small": one, "large": dict(one)})
    with pytest.raises(ValueError, match=r"one version .* small: version 1 \(SHA-256 a{12}\), large: version 2"):
        check_same({"small": one, "large": other})
    with pytest.raises(ValueError, match=r"old: none; evaluate again"):
        check_same({"small": one, "old": {}})
