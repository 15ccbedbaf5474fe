"""Whose code may be imported: worlds that this account named itself, and packages that the user allows by name.

Specs travel: a run, an export or a data directory from elsewhere says in which world it acts. What a stranger wrote
there must not run a stranger's code. So `gato record` and `gato import-data` write each world that their command line
names into a file of the account (as ssh does with hosts), and whoever opens a world that is not in it is asked for.
"""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from data_pipelines.spec import World
from data_pipelines.suites.outside.objects import WorldError

ALLOW = "GATO_ALLOW_CODE"
"""Environment variable with packages that may be imported, separated by commas, where no option can be given."""

_log = logging.getLogger(__name__)


class CodeNotAllowed(WorldError):
    """A world that only a file names, and nobody here has."""


def known_worlds() -> Path:
    """The account's file: a world a line. Its lines may be deleted."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "gato-jax" / "known_worlds"


def remember(world: World) -> None:
    """Writes down that this account named the world itself."""
    path = known_worlds()
    if world.to_json() in _lines(path):
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(world.to_json() + "\n")
    except OSError as error:
        _log.warning(
            "cannot write %s (%s): `gato evaluate` and `gato play` will need --allow-code %s", path, error, world.code
        )


def check(task: str, world: World, *, allow: Sequence[str] = ()) -> None:
    """Raises `CodeNotAllowed` unless the world is known here, or a package that holds its code is allowed."""
    packages = (*allow, *os.environ.get(ALLOW, "").split(","))
    if any(package.strip() and f"{world.code}.".startswith(f"{package.strip()}.") for package in packages):
        return
    if world.to_json() not in _lines(known_worlds()):
        raise CodeNotAllowed(
            f"task {task!r} acts in {world.to_json()}, which its spec names and nobody here has: acting there runs the "
            f"code of {world.code}. If you trust it, allow it: --allow-code {world.code.partition('.')[0]}"
        )


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
