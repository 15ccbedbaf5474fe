"""What `gato_jax` and `data_pipelines` offer: typed, imported late, silent, and with an example that runs for each."""

import ast
import doctest
import importlib
import inspect
import os
import pathlib
import pkgutil
import re
import shutil
import subprocess
import sys

import pytest

import data_pipelines
import gato_jax
from gato_jax.platform import has_accelerator

PACKAGES = (data_pipelines, gato_jax)
NAMES = [(package, name) for package in PACKAGES for name in package.__all__]
SECONDS = 0.3
"""Of processor time beyond Python's own start."""


@pytest.fixture(scope="module")
def directory(recorded_data, tiny_run, tmp_path_factory) -> pathlib.Path:
    """Where the examples run: `data`, and `run` that was trained on it. A copy, as they write there."""
    directory = tmp_path_factory.mktemp("examples")
    shutil.copytree(recorded_data, directory / "data")
    shutil.copytree(tiny_run, directory / "run")
    return directory


@pytest.mark.parametrize("package", PACKAGES)
def test_checkers_and_python_read_the_same_names(package):
    """The imports that a type checker reads name the very modules that Python imports."""
    tree = ast.parse(pathlib.Path(package.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    imported = {alias.name: node.module for node in block.body for alias in node.names}
    assert sorted(imported) == sorted(package.__all__)
    for name, module in imported.items():
        value = getattr(package, name)
        assert value is getattr(importlib.import_module(module), name), name
        assert value.__module__ == module, f"{name}: write the module that defines it"
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        _ = package.trian


@pytest.mark.parametrize("package", PACKAGES)
def test_no_name_is_that_of_a_module(package):
    """Importing such a module would put it in the place of the name."""
    modules = {entry.name for entry in pkgutil.iter_modules(package.__path__)}
    assert not modules & set(package.__all__)


@pytest.mark.parametrize("package", PACKAGES)
def test_help_and_completion_show_the_names(package):
    assert [name for name in dir(package) if not name.startswith("_")] == sorted(package.__all__)
    shown = re.findall(r"^  (\w+) +\S", package.__doc__, re.MULTILINE)
    assert sorted(shown) == sorted(package.__all__)
    assert pathlib.Path(package.__file__).with_name("py.typed").is_file()


def test_imports_are_light():
    """No array library is loaded, and it takes less than 0.3 s."""
    code = "import time; start = time.process_time(); import data_pipelines, gato_jax; import sys;"
    code += "print(time.process_time() - start, *{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, *loaded = done.stdout.split()
    assert not {"jax", "tensorflow", "numpy", "seqio", "flax"} & set(loaded)
    assert float(seconds) < SECONDS


PLAIN = """
import os, pathlib, sys
import numpy as np
import data_pipelines, gato_jax
spec = data_pipelines.TaskSpec.from_json(pathlib.Path("data/metaworld.drawer_close/spec.json").read_text())
policy = gato_jax.Policy(gato_jax.load_weights("run", data="data"), spec)
policy.reset([0])
action = policy.act({item.key: np.zeros(item.shape, item.dtype) for item in spec.observation})
assert "tensorflow" not in sys.modules
assert "JAX_PLATFORMS" not in os.environ  # A job that this process submits may have an accelerator.
import tensorflow as tf
from data_pipelines.startup.quiet import quiet_onednn
quiet_onednn()  # As every stream does; what follows is what streams do.
print(action.shape, tf.function(tf.transpose, autograph=False)(tf.ones([2, 3], tf.int64)).shape)
"""


@pytest.mark.skipif(has_accelerator(), reason="there is an accelerator, which JAX and TensorFlow report")
def test_a_plain_process_is_silent(directory):
    """Acting, then TensorFlow: nothing is said of devices, libraries and kernels that are not there."""
    ours = ("JAX_PLATFORMS", "TF_CPP_MIN_LOG_LEVEL", "GATO_TRACEBACK")  # Tests and users set them; here nobody has.
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [sys.executable, "-c", PLAIN], capture_output=True, text=True, cwd=directory, env=environment, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "(4,) (3, 2)\n"


@pytest.mark.parametrize(("package", "name"), NAMES, ids=[f"{p.__name__}.{n}" for p, n in NAMES])
def test_the_example_runs(package, name, directory, monkeypatch):
    value = getattr(package, name)
    text = inspect.getdoc(value) or ""
    test = doctest.DocTestParser().get_doctest(text, {}, name, inspect.getsourcefile(value), None)
    assert test.examples, f"{package.__name__}.{name} has no example in its docstring"
    monkeypatch.chdir(directory)
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=said.append)
    assert result.failed == 0, "".join(said)
