"""A directory that appears whole or not at all touches nothing of somebody else's."""

import os
import shutil

import pytest

from data_pipelines.read_json import DamagedFile
from gato_jax.export.common.partial_directory import check_target, partial_directory

JOB = {"format": "one"}


def write(out, job=JOB, text="1"):
    with partial_directory(out, job) as work:
        (work / "tensors").write_text(text)


def interrupted(out, job=JOB, say=None):
    """A call that Ctrl-C ends; what it found there."""
    left = []

    def work():
        with partial_directory(out, job, say=say) as work:
            left.extend(names(work))
            (work / "half").mkdir(exist_ok=True)
            (work / "half/tensors").write_text("1")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    return left


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def test_nobody_touches_what_is_being_written(tmp_path):
    out = tmp_path / "out"
    with partial_directory(out, JOB) as work:
        (work / "tensors").write_text("1")
        for job in (JOB, {"format": "other"}):
            with pytest.raises(FileExistsError, match="another export is writing there"):
                write(out, job)
    assert names(out) == ["tensors"]
    assert names(tmp_path) == ["out"]


def test_only_the_same_job_goes_on(tmp_path):
    out = tmp_path / "out"
    said = []
    assert interrupted(out, say=said.append) == ["job.json", "lock"]
    assert interrupted(out, say=said.append) == ["half", "job.json", "lock"]
    assert said == [f"going on from {tmp_path / '.out.partial'}"]
    write(out, {"format": "other"}, "2")
    assert names(out) == ["tensors"]
    assert names(tmp_path) == ["out"]


def test_a_failure_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="full"), partial_directory(tmp_path / "out", JOB):
        raise ValueError("full")
    assert names(tmp_path) == []


def link_to_a_directory(work, elsewhere):
    work.symlink_to(elsewhere)


def a_directory_of_somebody_else(work, elsewhere):
    shutil.copytree(elsewhere, work)


def a_file(work, elsewhere):
    work.write_text("precious")


@pytest.mark.parametrize("place", [link_to_a_directory, a_directory_of_somebody_else, a_file])
def test_what_is_somebody_elses_is_refused(tmp_path, place):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("mine")
    work = tmp_path / ".out.partial"
    place(work, elsewhere)
    with pytest.raises(FileExistsError, match=r"\.out\.partial: expected a directory that an interrupted call left"):
        write(tmp_path / "out")
    assert names(elsewhere) == ["precious"]
    assert work.is_file() or names(work) == ["precious"]


def test_a_link_in_the_place_of_the_lock_is_not_followed(tmp_path):
    (tmp_path / "precious").write_text("mine")
    interrupted(tmp_path / "out")
    (tmp_path / ".out.partial/lock").unlink()
    (tmp_path / ".out.partial/lock").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic link"):
        write(tmp_path / "out")
    assert (tmp_path / "precious").read_text() == "mine"


@pytest.mark.parametrize(("content", "found"), [('{"lay', "cut short"), ("[1]", "a list"), ("{}", "'layout'")])
def test_a_damaged_job_file_is_named(tmp_path, content, found):
    interrupted(tmp_path / "out")
    (tmp_path / ".out.partial/job.json").write_text(content)
    with pytest.raises(DamagedFile, match=rf"job\.json: expected the job of an interrupted export.*{found}.*; remove"):
        write(tmp_path / "out")


@pytest.mark.parametrize("left", [(), ("lock",), ("lock", ".job.json.abc")])
def test_a_call_that_was_killed_before_it_named_its_job_is_gone_on_with(tmp_path, left):
    (tmp_path / ".out.partial").mkdir()
    for name in left:
        (tmp_path / ".out.partial" / name).write_text("")
    write(tmp_path / "out")
    assert names(tmp_path / "out") == ["tensors"]


def test_places_where_nothing_can_stand_are_refused_by_name(tmp_path, monkeypatch):
    (tmp_path / "here/below").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "here/below")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    monkeypatch.chdir(tmp_path / "here")
    for place in (".", "", "..", "./", "below/..", "../here", str(tmp_path), "/", "../link", "../dangling"):
        with pytest.raises(ValueError, match="to: expected the name of a directory to make for the export, found"):
            check_target(type(tmp_path)(place), "the export")
    for place in ("below", "new", "größe 1.0 ², new"):
        check_target(type(tmp_path)(place), "the export")
        write(type(tmp_path)(place))
        assert names(tmp_path / "here" / place) == ["tensors"]
    assert "below" in os.listdir()
