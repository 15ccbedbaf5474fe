"""Where every parameter of every preset rests, checked in as text.

A change fails until the files are renewed on purpose: `python -m pytest tests/gato_jax/test_sharding_goldens.py -n 0`
with GATO_REWRITE_GOLDENS=1 in the environment, then read the difference.
"""

import os
import pathlib

import jax
import pytest
from flax import nnx
from jax.sharding import AbstractMesh

from data_pipelines.vocabulary import Vocabulary
from gato_jax import sharding
from gato_jax.model import presets
from gato_jax.model.gato import abstract_model

GOLDENS = pathlib.Path(__file__).parent / "goldens"
MESH = AbstractMesh((1, 8, 16, 2), sharding.MESH_AXES)
PRESETS = ("gato_79m", "gato_364m", "gato_1b", "gato_7b", "gato_30b", "gato_70b", "gato_small")


def describe(preset: str) -> str:
    """One line for each parameter: name, shape, logical axes, mesh axes at rest, shape on one device."""
    abstract = abstract_model(getattr(presets, preset)(scan_layers=True), Vocabulary())[1]
    shapes = nnx.to_pure_dict(abstract)
    axes = nnx.to_pure_dict(
        jax.tree.map(sharding.logical_axes, abstract, is_leaf=lambda node: isinstance(node, nnx.Variable))
    )
    places = sharding.parameter_shardings(abstract, MESH)
    lines = [f"{preset} on {dict(MESH.shape)}: parameter | shape | logical axes | mesh axes | one device's part"]
    for path, place in jax.tree_util.tree_flatten_with_path(places)[0]:
        leaf, names = shapes, axes
        for key in path:
            leaf, names = leaf[key.key], names[key.key]
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        part = place.shard_shape(leaf.shape)
        spec = ", ".join(str(axis) for axis in place.spec)
        lines.append(f"{name} | {leaf.shape} | {', '.join(map(str, names))} | {spec} | {part}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("preset", PRESETS)
def test_parameters_rest_where_they_did(preset):
    path, description = GOLDENS / f"sharding_{preset}.txt", describe(preset)
    if os.environ.get("GATO_REWRITE_GOLDENS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(description)
    assert description == path.read_text(), f"{path.name} differs; read this file's first lines"
