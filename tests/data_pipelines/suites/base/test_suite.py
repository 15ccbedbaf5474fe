"""What a suite and a task must say about themselves."""

import dataclasses

import pytest

from data_pipelines.suites.base.suite import Source, Suite, Task

WORLD = Task(name="x.y", source=Source.ENVIRONMENT, origin="", expert="", requires="no_such_simulator")


def test_a_missing_simulator_is_noticed():
    assert not WORLD.installed
    assert dataclasses.replace(WORLD, requires="json").installed


def test_tasks_bear_the_name_of_their_suite():
    with pytest.raises(ValueError, match=r"named z\.<task>, found \['x\.y'\]"):
        Suite(domain="z", tasks=(WORLD,), episode_steps=1)


def test_a_simulator_says_how_long_its_episodes_are():
    with pytest.raises(ValueError, match="suite 'x' must say about how many steps"):
        Suite(domain="x", tasks=(WORLD,))
    assert Suite(domain="x", tasks=(WORLD,), episode_steps=1).is_simulator
    assert not Suite(domain="x", tasks=(dataclasses.replace(WORLD, source=Source.TEXT),)).is_simulator


def test_how_to_install_it():
    suite = Suite(domain="x", tasks=(WORLD,), episode_steps=1)
    assert suite.hint == ""
    assert dataclasses.replace(suite, extra="worlds").hint == 'pip install -e ".[worlds]"'
    assert dataclasses.replace(suite, extra="worlds", install="as its page says").hint == "as its page says"


def test_a_world_without_an_expert_has_nobody_to_record():
    assert not WORLD.demonstrated
    assert dataclasses.replace(WORLD, source=Source.TEXT).demonstrated
    assert dataclasses.replace(WORLD, make_expert=object).demonstrated
