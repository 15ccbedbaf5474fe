"""JAX settings of these tests, and the module that they share.

The settings are those of `tests/gato_jax`. They are repeated, because what was stored here was computed under them: at
another optimisation level XLA rounds differently.
"""

import importlib.util
import os
import pathlib
import sys
import tempfile

import pytest

os.environ.setdefault("JAX_PLATFORMS", "cpu")
CACHE = pathlib.Path(tempfile.gettempdir()) / f"gato-jax-test-cache-{os.getuid()}"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "0")

LEVEL = "--xla_backend_optimization_level=0"
if LEVEL not in os.environ.get("XLA_FLAGS", ""):
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {LEVEL}".strip()

import jax  # noqa: E402

jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture(scope="session")
def small():
    """The module `small_runs.py`."""
    spec = importlib.util.spec_from_file_location("small_runs", pathlib.Path(__file__).with_name("small_runs.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules["small_runs"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def home(small, tmp_path_factory):
    """A directory with the run, its exports of old, and the data beside them that the run names."""
    home = small.unpack("exports", tmp_path_factory.mktemp("exports"))
    small.unpack("acting", home / "acting")
    (home / "acting" / "data").rename(home / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        yield home
