"""Recording: expert x environment -> TFDS directories, in parallel, restartable, done once."""

from data_pipelines.recording.config import Policy, RecordingConfig
from data_pipelines.recording.outside import WorldOptions
from data_pipelines.recording.plan.presets import PRESETS, preset
from data_pipelines.recording.plan.task_list import read_task_list
from data_pipelines.recording.progress import Progress
from data_pipelines.recording.recorder import TasksFailed, foretell, record
from data_pipelines.recording.summary import RecordingSummary
from data_pipelines.storage.data_directory import RecordingError

__all__ = [
    "PRESETS",
    "Policy",
    "Progress",
    "RecordingConfig",
    "RecordingError",
    "RecordingSummary",
    "TasksFailed",
    "WorldOptions",
    "foretell",
    "preset",
    "read_task_list",
    "record",
]
