"""Something done around the first import of a module of others, whoever imports it."""

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Sequence
from types import ModuleType

Execute = Callable[[ModuleType], None]


def around_import(name: str, run: Callable[[Execute, ModuleType], None]) -> None:
    """Has the first import of `name` in this process done by `run(execute, module)`, which calls `execute(module)`.

    Nothing is done where it is imported already, or where something was asked for before.
    """
    if name not in sys.modules and not any(finder.name == name for finder in sys.meta_path if isinstance(finder, Hook)):
        sys.meta_path.insert(0, Hook(name, run))


class Hook(importlib.abc.MetaPathFinder):
    """Finds one module where the others would, until it is imported; others only ask whether it is installed."""

    def __init__(self, name: str, run: Callable[[Execute, ModuleType], None]):
        self.name, self._run = name, run

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.name:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        spec = next((candidate for finder in others if (candidate := finder.find_spec(fullname, path, target))), None)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def run(module: ModuleType) -> None:
                sys.meta_path.remove(self)
                self._run(execute, module)

            spec.loader.exec_module = run  # type: ignore[method-assign]
        return spec
