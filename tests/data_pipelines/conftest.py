"""Data configurations over the tasks that `recorded_data` holds."""

import sys

import pytest

from data_pipelines.config import DataConfig, StreamConfig
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.schema import RowGroup
from data_pipelines.suites import catalog
from data_pipelines.tokenizers.layout import TokenConfig
from data_pipelines.vocabulary import Vocabulary

TASKS = ("babyai.go_to_obj", "babyai.go_to_red_ball_grey", "metaworld.drawer_close", "text.python_docs", "vqa.easy_vqa")
TOKENS = TokenConfig(vocabulary=Vocabulary(1024), pack_discrete=True, text_tokens=20)
GROUPS = {
    "babyai": RowGroup(TASKS[:2], windows=2, window_length=72, targets=21),
    "metaworld": RowGroup(TASKS[2:3], windows=2, window_length=90, targets=8),
    "text": RowGroup(TASKS[3:4], windows=1, window_length=64),
    "vqa": RowGroup(TASKS[4:], windows=1, window_length=48, patches=16, targets=31),
}
WEIGHTS = dict(zip(TASKS, (2.0, 1.0, 3.0, 1.0, 1.0), strict=True))


def make_config(directory, *, groups=("babyai", "metaworld", "text", "vqa"), rows=32, tokens=TOKENS, **stream):
    """A configuration over some of the row groups above; other keywords are those of `StreamConfig`."""
    chosen = {name: GROUPS[name] for name in groups}
    weights = {task: WEIGHTS[task] for group in chosen.values() for task in group.tasks}
    defaults = {"virtual_shards": 4, "reseed_every": 5, "shuffle_buffer": 64, "prompt_share": 0.0}
    options = {**defaults, "image_text_pairs": 1, **stream}
    return DataConfig(str(directory), tokens, MixtureConfig(weights, chosen, rows), StreamConfig(**options))


@pytest.fixture(scope="session")
def data_config(recorded_data):
    """`make_config` on the recorded data."""

    def build(*args, **kwargs):
        return make_config(recorded_data, *args, **kwargs)

    return build


@pytest.fixture
def install_suite(tmp_path, monkeypatch):
    """A function that installs a package with a suite, from its domain and code, which child processes find too."""

    installed = []

    def forget():
        for module in installed:
            sys.modules.pop(module, None)
        for cached in (catalog.catalog, catalog._installed_suites):
            cached.cache_clear()

    def install(domain, code):
        installed.append(f"{domain}_suite")
        (tmp_path / f"{domain}_suite.py").write_text(code)
        info = tmp_path / f"{domain}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {domain}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[gato_jax.suites]\n{domain} = {domain}_suite:SUITE\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        forget()

    yield install
    monkeypatch.undo()
    forget()
