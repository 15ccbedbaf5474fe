"""Libraries that only some formats need, and that an extra of this package brings."""

import importlib
from types import ModuleType

from data_pipelines.importing.common.errors import SourceError

EXTRA = "formats"


def needed(library: str, what: str) -> ModuleType:
    """The imported library.

    Args:
      library: name of the module, which is its package's name too.
      what: is read with it, for the message: "zarr folders".

    Raises:
      SourceError: it is not installed.
    """
    try:
        return importlib.import_module(library)
    except ImportError as error:
        raise SourceError(
            f"{what} need {library}, which cannot be imported ({error}): "
            f'pip install {library}, or pip install "gato-jax[{EXTRA}]" for all formats'
        ) from error
