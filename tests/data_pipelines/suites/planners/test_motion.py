"""Scripts on a point that goes where it is told: what is done in which order, and when it is given up."""

import itertools

import numpy as np
import pytest

from data_pipelines.suites.planners.motion import CLOSE, OPEN, Job, Motion, Waypoint, move, push, repeat, take


class Point:
    """A tool that does half of what it is asked for, at most 2 cm a step, and carries what is under it while closed."""

    def __init__(self, item=(1.0, 0.0, 0.0), slips=0):
        self.tool, self.yaw, self.grip = np.array([0.0, 0.0, 0.5]), 0.0, OPEN
        self.item, self._slips = np.array(item), slips

    def action(self, shift, turn, grip):
        held = self.held
        if grip == CLOSE and self.grip == OPEN and held and self._slips:
            self._slips, held = self._slips - 1, False
            grip = OPEN
        self.grip = grip
        step = 0.5 * np.asarray(shift)
        self.tool = self.tool + step * min(1.0, 0.02 / max(np.linalg.norm(step), 1e-9))
        self.yaw += 0.5 * turn
        if held and grip == CLOSE:
            self.item = self.tool.copy()
        return np.append(shift, grip)

    @property
    def held(self):
        return bool(np.linalg.norm(self.tool - self.item) < 0.02)


MOTION = Motion(near=0.01, closing=2, opening=2, limit=90)
GOAL = np.array([0.0, 1.0, 0.0])
ABOVE = np.array([0.0, 0.0, 0.2])


def job(arm, **kwargs):
    return Job(
        approach=lambda: [Waypoint(lambda: arm.item + ABOVE), Waypoint(lambda: arm.item)],
        is_held=lambda: arm.held,
        carry=lambda: [Waypoint(lambda: GOAL + ABOVE), Waypoint(lambda: GOAL)],
        **kwargs,
    )


def run(script, steps=600):
    return list(itertools.islice(script, steps))


def test_an_item_is_taken_and_put_down():
    arm = Point()
    grips = [action[-1] for action in run(take(arm, MOTION, job(arm)))]
    assert np.abs(arm.item - GOAL).max() < 0.01
    assert arm.tool[2] > GOAL[2] + 0.08
    assert [grip for grip, _ in itertools.groupby(grips)] == [OPEN, CLOSE, OPEN]


def test_without_release_it_stays_in_the_hand():
    arm = Point()
    actions = run(take(arm, MOTION, job(arm, release=False)))
    assert len(actions) == 600
    assert actions[-1][-1] == CLOSE
    assert np.abs(arm.item - GOAL).max() < 0.01


def test_what_slips_is_taken_again_and_what_is_done_is_left():
    arm = Point(slips=2)
    actions = run(repeat(arm, MOTION, job(arm), lambda: bool(np.abs(arm.item - GOAL).max() < 0.02)))
    assert np.abs(arm.item - GOAL).max() < 0.02
    assert actions[-1].tolist() == [0.0, 0.0, 0.0, OPEN]


def test_a_place_that_moves_away_is_given_up_after_the_limit():
    arm = Point()
    assert len(run(move(arm, MOTION, Waypoint(lambda: arm.tool + 1.0), OPEN))) == MOTION.limit
    assert len(run(move(arm, MOTION, Waypoint(lambda: arm.tool + 1.0, limit=3), OPEN))) == 3


def test_the_tool_turns_the_short_way():
    arm = Point()
    arm.yaw = 3.0
    place = arm.tool.copy()
    run(move(arm, MOTION, Waypoint(lambda: place, lambda: -3.0), OPEN))
    assert arm.yaw == pytest.approx(2 * np.pi - 3.0, abs=MOTION.turned)


def test_pushing_begins_behind_the_item():
    """The tool pushes what is nearer than 5 cm before it, as far as it comes too near."""
    arm = Point(item=(0.3, 0.0, 0.0))
    goal = np.array([0.8, 0.1, 0.0])
    places = []
    for _ in itertools.islice(push(arm, Motion(near=0.02, limit=60), lambda: arm.item, lambda: goal, behind=0.07), 400):
        offset = arm.item - arm.tool
        distance = np.linalg.norm(offset)
        if abs(offset[2]) < 0.03 and distance < 0.05:
            arm.item = arm.item + (offset / max(distance, 1e-6) * (0.05 - distance)) * [1, 1, 0]
        places.append(arm.item.copy())
    assert np.linalg.norm(arm.item - goal) < 0.03
    assert max(place[0] for place in places) < 0.85
