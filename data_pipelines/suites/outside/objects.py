"""Python objects by name, "package.module:attribute", with an error for everything that can be wrong with a name."""

import difflib
import importlib
import os
import pkgutil
import sys
import traceback
from types import ModuleType
from typing import Any


class WorldError(ValueError):
    """A world or an expert from outside that cannot be used; the message names it, what was expected and found."""


def load_object(reference: str, what: str) -> Any:
    """The object behind "package.module:attribute". Imports the module, and so runs its code.

    Modules are found as `python -m` finds them: in the working directory too.

    Args:
      reference: the name.
      what: it is, for messages: "world".

    Raises:
      WorldError: no such module, one that cannot be imported, or no such attribute in it.
    """
    module_name, _, attribute = reference.partition(":")
    module = import_module(module_name, f"{what} {reference!r}")
    value: Any = module
    for part in attribute.split("."):
        if not hasattr(value, part):
            names = [name for name in vars(value) if not name.startswith("_")]
            near = difflib.get_close_matches(part, names, n=3) or sorted(names)[:8]
            raise WorldError(f"{what} {reference!r}: {module_name} has no {part!r}; nearest there: {near}")
        value = getattr(value, part)
    return value


def import_module(name: str, what: str) -> ModuleType:
    """The module; `what` begins the messages. Raises `WorldError`."""
    if (here := os.getcwd()) not in sys.path:
        sys.path.append(here)  # Behind all others, so that nothing there hides a package.
    try:
        return importlib.import_module(name)
    except Exception as error:  # Whatever a stranger's module raises is an error of that module.
        if isinstance(error, ModuleNotFoundError) and error.name and f"{name}.".startswith(f"{error.name}."):
            raise WorldError(f"{what}: {_not_found(error.name)}") from error
        raise WorldError(f"{what}: importing {name} raised {said(error)}") from error


def said(error: BaseException) -> str:
    """Type, text, and where it was raised, in one line."""
    place = ""
    if frames := traceback.extract_tb(error.__traceback__):
        place = f" ({os.path.basename(frames[-1].filename)}, line {frames[-1].lineno})"
    if isinstance(error, SyntaxError):
        place = f" ({os.path.basename(error.filename or '')}, line {error.lineno})"
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {' '.join(text.split())}{place}"


def _not_found(name: str) -> str:
    parent, _, last = name.rpartition(".")
    if last == "py":
        return f"write {parent} instead of {name}: modules are named without .py"
    folders = list(getattr(sys.modules.get(parent), "__path__", [os.getcwd()]))
    near = difflib.get_close_matches(last, [module.name for module in pkgutil.iter_modules(folders)], n=3)
    hint = f"; nearest in {folders[0]}: {near}" if near else ""
    return f"Python finds no module {name!r}{hint}; install its package, run in its folder, or put that on PYTHONPATH"
