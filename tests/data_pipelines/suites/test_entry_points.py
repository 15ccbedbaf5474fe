"""An installed package adds a suite by an entry point; one that is broken is left out, and said."""

import logging

import pytest

from data_pipelines.suites import catalog

MODULE = """
from data_pipelines import Source, Suite, Task

SUITE = Suite(
    domain="lanterns", episode_steps=7,
    tasks=(Task("lanterns.desk", Source.ENVIRONMENT, "", "", "json", make_environment=dict, default=True),),
)
TAKEN = Suite(domain="babyai", episode_steps=7, tasks=(Task("babyai.x", Source.ENVIRONMENT, "", "", "json"),))
"""
POINTS = """[gato_jax.suites]
lanterns = lantern_suite:SUITE
nothing = lantern_suite:NOTHING
taken = lantern_suite:TAKEN
wrong = json:dumps
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    (tmp_path / "lantern_suite.py").write_text(MODULE)
    info = tmp_path / "lanterns-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lanterns\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(POINTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    for cached in (catalog.catalog, catalog._installed_suites):
        cached.cache_clear()
    yield
    monkeypatch.undo()
    for cached in (catalog.catalog, catalog._installed_suites):
        cached.cache_clear()


def test_a_suite_of_another_package(installed, caplog):
    with caplog.at_level(logging.WARNING):
        assert catalog.get("lanterns.desk") in catalog.select("default")
    assert catalog.suite_of("lanterns").episode_steps == 7
    said = [record.getMessage() for record in caplog.records]
    assert [message.partition(" is left out: ")[2].partition(":")[0] for message in said] == [
        "AttributeError", "ValueError", "TypeError",
    ]  # fmt: skip
    assert "the domain 'babyai' is taken" in said[1]
    assert "entry point wrong = json:dumps (gato_jax.suites) of lanterns" in said[2]
    assert "babyai.x" not in catalog.catalog()
