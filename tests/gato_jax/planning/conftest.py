import importlib.util
import pathlib

import pytest


@pytest.fixture(scope="session")
def steps():
    """The module of the tiny steps."""
    path = pathlib.Path(__file__).with_name("tiny_steps.py")
    spec = importlib.util.spec_from_file_location("tiny_steps", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
