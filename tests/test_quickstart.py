"""A miniature quickstart, end to end through the command line: real simulators, real experts, real checkpoints."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import jax
import numpy as np
import pytest

from gato_jax import cli
from gato_jax.training.checkpoints.checkpoint import load_params

TASKS = ("babyai.go_to_obj", "metaworld.handle_press", "text.python_docs", "vqa.easy_vqa")
EPISODES = 4
INTERRUPTED = 130


def environment(devices: int = 1) -> dict[str, str]:
    """The same step is compiled once for all processes of a number of devices."""
    cache = pathlib.Path(tempfile.gettempdir()) / f"gato-jax-test-cache-{os.getuid()}"
    return {
        **os.environ,
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices} --xla_backend_optimization_level=0",
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }


def gato(*arguments, check: bool = True, devices: int = 1) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "gato_jax.cli", *map(str, arguments)]
    done = subprocess.run(command, env=environment(devices), capture_output=True, text=True, timeout=600)
    if check:
        assert done.returncode == 0, done.stdout + done.stderr
    return done


OPTIONS = ("--tasks", *TASKS, "--scale", 0.03, "--minutes", 0.02, "--episodes", EPISODES)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory) -> tuple[pathlib.Path, pathlib.Path, int]:
    """A quickstart that SIGTERM ended while it trained: its directory, a copy of its run, its last recorded step."""
    out = tmp_path_factory.mktemp("quickstart") / "out"
    command = [sys.executable, "-m", "gato_jax.cli", "quickstart", "--out", str(out), *map(str, OPTIONS)]
    process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = signal_when_recorded(process, out / "run" / "metrics.jsonl", lines=1)
    assert "interrupted; saved at step" in output, output
    assert process.returncode == INTERRUPTED, output
    assert not (out / "evaluation.json").exists()
    run = shutil.copytree(out / "run", tmp_path_factory.mktemp("stopped") / "run")
    return out, run, max(curve(run))


@pytest.fixture(scope="module")
def quickstart(stopped) -> pathlib.Path:
    """The same command again: it trains the rest and passes through every later stage."""
    out = stopped[0]
    result = json.loads(gato("quickstart", "--out", out, *OPTIONS, "--json").stdout)
    assert result["evaluation"]["complete"]
    return out


@pytest.fixture(scope="module")
def undisturbed(quickstart, tmp_path_factory) -> pathlib.Path:
    """As many steps of the quickstart's own experiment, on one device, in one go."""
    experiment = json.loads((quickstart / "run" / "config.json").read_text())
    experiment["train"]["minutes"] = None
    out = tmp_path_factory.mktemp("undisturbed")
    (out / "experiment.json").write_text(json.dumps(experiment))
    gato("train", out / "experiment.json", "--out", out / "run")
    return out / "run"


def curve(run: pathlib.Path) -> dict[int, tuple[float, str]]:
    """Loss and batch hash of each step, the last record of a step counting."""
    records = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return {record["step"]: (record["loss"], record["batch_hash"]) for record in records if "loss" in record}


def signal_when_recorded(process: subprocess.Popen, metrics: pathlib.Path, *, lines: int) -> str:
    """Sends SIGTERM once the run has recorded so many steps; waits for the end and returns all that was printed."""
    deadline = time.monotonic() + 300
    while process.poll() is None and time.monotonic() < deadline:
        if metrics.exists() and len(metrics.read_text().splitlines()) >= lines:
            process.send_signal(signal.SIGTERM)
            break
        time.sleep(0.02)
    return process.communicate(timeout=120)[0].decode()


def test_every_stage_leaves_its_result(quickstart):
    evaluation = json.loads((quickstart / "evaluation.json").read_text())
    scores = {score["task"]: score for score in evaluation["tasks"]}
    assert set(scores) == {"babyai.go_to_obj", "metaworld.handle_press"}
    for score in scores.values():
        assert len(score["returns"]) == EPISODES
        assert score["low"] <= score["percent"] <= score["high"]
    language = {score["task"]: score for score in evaluation["language"]}
    assert set(language) == {"text.python_docs", "vqa.easy_vqa"}
    assert 0 <= language["vqa.easy_vqa"]["accuracy"] <= 1
    assert (quickstart / "export" / "model.safetensors").stat().st_size > 100_000
    page = (quickstart / "report.html").read_text()
    assert "babyai.go_to_obj" in page
    assert "data:image/gif" in page
    assert 'src="http' not in page


def test_running_again_repeats_nothing(quickstart):
    before = (quickstart / "run" / "metrics.jsonl").read_bytes()
    result = json.loads(gato("quickstart", "--out", quickstart, *OPTIONS, "--json").stdout)
    assert result["evaluation"]["complete"]
    assert (quickstart / "run" / "metrics.jsonl").read_bytes() == before


def test_other_settings_are_refused(quickstart):
    done = gato("quickstart", "--out", quickstart, "--minutes", 5, check=False)
    assert done.returncode == 1
    assert "minutes: started with 0.02, asked for 5" in done.stderr


def test_interrupted_quickstart_is_carried_to_its_end(quickstart, stopped):
    summary = json.loads((quickstart / "run" / "summary.json").read_text())
    assert summary["finished"]
    assert summary["steps"] - 1 == max(curve(quickstart / "run")) > stopped[2]


# Smaller runs show the same in the ordinary suite: tests/gato_jax/training/test_processes.py.
@pytest.mark.slow
def test_resume_on_one_device_is_equal_bit_for_bit(quickstart, undisturbed):
    assert curve(quickstart / "run") == curve(undisturbed)
    resumed, whole = (load_params(run)[1] for run in (quickstart / "run", undisturbed))
    jax.tree.map(np.testing.assert_array_equal, resumed, whole)


@pytest.mark.slow
def test_a_run_of_one_device_goes_on_on_eight(stopped, quickstart, undisturbed):
    """The same batches, and the curve of one undisturbed device, to rounding."""
    _, run, last = stopped
    gato("train", quickstart / "experiment.json", "--out", run, devices=8)
    continued, expected = curve(run), curve(undisturbed)
    assert max(continued) > last
    assert [continued[step][1] for step in sorted(continued)] == [expected[step][1] for step in sorted(expected)]
    for step in expected:
        assert continued[step][0] == pytest.approx(expected[step][0], rel=1e-5)


BAD = [
    (("evaluate", "nowhere"), "nowhere"),
    (("export", "."), "expected an export (config.json of `gato export`"),
    (("train", "quickstrat"), "did you mean quickstart"),
    (("train", "quickstart", "--model.widht", "3"), "--model.width"),
    (("record", "--tasks", "babyai.go_to_obi", "--out", "x"), "babyai.go_to_obj"),
    (("train", "quickstart", "--data.directory", "nowhere", "--out", "x"), "nowhere"),
    (("recrod",), "did you mean record"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_bad_command_lines_name_what_is_wrong(arguments, message, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code in (1, 2)
    printed = capfd.readouterr()
    assert message in printed.out + printed.err
    assert "Traceback" not in printed.err
    assert not list(tmp_path.iterdir())


def test_a_bad_command_line_in_a_shell(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "gato_jax.cli", "train", "quickstrat"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode in (1, 2)
    assert "did you mean quickstart" in done.stderr
    assert "Traceback" not in done.stderr
