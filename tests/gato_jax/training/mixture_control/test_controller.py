"""A controller of weights: when it is asked, what it is told, and that a resumed run is the same run."""

import json
import shutil

import pytest

from gato_jax.training.run_directory import RunMismatch
from gato_jax.training.train import train


class Harder:
    """Only what has the higher loss; remembers all it was told."""

    def __init__(self):
        self.told = []

    def update(self, segment, losses):
        self.told.append([segment, dict(losses)])
        worst = max(("a.one", "a.two"), key=lambda task: losses.get(task, 0.0))
        return {"a.one": 0.0, "a.two": 0.0, "v.three": 2.0, worst: 2.0}

    def state(self):
        return {"told": [list(entry) for entry in self.told]}

    def restore(self, state):
        self.told = state["told"]


def records(out):
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def losses(out):
    return [record["loss"] for record in records(out) if "loss" in record]


@pytest.fixture(scope="module")
def whole(tiny, tmp_path_factory):
    """Nine steps in segments of three, all of them saved."""
    out, controller = tmp_path_factory.mktemp("controller") / "run", Harder()
    experiment = tiny.tiny_experiment(steps=9, reseed_every=3, checkpoint_every=1, keep_every=1)
    train(experiment, out, open_stream=tiny.SyntheticStream, mixture_controller=controller)
    return experiment, out, controller


def test_it_is_asked_at_the_end_of_every_segment(whole, tiny):
    _, out, controller = whole
    assert [segment for segment, _ in controller.told] == [0, 1, 2]
    loss_records = [r for r in records(out) if "loss" in r]
    first = [r["task_loss"]["v.three"] for r in loss_records[:3]]  # as many targets in each of its steps
    assert controller.told[0][1]["v.three"] == pytest.approx(sum(first) / 3, rel=1e-6)
    # What was said about segment 0 holds from segment 2, at step 6.
    said = next(r["policy_weights"] for r in records(out) if "policy_weights" in r)
    (left_out,) = [task for task, weight in said.items() if not weight]
    rows = [r["task_rows"][left_out] for r in loss_records]
    assert rows[4] < rows[5] == rows[6] == rows[8]
    set_at = [r["step"] for r in records(out) if "policy_weights" in r]
    assert set_at == [2, 5, 8]


@pytest.mark.parametrize("step", [6, 8])
def test_resume_is_exact(whole, tiny, tmp_path, step):
    """From the end of a segment (the controller has spoken, the checkpoint knows), and inside one, by other weights."""
    experiment, out, controller = whole
    shutil.copytree(out, tmp_path / "run")
    for later in range(step + 1, 10):
        shutil.rmtree(tmp_path / "run" / "checkpoints" / str(later))
    again = Harder()
    train(experiment, tmp_path / "run", open_stream=tiny.SyntheticStream, mixture_controller=again)
    assert losses(tmp_path / "run") == losses(out)
    assert again.told == controller.told
    weights = [r.get("policy_weights") for r in records(tmp_path / "run")]
    assert weights == [r.get("policy_weights") for r in records(out)]


def test_going_on_without_it_is_refused(whole, tiny, tmp_path):
    shutil.copytree(whole[1], tmp_path / "run")
    longer = tiny.tiny_experiment(steps=20, reseed_every=3)
    with pytest.raises(RunMismatch, match="trained with a mixture controller and would go on without one"):
        train(longer, tmp_path / "run", open_stream=tiny.SyntheticStream)
