"""The exports' tests share the evaluation's run."""

import importlib.util
import pathlib

_spec = importlib.util.spec_from_file_location(
    "evaluation_fixtures", pathlib.Path(__file__).parents[1] / "evaluation" / "conftest.py"
)
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
recorded_data, tiny_run = _module.recorded_data, _module.tiny_run
