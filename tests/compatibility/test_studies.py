"""Sweeps of commit 6c3b28a: one that is done gives the same laws and tables, one that is half done goes on."""

import shutil

import numpy as np
import pytest

from gato_jax.studies import sweep, table
from gato_jax.studies.laws import analysis, proposals
from gato_jax.studies.plan import read_plan, write_plan
from gato_jax.studies.report import page as sweep_page
from gato_jax.studies.workers import worker
from gato_jax.studies.workers.claims import Claims


@pytest.fixture(scope="module")
def stored(small):
    return small.expected("studies")


@pytest.fixture(scope="module")
def sweeps(small, tmp_path_factory):
    """Both directories. Copy them before you change them."""
    return small.unpack("studies", tmp_path_factory.mktemp("studies"))


@pytest.fixture
def finished(sweeps, tmp_path):
    return shutil.copytree(sweeps / "finished", tmp_path / "finished")


def assert_near(actual, expected, path="fit"):
    """Equal structures of numbers within 1e-4 of each other, and of equal words."""
    if isinstance(expected, dict):
        assert actual.keys() == expected.keys(), path
        for key, value in expected.items():
            assert_near(actual[key], value, f"{path}.{key}")
    elif isinstance(expected, list):
        assert len(actual) == len(expected), path
        for number, (left, right) in enumerate(zip(actual, expected, strict=True)):
            assert_near(left, right, f"{path}[{number}]")
    elif isinstance(expected, float):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-7, err_msg=path)
    else:
        assert actual == expected, path


def test_the_plan_of_a_study_is_the_stored_one(small, sweeps, stored, tmp_path):
    """An old directory takes the study that it was made from, and writes nothing but the plan anew."""
    for name, study in (
        ("finished", small.study(design=8, held_out=2, references=True)),
        ("half", small.study(design=4)),
    ):
        out = shutil.copytree(sweeps / name, tmp_path / name)
        before = small.files(out)
        assert [run.name for run in write_plan(study, out)] == stored[name]
        assert read_plan(out) == study.runs()
        after = small.files(out)
        assert {path: after[path] for path in before if path != "plan.json"} == {
            path: before[path] for path in before if path != "plan.json"
        }
        assert (after.keys(), after["plan.json"][0]) == (before.keys(), before["plan.json"][0])


def test_a_finished_sweep_is_finished(finished, stored):
    status = sweep.status(finished)
    assert list(status.done) == stored["finished"]
    assert (status.failed, status.running, status.waiting) == ({}, (), ())


def test_a_finished_sweep_has_nothing_left_to_do(small, finished):
    before = small.files(finished)
    assert worker.work(finished, open_stream=None)
    assert small.files(finished) == before


def test_laws_of_old_runs_are_the_stored_ones(finished, stored):
    fit = analysis.fit(finished, samples=4)
    assert_near(fit, stored["fit"])
    assert_near(proposals.propose(finished, fit, target="mean")["shares"], stored["proposal"]["shares"], "shares")
    page = sweep_page.write_page(finished).read_text()
    assert all(name in page for name in ("sobol0-000", "uniform"))


def test_the_table_of_old_runs_is_the_stored_one(finished, stored):
    assert table.write_csv(finished).read_text() == stored["csv"]


def test_the_state_of_a_half_done_sweep_is_read(sweeps, stored):
    done, failed, died, waiting = stored["half"]
    status = sweep.status(sweeps / "half")
    assert status.done == (done,)
    assert status.failed == {failed: "OSError: the disk was full"}
    assert status.running == ()
    assert status.waiting == (died, waiting)
    claims = Claims(sweeps / "half" / "claims")
    assert {run: claims.deaths(run) for run in stored["half"]} == {done: 0, failed: 0, died: 1, waiting: 0}


def test_a_half_done_sweep_goes_on(small, sweeps, stored, tmp_path):
    """Runs that are done or failed stay as they are; one goes on from its checkpoint, one begins."""
    out = shutil.copytree(sweeps / "half", tmp_path / "half")
    done, failed, died, waiting = stored["half"]
    before = {run: small.files(out / "runs" / run) for run in (done, failed)}
    dealt = {}

    def open_stream(experiment, host, hosts):
        stream = small.SyntheticStream(experiment, host, hosts)
        dealt[experiment.name] = stream.dealt
        return stream

    assert worker.work(out, open_stream=open_stream, stale_seconds=2)
    assert {run: small.files(out / "runs" / run) for run in (done, failed)} == before
    assert dealt == {f"frozen/{died}": [2, 3], f"frozen/{waiting}": [0, 1, 2, 3]}
    status = sweep.status(out)
    assert (set(status.done), set(status.failed)) == ({done, died, waiting}, {failed})
    assert {path.name for path in (out / "claims").iterdir() if path.suffix.strip(".").isdigit()} == {
        f"{done}.1", f"{failed}.1", f"{died}.1", f"{died}.2", f"{waiting}.1"
    }  # fmt: skip
    for run in sweep.results(out):
        assert_near(run["losses"], stored["losses"][run["name"]], run["name"])
        assert_near(run["rows"], stored["rows"][run["name"]], run["name"])
