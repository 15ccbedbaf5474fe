"""TensorFlow's greetings are left out of standard error while it is imported.

Its C++ logs them before any setting of its log level is read, so the file descriptor itself is filtered, line by line:
all other lines pass at once.
"""

import contextlib
import importlib.abc
import importlib.machinery
import os
import re
import sys
import threading
from collections.abc import Iterator, Sequence
from types import ModuleType

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
                with without_greetings():
                    execute(module)

            spec.loader.exec_module = quietly  # type: ignore[method-assign]
        return spec


@contextlib.contextmanager
def without_greetings() -> Iterator[None]:
    """Inside it, lines that begin like `GREETINGS` do not reach standard error."""
    sys.stderr.flush()
    behind, there, (reader, writer) = os.dup(2), os.dup(2), os.pipe()

    def pass_on() -> None:
        with open(reader, "rb") as lines:
            for line in lines:
                if not GREETINGS.match(line):
                    os.write(there, line)
        os.close(there)

    thread = threading.Thread(target=pass_on, name="quiet", daemon=True)
    os.dup2(writer, 2)
    os.close(writer)
    thread.start()
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(behind, 2)  # The last end of the pipe: the thread reads what is left, and ends.
        os.close(behind)
        thread.join(1.0)  # A child that was started meanwhile may hold another end for longer.
