"""The loop in one process: what it writes, how it continues, what it refuses."""

import dataclasses
import inspect
import json
import math
import os
import shutil
import signal

import jax
import numpy as np
import pytest

from gato_jax.config import Experiment, MeshConfig, OptimizerConfig, Positions
from gato_jax.sharding import make_mesh
from gato_jax.training.checkpoints.checkpoint import CheckpointError, Checkpoints, load_params
from gato_jax.training.run_directory import RunMismatch
from gato_jax.training.step.optimizer import learning_rate_at
from gato_jax.training.step.spec import step_spec
from gato_jax.training.step.state import abstract_state
from gato_jax.training.train import train
from gato_jax.training.validation.loss import evaluate_loss
from gato_jax.weights.initial import open_initial_weights
from gato_jax.weights.tensor_names import flatten


@pytest.fixture(scope="module")
def run(tiny, tmp_path_factory):
    """A finished run of six steps with two checkpoints."""
    out = tmp_path_factory.mktemp("runs") / "run"
    experiment = tiny.tiny_experiment(checkpoint_every=4, hash_batches=True, peak_tflops=1.0)
    return experiment, out, train(experiment, out, open_stream=tiny.SyntheticStream)


def records(out):
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def test_a_run_writes_everything(run):
    experiment, out, result = run
    assert (result.step, result.finished, result.interrupted) == (6, True, False)
    assert Experiment.from_json((out / "config.json").read_text()) == experiment
    assert sorted(path.name for path in (out / "checkpoints").iterdir()) == ["4", "6"]
    assert list((out / "tensorboard").glob("events*"))
    summary = json.loads((out / "summary.json").read_text())
    assert summary["finished"]
    assert summary["task_rows"] == records(out)[-1]["task_rows"]
    assert sum(summary["task_rows"].values()) == 6 * 16


def test_the_loop_fits_on_a_page():
    """One function whose order is fixed: evaluate, the controller, save, next(data), step, log."""
    source = inspect.getsource(train)
    assert len(source.splitlines()) <= 82
    order = ["# evaluate", "# the controller", "# save", "# next(data)", "# step", "# log"]
    places = [source.index(f"            {comment}") for comment in order]
    assert places == sorted(places)


def test_records(run):
    lines = records(run[1])
    assert [record["step"] for record in lines] == list(range(6))
    first = lines[0]
    assert first["loss"] == pytest.approx(math.log(2049), rel=0.05)
    assert first["loss"] == pytest.approx(sum(first["group_loss"].values()) / 2, rel=1e-5)
    assert set(first["task_loss"]) <= {"a.one", "a.two", "v.three"}
    assert first["loss_tokens"] == 8 * 2 * 2 + 8 * 5
    assert all(0 < record["mfu"] < 1 and 0 < record["goodput"] < 1 for record in lines)
    assert set(first["domain_loss"]) == {"a", "v"}
    assert all(0 <= value <= 1 for value in first["task_accuracy"].values())
    assert len({record["batch_hash"] for record in lines}) == 6


def test_a_finished_run_says_so(run, tiny):
    experiment, out, _ = run
    again = train(experiment, out, open_stream=tiny.SyntheticStream)
    assert again.finished
    assert "is done: all 6 steps were trained before" in again.message


def test_loaded_parameters_are_the_run_s(run, tiny):
    experiment, out, _ = run
    loaded, parameters = load_params(out)
    assert loaded == experiment
    state = Checkpoints(out / "checkpoints", keep=2).restore(
        6, abstract_state(step_spec(experiment), make_mesh(MeshConfig()))
    )
    jax.tree.map(np.testing.assert_array_equal, parameters, state["parameters"])
    assert int(state["step"]) == 6
    earlier = load_params(out / "checkpoints" / "4")[1]
    assert (np.asarray(earlier["embedding"]["tokens"]) != np.asarray(parameters["embedding"]["tokens"])).any()


