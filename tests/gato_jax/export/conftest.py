"""Small checkpoints on recorded data, and where PyTorch is."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

TORCH_PACKAGES = ("torch", "transformers", "safetensors", "sentencepiece")


@pytest.fixture(scope="session")
def small():
    """The module that makes small checkpoints."""
    spec = importlib.util.spec_from_file_location("small_checkpoints", Path(__file__).with_name("small.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules["small_checkpoints"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def torch_python() -> str:
    """An interpreter that has PyTorch: this one, or the one in GATO_EXPORT_PYTHON."""
    interpreter = os.environ.get("GATO_EXPORT_PYTHON") or sys.executable
    code = f"import importlib.util as u, sys; sys.exit(any(u.find_spec(n) is None for n in {TORCH_PACKAGES}))"
    if subprocess.run([interpreter, "-I", "-c", code], check=False).returncode:
        pytest.skip(f"{interpreter} has no PyTorch; the extra `export` brings it")
    return interpreter
