"""Names of tasks from the names that simulators give theirs."""

import re

_STARTS = re.compile(r"[-_]+|(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def snake_case(words: str) -> str:
    """GoToRedBall -> go_to_red_ball, PutNextS5N2 -> put_next_s5n2, AntMaze_UMaze -> ant_maze_u_maze."""
    return _STARTS.sub("_", words).lower()


def unversioned(identifier: str) -> str:
    """An id of gymnasium without namespace and version: MiniGrid-Empty-5x5-v0 -> MiniGrid-Empty-5x5."""
    return identifier.rpartition("/")[2].rpartition("-v")[0]
