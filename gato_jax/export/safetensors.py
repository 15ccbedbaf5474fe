"""Exports as `load_weights` and the quickstart use them: read back for acting, or written as safetensors."""

from pathlib import Path

from gato_jax.agent.weights import Weights
from gato_jax.export.names import ExportError
from gato_jax.export.source import open_export

__all__ = ["ExportError", "load_export"]


def load_export(directory: Path | str) -> Weights:
    """Weights of an export, ready to act. bfloat16 becomes float32.

    Raises:
      ExportError: damaged, hostile, or of another architecture; see `open_export`.
    """
    return open_export(Path(directory)).weights()
