"""ONNX by `torch.onnx`, from the PyTorch model of the huggingface format."""

import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from gato_jax.export import bundle
from gato_jax.export.names import ExportError

SCRIPT = bundle.HERE / "convert_onnx.py"


def write(make_model: Callable[[Path], None], directory: Path, *, interpreter: str) -> None:
    """Writes `model.onnx`: the model's inputs -> logits; rows, places and patches are free.

    Args:
      make_model: writes a huggingface export into a directory.
      directory: of the ONNX file.
      interpreter: with PyTorch, transformers, onnx and onnxscript.

    Raises:
      ExportError: the converter fails; says what it printed.
    """
    with tempfile.TemporaryDirectory(dir=directory, prefix="huggingface-") as work:
        make_model(Path(work))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        process = subprocess.run(
            [interpreter, "-I", "-B", str(SCRIPT), work, str((directory / "model.onnx").resolve())],
            capture_output=True,
            text=True,
            check=False,
            cwd=work,
            env=environment | {"HF_HOME": str(Path(work) / "home"), "HF_HUB_OFFLINE": "1"},
        )
    if process.returncode:
        raise ExportError(f"torch.onnx in {interpreter} does not carry this model: {process.stderr.strip()[-1500:]}")
