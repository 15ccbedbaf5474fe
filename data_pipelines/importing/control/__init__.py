"""Importing control episodes from local disk, or from a user's own environments."""

from data_pipelines.importing.common.errors import ImportingError, SourceError
from data_pipelines.importing.common.formats import Format
from data_pipelines.importing.control.episodes import ControlReader, RawEpisode
from data_pipelines.importing.control.filtering import FilterConfig, expert_return, select
from data_pipelines.importing.control.formats.registry import FORMATS, open_source
from data_pipelines.importing.control.import_task import import_data, import_episodes
from data_pipelines.importing.control.options import (
    ROLES,
    ActionRange,
    BadEpisodes,
    Channels,
    ControlOptions,
    Float64,
    LastStep,
    Rewards,
    Videos,
    control_options,
)
from data_pipelines.importing.control.rollouts import record_dm_env, record_gymnasium
from data_pipelines.importing.control.summary import ControlProgress, ControlSummary

__all__ = [
    "FORMATS",
    "ROLES",
    "ActionRange",
    "BadEpisodes",
    "Channels",
    "ControlOptions",
    "ControlProgress",
    "ControlReader",
    "ControlSummary",
    "FilterConfig",
    "Float64",
    "Format",
    "ImportingError",
    "LastStep",
    "RawEpisode",
    "Rewards",
    "SourceError",
    "Videos",
    "control_options",
    "expert_return",
    "import_data",
    "import_episodes",
    "open_source",
    "record_dm_env",
    "record_gymnasium",
    "select",
]
