"""What imports of every family are given, checked."""

from collections.abc import Mapping


def check_arguments(task: str, validation: float, positive: Mapping[str, int], *, example: str) -> None:
    """Checks what every import is given.

    Args:
      task: the task's name.
      validation: share held out.
      positive: name -> number that must be at least 1.
      example: a task's name, for the message.

    Raises:
      ValueError: naming what is wrong.
    """
    domain, _, rest = task.partition(".")
    if not domain or not rest or "/" in task or task != task.strip("."):
        raise ValueError(f"a task is named 'domain.name', such as {example!r}, found {task!r}")
    if not 0 <= validation < 1:
        raise ValueError(f"validation must lie in [0, 1), found {validation}")
    for name, value in positive.items():
        if value < 1:
            raise ValueError(f"{name} must be positive, found {value}")
