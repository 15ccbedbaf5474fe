"""The links of a slice, against counting them one by one."""

import itertools

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from gato_jax.planning.hlo.collectives import Collective
from gato_jax.planning.hlo.network import Network, side_links
from gato_jax.planning.slices import find_slice

BYTES = 1e9


def seconds(name, *sides, kind="all-gather", cores=None, rings=3):
    """Of a group that lies along the slice's sides at these coordinates."""
    network = Network.in_order(find_slice(name))
    chips = set(itertools.product(*sides))
    members = [device for device, place in enumerate(network.places) if place in chips]
    each = network.where.chip.devices_per_chip
    members = [device for device in members if cores is None or device % each < cores]
    return network.seconds(Collective(kind, BYTES, len(members), "fsdp", members=tuple(members), rings=rings))


@pytest.mark.parametrize(
    ("name", "sides", "links", "chips"),
    [
        ("v5e:16x16", (range(16), [0]), 2, 16),  # the ring of a whole side
        ("v5e:16x16", (range(16), range(16)), 4, 256),  # rings through both sides
        ("v5e:8x8", (range(8), [0]), 1, 8),  # not the pod's whole side: a line, whose end hears from one neighbour
        ("v5e:16x16", (range(4), [0]), 1, 4),
        ("v5e:16x16", (range(16), range(4)), 3, 64),
        ("v5e:16x16", (range(0, 16, 4), [0]), 2 / 4, 4),  # four such groups use the ring together
        ("v5e:8x8", (range(0, 8, 4), [0]), 1 / 4, 2),
        ("v4:4x8x8", (range(4), range(8), [0]), 4, 32),
        ("v4:4x8x8", (range(4), range(8), range(8)), 6, 256),
        ("v4:2x2x4", ([0], [0], range(4)), 1, 4),  # less than a cube: nothing wraps
        ("v3:16x16", (range(4), range(2)), 2, 8),
        ("v3:32x32", (range(32), [0]), 2, 32),
    ],
)
def test_rings_use_the_links_of_the_sides_of_their_group(name, sides, links, chips):
    rate = links * find_slice(name).chip.link_rate
    assert seconds(name, *sides) == pytest.approx((1 - 1 / chips) * BYTES / rate)
    one_ring = min(links, 2) * find_slice(name).chip.link_rate
    assert seconds(name, *sides, rings=1) == pytest.approx((1 - 1 / chips) * BYTES / one_ring)


def test_devices_of_a_chip_hear_once_together_or_share_its_links():
    rate = find_slice("v3:16x16").chip.link_rate
    assert seconds("v3:16x16", range(4), [0]) == pytest.approx(3 / 4 * BYTES / rate)
    assert seconds("v3:16x16", range(4), [0], cores=1) == pytest.approx(3 / 4 * BYTES / (rate / 2))
    # Inside a chip it is the memory that carries.
    assert seconds("v3:16x16", [0], [0]) == pytest.approx(BYTES / 2 / find_slice("v3:16x16").chip.memory_rate)


def test_kinds_of_collectives():
    gather = seconds("v5e:16x16", range(16), [0])
    assert seconds("v5e:16x16", range(16), [0], kind="reduce-scatter") == gather
    assert seconds("v5e:16x16", range(16), [0], kind="all-reduce") == 2 * gather
    network = Network.in_order(find_slice("v5e:16x16"))
    permute = Collective("collective-permute", BYTES, 2, "?")
    assert network.seconds(permute) == BYTES / (2 * network.where.chip.link_rate)
    assert network.seconds(Collective("all-reduce", BYTES, 1, "none", members=(0,))) == 0
    assert Network.in_order(find_slice("cpu:8")).seconds(Collective("all-gather", BYTES, 8, "fsdp")) == 0


@hypothesis.given(st.sampled_from(["v5e:16x16", "v5e:8x16", "v4:4x4x8", "v5p:2x4x4"]), st.data())
def test_no_group_is_given_more_links_than_its_least_connected_member_has(name, data):
    """Groups of neighbours: links counted one by one on the grid."""
    where = find_slice(name)
    spans = [data.draw(st.integers(1, side)) for side in where.shape]
    chips = np.array(list(itertools.product(*map(range, spans))))
    total = sum(
        side_links(chips[:, side], length, wraps=wraps)
        for side, (length, wraps) in enumerate(zip(where.shape, where.wraps, strict=True))
    )
    inside = set(map(tuple, chips.tolist()))

    def links(chip):
        count = 0
        for side, step in itertools.product(range(len(chip)), (-1, 1)):
            other = list(chip)
            other[side] += step
            if where.wraps[side]:
                other[side] %= where.shape[side]
            count += tuple(other) in inside
        return count

    assert total == min(map(links, inside))
