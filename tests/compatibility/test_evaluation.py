"""An evaluation that commit 6c3b28a began is ended, and what was done is not done again."""

import numpy as np
import pytest

from gato_jax.evaluation.evaluate import evaluate, fingerprint
from gato_jax.evaluation.results import load_result
from gato_jax.evaluation.rollouts import load_rollout
from gato_jax.weights.load import load_weights

DONE = "metaworld.drawer_close"
FIRST = 8
"""Actions that are compared: a last bit that another machine rounds differently takes a while to be seen."""


@pytest.fixture(scope="module")
def ended(small, tmp_path_factory):
    """The directory of the evaluation, files that were done, and what `evaluate` said."""
    home = small.unpack("acting", tmp_path_factory.mktemp("evaluation"))
    done = small.files(home / "evaluation")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)  # The experiment names its data beside it.
        result = evaluate("run", out="evaluation")
    return home, done, result


def test_rollouts_that_are_done_stay(small, ended):
    home, done, _ = ended
    assert sorted(done) == [f"rollouts/{DONE}.npz"]
    stored_files = small.files(home / "evaluation")
    assert {name: stored_files[name] for name in done} == done


def test_all_tasks_are_scored_at_the_end(small, ended):
    home, _, result = ended
    acting = small.expected("acting")
    assert result.complete
    assert result.step == 2
    assert [score.task for score in result.tasks] == sorted(acting["rollouts"])
    assert {path.stem for path in (home / "evaluation" / "rollouts").iterdir()} == set(acting["rollouts"])
    assert load_result(home / "evaluation" / "evaluation.json").to_dict() == result.to_dict()
    (done,) = [score for score in result.to_dict()["tasks"] if score["task"] == DONE]
    (stored,) = [score for score in acting["tasks"] if score["task"] == DONE]
    assert done == {**stored, "returns": list(stored["returns"])}


def test_tasks_that_were_left_are_acted_as_before(small, ended):
    """The same weights, seeds and settings choose the same actions."""
    home, _, _ = ended
    for task, frozen in small.expected("acting")["rollouts"].items():
        rollout, settings = load_rollout(home / "evaluation" / "rollouts" / f"{task}.npz")
        assert settings == frozen["settings"]
        assert [len(actions) for actions in rollout.actions] == list(rollout.lengths)
        for rolled_out, actions in zip(rollout.actions, frozen["first_actions"], strict=True):
            np.testing.assert_allclose(rolled_out[:FIRST], actions, rtol=1e-6, err_msg=task)


def test_weights_have_the_fingerprint_that_they_had(small, ended):
    """It decides whether a rollout may be used again, and holds names of options."""
    home, _, _ = ended
    frozen = small.expected("acting")["rollouts"][DONE]["settings"]["weights"]
    assert fingerprint(load_weights(home / "run")) == frozen
