"""EnvLogger over our own files. Imports EnvLogger, which not every machine can."""

from collections.abc import Mapping
from typing import Any

from envlogger import EnvLogger, StepData
from envlogger.backends.backend_writer import BackendWriter

from data_pipelines.recording.episodes import ReplayEnvironment
from data_pipelines.recording.rlds.files import RldsFiles


class RldsBackend(BackendWriter):
    """What EnvLogger logs goes to RLDS files."""

    def __init__(self, files: RldsFiles):
        self._files = files  # Before the base class, whose destructor closes.
        super().__init__()

    def _record_step(self, data: StepData, is_new_episode: bool) -> None:
        self._files.add(data.timestep, data.action, data.custom_data or {}, first=is_new_episode)

    def set_episode_metadata(self, data: Mapping[str, Any]) -> None:
        self._files.describe(data)

    def close(self) -> None:
        self._files.close()


def envlogger_over(replay: ReplayEnvironment, files: RldsFiles) -> EnvLogger:
    """Logs every step of the episodes that `replay` plays back."""
    return EnvLogger(
        replay,
        step_fn=lambda timestep, action, env: env.step_fields,
        # EnvLogger keeps what the last call returned.
        episode_fn=lambda timestep, action, env: env.episode.fields,
        backend=RldsBackend(files),
    )
