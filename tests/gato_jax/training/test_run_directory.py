"""Whether a run may continue in its directory. What changes a step is refused in `test_train.py`."""

import dataclasses
from pathlib import Path

import pytest

from data_pipelines.config_json import encode, with_old_names
from gato_jax.config import Experiment
from gato_jax.training.run_directory import RunMismatch, check_resume


def test_settings_that_were_renamed_are_the_same_settings(tiny):
    """A checkpoint of before is continued; a change is told by the name of today."""
    experiment = tiny.tiny_experiment(reseed_every=3)
    saved = with_old_names(Experiment, encode(experiment))
    assert saved["data"]["stream"]["segment_steps"] == 3
    assert "policy" in saved["train"]
    check_resume(experiment, saved, where=Path("run"))
    stream = dataclasses.replace(experiment.data.stream, reseed_every=4)
    other = dataclasses.replace(experiment, data=dataclasses.replace(experiment.data, stream=stream))
    with pytest.raises(RunMismatch, match=r"  data\.stream\.reseed_every: expected 3, found 4$"):
        check_resume(other, saved, where=Path("run"))
