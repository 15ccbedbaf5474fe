"""Held-out losses of a control task on really recorded episodes: inside the run, and as `gato evaluate-loss`."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from data_pipelines.config import DataConfig, StreamConfig
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.schema import RowGroup
from data_pipelines.tokenizers.layout import TokenConfig
from data_pipelines.vocabulary import Vocabulary
from gato_jax import cli
from gato_jax.config import Experiment, Kernel, MeshConfig, StepConfig, TrainConfig
from gato_jax.sharding import make_mesh
from gato_jax.training.step.spec import step_spec
from gato_jax.training.step.state import init_state
from gato_jax.training.train import train
from gato_jax.training.validation.loss import make_evaluation

GROUPS = {
    "babyai": RowGroup(("babyai.go_to_obj",), windows=1, window_length=144, targets=42),
    "text": RowGroup(("text.python_docs",), windows=1, window_length=64),
}
TASKS = tuple(task for group in GROUPS.values() for task in group.tasks)


@pytest.fixture(scope="module")
def experiment(tiny, tmp_path_factory) -> Experiment:
    from data_pipelines import recording

    data = tmp_path_factory.mktemp("held_out") / "data"
    recording.record(TASKS, data, workers=1, episodes=8, validation=0.25, progress=lambda progress: None)
    tokens = TokenConfig(Vocabulary(1024), pack_discrete=True, text_tokens=20)
    mixture = MixtureConfig(dict.fromkeys(TASKS, 1.0), GROUPS, rows_per_step=4)
    return Experiment(
        name="held_out",
        data=DataConfig(str(data), tokens, mixture, StreamConfig(virtual_shards=2)),
        model=tiny.tiny_model(max_length=160),
        train=TrainConfig(steps=3, log_every=1, evaluate_every=2, evaluate_rows=4),
    )


@pytest.fixture(scope="module")
def run(experiment, tmp_path_factory):
    out = tmp_path_factory.mktemp("held_out_run") / "run"
    train(experiment, out)
    return out


def test_inside_the_run_and_by_itself(run, capsys):
    """Every task, control too: the last validation of the run is what the command finds in its checkpoint."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    inside = {record["step"]: record["validation"] for record in lines if "validation" in record}
    assert list(inside) == [2, 3]
    assert set(inside[3]) == set(TASKS)
    cli.main(["evaluate-loss", str(run), "--rows", "4", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert report["without"] == {}
    for task in TASKS:
        assert report["tasks"][task]["targets"] == inside[3][task]["targets"] > 0
        assert report["tasks"][task]["loss"] == pytest.approx(inside[3][task]["loss"], rel=1e-5)
        assert report["tasks"][task]["accuracy"] == pytest.approx(inside[3][task]["accuracy"], abs=1e-6)
    assert inside[2]["babyai.go_to_obj"]["loss"] != inside[3]["babyai.go_to_obj"]["loss"]


def test_bad_requests_are_refused(run, capsys):
    for arguments, message in (
        (["--tasks", "babyai.go_to_ob"], "tasks: expected some of babyai.go_to_obj, text.python_docs"),
        (["--data", "nowhere"], "nowhere"),
    ):
        with pytest.raises(SystemExit) as ended:
            cli.main(["evaluate-loss", str(run), *arguments])
        assert ended.value.code == 1
        assert message in capsys.readouterr().err


def test_a_run_that_fails_ends_with_code_1(experiment, tmp_path, capsys):
    """Its loss is not finite; one message, no traceback."""
    (tmp_path / "config.json").write_text(experiment.to_json())
    options = ["--train.steps", "20", "--train.evaluate-every", "0", "--optimizer.learning-rate", "1e38"]
    command = ["train", str(tmp_path / "config.json"), "--out", str(tmp_path / "run"), *options]
    with pytest.raises(SystemExit) as ended:
        cli.main([*command, "--optimizer.warmup-steps", "0"])
    assert ended.value.code == 1
    assert "gato train: step " in (error := capsys.readouterr().err)
    assert "lower optimizer.learning_rate" in error


def test_attention_is_chosen_as_in_training(tiny):
    """On the mesh of the run what it was asked for; elsewhere what runs there."""
    spec = step_spec(tiny.tiny_experiment())
    mesh = make_mesh(MeshConfig())
    asked = lambda kernel: dataclasses.replace(spec, step=StepConfig(attention=kernel))  # noqa: E731
    group = spec.groups["control"]
    with pytest.raises(ValueError, match=r"step\.attention cudnn: "):
        make_evaluation(asked(Kernel.CUDNN), group, mesh)
    parameters = init_state(spec, mesh)["parameters"]
    rows = tiny.rows(group, 8, 0)
    places = [make_evaluation(spec, group), make_evaluation(asked(Kernel.CUDNN), group)]
    places += [make_evaluation(asked(kernel), group, mesh) for kernel in (Kernel.REFERENCE, Kernel.BLOCKS)]
    losses = [float(jax.device_get(evaluate(parameters, rows)["loss"])) for evaluate in places]
    np.testing.assert_allclose(losses, losses[0], rtol=1e-5)
