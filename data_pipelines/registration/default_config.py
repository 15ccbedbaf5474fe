"""The data configuration of a directory alone: every task that is recorded there, in the paper's windows."""

import dataclasses
import pathlib

from data_pipelines.config import DataConfig
from data_pipelines.mixtures.config import MixtureConfig
from data_pipelines.schema import RowGroup
from data_pipelines.storage.recorded_tasks import DataError, recorded_tasks
from data_pipelines.stream.resolve_mixture import fit_patches
from data_pipelines.tokenizers.layout import TokenConfig
from data_pipelines.tokenizers.text import PAPER_TEXT_MODEL, TEXT_MODEL_FILE

GROUP = "all"
ROWS = 64
"""Rows of a step; the stream deals 1,000 steps at a time."""


def default_config(directory: str | pathlib.Path) -> DataConfig:
    """All tasks at equal rates, in one row group of 1,024 places; the text model is the directory's, else the paper's.

    Raises:
      DataError: no such directory, or nothing in it.
      ValueError: a task whose timestep is longer than the window.
    """
    names = tuple(recorded_tasks(directory))
    if not names:
        raise DataError(f"{directory}: expected a data directory with a recorded task at least, found none")
    group = RowGroup(names)
    group = dataclasses.replace(group, patches=group.length)
    own = (pathlib.Path(directory) / TEXT_MODEL_FILE).is_file()
    tokens = TokenConfig(text_model="" if own else PAPER_TEXT_MODEL)
    config = DataConfig(str(directory), tokens, MixtureConfig(dict.fromkeys(names, 1.0), {GROUP: group}, ROWS))
    fitted = {GROUP: fit_patches(GROUP, group, config)}
    return dataclasses.replace(config, mixture=dataclasses.replace(config.mixture, groups=fitted))
