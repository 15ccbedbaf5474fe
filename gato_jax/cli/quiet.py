"""TensorFlow's greetings are left out of standard error while it is imported."""

import importlib.abc
import importlib.machinery
import re
import sys
from collections.abc import Sequence
from types import ModuleType

from data_pipelines.stderr_lines import lines_left_out

GREETINGS = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog|"
    rb"[IW]\d{4} [\d:.]+ +\d+ (port|cudart_stub|cpu_feature_guard|computation_placer|cuda_\w+)\.cc:\d+\]|"
    rb"To enable the following instructions: "
)
"""How the lines begin that say what TensorFlow was built with and which libraries it did not find."""


def quiet_tensorflow() -> None:
    """Has the first import of TensorFlow in this process filtered, wherever it comes from."""
    if "tensorflow" not in sys.modules and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(importlib.abc.MetaPathFinder):
    """Finds TensorFlow where the others would, until it is imported; others only ask whether it is installed."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != "tensorflow":
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        spec = next((candidate for finder in others if (candidate := finder.find_spec(fullname, path, target))), None)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def quietly(module: ModuleType) -> None:
                sys.meta_path.remove(self)
                with lines_left_out(GREETINGS):
                    execute(module)

            spec.loader.exec_module = quietly  # type: ignore[method-assign]
        return spec
