"""Tasks from outside the package are evaluated and played like ours, by consent."""

import dataclasses
import shutil
import sys

import pytest

from data_pipelines.spec import World
from data_pipelines.suites.outside.consent import CodeNotAllowed
from gato_jax.config import Experiment
from gato_jax.evaluation.evaluate import evaluate
from gato_jax.evaluation.play import play
from gato_jax.evaluation.results import RESULT
from gato_jax.evaluation.rollouts import load_rollout
from gato_jax.evaluation.worlds import where_to_play
from gato_jax.training.data_stream import resolve_data
from gato_jax.weights.load import load_weights

CARTPOLE, CORRIDOR = "gymnasium.cartpole_v1", "my_domain.corridor"
POLE = World("gymnasium:CartPole-v1")


@pytest.fixture
def stranger(monkeypatch, tmp_path):
    """An account that has named no world."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture(scope="module")
def experiment(tiny_run, outside_data) -> Experiment:
    """The tiny run's, as if it had been trained on the recorded worlds."""
    found = load_weights(tiny_run).experiment
    (group, *_), mixture = found.data.mixture.groups.values(), found.data.mixture
    mixture = dataclasses.replace(
        mixture, weights={CARTPOLE: 1.0}, groups={"all": dataclasses.replace(group, tasks=(CARTPOLE,))}
    )
    return dataclasses.replace(
        found, data=dataclasses.replace(found.data, directory=str(outside_data), mixture=mixture)
    )


def test_evaluated_by_consent(tiny_run, outside_data, tmp_path, stranger):
    with pytest.raises(CodeNotAllowed, match="allow it: --allow-code gymnasium"):
        evaluate(tiny_run, outside_data, tasks=[CARTPOLE], out=tmp_path)
    assert not (tmp_path / RESULT).exists()
    result = evaluate(
        tiny_run, outside_data, tasks=[CARTPOLE], episodes=2, environments=2, out=tmp_path, allow_code=["gymnasium"]
    )
    (score,) = result.tasks
    assert (score.task, score.domain, len(score.returns)) == (CARTPOLE, "gymnasium", 2)
    assert score.expert_mean > score.random_mean > 5
    assert result.versions["gymnasium"]
    rollout, settings = load_rollout(tmp_path / "rollouts" / f"{CARTPOLE}.npz")
    assert rollout.world == POLE
    assert settings["world"]["task"] == POLE.task


def test_played_by_the_name_that_the_user_types(tiny_run, outside_data, outsiders, tmp_path, stranger):
    if not (outsiders / "corridor.py").exists():
        pytest.skip("the code stands in docs/add-a-task.md, which an installed wheel does not have")
    result = play(tiny_run, "corridor:Corridor", out=tmp_path / "corridor.gif")
    assert (result.task, result.notes) == (CORRIDOR, [""])
    assert (tmp_path / "corridor.gif").read_bytes()[:6] == b"GIF89a"
    with pytest.raises(ValueError, match=r"kwargs are of a world named.*found task 'babyai\.go_to_obj'"):
        play(tiny_run, "babyai.go_to_obj", kwargs={"a": 1})


def test_a_runs_config_says_where_its_tasks_are_played(experiment):
    resolved = resolve_data(experiment)
    assert resolved.evaluation.worlds == {CARTPOLE: POLE}
    assert Experiment.from_json(resolved.to_json()) == resolved
    assert '"gymnasium.cartpole_v1": {\n        "task": "gymnasium:CartPole-v1"' in resolved.to_json()
    assert where_to_play(CARTPOLE, resolved).world == POLE
    assert where_to_play("babyai.go_to_obj", resolved) is None
    with pytest.raises(ValueError, match=r"unknown task 'babyai\.go_to_ob'"):
        where_to_play("babyai.go_to_ob", resolved)


def test_weights_of_others_import_nothing(experiment, tmp_path, monkeypatch, stranger):
    (tmp_path / "strange_weights.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    evil = dataclasses.replace(experiment.evaluation, worlds={"strange.task": World("strange_weights:make")})
    foreign = dataclasses.replace(experiment, evaluation=evil)
    with pytest.raises(CodeNotAllowed, match="--allow-code strange_weights"):
        where_to_play("strange.task", foreign)
    assert "strange_weights" not in sys.modules
    assert where_to_play("strange.task", foreign, allow=["strange_weights"]) == World("strange_weights:make")


def test_imported_data_without_a_world_says_what_to_do(experiment, outside_data, tmp_path):
    spec = (outside_data / CARTPOLE / "spec.json").read_text()
    (tmp_path / "data" / "poles.cart").mkdir(parents=True)
    shutil.copy(outside_data / CARTPOLE / "spec.json", tmp_path / "data" / "poles.cart")
    plain = spec.replace(CARTPOLE, "poles.cart").partition(',\n  "world"')[0] + "\n}"
    (tmp_path / "data" / "poles.cart" / "spec.json").write_text(plain)
    data = dataclasses.replace(experiment.data, directory=str(tmp_path / "data"))
    with pytest.raises(ValueError, match="import it again with --world gymnasium:ID"):
        where_to_play("poles.cart", dataclasses.replace(experiment, data=data))
