"""What was tried for demonstrators that fall short, and for tasks whose demonstrator was given up."""

from collections.abc import Mapping

TRIED: Mapping[str, str] = {
    "metaworld.box_close": "Meta-World's own policy, as it is shipped",
    "classic_control.pendulum": "a swing-up script; no published return to compare it with is known to us",
}
"""Glob of names -> what was tried; the first that fits is shown."""
