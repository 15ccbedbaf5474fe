"""Small checkpoints on recorded data, and where PyTorch is."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

from gato_jax.export.formats.registry import FORMATS
from gato_jax.export.verification import PYTHON_VARIABLE, RuntimeMissing, find_runtime


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
    """An interpreter with PyTorch and onnxruntime: the one in GATO_EXPORT_PYTHON, which has to have them, or this."""
    try:
        return find_runtime(FORMATS["onnx"], None)
    except RuntimeMissing as missing:
        if os.environ.get(PYTHON_VARIABLE):
            raise
        pytest.skip(f"the extra `export` is not installed: {missing}")
