"""Runs that are scored in simulators and by questions."""

import dataclasses

import pytest

from data_pipelines.mixtures.config import MixtureConfig
from gato_jax.config import EvaluationConfig
from gato_jax.studies import designs, sweep
from gato_jax.studies.plan import write_plan
from gato_jax.studies.study import Study, load_study
from gato_jax.studies.workers import scoring, worker

DOMAINS = {"control": ("metaworld.drawer_close",), "questions": ("vqa.easy_vqa",), "text": ("text.python_docs",)}


@pytest.fixture
def scored_study(recorded_data, request):
    """One mixture of three kinds of tasks, two steps."""
    base = load_study(request.path.parents[1] / "recorded_study.py", directory=recorded_data).base
    tasks = tuple(task for some in DOMAINS.values() for task in some)
    group = dataclasses.replace(base.data.mixture.groups["all"], tasks=tasks, patches=64)
    mixture = MixtureConfig(dict.fromkeys(tasks, 1.0), {"all": group}, 16)
    base = dataclasses.replace(
        base,
        data=dataclasses.replace(base.data, mixture=mixture),
        train=dataclasses.replace(base.train, steps=2, checkpoint_every=2, evaluate_every=2),
        evaluation=EvaluationConfig(
            episodes=1, questions=4, answer_tokens=2, validation_rows=4, text_samples=0, processes=1
        ),
    )
    return Study("scored", base, DOMAINS, (designs.Point("even", designs.uniform(tuple(DOMAINS))),), scored=("fit",))


def test_a_scored_run_acts_and_answers(scored_study, tmp_path):
    write_plan(scored_study, tmp_path)
    assert worker.work(tmp_path)
    assert sweep.status(tmp_path).failed == {}
    (result,) = sweep.results(tmp_path)
    assert result["scores"].keys() == {"metaworld.drawer_close", "vqa.easy_vqa"}
    assert result["domain_scores"] == scoring.domain_scores(result["scores"], DOMAINS)
    assert result["domain_scores"].keys() == {"control", "questions"}
    answers = result["scores"]["vqa.easy_vqa"]
    assert 0 <= answers["low"] <= answers["score"] <= answers["high"] <= 100
    train = tmp_path / "runs" / "even.s0" / "train"
    assert (train / "evaluation.json").is_file()
    assert not (train / "rollouts").exists()


def test_a_role_that_is_none_is_refused(scored_study):
    with pytest.raises(ValueError, match=r"scored must name roles of .*'held_out'.*found \['held'\]"):
        dataclasses.replace(scored_study, scored=("held",))
