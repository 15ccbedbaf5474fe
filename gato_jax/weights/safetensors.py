"""Exports as `load_weights` and the quickstart use them: read back for acting, or written as safetensors."""

from pathlib import Path

from gato_jax.weights.source import open_export
from gato_jax.weights.tensor_names import ExportError
from gato_jax.weights.weights import Weights

__all__ = ["ExportError", "load_export"]


def load_export(directory: Path | str) -> Weights:
    """Weights of an export, ready to act. bfloat16 becomes float32.

    Raises:
      ExportError: damaged, hostile, or of another architecture; see `open_export`.
    """
    return open_export(Path(directory)).weights()
