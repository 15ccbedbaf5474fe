"""Named mixtures over recorded data: what they become, and what they amount to."""

import dataclasses
import json

import pytest

from data_pipelines.mixtures.named import MixtureError
from data_pipelines.reports.mixture import summarise
from data_pipelines.reports.token_totals import count_tokens
from data_pipelines.schema import RowGroup
from data_pipelines.seqio_tasks.sources import RldsDataSource
from data_pipelines.storage.recorded_tasks import DataError, read_task
from data_pipelines.stream.resolve_mixture import resolve
from data_pipelines.stream.stream import Stream, batch_hash
from data_pipelines.tokenizers.layout import TimestepLayout

DRAWER, TEXT = "metaworld.drawer_close", "text.python_docs"


@pytest.fixture(scope="module")
def config(data_config):
    """The paper's mixture in one group for control and one for the rest."""
    base = data_config(rows=32, virtual_shards=4)
    groups = {
        "control": RowGroup(("babyai.*", "metaworld.*"), window_length=150),
        "rest": RowGroup(("*",), window_length=64, patches=64),
    }
    mixture = dataclasses.replace(base.mixture, weights={}, groups=groups, named="gato", renormalise=True)
    return dataclasses.replace(base, mixture=mixture)


def named(config, name, **changes):
    return dataclasses.replace(config, mixture=dataclasses.replace(config.mixture, named=str(name), **changes))


def test_a_named_mixture_becomes_weights_and_groups(config):
    mixture = resolve(config).mixture
    assert mixture.named == ""
    assert mixture.groups["control"].tasks == ("babyai.go_to_obj", "babyai.go_to_red_ball_grey", DRAWER)
    assert mixture.groups["rest"].tasks == (TEXT,)
    assert mixture.groups["rest"].patches == 0, "fitted to what its tasks need"
    assert mixture.shares()[DRAWER] == pytest.approx(8.96 / (9.06 + 8.96 + 6.7))
    stream, explicit = Stream(config), Stream(resolve(config))
    assert batch_hash(next(stream)) == batch_hash(next(explicit))
    assert stream.position() == explicit.position()
    stream.close()
    explicit.close()


def test_nothing_is_renormalised_unasked(config):
    with pytest.raises(MixtureError, match=r"gato.*absent: DM Lab \(9.36 %\).*data.mixture.renormalise"):
        resolve(named(config, "gato", renormalise=False))


def test_every_task_needs_a_group(config):
    groups = {"control": config.mixture.groups["control"]}
    with pytest.raises(DataError, match=r"no row group takes task 'text.python_docs'; mixture.groups take"):
        resolve(named(config, "gato", groups=groups))


def test_budgets_are_checked(config):
    groups = {"all": RowGroup(("*",), window_length=40)}
    with pytest.raises(ValueError, match=r"key 'state'.*window_length = 40 tokens.*needs window_length of at least 44"):
        resolve(named(config, "meta_world", groups=groups))


def test_counts_are_those_of_the_episodes(config):
    task = read_task(config.directory, DRAWER)
    length = TimestepLayout.build(task.spec, config.tokens).length
    # The last step of an RLDS episode holds no action.
    lengths = [len(e["steps"]["action"]) - 1 for e in RldsDataSource(task).get_dataset("train", shuffle=False)]
    resolved = resolve(named(config, "meta_world"))
    count = count_tokens(resolved)[DRAWER]
    assert count.tokens == length * sum(lengths)
    assert count.sampled == count.examples == len(lengths)
    sampled = count_tokens(resolved, sample=2)[DRAWER]
    assert sampled.tokens == pytest.approx(length * sum(lengths[:2]) / 2 * len(lengths))


def test_the_summary(config):
    summary = summarise("gato", config, tokens=1e6, dry_run_steps=30)
    by_task = {task.task: task for task in summary.tasks}
    assert sum(task.share for task in summary.tasks) == pytest.approx(1)
    assert sum(task.tokens for task in summary.tasks) == pytest.approx(1e6)
    assert sum(task.drawn_rows for task in summary.tasks) == pytest.approx(1)
    assert sum(task.drawn_tokens for task in summary.tasks) == pytest.approx(1)
    for task in summary.tasks:
        assert task.passes == pytest.approx(task.tokens / task.data_tokens)
        assert task.drawn_rows == pytest.approx(task.share, abs=0.06)
        assert task.utilisation.of_bound > 0.98
    # Rates count rows; control rows are longer than those of text.
    assert by_task[DRAWER].tokens / by_task[TEXT].tokens == pytest.approx(8.96 / 6.7 * 150 / 64)
    assert summary.absent_share == pytest.approx(1 - (9.06 + 8.96 + 6.7) / 99.93)
    assert json.loads(json.dumps(summary.to_dict()))["absent"][0]["paper_tokens"] == 194e9
    text = summary.table()
    header, row = (next(line for line in text.splitlines() if word in line) for word in ("share %", DRAWER))
    assert header.split("  ")[-1] == "bound %"
    filled, bound = map(float, row.split()[-2:])
    assert bound == 88.0, "the bound of whole timesteps: 132 of 150 places"
    assert 87.5 < filled <= bound
    assert "Modular RL: 8.24 %; the paper's: 69.6B tokens; the bodies are public" in text


def test_a_mixture_of_which_nothing_is_here(config):
    summary = summarise("sokoban", config, tokens=1e6)
    assert summary.tasks == ()
    assert [(member.member, member.share) for member in summary.absent] == [("Sokoban", 1.0)]
    assert summary.unused[DRAWER] == "it stands for Meta-World"


def test_what_is_here_and_never_drawn_is_listed(config):
    """easy_vqa is neither VQAv2 nor OKVQA."""
    summary = summarise("gato", config, tokens=1e6, count=False)
    (name,) = summary.unused
    assert name == "vqa.easy_vqa"
    text = summary.table()
    assert "here, but in no row or other member of this mixture, so never drawn:" in text
    assert f"  {name}: it stands for no row of Table 1; vqa.ok_vqa* for OKVQA" in text
    assert json.loads(json.dumps(summary.to_dict()))["unused"] == summary.unused


def test_phases_of_a_file(config, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(f"weights: {{{DRAWER}: 1, {TEXT}: 1}}\nschedule: {{10: {{{DRAWER}: 3, {TEXT}: 1}}}}")
    mixture = resolve(named(config, path)).mixture
    assert [phase.step for phase in mixture.schedule] == [10]
    assert mixture.shares_over(20)[DRAWER] == pytest.approx((0.5 + 0.75) / 2)


def test_what_cannot_be_summarised(config):
    with pytest.raises(ValueError, match="tokens must be a positive number, found -1"):
        summarise("gato", config, tokens=-1)
    with pytest.raises(ValueError, match="dry_run_steps must not be negative, found -2"):
        summarise("gato", config, tokens=1, dry_run_steps=-2)