def test_validation_loss(run, tiny):
    experiment, out, _ = run
    batches = [tiny.rows(tiny.GROUPS["images"], 8, seed) for seed in range(2)]
    evaluation = evaluate_loss(experiment, load_params(out)[1], "v.three", batches)
    assert evaluation["targets"] == 2 * 8 * 5
    assert 5 < evaluation["loss"] < 9
    assert 0 <= evaluation["accuracy"] <= 1
    empty = [tiny.GROUPS["images"].zeros(8)]
    with pytest.raises(ValueError, match=r"task 'v\.three': the 1 validation batches hold no targets"):
        evaluate_loss(experiment, load_params(out)[1], "v.three", empty)


def test_a_signal_before_the_last_validation_leaves_it_to_the_next_session(tiny, tmp_path):
    """A run without its last validation is not finished: what measures it would take an earlier one."""

    class Signalled(tiny.SyntheticStream):
        signal_at = 3

        def __next__(self):
            if self.step == self.signal_at:
                os.kill(os.getpid(), signal.SIGTERM)
            return super().__next__()

        def validation_batches(self, task, limit):
            return [tiny.rows(tiny.GROUPS[self.config.mixture.group_of(task)], 8, 0)]

    experiment = tiny.tiny_experiment(steps=4, evaluate_every=2)
    stopped = train(experiment, tmp_path, open_stream=Signalled)
    assert (stopped.step, stopped.finished, stopped.interrupted, stopped.signalled) == (4, False, True, True)
    assert "the last validation is still to do" in stopped.message
    assert [r["step"] for r in records(tmp_path) if "validation" in r] == [2]
    assert not json.loads((tmp_path / "summary.json").read_text())["finished"]
    Signalled.signal_at = None
    after = train(experiment, tmp_path, open_stream=Signalled)
    assert (after.finished, after.signalled) == (True, False)
    assert [r["step"] for r in records(tmp_path) if "validation" in r] == [2, 4]
    assert [r["step"] for r in records(tmp_path) if "loss" in r] == [0, 1, 2, 3]
    assert "is done" in train(experiment, tmp_path, open_stream=Signalled).message


def test_continuing_further_equals_never_stopping(run, tiny, tmp_path):
    """From the checkpoint of step 4, steps 4 and 5 come out bit for bit, and stale records are dropped."""
    experiment, out, _ = run
    shutil.copytree(out, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "6")
    train(experiment, tmp_path / "run", open_stream=tiny.SyntheticStream)
    fields = ("step", "loss", "group_loss", "task_loss", "task_rows", "batch_hash", "gradient_norm")
    before, after = ([{name: r[name] for name in fields} for r in records(path)] for path in (out, tmp_path / "run"))
    assert before == after
    jax.tree.map(np.testing.assert_array_equal, load_params(out)[1], load_params(tmp_path / "run")[1])


def test_a_finished_run_goes_on_past_its_warm_up(run, tiny, tmp_path, capsys):
    """Twice the length: the cosine is stretched over it, which is said, and the steps follow the longer schedule."""
    experiment, out, _ = run
    shutil.copytree(out, tmp_path / "run")
    longer = dataclasses.replace(experiment, train=dataclasses.replace(experiment.train, steps=12))
    result = train(longer, tmp_path / "run", open_stream=tiny.SyntheticStream)
    assert (result.step, result.finished) == (12, True)
    expected = [learning_rate_at(experiment.optimizer, step, 6 if step < 6 else 12) for step in range(12)]
    learning_rates = [record["learning_rate"] for record in records(tmp_path / "run")]
    np.testing.assert_allclose(learning_rates, expected, rtol=1e-6)
    assert experiment.optimizer.warmup_steps < 6
    assert learning_rates[6] > 2 * learning_rates[5], "a jump, and not a small one"
    assert (
        "the run's length changes from 6 to 12 steps: its cosine is stretched over the new length, so at step 6 the "
        "learning rate jumps from 0.001 to 0.00689"
    ) in capsys.readouterr().err
    assert [record["batch_hash"] for record in records(tmp_path / "run")][:6] == [
        record["batch_hash"] for record in records(out)
    ]


