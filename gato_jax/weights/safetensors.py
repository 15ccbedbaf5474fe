"""Exports as `load_weights` and the quickstart use them: read back for acting, or written as safetensors."""

from gato_jax.weights.load import load_export
from gato_jax.weights.tensor_names import ExportError

__all__ = ["ExportError", "load_export"]
