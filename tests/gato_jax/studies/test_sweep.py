"""`gato sweep` as a command: what it shows, failed runs, jobs of a cluster."""

import dataclasses
import importlib.util
import json
import os
import shutil
import time
from pathlib import Path

import pytest
import rich.console
import yaml

from experiments.studies import local_domains
from gato_jax import cli
from gato_jax.cli import studies
from gato_jax.cli.common import UsageError
from gato_jax.config import MixtureControllerConfig
from gato_jax.studies import designs, sweep
from gato_jax.studies.laws import proposals
from gato_jax.studies.plan import run_directory, write_plan
from gato_jax.studies.report import page as sweep_page
from gato_jax.studies.status import Status
from gato_jax.studies.study import load_study
from gato_jax.studies.workers import processes

RECORDED = Path(__file__).with_name("recorded_study.py")


def test_failed_runs_keep_their_reason_and_a_worker_that_only_fails_stops(tmp_path, capsys):
    """Only markers lie there, so every run would fail: the worker is what is wrong, and it leaves the rest alone."""
    for task in ("metaworld.drawer_close", "text.python_docs"):
        (tmp_path / "nowhere" / task).mkdir(parents=True)
        (tmp_path / "nowhere" / task / "recording.json").write_text("{}")
    options = ["--data", tmp_path / "nowhere", "--out", tmp_path / "sweep", "--json"]
    with pytest.raises(SystemExit) as ended:
        cli.main(["sweep", *map(str, [RECORDED, *options])])
    assert ended.value.code == 1
    error = capsys.readouterr().err
    assert "workers ended with exit codes [1]; 0 runs are done, 3 failed, left are ['sobol0-003.s0'" in error
    (log,) = (tmp_path / "sweep").glob("worker-*.log")
    assert "the first 3 runs here failed" in log.read_text()
    status = sweep.status(tmp_path / "sweep")
    assert len(status.failed) == 3
    assert all("nowhere" in reason for reason in status.failed.values())
    studies.sweep(["status", str(tmp_path / "sweep")])
    assert "0 done, 3 failed, 0 running, 3 waiting" in " ".join(capsys.readouterr().out.split())


def test_settings_of_jobs_need_jobs(tmp_path):
    with pytest.raises(UsageError, match="--job sets the jobs of --slurm"):
        studies.sweep([str(RECORDED), "--out", str(tmp_path / "other"), "--job", "timeout_min=3"])
    assert not (tmp_path / "other").exists()


