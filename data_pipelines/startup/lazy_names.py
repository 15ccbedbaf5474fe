"""A package's public names, each imported when it is first used: TensorFlow and JAX take seconds."""

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy_names(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` (PEP 562) of a package.

    Args:
      package: its name.
      homes: public name -> the module in it that defines it.
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name, obj=sys.modules[package])
        return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)

    def names() -> list[str]:
        """The public names alone, so that completion shows no room that happens to be imported."""
        hidden = [name for name in vars(sys.modules[package]) if name.startswith("__")]
        return sorted({*homes, *hidden})

    return get, names
