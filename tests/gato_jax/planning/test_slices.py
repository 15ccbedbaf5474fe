import pytest

from gato_jax.chips import CHIPS
from gato_jax.planning.slices import all_shapes, find_slice


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("v5e:16x32", "v5e:16x16"),
        ("v6e:32x32", "v6e:16x16"),
        ("v5e:3x5", "v5e:4x4"),
        ("v5p:8x8", "v5p:4x4x4"),
        ("v4:8x8x4", "v4:4x8x8"),
        ("v5e", "v5e:"),
        ("v7x:4x4x4", "tpu7x"),
        ("v5litepod-256", "v5e"),
        ("cpu:0", "cpu:8"),
    ],
)
def test_slices_that_nobody_has_are_refused_by_name(name, nearest):
    with pytest.raises(ValueError, match=name) as error:
        find_slice(name)
    assert nearest in str(error.value)


@pytest.mark.parametrize(
    ("name", "slices", "devices", "hosts"),
    [
        ("v3:16x16", 1, 512, 64),
        ("v4:4x8x8", 1, 256, 64),
        ("v5e:2x4", 1, 8, 1),
        ("v5e:16x16", 2, 512, 128),
        ("v5p:8x8x8", 1, 512, 128),
        ("tpu7x:4x4x8", 1, 256, 32),
        ("h100:64", 1, 64, 8),
        ("cpu:4", 1, 4, 1),
    ],
)
def test_devices_and_hosts(name, slices, devices, hosts):
    chips = find_slice(name, slices=slices)
    assert (chips.name, chips.devices, chips.hosts) == (name, devices, hosts)


def test_several_slices_are_for_tpus():
    with pytest.raises(ValueError, match="--slices"):
        find_slice("cpu:8", slices=2)


def test_every_shape_of_the_table_is_found_by_its_name():
    for chip in CHIPS.values():
        if chip.platform == "tpu":
            shapes = all_shapes(chip)
            assert shapes
            for shape in shapes:
                assert find_slice(f"{chip.name}:{'x'.join(map(str, shape))}").shape == shape
