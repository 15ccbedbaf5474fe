"""The family is that of the paper's row: which limbs each body has."""

import dataclasses
import re

import pytest

from data_pipelines.mixtures.table1_names import MODULAR_RL
from data_pipelines.suites import catalog
from data_pipelines.suites.modular_rl.bodies import BODIES, WALKER, Body


def limbs(name: str) -> list[str]:
    return [limb.name for limb in BODIES[name].limbs]


def test_the_bodies_are_the_38_of_table_1():
    assert sorted(BODIES) == sorted(MODULAR_RL)
    assert len(BODIES) == 38
    assert {f"modular_rl.{name}" for name in BODIES} <= set(catalog.catalog())


def test_a_name_counts_the_torso_and_the_limbs():
    for name, body in BODIES.items():
        assert len(body.limbs) + 1 == int(re.search(r"_(\d)", name.removeprefix("humanoid_2d")).group(1)), name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("walker_4_main", ["left1", "left2", "right1"]),
        ("walker_4_flipped", ["left1", "right1", "right2"]),
        ("hopper_4", ["thigh", "leg", "foot"]),
        ("cheetah_5_front", ["bthigh", "fthigh", "fshin", "ffoot"]),
        ("humanoid_2d_7_left_leg", [
            "right_thigh", "right_shin", "right_upper_arm", "right_lower_arm", "left_upper_arm", "left_lower_arm",
        ]),
    ],
)  # fmt: skip
def test_limbs(name, expected):
    assert limbs(name) == expected


def test_a_foot_hangs_on_the_last_part_of_the_leg_that_is_there():
    carriers = [BODIES[f"hopper_{size}"].parent(BODIES[f"hopper_{size}"].limbs[-1]) for size in (3, 4, 5)]
    assert carriers == ["thigh", "leg", "lower_leg"]


def test_a_limb_in_the_air_and_a_strange_one_are_refused():
    knee = WALKER.limbs[1]
    with pytest.raises(ValueError, match=r"body 'b': limb 'left2' hangs on left1, found only \['left2', 'torso'\]"):
        Body("b", WALKER, (knee,))
    with pytest.raises(ValueError, match="body 'b': its family has no limb 'wing'"):
        Body("b", WALKER, (dataclasses.replace(knee, name="wing"),))
