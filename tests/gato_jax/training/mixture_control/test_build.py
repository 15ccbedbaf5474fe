"""DoReMi and the bandit: their arithmetic, what they refuse, and that a run that was killed is the same run."""

import dataclasses
import json
import math
import shutil
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from data_pipelines.config import DataConfig, StreamConfig
from data_pipelines.mixtures.config import MixtureConfig, Phase
from data_pipelines.schema import RowGroup
from data_pipelines.tokenizers.layout import TokenConfig
from data_pipelines.vocabulary import Vocabulary
from gato_jax.config import (
    Arms,
    BanditConfig,
    ControllerName,
    DoremiConfig,
    Experiment,
    Measure,
    MixtureControllerConfig,
    Reward,
    TrainConfig,
    load_experiment,
)
from gato_jax.training.checkpoints.checkpoint import load_params
from gato_jax.training.mixture_control import build
from gato_jax.training.mixture_control.arms import Deal
from gato_jax.training.mixture_control.doremi import Doremi
from gato_jax.training.mixture_control.exp3 import Bandit
from gato_jax.training.run_directory import RunMismatch
from gato_jax.training.train import train

WEIGHTS = {"a.one": 1, "a.two": 1, "v.three": 2}
DOREMI = MixtureControllerConfig(
    ControllerName.DOREMI, doremi=DoremiConfig(losses=dict.fromkeys(WEIGHTS, 1.0), smoothing=0.1)
)
BANDIT = MixtureControllerConfig(ControllerName.BANDIT, bandit=BanditConfig(memory=0.5, rate=3.0))


def test_doremi_is_the_exponentiated_gradient_of_the_excess():
    controller = Doremi(DOREMI.doremi, Deal(WEIGHTS, Arms.TASK))
    said = controller.update(0, {"a.one": 1.5, "a.two": 0.2, "v.three": 3.0})
    grown = np.asarray([0.25, 0.25, 0.5]) * np.exp([0.5, 0.0, 2.0])  # what is better than the reference has no excess
    expected = 0.9 * grown / grown.sum() + 0.1 / 3
    np.testing.assert_allclose([said[task] for task in WEIGHTS], expected, rtol=1e-12)
    # A task that was not drawn keeps its excess.
    again = controller.update(1, {"a.one": 1.0, "a.two": 0.2})
    grown = expected * np.exp([0.0, 0.0, 2.0])
    np.testing.assert_allclose([again[task] for task in WEIGHTS], 0.9 * grown / grown.sum() + 0.1 / 3, rtol=1e-12)
    assert controller.update(2, {}) is None


def test_the_bandit_is_exp3_on_losses_as_drawn():
    controller = Bandit(BANDIT.bandit, Deal(WEIGHTS, Arms.TASK), 10)
    rewards, drawn, said, before = np.zeros(3), [np.asarray([0.25, 0.25, 0.5])] * 2, [], 1 / 3
    for segment, losses in enumerate([[4.0, 3.0, 2.0], [3.0, 3.0, 1.0], [2.0, 3.0, 0.5], [1.0, 3.0, 0.4]]):
        weights = controller.update(segment, dict(zip(WEIGHTS, losses, strict=True)))
        rewards = 0.5 * rewards + 0.5 * np.asarray(losses) / drawn[segment]  # shares said two segments before
        least = min(1 / 3, math.sqrt(math.log(3) / (3 * 10 * (segment + 1))))
        powers = np.exp(3.0 * before * rewards)
        said.append((1 - 3 * least) * powers / powers.sum() + least)
        drawn.append(said[-1])
        before = least
        np.testing.assert_allclose([weights[task] for task in WEIGHTS], said[-1], rtol=1e-9)
    assert said[-1].argmax() == 1  # the one that is not learned


def test_progress_is_rewarded():
    config = BanditConfig(Reward.PROGRESS, rate=20.0)
    controller = Bandit(config, Deal(WEIGHTS, Arms.TASK), 100)
    controller.update(0, {"a.one": 5.0, "a.two": 5.0, "v.three": 5.0})
    said = controller.update(1, {"a.one": 5.0, "a.two": 3.0, "v.three": 5.0})
    assert max(said, key=said.get) == "a.two"


