"""A file that names tasks, one a line, and how many episodes are kept of each."""

from pathlib import Path

from data_pipelines.recording.outside import is_world
from data_pipelines.suites import catalog


def read_task_list(path: str | Path) -> tuple[tuple[str, ...], dict[str, int]]:
    """Names or globs, and episodes of single tasks.

    A line holds a name or glob and, if it likes, a number of episodes; a later line overrules an earlier one. What
    follows a # is a comment.

    Returns:
      The names and globs in their order; task -> episodes, where a line says so.

    Raises:
      ValueError: a line is something else, or names no task: the message has the file and the line. `OSError`: there
        is no such file.
    """
    path = Path(path)
    words: list[str] = []
    counts: dict[str, int] = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        parts = line.partition("#")[0].split()
        if not parts:
            continue
        try:
            if len(parts) > 2:
                raise ValueError(f"expected a task and perhaps a number of episodes, found {line.strip()!r}")
            tasks = () if is_world(parts[0]) else catalog.select([parts[0]])
            if len(parts) == 2:
                if not tasks:
                    raise ValueError("a world of your own takes the number of episodes from --episodes")
                counts |= dict.fromkeys((task.name for task in tasks), _count(parts[1]))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
        words.append(parts[0])
    if not words:
        raise ValueError(f"{path}: expected names of tasks, one a line, found none")
    return tuple(words), counts


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not int(text):
        raise ValueError(f"expected a number of episodes, found {text!r}")
    return int(text)
