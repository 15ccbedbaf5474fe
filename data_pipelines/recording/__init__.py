"""Recording: expert x environment -> TFDS directories, in parallel, restartable, done once."""

from data_pipelines.recording.config import RecordingConfig
from data_pipelines.recording.outside import WorldOptions
from data_pipelines.recording.progress import Progress
from data_pipelines.recording.recorder import record
from data_pipelines.recording.summary import RecordingSummary
from data_pipelines.storage.data_directory import RecordingError

__all__ = ["Progress", "RecordingConfig", "RecordingError", "RecordingSummary", "WorldOptions", "record"]
