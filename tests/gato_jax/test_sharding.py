"""The rule tables, and the errors that name what does not fit."""

import jax
import pytest
from jax.sharding import AbstractMesh, PartitionSpec

from data_pipelines.vocabulary import Vocabulary
from gato_jax import sharding
from gato_jax.config import MeshConfig, Positions
from gato_jax.model.gato import abstract_model
from gato_jax.model.presets import gato_79m


def mesh(data=1, fsdp=1, tensor=1):
    return AbstractMesh((1, data, fsdp, tensor), sharding.MESH_AXES)


@pytest.mark.parametrize("scan", [False, True])
def test_parameters_at_rest(scan):
    """No large parameter is left whole on a device."""
    abstract = abstract_model(gato_79m(scan_layers=scan, positions=Positions.TRANSFORMER_XL), Vocabulary())[1]
    shardings = sharding.parameter_shardings(abstract, mesh(data=2, fsdp=4, tensor=2))
    specs = {
        jax.tree_util.keystr(path, simple=True, separator="/"): place.spec
        for path, place in jax.tree_util.tree_flatten_with_path(shardings)[0]
    }
    layer = ("stack", (None,)) if scan else ("blocks/layer_00", ())
    assert specs["embedding/tokens"] == PartitionSpec(("tensor", "fsdp"), None)
    assert specs[f"transformer/{layer[0]}/attention/query"] == PartitionSpec(*layer[1], "fsdp", "tensor")
    assert specs[f"transformer/{layer[0]}/feed_forward/out"] == PartitionSpec(*layer[1], ("tensor", "fsdp"), None)
    whole = {name for name, spec in specs.items() if not any(spec)}
    assert all(any(part in name for part in ("stem", "conv", "head", "norm")) for name in whole), whole


def test_a_collision_is_named():
    rules = {"a": "fsdp", "b": ("data", "fsdp")}
    with pytest.raises(ValueError, match=r"w: logical axes 'a' and 'b' both map to mesh axis 'fsdp'"):
        sharding.partition_spec(("a", "b"), rules, name="w")
    with pytest.raises(KeyError, match=r"no sharding rule for logical axis 'c', rules are \['a', 'b'\]"):
        sharding.partition_spec(("c",), rules, name="w")


def test_sizes_that_do_not_divide_are_named():
    abstract = abstract_model(gato_79m(width=770), Vocabulary())[1]
    with pytest.raises(
        ValueError, match=r"parameter embedding/.* axis 'embed' of size 770 is not divisible by the 4 devices"
    ):
        sharding.parameter_shardings(abstract, mesh(fsdp=4))
    with pytest.raises(ValueError, match=r"row group 'text': 510 rows per step are not divisible by the 64 devices"):
        sharding.check_rows({"control": 512, "text": 510}, mesh(data=16, fsdp=4))


def test_mesh_must_cover_the_devices():
    with pytest.raises(ValueError, match=r"mesh data=3 x fsdp=2 x tensor=1 does not cover \d+ devices exactly"):
        sharding.make_mesh(MeshConfig(data=3, fsdp=2))
    with pytest.raises(ValueError, match=r"mesh\.fsdp must be positive, found 0"):
        MeshConfig(fsdp=0)


def test_no_mesh_no_constraint():
    x = jax.numpy.ones((3, 5))
    assert sharding.constrain(x, "tokens", "mlp") is x