@pytest.fixture(scope="module")
def begun(run, tiny, tmp_path_factory):
    """A run that began with the weights of another, which is gone since: its experiment and the two directories."""
    base = tmp_path_factory.mktemp("begun")
    shutil.copytree(run[1], base / "source")
    still = OptimizerConfig(learning_rate=1e-30, warmup_from=0.0, warmup_steps=0, weight_decay=0.0)
    experiment = dataclasses.replace(
        tiny.tiny_experiment(steps=1, seed=5, init_from=str(base / "source")), name="begun", optimizer=still
    )
    train(experiment, base / "run", open_stream=tiny.SyntheticStream, open_weights=open_initial_weights)
    shutil.rmtree(base / "source")
    return experiment, base / "run", base / "source"


def test_a_run_begins_with_other_weights(run, begun, tiny):
    """Weights only: step, optimizer and seed are its own. An optimizer that moves nothing leaves the other's bits."""
    experiment, out, source = begun
    read, there = (flatten(load_params(path)[1]) for path in (out, run[1]))
    for name, value in there.items():
        rows = tiny.VOCABULARY.size if name == "embedding/tokens" else None  # Rows that only pad stay fresh.
        np.testing.assert_array_equal(read[name][:rows], value[:rows], err_msg=name)
    lines = records(out)
    assert [record["step"] for record in lines] == [0]
    assert lines[0]["loss"] < records(run[1])[0]["loss"] - 0.1
    config = Experiment.from_json((out / "config.json").read_text())
    assert config.train.init_from == experiment.train.init_from
    written = json.loads((out / "initial_weights.json").read_text())
    assert written["digest"] == config.train.init_digest
    assert written["source"] == str(source / "checkpoints" / "6")
    assert (written["new"], written["unused"]) == ([], [])


def test_a_run_that_goes_on_does_not_ask_for_them_again(begun, tiny, tmp_path):
    experiment, out, _ = begun
    shutil.copytree(out, tmp_path / "run")
    longer = dataclasses.replace(experiment, train=dataclasses.replace(experiment.train, steps=2))
    assert train(longer, tmp_path / "run", open_stream=tiny.SyntheticStream).finished
    before, after = (Experiment.from_json((path / "config.json").read_text()) for path in (out, tmp_path / "run"))
    assert after.train.init_digest == before.train.init_digest
    assert load_params(tmp_path / "run")[0].train.init_digest == before.train.init_digest


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"init_from": None}, r'train\.init_from: expected ".*source", found null'),
        ({"init_from": "elsewhere"}, r'train\.init_from: expected ".*source", found ".*elsewhere"'),
        ({"init_digest": "0" * 64}, r'train\.init_digest: expected "\w+", found "0{64}"'),
    ],
)
def test_other_weights_are_another_run(begun, tiny, changes, message):
    experiment, out, _ = begun
    other = dataclasses.replace(experiment, train=dataclasses.replace(experiment.train, steps=2, **changes))
    with pytest.raises(RunMismatch, match=message):
        train(other, out, open_stream=tiny.SyntheticStream)


def test_weights_that_cannot_be_begun_with(run, tiny, tmp_path):
    """Before anything is compiled: another network, nothing there, nobody to read them."""
    wider = tiny.tiny_experiment(model=tiny.tiny_model(width=64), init_from=str(run[1]))
    options = {"open_stream": tiny.SyntheticStream, "open_weights": open_initial_weights}
    with pytest.raises(ValueError, match=r"model\.width: expected 32 as there, found 64"):
        train(wider, tmp_path / "run", **options)
    with pytest.raises(FileNotFoundError, match="absent does not exist; expected a run directory"):
        train(tiny.tiny_experiment(init_from=str(tmp_path / "absent")), tmp_path / "run", **options)
    with pytest.raises(ValueError, match=r"call train\(\.\.\., open_weights=open_initial_weights\)"):
        train(tiny.tiny_experiment(init_from=str(run[1])), tmp_path / "run", open_stream=tiny.SyntheticStream)
    assert not (tmp_path / "run").exists()


def test_fewer_steps_than_are_trained_are_refused(run, tiny):
    experiment, out, _ = run
    shorter = dataclasses.replace(experiment, train=dataclasses.replace(experiment.train, steps=5))
    with pytest.raises(
        RunMismatch, match=r"train\.steps: expected at least the 6 steps that .*checkpoints/6 has, found 5"
    ):
        train(shorter, out, open_stream=tiny.SyntheticStream)