def test_domains_keep_the_proportions_of_their_tasks():
    config = dataclasses.replace(DOREMI, arms=Arms.DOMAIN, measure=Measure.VALIDATION)
    deal = Deal({"a.one": 1, "a.two": 3, "v.three": 4}, config.arms, config.measure)
    assert deal.shares == {"a": 0.5, "v": 0.5}
    said = Doremi(config.doremi, deal).update(0, {"a.one": 99.0, "validation/a.one": 4.0, "validation/a.two": 2.0})
    assert said["a.two"] == pytest.approx(3 * said["a.one"])
    grown = 0.5 * math.exp(0.25 * 4 + 0.75 * 2 - 1)
    assert said["v.three"] == pytest.approx(0.9 * 0.5 / (0.5 + grown) + 0.05)


@pytest.mark.parametrize("config", [DOREMI, BANDIT], ids=lambda config: config.name.value)
def test_state_is_json_and_all_there_is(config, tiny):
    experiment = with_controller(tiny.tiny_experiment(reseed_every=1), config)
    make = lambda: build.build_controller(experiment)  # noqa: E731
    generator = np.random.default_rng(0)
    told = [dict(zip(WEIGHTS, map(float, row), strict=True)) for row in generator.uniform(0, 4, (8, 3))]
    controller = make()
    for segment, losses in enumerate(told):
        again = make()
        again.restore(json.loads(json.dumps(controller.state())))
        said = controller.update(segment, losses)
        assert said == again.update(segment, losses)
        assert sum(said.values()) == pytest.approx(1)


def with_controller(experiment, config, **changes):
    return dataclasses.replace(
        experiment, train=dataclasses.replace(experiment.train, mixture_controller=config, **changes)
    )


def test_what_is_refused(tiny, tmp_path):
    with pytest.raises(ValueError, match=r"reference must name a file"):
        MixtureControllerConfig(ControllerName.DOREMI)
    with pytest.raises(ValueError, match=r"train\.evaluate_every is 0"):
        TrainConfig(steps=1, mixture_controller=dataclasses.replace(BANDIT, measure=Measure.VALIDATION))
    base = tiny.tiny_experiment(steps=9, reseed_every=3)
    with pytest.raises(ValueError, match=r"changes nothing before step 6.*found train\.steps = 6"):
        with_controller(base, BANDIT, steps=6)
    phase = (Phase(3, dict(base.data.mixture.weights)),)
    staged = dataclasses.replace(base.data, mixture=dataclasses.replace(base.data.mixture, schedule=phase))
    with pytest.raises(ValueError, match=r"'bandit' and mixture\.schedule both set weights"):
        dataclasses.replace(with_controller(base, BANDIT), data=staged)
    asked = with_controller(base, BANDIT)
    wrong = json.loads(asked.to_json())
    wrong["train"]["mixture_controller"]["name"] = "bandid"
    with pytest.raises(ValueError, match=r"train\.mixture_controller\.name: expected one of .*did you mean 'bandit'"):
        Experiment.from_dict(wrong)
    del wrong["train"]["mixture_controller"]  # a config of before there were controllers
    assert Experiment.from_dict(wrong) == base
    held_out = with_controller(base, dataclasses.replace(BANDIT, measure=Measure.VALIDATION), evaluate_every=3)
    with pytest.raises(ValueError, match=r"no validation split: \['v\.three'\]"):
        build.require_validation(held_out, ("a.one", "a.two"))
    with pytest.raises(
        ValueError, match=r"train\(mixture_controller=\) and train\.mixture_controller 'bandit' are both given"
    ):
        train(
            asked, tmp_path / "run", open_stream=tiny.SyntheticStream, mixture_controller=build.build_controller(asked)
        )


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ({"a.one": 1, "a.two": 2.5, "v.three": 3, "else": 4}, None),
        ({"tasks": {"a.one": {"loss": 1}, "a.two": {"loss": 2.5}, "v.three": {"loss": 3}}, "without": {}}, None),
        ({"losses": {"a.one": {"loss": 1}, "a.two": {"loss": 2.5}, "v.three": {"loss": 3}}, "seed": 0}, None),
        ({"a.one": 1, "a.too": 2}, r"no reference loss of task 'a\.two'; nearest there: \['a\.too'"),
        ({"a.one": "1"}, r"expected a number as the loss of 'a\.one', found '1'"),
        ([1, 2], "expected {task: loss}"),
        (None, "does not exist"),
    ],
)
def test_reference_losses(tiny, tmp_path, content, found):
    path = tmp_path / "reference.json"
    if content is not None:
        path.write_text(json.dumps(content))
    config = MixtureControllerConfig(ControllerName.DOREMI, doremi=DoremiConfig(str(path)))
    experiment = with_controller(tiny.tiny_experiment(steps=9, reseed_every=3), config)
    if found:
        with pytest.raises(ValueError, match=found):
            train(experiment, tmp_path / "run", open_stream=tiny.SyntheticStream)
        assert not (tmp_path / "run" / "config.json").exists()
    else:
        resolved = build.resolve_controller(experiment)
        assert resolved.train.mixture_controller.doremi.losses == {"a.one": 1.0, "a.two": 2.5, "v.three": 3.0}


