"""Whether EnvLogger works on this machine, asked before any simulator starts. Imports neither TensorFlow nor JAX."""

import importlib

from data_pipelines.storage.data_directory import RecordingError


def require_envlogger() -> None:
    """Raises `RecordingError` with the reason if EnvLogger cannot be imported."""
    try:
        importlib.import_module("envlogger")
    except ImportError as error:
        raise RecordingError(
            f"recording episodes needs EnvLogger, which cannot be imported here: {error}. EnvLogger 1.2 has a wheel "
            "for Python 3.11 alone; 1.3, for later ones, needs glibc 2.38 (Ubuntu 24.04, Debian 13). Record where it "
            "works and copy the data directory. Nothing else imports EnvLogger, `gato import-data` neither"
        ) from error
