"""Exports of commit 6c3b28a for PyTorch and onnxruntime still run there, and are exported again as they were.

They need the extra `export`, here or in the interpreter that GATO_EXPORT_PYTHON names.
"""

import json
import os

import numpy as np
import pytest
import safetensors.numpy

from gato_jax.config import Experiment
from gato_jax.export.export import export_weights
from gato_jax.export.formats.registry import FORMATS
from gato_jax.export.verification import PYTHON_VARIABLE, RuntimeMissing, find_runtime
from gato_jax.weights.load import load_weights


@pytest.fixture(scope="session")
def torch_python() -> str:
    """An interpreter with PyTorch and onnxruntime: the one in GATO_EXPORT_PYTHON, which has to have them, or this."""
    try:
        return find_runtime(FORMATS["onnx"], None)
    except RuntimeMissing as missing:
        if os.environ.get(PYTHON_VARIABLE):
            raise
        pytest.skip(f"the extra `export` is not installed: {missing}")


def check(small, home, form, torch_python, directories):
    size = load_weights("run").experiment.data.tokens.vocabulary.size
    expected = small.expected("exports")["logits"]
    all_logits = small.run_exports(torch_python, form, directories, home, size)
    for directory, logits in zip(directories, all_logits, strict=True):
        small.assert_logits(small.shown(logits), expected, str(directory))


def test_an_old_export_runs_in_onnxruntime(small, torch_python, home):
    check(small, home, "onnx", torch_python, [home / "exports" / "onnx"])


def test_old_and_new_exports_agree_in_pytorch(small, torch_python, home):
    """The export's own check also acts along the recorded episodes with the exported agent."""
    out, old = home / "new", home / "exports" / "huggingface"
    verification = export_weights("run", out, format="huggingface", python=torch_python).verification
    assert verification.acting[0] == verification.acting[1] > 0
    # What `gato_agent` encodes and checks with became files of their own.
    new = {"gato_agent/config_json.py", "gato_agent/ranges.py", "check_digests.py", "digests.json"}
    assert small.exported(out) - new == set(small.expected("exports")["files"]["huggingface"])
    left, right = (safetensors.numpy.load_file(path / "model.safetensors") for path in (out, old))
    assert left.keys() == right.keys()
    for name, array in left.items():
        np.testing.assert_array_equal(array, right[name], err_msg=name)
    assert json.loads((out / "tasks.json").read_text()) == json.loads((old / "tasks.json").read_text())
    here, there = (json.loads((path / "config.json").read_text()) for path in (out, old))
    del here["gato"]["versions"], there["gato"]["versions"], here["gato"]["digests"]
    for config in (here, there):  # As it is read, where settings that came later have their defaults.
        config["gato"]["experiment"] = Experiment.from_json(json.dumps(config["gato"]["experiment"]))
    assert here == there
    check(small, home, "huggingface", torch_python, [old, out])


@pytest.mark.slow
def test_a_new_export_runs_in_onnxruntime(small, torch_python, home):
    """Its conversion takes minutes on a busy machine."""
    out = home / "new-onnx"
    export_weights("run", out, format="onnx", python=torch_python)
    new = {"check_digests.py", "digests.json"}
    assert sorted(small.exported(out) - new) == small.expected("exports")["files"]["onnx"]
    check(small, home, "onnx", torch_python, [out])