DRAWER, TEXT = "metaworld.drawer_close", "text.python_docs"
STEPS, SEGMENT = 30, 5
CONFIGS = {
    "doremi": MixtureControllerConfig(ControllerName.DOREMI, doremi=DoremiConfig("reference.json", step_size=0.3)),
    "bandit": MixtureControllerConfig(ControllerName.BANDIT, bandit=BanditConfig(Reward.PROGRESS, rate=30.0)),
}


def records(out):
    lines = (out / "metrics.jsonl").read_text().splitlines() if (out / "metrics.jsonl").exists() else []
    return [json.loads(line) for line in lines if line.endswith("}")]


@pytest.mark.parametrize(("config", "step"), [(DOREMI, 6), (BANDIT, 3)], ids=["doremi", "bandit"])
def test_resume_is_exact(config, step, tiny, tmp_path):
    """From the end of a segment, after weights changed; and from inside one, before they did."""
    base = tiny.tiny_experiment(steps=9, reseed_every=2, checkpoint_every=3, keep_every=3, hash_batches=True)
    experiment, out, parts = with_controller(base, config), tmp_path / "whole", tmp_path / "parts"
    train(experiment, out, open_stream=tiny.SyntheticStream)
    whole = [r.get("batch_hash") or r["policy_weights"] for r in records(out)]
    shutil.copytree(out, parts)
    for later in range(step + 3, 10, 3):
        shutil.rmtree(parts / "checkpoints" / str(later))
    train(experiment, parts, open_stream=tiny.SyntheticStream)
    assert [r.get("batch_hash") or r["policy_weights"] for r in records(parts)] == whole
    jax.tree.map(np.testing.assert_array_equal, load_params(out)[1], load_params(parts)[1])


def test_the_end_is_written_after_a_kill_behind_the_last_checkpoint(tiny, tmp_path):
    """All steps are saved, but nothing says how the run ended."""
    experiment = tiny.tiny_experiment(steps=3)
    train(experiment, tmp_path / "run", open_stream=tiny.SyntheticStream)
    summary, log = ((tmp_path / "run" / name) for name in ("summary.json", "metrics.jsonl"))
    before, lines = json.loads(summary.read_text()), log.read_text()
    summary.unlink()
    train(experiment, tmp_path / "run", open_stream=tiny.SyntheticStream)
    again = json.loads(summary.read_text())
    counts = ("step", "finished", "task_rows", "task_tokens", "task_loss_tokens")
    assert [again[name] for name in counts] == [before[name] for name in counts]
    assert log.read_text() == lines
    # The synthetic rows are full, and their targets are known.
    assert again["task_rows"]["v.three"] == 3 * 8
    assert again["task_tokens"]["v.three"] == 3 * 8 * 12
    assert again["task_loss_tokens"]["v.three"] == 3 * 8 * 5
    assert sum(again["task_tokens"].values()) == again["tokens_per_step"] * 3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["doremi", "bandit"])
