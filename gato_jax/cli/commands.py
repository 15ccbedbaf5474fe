"""All commands, and how one is found, run, and its failure told.

A command's module is imported when the command runs, so that `gato --help` answers at once.
"""

import ast
import difflib
import functools
import importlib
import logging
import os
import pathlib
import select
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from gato_jax import __version__
from gato_jax.cli.common import UsageError, call

COMMANDS = {
    "quickstart": "runs.quickstart",
    "record": "data.record",
    "train": "runs.train",
    "plan": "plan.plan",
    "evaluate": "runs.evaluate",
    "evaluate-loss": "runs.evaluate_loss",
    "play": "runs.play",
    "serve": "serve.serve",
    "export": "weights.export",
    "import-weights": "weights.import_weights",
    "report": "runs.report",
    "sweep": "studies.sweep",
    "tasks": "data.tasks",
    "mixture": "data.mixture",
    "data": "data.data",
    "cache": "data.cache",
    "import-text-images": "importing.import_text_images",
    "import-data": "importing.import_data",
    "check-data": "checking.check_data",
    "text-model": "data.text_model",
    "inspect": "data.inspect",
}
"""Name -> the file here and its function."""

OLD_COMMANDS = {"import": "import-weights"}
"""Old name -> the command; it works, and says so."""

OWN = ("train", "plan", "sweep", "check-data")
"""Commands that read their own arguments, such as the fields of an experiment."""


_FULL_WARNING = warnings.formatwarning


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of `gato`. Exit code 0: done; 1: the work failed; 2: the command line was wrong.

    `gato plan` has more, see docs/plan.md.
    """
    try:
        try:
            _run(list(sys.argv[1:] if arguments is None else arguments))
        finally:
            sys.stdout.flush()
    except BrokenPipeError as error:
        if not _nobody_reads(sys.stdout):
            if os.environ.get("GATO_TRACEBACK"):
                raise
            sys.exit(_fail(f"gato: {error}\n(GATO_TRACEBACK=1 shows where)", 1))
        # `gato tasks | head`: ends quietly, as programs do that leave SIGPIPE as it is. Python must go on ignoring it:
        # a worker process that died would end this one without a word when it is next written to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)


def _run(arguments: list[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_usage())
        return
    if arguments[0] == "--version":
        print(f"gato-jax {__version__}")
        return
    name, *rest = arguments
    if name in OLD_COMMANDS:
        print(f"gato: {name} is now called {OLD_COMMANDS[name]}", file=sys.stderr)
        name = OLD_COMMANDS[name]
    if name not in COMMANDS:
        near = _nearest(name, COMMANDS) or f"; commands: {', '.join(COMMANDS)}"
        sys.exit(_fail(f"gato: no command {name!r}{near}\n(gato --help says what each does)", 2))
    if not os.environ.get("GATO_TRACEBACK"):
        # Orbax logs an error with its traceback from a thread, and then raises it too.
        logging.getLogger("absl").setLevel(logging.CRITICAL)
        warnings.formatwarning = _plain_warning
    try:
        command = _function(COMMANDS[name])
        if name in OWN:
            command(rest)
        else:
            call(command, rest, f"gato {name}")
    except UsageError as error:
        sys.exit(_fail(f"gato {name}: {error}", 2))
    except KeyboardInterrupt:
        sys.exit(_fail(f"gato {name}: interrupted; run the same command again to continue", 130))
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("gato_jax") or os.environ.get("GATO_TRACEBACK"):
            raise
        how = (
            "install gato-jax again with what it depends on (pip install --upgrade gato-jax), or with the extra for it"
        )
        sys.exit(_fail(f"gato {name}: Python finds no module {error.name!r}; {how}", 1))
    except (ValueError, KeyError, OSError, RuntimeError, FloatingPointError) as error:
        if isinstance(error, BrokenPipeError) or os.environ.get("GATO_TRACEBACK"):
            raise
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        sys.exit(_fail(f"gato {name}: {text}\n(GATO_TRACEBACK=1 shows where)", 1))


def _plain_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """Our own warnings are sentences for a person; where in the code they come from is for others'."""
    ours = any(part in pathlib.Path(filename).parts for part in ("gato_jax", "data_pipelines"))
    return f"gato: {message}\n" if ours else _FULL_WARNING(message, category, filename, lineno, line)


def _function(place: str) -> Callable[..., None]:
    module, name = place.split(".")
    return getattr(importlib.import_module(f"gato_jax.cli.{module}"), name)


@functools.cache
def _docstrings(module: str) -> dict[str, str]:
    """Function -> its docstring, of a file here; read, because importing it takes longer than `gato --help` should."""
    tree = ast.parse(pathlib.Path(__file__).with_name(f"{module}.py").read_text(encoding="utf-8"))
    return {node.name: ast.get_docstring(node) or "" for node in tree.body if isinstance(node, ast.FunctionDef)}


def _nobody_reads(stream: TextIO) -> bool:
    """Whether the other end of the pipe is closed."""
    poll = select.poll()
    poll.register(stream.fileno(), 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def _usage() -> str:
    lines = [f"gato-jax {__version__}: one transformer, one set of weights, one token stream", "", "commands:"]
    for name, place in COMMANDS.items():
        module, function = place.split(".")
        lines.append(f"  gato {name:<18} {_docstrings(module)[function].splitlines()[0]}")
    return "\n".join([*lines, "", "gato COMMAND --help shows a command's options."])


def _fail(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code


def _nearest(name: str, names: Any) -> str:
    close = difflib.get_close_matches(name, list(names), n=3, cutoff=0.5)
    return f", did you mean {' or '.join(close)}?" if close else ""
