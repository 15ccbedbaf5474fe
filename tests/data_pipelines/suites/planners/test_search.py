"""Plans are shortest, the same every time, and failures say why."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipelines.suites.planners.search import Limits, NoPlan, Step, explore, search

OFFSETS = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}


def maze(text):
    """Successors of the free cells of a drawing."""
    free = {(r, c) for r, line in enumerate(text.split()) for c, sign in enumerate(line) if sign != "#"}

    def successors(cell):
        for action, (down, right) in OFFSETS.items():
            after = (cell[0] + down, cell[1] + right)
            if after in free:
                yield Step(action, after)

    return successors


ROOM = maze("""
    ....
    .##.
    .#..
    ....
""")


def test_the_plan_is_a_shortest_one_and_of_equal_ones_the_first():
    node = search((0, 0), ROOM, lambda cell: cell == (2, 2))
    assert node.actions == ["down", "down", "down", "right", "right", "up"]
    assert (node.cost, node.state, len(node.path())) == (6.0, (2, 2), 6)


@pytest.mark.parametrize(("goal", "actions"), [((0, 0), []), ((1, 0), ["down"])])
def test_a_goal_that_is_near(goal, actions):
    assert search((0, 0), ROOM, lambda cell: cell == goal).actions == actions


def test_what_is_walled_in_is_said_to_have_no_plan():
    with pytest.raises(NoPlan, match="no plan exists: all 2 states") as raised:
        search((0, 0), maze("..#. "), lambda cell: cell == (0, 3))
    assert raised.value.exhausted


@pytest.mark.parametrize(
    ("limits", "message"), [(Limits(nodes=7), r"first 7 states.*nodes"), (Limits(seconds=0.0), r"0\.0 s.*seconds")]
)
def test_a_limit_is_no_proof(limits, message):
    with pytest.raises(NoPlan, match=message) as raised:
        search(0, lambda n: [Step("+", n + 1)], lambda n: False, limits=limits)
    assert not raised.value.exhausted


@pytest.mark.parametrize("bad", [{"nodes": 0}, {"seconds": -1.0}, {"weight": math.nan}])
def test_limits_that_mean_nothing(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        Limits(**bad)


GRAPHS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 9)), max_size=25)


def shortest(edges):
    """Bellman and Ford's distances from 0."""
    distance = {0: 0}
    for _ in range(8):
        for a, b, cost in edges:
            if a in distance:
                distance[b] = min(distance.get(b, math.inf), distance[a] + cost)
    return distance


@given(GRAPHS)
@settings(max_examples=60, deadline=None)
def test_costs_are_least_with_and_without_a_heuristic(edges):
    def successors(state):
        return [Step((a, b), b, cost) for a, b, cost in edges if a == state]

    distance = shortest(edges)
    assert {node.state: node.cost for node in explore(0, successors)} == distance
    to_goal = shortest([(0, 0, 0)] + [(6 - b, 6 - a, cost) for a, b, cost in edges])  # Backwards, from state 6.
    for heuristic in (None, lambda state: to_goal.get(6 - state, math.inf)):
        if 6 in distance:
            node = search(0, successors, lambda state: state == 6, heuristic=heuristic)
            assert node.cost == distance[6] == sum(step.cost - (step.parent.cost) for step in node.path())
        else:
            with pytest.raises(NoPlan):
                search(0, successors, lambda state: state == 6, heuristic=heuristic)


def test_a_heuristic_saves_nodes_and_its_weight_more():
    def successors(cell):
        return [Step(name, (cell[0] + down, cell[1] + right)) for name, (down, right) in OFFSETS.items()]

    def expanded(**options):
        return sum(
            1 for _ in _until(explore((0, 0), successors, limits=Limits(weight=options.pop("weight", 1.0)), **options))
        )

    def _until(nodes):
        for node in nodes:
            if node.state == (6, 6):
                return
            yield node

    def left(cell):
        return abs(6 - cell[0]) + abs(6 - cell[1])

    blind, guided, greedy = expanded(), expanded(heuristic=left), expanded(heuristic=left, weight=3.0)
    assert greedy <= guided < blind / 5


def test_states_with_one_key_are_one():
    states = [node.state for node in explore(0, lambda n: [Step("+", n + 1)], key=lambda n: n % 4)]
    assert states == [0, 1, 2, 3]