def test_a_killed_run_is_the_same_run(name, tiny, recorded_data, tmp_path):
    """Recorded data and `gato train`: SIGKILL between two checkpoints, after the controller set its weights."""
    group = RowGroup((DRAWER, TEXT), windows=1, window_length=64)
    stream = StreamConfig(virtual_shards=4, reseed_every=SEGMENT, prompt_share=0.0, threads=1)
    tokens = TokenConfig(Vocabulary(1024), pack_discrete=True, text_tokens=20)
    mixture = MixtureConfig({DRAWER: 3, TEXT: 1}, {"all": group}, 16)
    base = tiny.tiny_experiment(
        steps=STEPS, hash_batches=True, checkpoint_every=8, model=tiny.tiny_model(max_length=64)
    )
    (tmp_path / "reference.json").write_text(json.dumps({DRAWER: 1.0, TEXT: 5.0}))
    config = CONFIGS[name]
    if name == "doremi":
        reference = dataclasses.replace(config.doremi, reference=str(tmp_path / "reference.json"))
        config = dataclasses.replace(config, doremi=reference)
    experiment = with_controller(
        dataclasses.replace(base, data=DataConfig(str(recorded_data), tokens, mixture, stream)), config
    )
    (tmp_path / "asked.json").write_text(experiment.to_json())

    out = tmp_path / "killed"
    command = [sys.executable, "-m", "gato_jax.cli", "train", str(tmp_path / "asked.json"), "--out", str(out)]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    while process.poll() is None and not any(r["step"] >= 16 for r in records(out)):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, (tmp_path / "log").read_text()
    assert max(r["step"] for r in records(out)) < STEPS - 1

    (tmp_path / "reference.json").unlink(missing_ok=name == "bandit")  # a run's config knows its reference
    train(load_experiment(out / "config.json"), out)
    (tmp_path / "reference.json").write_text(json.dumps({DRAWER: 1.0, TEXT: 5.0}))
    train(experiment, tmp_path / "whole")

    fields = ("step", "loss", "task_loss", "task_rows", "batch_hash", "policy_weights", "policy_weights_from")
    killed, whole = ([{k: r.get(k) for k in fields} for r in records(path)] for path in (out, tmp_path / "whole"))
    assert killed == whole
    jax.tree.map(np.testing.assert_array_equal, load_params(out)[1], load_params(tmp_path / "whole")[1])

    said = [r for r in whole if r["policy_weights"]]
    assert [(r["step"], r["policy_weights_from"]) for r in said] == [
        (end - 1, end + SEGMENT) for end in range(SEGMENT, STEPS + 1, SEGMENT)
    ]
    assert len({r["policy_weights"][TEXT] for r in said}) > 2
    # The last weights that came into force drew the last segment's rows.
    rows = [r["task_rows"] for r in whole if r["task_rows"]]
    drawn = rows[-1][TEXT] - rows[-1 - SEGMENT][TEXT]
    share = next(r["policy_weights"][TEXT] for r in said if r["policy_weights_from"] == STEPS - SEGMENT)
    assert abs(drawn / (16 * SEGMENT) - share) < 4 * math.sqrt(share * (1 - share) / (16 * SEGMENT))

    if name == "doremi":
        (tmp_path / "reference.json").write_text(json.dumps({DRAWER: 1.5, TEXT: 5.0}))
        with pytest.raises(
            RunMismatch, match=r"train\.mixture_controller\.doremi\.losses\.metaworld\.drawer_close: expected 1\.0"
        ):
            train(with_controller(experiment, experiment.train.mixture_controller, steps=STEPS + 6), out)