def test_states_are_shown():
    status = Status(("a", "b"), {"c": "ValueError: bad [x]\nmore"}, ("d", "e"), ("f",), 240.0, {"d": 0.5})
    assert status.seconds_left(workers=2) == 120 * (1 + 0.5 + 1) / 2
    assert status.line() == "2 done, 1 failed, 2 running, 1 waiting, about 2 min left"
    console = rich.console.Console(width=100, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(status.table())
    text = console.export_text()
    assert "50 %" in text
    assert "ValueError: bad [x]" in text
    assert status.line() in " ".join(text.split())
    assert Status((), {}, ("d",), (), 0.0).seconds_left(workers=1) is None


def test_options_of_jobs():
    assert processes.parse_options(["timeout_min=60", "slurm_partition=long"]) == {
        "timeout_min": 60,
        "slurm_partition": "long",
    }
    with pytest.raises(ValueError, match="expected NAME=VALUE, found 'timeout_min'"):
        processes.parse_options(["timeout_min"])


def test_pods_run_the_command_that_this_machine_would(tmp_path, capsys):
    options = ["--data", "/shared/data", "--out", "/shared/sweep", "--options", "width=32", "design=0"]
    studies.sweep(["local_domains", *options, "--k8s", "image:1", "--workers", "3"])
    job = yaml.safe_load(capsys.readouterr().out)
    assert (job["kind"], job["spec"]["completions"], job["spec"]["parallelism"]) == ("Job", 3, 3)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "image:1"
    assert container["volumeMounts"][0]["mountPath"] == "/shared"
    gato, command, *rest = container["command"]
    assert (gato, command) == ("gato", "sweep")
    studies.sweep([*rest, "--k8s", "image:1"])
    again = yaml.safe_load(capsys.readouterr().out)
    assert again["spec"]["template"] == job["spec"]["template"]


def test_options_of_a_study(tmp_path):
    study = load_study("local_domains", width=32, design=2, held_out=0)
    assert study.base.model.width == 32
    assert len(study.runs()) == 3 * 3 + 2 * 2
    proposals.write_mixture(tmp_path / "found.yaml", designs.normalised(local_domains.TABLE_1), study.domains, "")
    more = load_study("local_domains", mixtures=str(tmp_path / "found.yaml"), design=0, held_out=0)
    named = {point.name: point.shares for point in more.references}
    assert named["found"] == pytest.approx(named["table-1"], abs=1e-6)
    (tmp_path / "odd.yaml").write_text("weights: {vqa.easy_vqa: 1}")
    with pytest.raises(ValueError, match=r"odd.yaml: tasks of 'babyai' need one positive weight"):
        load_study("local_domains", mixtures=str(tmp_path / "odd.yaml"))
    with pytest.raises(ValueError, match=r"has no option \['widht'\]; it takes .*'width'"):
        load_study("local_domains", widht=32)
    with pytest.raises(ValueError, match="study local_domains with design='few': "):
        load_study("local_domains", design="few")
    with pytest.raises(ValueError, match=r"local_policies needs the options \['reference'\]"):
        load_study("local_policies", width=32)


def test_policies_of_the_study_differ_in_nothing_else():
    study = load_study("local_policies", reference="result.json", steps=30)
    runs = {run.point: study.experiment(run) for run in study.runs() if run.seed == 0}
    assert {name: run.train.mixture_controller.name.name for name, run in runs.items()} == {
        "uniform": "NONE",
        "doremi": "DOREMI",
        "bandit-loss": "BANDIT",
        "bandit-progress": "BANDIT",
    }
    assert {(run.data.stream.reseed_every, run.train.evaluate_every) for run in runs.values()} == {(2, 2)}
    first, *others = (
        dataclasses.replace(
            run, name="", train=dataclasses.replace(run.train, mixture_controller=MixtureControllerConfig())
        )
        for run in runs.values()
    )
    assert all(run == first for run in others)


def test_a_file_older_than_a_setting_is_the_same_experiment(study, tmp_path):
    """Directories of an earlier version stay readable, and are not written anew under running workers."""
    runs = write_plan(study, tmp_path)
    path = run_directory(tmp_path, runs[0]) / "experiment.json"
    old = json.loads(path.read_text())
    del old["train"]["mixture_controller"]
    path.write_text(json.dumps(old))
    assert write_plan(study, tmp_path) == runs
    assert json.loads(path.read_text()) == old
    longer = dataclasses.replace(study, base=dataclasses.replace(study.base, name="longer"))
    write_plan(longer, tmp_path)  # runs have names of their own
    train = dataclasses.replace(study.base.train, steps=3)
    with pytest.raises(ValueError, match="holds another experiment"):
        write_plan(dataclasses.replace(study, base=dataclasses.replace(study.base, train=train)), tmp_path)


needs_submitit = pytest.mark.skipif(
    importlib.util.find_spec("submitit") is None, reason="submitit is not installed: pip install 'gato-jax[studies]'"
)


@needs_submitit
def test_what_the_cluster_refuses(tmp_path):
    with pytest.raises(ValueError, match="partitoin"):
        processes.job_executor(tmp_path, name="x", workers=1, cluster="local", options={"slurm_partitoin": "long"})
    with pytest.raises(ValueError, match="timeout_min"):
        processes.job_executor(tmp_path, name="x", workers=1, cluster="local", options={"timeout_min": "long"})


@needs_submitit
@pytest.mark.slow
def test_jobs_share_a_sweep(recorded_data, tmp_path):
    """submitit's own local jobs stand in for SLURM's: two of them, every run once."""
    study = load_study(RECORDED, directory=recorded_data)
    runs = write_plan(study, tmp_path)
    executor = processes.job_executor(tmp_path, name="x", workers=2, cluster="local", options={"timeout_min": 30})
    assert len(processes.submit(executor, tmp_path, workers=2)) == 2
    while (state := sweep.status(tmp_path)).running or state.waiting:
        time.sleep(1)
    assert set(state.done) == {run.name for run in runs}
    assert {path.name for path in (tmp_path / "claims").glob("*.*[0-9]")} == {f"{run.name}.1" for run in runs}
    assert any((tmp_path / "cache").iterdir())


def test_data_that_is_not_there_is_said_before_anything_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    for data, message in (
        ("nowhere", "no directory 'nowhere'"),
        ("file", "expected a directory, found the file 'file'"),
        ("empty", "are not recorded in 'empty'; recorded there: []"),
    ):
        with pytest.raises(SystemExit):
            cli.main(["sweep", "local_domains", "--data", data, "--out", "sweep"])
        assert message in capsys.readouterr().err
    assert not (tmp_path / "sweep").exists()


@pytest.mark.parametrize("name", ["plan.json", "added.json", "runs/uniform.s0/result.json", "fit.json"])
@pytest.mark.parametrize("text", ["", '{"runs": [', "[]", "{}"])
def test_damaged_files_of_a_sweep_are_named(fitted_sweep, tmp_path, name, text):
    out = tmp_path / "sweep"
    shutil.copytree(fitted_sweep[0], out)
    (out / name).write_text(text)
    with pytest.raises(ValueError, match=f"{out / name}: expected "):
        sweep_page.write_page(out)
