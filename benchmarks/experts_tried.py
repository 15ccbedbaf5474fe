"""What was tried for demonstrators that fall short, and for those that nobody has measured yet."""

from collections.abc import Mapping

TRIED: Mapping[str, str] = {
    "metaworld.box_close": "Meta-World's own policy, as it is shipped",
    "dm_control*.fish_upright": "replanned every fourth step, two episodes: 994 and 402",
    "dm_control*.walker_walk": "replanned every fourth step, two episodes: 790 and 834, too close to the bar of 786.9",
}
"""Glob of names -> what was tried, at seeds that no score uses; the first that fits is shown."""
