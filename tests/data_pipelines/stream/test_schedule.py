"""Weights that change at given steps, and weights that a running policy sets."""

import dataclasses
import json

import numpy as np
import pytest

from data_pipelines.mixtures.config import MixtureConfig, Phase
from data_pipelines.schema import FIELDS, RowGroup
from data_pipelines.stream.stream import Stream, batch_hash

ONE, OTHER, DRAWER = "babyai.go_to_obj", "babyai.go_to_red_ball_grey", "metaworld.drawer_close"
SEGMENT = 3


@pytest.fixture(scope="module")
def config(data_config):
    """First one level, then the other and more of Meta-World, then all."""
    config = data_config(groups=("babyai", "metaworld"), rows=32, virtual_shards=4, reseed_every=SEGMENT)
    return scheduled(
        config,
        {ONE: 3, OTHER: 0, DRAWER: 1},
        Phase(3, {ONE: 0, OTHER: 1, DRAWER: 3}),
        Phase(9, {ONE: 1, OTHER: 1, DRAWER: 2}),
    )


@pytest.fixture(scope="module")
def whole(config):
    """(stream, batches of 12 steps)."""
    stream = Stream(config)
    batches = [next(stream) for _ in range(12)]
    yield stream, batches
    stream.close()


def scheduled(config, weights, *phases):
    mixture = dataclasses.replace(config.mixture, weights=weights, schedule=phases)
    return dataclasses.replace(config, mixture=mixture)


def test_each_phase_draws_by_its_own_weights(config, whole):
    stream, batches = whole
    names = stream.task_names
    drawn = [[{names[i] for i in batch["babyai"]["task_id"]}, len(batch["metaworld"]["task_id"])] for batch in batches]
    assert drawn[:3] == [[{ONE}, 8]] * 3
    assert drawn[3:9] == [[{OTHER}, 24]] * 6
    assert set().union(*(tasks for tasks, _ in drawn[9:])) == {ONE, OTHER}
    assert [rows for _, rows in drawn[9:]] == [16] * 3
    assert config.mixture.scheduled_rows(4) == [
        {"babyai": 24, "metaworld": 8}, {"babyai": 8, "metaworld": 24}, {"babyai": 16, "metaworld": 16}
    ]  # fmt: skip
    assert config.mixture.shares_over(12) == pytest.approx({
        ONE: (3 * 0.75 + 3 * 0.25) / 12, OTHER: (6 * 0.25 + 3 * 0.25) / 12, DRAWER: (3 * 0.25 + 6 * 0.75 + 3 * 0.5) / 12
    })  # fmt: skip


@pytest.mark.parametrize("step", [2, 4, 9])
def test_resume_in_every_phase(config, whole, step):
    stream, batches = whole
    other = Stream(config, pipelines=stream.pipelines)
    other.restore(json.loads(json.dumps({**stream.position(), "step": step})))
    assert [batch_hash(next(other)) for _ in range(2)] == [batch_hash(batch) for batch in batches[step : step + 2]]
    other.close()


def test_two_hosts_see_the_same_phases(config, whole):
    stream, batches = whole
    hosts = [Stream(config, host=host, hosts=2, start_step=2, pipelines=stream.pipelines) for host in range(2)]
    for step in (2, 3):
        parts = [next(host) for host in hosts]
        joined = {
            name: {key: np.concatenate([part[name][key] for part in parts]) for key in FIELDS} for name in parts[0]
        }
        assert batch_hash(joined) == batch_hash(batches[step])
    for host in hosts:
        host.close()


def test_another_schedule_is_another_stream(config, whole):
    stream, _ = whole
    other = scheduled(config, config.mixture.weights, *config.mixture.schedule[:1])
    with pytest.raises(ValueError, match="weights"):
        Stream(other).restore(stream.position())


def test_a_policy_sets_the_segment_after_the_next(data_config):
    config = data_config(groups=("babyai",), rows=16, reseed_every=SEGMENT)
    only = {ONE: 0.0, OTHER: 1.0}

    def run(stream, steps):
        batches = []
        for _ in range(steps):
            batches.append(next(stream)["babyai"])
            if stream.step == SEGMENT and stream.weights == config.mixture.weights:
                assert stream.set_weights(only) == 2
        return batches

    stream = Stream(config)
    batches = run(stream, 7)
    second = [stream.task_names[i] for batch in batches[SEGMENT : 2 * SEGMENT] for i in batch["task_id"]]
    assert set(second) == {ONE, OTHER}, "the segment that was being built keeps its weights"
    assert {stream.task_names[i] for i in batches[6]["task_id"]} == {OTHER}
    with pytest.raises(ValueError, match=r"weights: lacks task 'babyai.go_to_red_ball_grey'"):
        stream.set_weights({ONE: 1.0})

    # The table travels with the position: another process goes on where this one stops.
    other = Stream(config, pipelines=stream.pipelines)
    other.restore(json.loads(json.dumps({**stream.position(), "step": 5})))
    assert [batch_hash({"": next(other)["babyai"]}) for _ in range(2)] == [batch_hash({"": b}) for b in batches[5:]]
    assert other.position() == stream.position()
    for one in (stream, other):
        one.close()


def test_a_policy_does_not_change_what_is_scheduled(config, whole):
    stream, _ = whole
    fresh = Stream(config, pipelines=stream.pipelines)
    with pytest.raises(ValueError, match="already set for segment 3"):
        fresh.set_weights({ONE: 1, OTHER: 1, DRAWER: 1})


@pytest.mark.parametrize(
    ("weights", "phases", "message"),
    [
        ({ONE: 1, OTHER: 0}, [], r"weights\['babyai.go_to_red_ball_grey'\] must be positive, found 0"),
        ({ONE: 1, OTHER: 0}, [Phase(3, {ONE: 2, OTHER: 0})], r"weight 0 in all for \['babyai.go_to_red_ball_grey'\]"),
        ({ONE: 1, OTHER: 1}, [Phase(3, {ONE: 0, OTHER: 0})], "step 3: row group 'babyai' needs a task with a positive"),
        ({ONE: 1, OTHER: 1}, [Phase(3, {ONE: 1})], "step 3: lacks task 'babyai.go_to_red_ball_grey'"),
        (
            {ONE: 1, OTHER: 1},
            [Phase(3, {ONE: 1, OTHER: -1})],
            r"schedule\[0\]\.weights\['babyai.go_to_red_ball_grey'\] must not be negative, found -1",
        ),
        ({ONE: 1, OTHER: 1}, [Phase(6, {ONE: 1, OTHER: 2}), Phase(3, {ONE: 1, OTHER: 2})], r"rise.*found \[6, 3\]"),
        (
            {ONE: 1, OTHER: 1},
            [Phase(4, {ONE: 1, OTHER: 2})],
            r"reseed_every = 3 steps, found step 4; nearest: \[3, 6\]",
        ),
    ],
)
def test_schedules_check_themselves(data_config, weights, phases, message):
    config = data_config(groups=("babyai",), reseed_every=SEGMENT)
    with pytest.raises(ValueError, match=message):
        scheduled(config, weights, *phases)


def test_zero_is_a_weight_only_with_a_schedule():
    group = {"a": RowGroup(("a.one", "a.two"))}
    mixture = MixtureConfig({"a.one": 1, "a.two": 0}, group, 8, (Phase(5, {"a.one": 0, "a.two": 1}),))
    assert mixture.shares() == {"a.one": 1, "a.two": 0}
    assert mixture.shares_over(5) == {"a.one": 1, "a.two": 0}
    assert mixture.shares_over(20) == pytest.approx({"a.one": 0.25, "a.two": 0.75})