def test_records_may_cover_several_steps_across_a_resume(tiny, tmp_path):
    """An interval of three steps that a checkpoint cuts is recorded as if it had not."""
    experiment = tiny.tiny_experiment(checkpoint_every=4, log_every=3)
    train(experiment, tmp_path / "run", open_stream=tiny.SyntheticStream)
    whole = records(tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "6")
    train(experiment, tmp_path / "run", open_stream=tiny.SyntheticStream)
    assert [r["step"] for r in whole] == [2, 5]
    assert [r["loss"] for r in records(tmp_path / "run")] == [r["loss"] for r in whole]


def test_another_experiment_is_refused_by_key(run, tiny):
    experiment, out, _ = run
    wider = dataclasses.replace(experiment, model=dataclasses.replace(experiment.model, width=64))
    with pytest.raises(RunMismatch, match=r"model\.width: expected 32, found 64"):
        train(wider, out, open_stream=tiny.SyntheticStream)
    mixture = dataclasses.replace(experiment.data.mixture, weights={"a.one": 3, "a.two": 1, "v.three": 4})
    other = dataclasses.replace(experiment, data=dataclasses.replace(experiment.data, mixture=mixture))
    with pytest.raises(RunMismatch, match=r"data\.mixture\.weights\.a\.one: expected 1, found 3"):
        train(other, out, open_stream=tiny.SyntheticStream)


def test_checkpoint_of_another_architecture(run, tiny):
    experiment, out, _ = run
    checkpoints, mesh = Checkpoints(out / "checkpoints", keep=2), make_mesh(MeshConfig())
    deeper = dataclasses.replace(step_spec(experiment), model=tiny.tiny_model(layers=3, positions=Positions.LEARNED))
    with pytest.raises(
        CheckpointError, match=r"(?s)checkpoint .*/6 is of another architecture:.*layer_02.*found absent"
    ):
        checkpoints.restore(6, abstract_state(deeper, mesh))
    abstract = abstract_state(step_spec(experiment), mesh)
    half = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, "bfloat16" if x.ndim else x.dtype, sharding=x.sharding), abstract
    )
    with pytest.raises(CheckpointError, match=r"expected bfloat16\[512, 32\], found float32\[512, 32\]"):
        checkpoints.restore(6, half)


@pytest.mark.parametrize("victim", ["_CHECKPOINT_METADATA", "parameters", "parameters/d"])
def test_damaged_checkpoint(run, tmp_path, victim):
    out = run[1]
    shutil.copytree(out, tmp_path / "run")
    path = tmp_path / "run" / "checkpoints" / "6" / victim
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.write_text("{")
    with pytest.raises(CheckpointError, match=r"(?s)checkpoint .*/6.*remove it to continue from .*/4"):
        load_params(tmp_path / "run")


def test_missing_checkpoint(tmp_path):
    with pytest.raises(CheckpointError, match=r"no checkpoint in .*: expected a run directory with checkpoints/<step>"):
        load_params(tmp_path)


def test_minutes_become_steps_once(tiny, tmp_path):
    experiment = tiny.tiny_experiment(steps=None, minutes=0.001, log_every=5)
    result = train(experiment, tmp_path / "run", open_stream=tiny.SyntheticStream)
    assert result.finished
    assert result.steps >= 20
    assert Experiment.from_json((tmp_path / "run" / "config.json").read_text()).train.steps == result.steps
    assert records(tmp_path / "run")[-1]["task_rows"]["v.three"] == 8 * result.steps  # timing left no trace
    again = train(experiment, tmp_path / "run", open_stream=tiny.SyntheticStream)
    assert again.steps == result.steps


def test_a_loss_that_is_not_finite_stops_the_run(tiny, tmp_path):
    experiment = tiny.tiny_experiment(steps=20)
    optimizer = dataclasses.replace(experiment.optimizer, learning_rate=1e38, warmup_steps=0)
    with pytest.raises(FloatingPointError, match=r"step \d+: the loss is (nan|inf).*lower optimizer\.learning_rate"):
        train(dataclasses.replace(experiment, optimizer=optimizer), tmp_path / "run", open_stream=tiny.SyntheticStream)
    assert not list((tmp_path / "run" / "checkpoints").glob("[0-9]*"))
