"""ONNX by `torch.onnx`, from the PyTorch model of the huggingface format."""

import os
from collections.abc import Callable
from pathlib import Path

from gato_jax.export import bundle
from gato_jax.export.conversion import WORK, convert

SCRIPT = bundle.HERE / "convert_onnx.py"


def write(make_model: Callable[[Path], None], directory: Path, *, interpreter: str) -> None:
    """Writes `model.onnx`: the model's inputs -> logits; rows, places and patches are free.

    Args:
      make_model: writes a huggingface export into a directory, or what is missing of it.
      directory: of the ONNX file.
      interpreter: with PyTorch, transformers, onnx and onnxscript.

    Raises:
      ExportError: the converter fails; says what it printed.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    convert(
        make_model,
        directory,
        lambda model, made: [interpreter, "-I", "-B", "-X", "utf8", str(SCRIPT), str(model), str(made / "model.onnx")],
        result="model.onnx",
        environment=environment | {"HF_HOME": str((directory / WORK / "home").resolve()), "HF_HUB_OFFLINE": "1"},
        tool=f"torch.onnx in {interpreter}",
    )
