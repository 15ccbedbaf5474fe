"""Only what is ours is read and removed beside checkpoints; strangers are named."""

import pytest

from gato_jax.training.checkpoints.directory import (
    CheckpointError,
    find_checkpoint,
    remove,
    step_of,
    steps_of,
    strangers,
    tidy,
)


@pytest.fixture
def run(tmp_path):
    """A run with two checkpoints, and what else there may be."""
    for step in ("20", "40"):
        (tmp_path / "run/checkpoints" / step / "parameters").mkdir(parents=True)
    return tmp_path / "run"


def content(run):
    return sorted(path.name for path in (run / "checkpoints").iterdir())


@pytest.mark.parametrize("name", ["²", "007", "-1", "1.0", "٣", "", "9" * 30, "40.orbax-checkpoint-tmp"])
def test_what_is_no_step(name):
    assert step_of(name) is None


def test_strangers_are_neither_read_nor_removed(run):
    there = run / "checkpoints"
    for name in ("60", "²", "007", "40.orbax-checkpoint-tmp-0", "notes"):
        (there / name).mkdir()
        (there / name / "precious").write_text("mine")
    (there / "80").write_text("a file")
    (there / "50.orbax-checkpoint-tmp").mkdir()
    assert find_checkpoint(run) == there / "40"
    said = []
    tidy(there, said.append)
    assert content(run) == [
        "007",
        "20",
        "40",
        "40.orbax-checkpoint-tmp-0",
        "notes",
        "set-aside-60",
        "set-aside-80",
        "²",
    ]
    assert (there / "set-aside-60/precious").read_text() == "mine"
    text = "\n".join(said)
    for name in ("60", "80", "²", "007", "40.orbax-checkpoint-tmp-0", "notes"):
        assert f"{there / name} is no checkpoint" in text
    assert f"removed {there / '50.orbax-checkpoint-tmp'}" in text
    said.clear()
    tidy(there, said.append)
    assert len(said) == len(strangers(there)) == 4


def test_a_run_directory_may_be_named_like_a_step(run):
    run = run.rename(run.with_name("60"))
    assert find_checkpoint(run) == run / "checkpoints/40"
    assert find_checkpoint(run / "checkpoints/20") == run / "checkpoints/20"


def test_no_checkpoint_names_what_is_there(tmp_path):
    (tmp_path / "checkpoints/²").mkdir(parents=True)
    with pytest.raises(CheckpointError, match=r"expected a run directory with checkpoints/<step>; .* is none: ²"):
        find_checkpoint(tmp_path)


def test_a_link_is_not_followed(run, tmp_path):
    (tmp_path / "elsewhere/parameters").mkdir(parents=True)
    (run / "checkpoints/10").symlink_to(tmp_path / "elsewhere")
    assert steps_of(run / "checkpoints") == [10, 20, 40]
    for step in ("10", "20"):
        remove(run / "checkpoints" / step)
    assert content(run) == ["10", "40"]
    assert (tmp_path / "elsewhere/parameters").is_dir()
