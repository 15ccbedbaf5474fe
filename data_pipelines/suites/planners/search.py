"""Search over exact states: breadth-first, Dijkstra's, A* and weighted A*, which differ in costs and settings alone.

A state is anything that can be stored: a tuple, or the bytes of an emulator. Its key says which states are the same.
The order of the successors decides between plans of equal cost, so equal questions have equal answers on every machine.
"""

import dataclasses
import heapq
import math
import time
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, NamedTuple


@dataclasses.dataclass(frozen=True)
class Limits:
    """When a search gives up, and how greedy it is.

    Args:
      nodes: states whose successors are made.
      seconds: of wall time. A machine that is too slow gets an error, never another plan.
      weight: of the heuristic. Above 1, plans are found sooner and cost at most `weight` times the least, if the
        heuristic never overestimates.
    """

    nodes: int = 100_000
    seconds: float = 10.0
    weight: float = 1.0

    def __post_init__(self):
        for name, least in (("nodes", 1), ("seconds", 0.0), ("weight", 0.0)):
            value = getattr(self, name)
            if not value >= least:
                raise ValueError(f"search limits: {name} must be at least {least}, found {value}")


class NoPlan(Exception):
    """There is no plan, or none was found within the limits; the message says which.

    `exhausted` is True where all states were tried.
    """

    def __init__(self, message: str, *, exhausted: bool):
        super().__init__(message)
        self.exhausted = exhausted


class Step(NamedTuple):
    """What one action leads to."""

    action: Any
    state: Any
    cost: float = 1.0


@dataclasses.dataclass(eq=False, slots=True)
class Node:
    """A state that was reached, and from where."""

    state: Any
    cost: float = 0.0
    action: Any = None
    parent: "Node | None" = None

    def path(self) -> list["Node"]:
        """The nodes from the start, which is left out, to this one."""
        nodes: list[Node] = []
        node: Node | None = self
        while node is not None and node.parent is not None:
            nodes.append(node)
            node = node.parent
        return nodes[::-1]

    @property
    def actions(self) -> list[Any]:
        """From the start to here."""
        return [node.action for node in self.path()]


def explore(
    start: Any,
    successors: Callable[[Any], Iterable[Step]],
    *,
    key: Callable[[Any], Hashable] = lambda state: state,
    heuristic: Callable[[Any], float] | None = None,
    limits: Limits | None = None,
) -> Iterator[Node]:
    """Nodes in order of cost plus weighted heuristic, each state once (again, if a cheaper way to it turns up later).

    Args:
      start: the first node's state.
      successors: the steps from a state, in a fixed order; costs are not negative.
      key: states with equal keys are the same.
      heuristic: estimated cost from a state to the goal; infinite where there is no way. None for none.
      limits: of the search.

    Raises:
      NoPlan: a limit is reached. The iterator just ends when there are no further states.
    """
    limits = limits or Limits()
    deadline = time.monotonic() + limits.seconds
    estimate = heuristic(start) if heuristic else 0.0
    # A later entry is taken after an earlier one of the same cost, and no two nodes are ever compared.
    frontier = [(limits.weight * estimate, estimate, 0, Node(start))] if estimate < math.inf else []
    cheapest: dict[Hashable, float] = {key(start): 0.0}
    entered, expanded = 1, 0
    while frontier:
        *_, node = heapq.heappop(frontier)
        if node.cost > cheapest[key(node.state)]:
            continue  # A cheaper way to it was found meanwhile.
        yield node
        if expanded >= limits.nodes:
            raise NoPlan(f"no plan among the first {expanded} states: the limit (nodes)", exhausted=False)
        if time.monotonic() > deadline:
            raise NoPlan(
                f"no plan in {limits.seconds} s, the limit (seconds): {expanded} states were tried", exhausted=False
            )
        expanded += 1
        for action, state, step_cost in successors(node.state):
            cost, state_key = node.cost + step_cost, key(state)
            if cost >= cheapest.get(state_key, math.inf):
                continue
            cheapest[state_key] = cost
            estimate = heuristic(state) if heuristic else 0.0
            if estimate < math.inf:
                entry = (cost + limits.weight * estimate, estimate, entered, Node(state, cost, action, node))
                heapq.heappush(frontier, entry)
                entered += 1


def search(
    start: Any,
    successors: Callable[[Any], Iterable[Step]],
    is_goal: Callable[[Any], bool],
    *,
    key: Callable[[Any], Hashable] = lambda state: state,
    heuristic: Callable[[Any], float] | None = None,
    limits: Limits | None = None,
) -> Node:
    """The first node of `explore` that is a goal: a cheapest one, if the heuristic never overestimates.

    Raises:
      NoPlan: no state that can be reached is a goal, or a limit was reached first.

    Examples:
      >>> from data_pipelines.suites.planners.search import Step, search
      >>> double_or_add = lambda n: [Step("*2", 2 * n), Step("+1", n + 1)]
      >>> search(1, double_or_add, lambda n: n == 10).actions
      ['*2', '*2', '+1', '*2']
    """
    tried = 0
    for node in explore(start, successors, key=key, heuristic=heuristic, limits=limits):
        if is_goal(node.state):
            return node
        tried += 1
    raise NoPlan(f"no plan exists: all {tried} states that can be reached were tried", exhausted=True)
