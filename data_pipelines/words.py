"""Numbers in sentences."""


def counted(count: int, noun: str) -> str:
    """ "1 task", "2 tasks", "1,000 steps"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
