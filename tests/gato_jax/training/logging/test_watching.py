"""What a run says about itself: records, the live view, W&B, traces, stalls, and saving by the clock."""

import contextlib
import dataclasses
import importlib.util
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import time

import pytest
from rich.console import Console

from gato_jax.config import TrainConfig
from gato_jax.training.logging.progress import Progress
from gato_jax.training.train import train

STEPS = 8
SLOW = 5
HAS_WANDB = importlib.util.find_spec("wandb") is not None


@pytest.fixture(scope="module")
def run(tiny, tmp_path_factory):
    """Eight steps of a fifth of a second, the sixth of which waits long for its data; (directory, what was said)."""

    class Slow(tiny.SyntheticStream):
        def __next__(self):
            time.sleep(2.5 if self.step == SLOW else 0.2)
            return super().__next__()

    out = tmp_path_factory.mktemp("watching") / "run"
    experiment = tiny.tiny_experiment(steps=STEPS, checkpoint_minutes=0.5 / 60, keep=STEPS, stall_minutes=1 / 60)
    with contextlib.redirect_stderr(io.StringIO()) as said:
        train(experiment, out, open_stream=Slow)
    return out, said.getvalue()


def records(out):
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def test_a_stall_is_written_down_with_all_stacks(run):
    out, said = run
    (path,) = (out / "stalls").glob(f"step-{SLOW}-process-0.txt")
    text = path.read_text()
    assert f"step {SLOW}, load: " in text
    assert re.search(r'test_watching\.py", line \d+ in __next__', text)
    assert f"step {SLOW}, load takes longer than 1 s; the stacks are in {path}" in said


def test_checkpoints_by_the_clock(run):
    """`checkpoint_every` would save the last step alone; after the slow one time is up for certain."""
    steps = {int(path.name) for path in (run[0] / "checkpoints").iterdir()}
    assert {SLOW + 1, STEPS} <= steps
    assert 1 not in steps


def test_a_window_of_steps_is_profiled(tiny, tmp_path):
    """In a process of its own, as the profiler crashes one in which many other tests have run (jaxlib 0.10.2)."""
    out = tmp_path / "run"
    path = os.pathsep.join([str(pathlib.Path(__file__).parents[4]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, tiny.__file__, str(out), "--steps", "6", "--profile", "2", "2"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list((out / "profile").rglob("*.xplane.pb"))
    assert done.stderr.count(f"steps 2 to 3 are profiled in {out / 'profile'}") == 1


def test_an_unknown_peak_is_said_once(run):
    out, said = run
    assert "no MFU" not in said, "nobody publishes the peak of a CPU"
    assert "on 1 device; step compiled" in said
    assert not any("mfu" in record for record in records(out))


def test_tensorboard_reads_the_same_numbers(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(run[0] / "tensorboard"))
    board.Reload()
    assert {"loss", "domain_loss/a", "task_rows/v.three", "seconds_per_step/load"} <= set(board.Tags()["scalars"])
    losses = [(event.step, event.value) for event in board.Scalars("loss")]
    assert losses == [(record["step"], pytest.approx(record["loss"])) for record in records(run[0])]


@pytest.mark.parametrize("options", [{"profile": (-1, 2)}, {"profile": (3, 0)}, {"wandb": "entity/"}])
def test_bad_settings_are_named(options):
    (name,) = options
    with pytest.raises(ValueError, match=rf"train\.{name}.* must .*found"):
        TrainConfig(steps=1, **options)


def test_live_view_in_a_terminal(run):
    """Domains, speed and the rest on the screen, lines above it stay."""
    out, record = io.StringIO(), records(run[0])[-1]
    with Progress(console=Console(file=out, force_terminal=True, width=100)) as progress:
        progress.say("a line that stays")
        progress.update(STEPS - 1, STEPS, record)
        progress.update(STEPS, STEPS, {**record, "mfu": 0.5, "skipped_steps": 3})
    text = out.getvalue()
    assert "a line that stays" in text
    for expected in (f"step {STEPS}/{STEPS}", "tokens/s", "goodput", "MFU 50.0%", "3 skipped steps", "eta 0:00"):
        assert expected in text
    for domain, loss in record["domain_loss"].items():
        assert re.search(rf"{domain} +{loss:.4f} +{record['domain_accuracy'][domain]:.1%}", text)


def test_plain_lines_elsewhere(run, capsys):
    """Not more often than asked for, but always the last."""
    record = records(run[0])[-1]
    with Progress(console=Console(file=io.StringIO())) as progress:
        for step in range(1, STEPS + 1):
            progress.update(step, STEPS, record)
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition("  ")[0] for line in lines] == [f"step 1/{STEPS}", f"step {STEPS}/{STEPS}"]


@pytest.mark.skipif(HAS_WANDB, reason="wandb is installed")
def test_wandb_that_is_not_installed_is_said_before_anything_else(tiny, tmp_path):
    with pytest.raises(ValueError, match=r"train\.wandb is set, but the package wandb is not here.*gato-jax\[wandb\]"):
        train(tiny.tiny_experiment(wandb="project"), tmp_path / "run", open_stream=tiny.SyntheticStream)
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(not HAS_WANDB, reason="wandb is not installed")
def test_wandb_offline_goes_on_under_one_id(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    experiment = tiny.tiny_experiment(steps=2, wandb="project")
    train(experiment, tmp_path / "run", open_stream=tiny.SyntheticStream)
    longer = dataclasses.replace(experiment, train=dataclasses.replace(experiment.train, steps=4))
    train(longer, tmp_path / "run", open_stream=tiny.SyntheticStream)
    run_directories = list((tmp_path / "run" / "wandb").glob("offline-run-*"))
    assert len(run_directories) == 2
    assert {path.name.rpartition("-")[2] for path in run_directories} == {(tmp_path / "run" / "wandb.id").read_text()}
    assert all(b"domain_loss/a" in next(path.glob("*.wandb")).read_bytes() for path in run_directories)
