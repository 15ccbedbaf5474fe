"""JAX settings of all tests of `gato_jax`: the CPU, and errors instead of silent broadcasts between ranks."""

import importlib.util
import os
import pathlib
import sys
import tempfile

import pytest

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# One cache for all processes that the tests start: the same tiny step is compiled once.
CACHE = pathlib.Path(tempfile.gettempdir()) / f"gato-jax-test-cache-{os.getuid()}"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "0")

# Tiny networks run in no time anyhow: compile quickly instead of well.
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0".strip()

import jax  # noqa: E402

jax.config.update("jax_numpy_rank_promotion", "raise")

TINY = pathlib.Path(__file__).parent / "training" / "tiny.py"


@pytest.fixture(scope="session")
def tiny():
    """The module of the tiny experiment, which is also the script that child processes run."""
    spec = importlib.util.spec_from_file_location("tiny", TINY)
    module = importlib.util.module_from_spec(spec)
    sys.modules["tiny"] = module
    spec.loader.exec_module(module)
    return module
