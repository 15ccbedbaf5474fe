"""What was tried for demonstrators that fall short, and for tasks whose demonstrator was given up."""

from collections.abc import Mapping

_BODIES = (
    "the suite's planner, which reaches the bar with the suite's own body; with large factors some targets are out of "
    "the arm's reach (a wrist that bends too little)"
)

TRIED: Mapping[str, str] = {
    "metaworld.box_close": "Meta-World's own policy, as it is shipped",
    "classic_control.pendulum": "a swing-up script; no published return to compare it with is known to us",
    "dm_control_random_large.reacher_*": _BODIES,
}
"""Glob of names -> what was tried; the first that fits is shown."""
