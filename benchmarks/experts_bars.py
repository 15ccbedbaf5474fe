"""When a demonstrator counts: what its score is compared with, and where that comes from."""

import dataclasses
import functools
from collections.abc import Mapping

from data_pipelines.read_json import read_json
from data_pipelines.reports.measured import RESULTS
from data_pipelines.suites.base.suite import Task

SUCCESS_SHARE = 0.8
"""Least share of episodes in which the world itself must say that the goal was reached."""

SUITE_MOST = "1,000 is the most that an episode of the suite can give"
PUBLISHED = (
    "best of TD-MPC2, TD-MPC, DreamerV3 and SAC in the results that come with TD-MPC2 (Hansen et al., 2024; "
    "nicklashansen/tdmpc2, results/*.csv at e9f5932): mean of the last ten evaluations of three seeds"
)
REACHABLE = (
    "steps of an episode less the least cost by the Riccati recursion, mean over the starts: no controller gets more "
    "(`python -m benchmarks.experts_reachable`)"
)
ZOO = "best of the agents in benchmark.md of DLR-RM/rl-baselines3-zoo at 0088472 (TD3), at 1.25 times its cost"
TOUCHABLE = (
    "published return, as in the other starts the target is out of the arm's reach "
    "(`python -m benchmarks.experts_reachable`)"
)
SOLVED = "reward_threshold of the id in gymnasium's registry"


@dataclasses.dataclass(frozen=True)
class Bar:
    """What an expert must reach.

    Args:
      return_: least mean return; None where the share of successes decides, or nothing is known.
      by_success: whether the share of successes decides.
      reference: the published value behind it.
      source: of the reference.
    """

    return_: float | None
    reference: float | None
    source: str
    by_success: bool = False


_BY_SUCCESS = Bar(None, None, f"success, as the world says it, in {SUCCESS_SHARE:.0%} of the episodes", by_success=True)
_UNKNOWN = Bar(None, None, "no published return that we know of, so it does not count")

_SUITE: Mapping[str, float] = {
    "acrobot_swingup": 577.6, "ball_in_cup_catch": 983.7, "cartpole_balance": 998.2, "cartpole_balance_sparse": 1000.0,
    "cartpole_swingup": 882.2, "cartpole_swingup_sparse": 847.5, "cheetah_run": 876.6, "dog_run": 873.0,
    "dog_stand": 964.2, "dog_trot": 957.2, "dog_walk": 958.3, "finger_spin": 988.3, "finger_turn_easy": 972.5,
    "finger_turn_hard": 960.5, "fish_swim": 784.0, "hopper_hop": 421.2, "hopper_stand": 949.1, "humanoid_run": 602.5,
    "humanoid_stand": 884.6, "humanoid_walk": 897.4, "pendulum_swingup": 845.7, "quadruped_run": 955.7,
    "quadruped_walk": 972.6, "reacher_easy": 984.8, "reacher_hard": 980.5, "walker_run": 876.7, "walker_stand": 993.1,
    "walker_walk": 983.6,
}  # fmt: skip
"""Published returns of tasks of the suite, from their states (`PUBLISHED`). Pictures and perturbed bodies have the same
reference: nobody published more of them that we know of."""

_LINEAR: Mapping[str, float] = {"lqr_lqr_2_1": 856.1, "lqr_lqr_6_2": 779.9}
"""Upper bounds of what can be reached (`REACHABLE`)."""

_TOUCHABLE: Mapping[str, float] = {
    "dm_control_random_large.reacher_easy": 0.75,
    "dm_control_random_large.reacher_hard": 0.65,
}
"""Share of starts from which the target can be reached at all (`TOUCHABLE`)."""

_COSTS: Mapping[str, float] = {"classic_control.pendulum": -151.9}
"""Published returns of tasks whose rewards are costs: at most 1.25 times the published cost is 80 % of it."""

_SUITE_DOMAINS = ("dm_control", "dm_control_pixels", "dm_control_random_small", "dm_control_random_large")

BEST_SHARE = 0.8
_RMAX: Mapping[str, tuple[float, float]] = {
    "bigfish": (40, 40), "bossfight": (13, 13), "caveflyer": (13.4, 12), "chaser": (14.2, 13), "climber": (12.6, 12.6),
    "coinrun": (10, 10), "dodgeball": (19, 19), "fruitbot": (27.2, 32.4), "heist": (10, 10), "jumper": (10, 10),
    "leaper": (10, 10), "maze": (10, 10), "miner": (20, 13), "ninja": (10, 10), "plunder": (30, 30),
    "starpilot": (35, 64),
}  # fmt: skip
"""Rmax of Cobbe et al. (2020), table 2, in the hard and in the easy mode: the most that a game gives, or, where that is
not known, what the authors' agents reached in long training."""


def bar_of(task: Task, *, has_success: bool) -> Bar:
    """The bar of a task.

    Args:
      task: of the catalog.
      has_success: whether its world says when the goal is reached.
    """
    game = task.name.partition(".")[2]
    if task.domain == "atari":
        human = _humans()[task.name]["human"]
        return Bar(human, human, "human, Wang et al. (2016), table 2")
    if task.domain in ("procgen", "procgen_easy"):
        best = _RMAX[game][task.origin.endswith(", easy")]
        return Bar(BEST_SHARE * best, best, f"{BEST_SHARE:.0%} of Rmax, Cobbe et al. (2020), table 2")
    if has_success:
        return _BY_SUCCESS
    if (threshold := _threshold(task)) is not None:
        return Bar(threshold, threshold, SOLVED)
    if task.name in _COSTS:
        return Bar(round(_COSTS[task.name] / 0.8, 1), _COSTS[task.name], ZOO)
    if task.domain in _SUITE_DOMAINS:
        return _suite_bar(task)
    return _UNKNOWN


@functools.cache
def _humans() -> Mapping[str, Mapping[str, float]]:
    """Human scores of the benchmark's games, with no-op starts."""
    return read_json(RESULTS / "published" / "atari_human.json", "published scores of people", keys={"scores": dict})[
        "scores"
    ]


def _suite_bar(task: Task) -> Bar:
    """80 % of the most that is known to be possible in a task of the suite."""
    name, share = task.name.partition(".")[2], _TOUCHABLE.get(task.name, 1.0)
    reference, source = 1000.0, SUITE_MOST
    for references, why in ((_SUITE, PUBLISHED), (_LINEAR, REACHABLE)):
        if name in references:
            reference, source = references[name], why
    if share < 1.0:
        reference, source = round(share * reference, 1), f"{share:.0%} of the {TOUCHABLE}; {source}"
    return Bar(round(0.8 * reference, 1), reference, source)


def _threshold(task: Task) -> float | None:
    """What gymnasium calls solved, where the task is one of its ids and it says so."""
    try:
        import gymnasium
    except ImportError:
        return None
    spec = gymnasium.registry.get(task.origin)
    return None if spec is None else spec.reward_threshold
