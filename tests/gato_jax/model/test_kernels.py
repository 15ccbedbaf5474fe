"""Every attention kernel equals the reference: values, gradients, causality, segments, padding."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gato_jax import sharding
from gato_jax.config import Kernel, MeshConfig, Positions
from gato_jax.model import kernels, presets
from gato_jax.model.attention import Places, attention, merge_heads, split_heads

ROWS, HEADS, LENGTH, SIZE = 2, 2, 128, 64
RUNS_HERE = pytest.mark.parametrize("kernel", [Kernel.BLOCKS, Kernel.SPLASH])


@pytest.fixture(scope="module")
def inputs():
    """Two rows: three segments and padding at the end; two segments with a hole of padding inside one."""
    segments = np.ones((ROWS, LENGTH), np.int32)
    segments[0, 40:90], segments[0, 90:110], segments[0, 110:] = 2, 3, 0
    segments[1, 64:] = 2
    keys = segments.copy()
    keys[1, 30:34] = 0
    index = np.broadcast_to(np.arange(LENGTH, dtype=np.int32), segments.shape)
    places = Places(*(jnp.asarray(x) for x in (index, segments, index, keys)), square=True)
    draws = jax.random.split(jax.random.key(0), 4)
    arrays = [jax.random.normal(key, (ROWS, HEADS, LENGTH, SIZE)) for key in draws]
    return arrays, places, jnp.asarray(keys > 0)[:, None, :, None]


def run(kernel, arrays, places):
    return attention(*arrays, places, kernel=kernel)


@RUNS_HERE
def test_values_and_gradients(kernel, inputs):
    (*arrays, weight), places, real = inputs

    def found(which):
        loss = lambda arrays: (jnp.where(real, run(which, arrays, places), 0) * weight).sum()  # noqa: E731
        return jax.jit(jax.value_and_grad(loss))(arrays), jnp.where(real, run(which, arrays, places), 0)

    expected, values = found(Kernel.REFERENCE)
    same = lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5, rtol=2e-4)  # noqa: E731
    jax.tree.map(same, found(kernel), (expected, values))


@pytest.mark.parametrize("kernel", [Kernel.REFERENCE, Kernel.BLOCKS, Kernel.SPLASH])
def test_causality_is_exact(kernel, inputs):
    """Keys and values of place 70 move nothing before it and nothing of another segment, by not one bit."""
    (query, key, value, weight), places, _ = inputs
    before = run(kernel, (query, key, value), places)
    after = run(kernel, (query, key.at[:, :, 70].add(weight[:, :, 70]), value.at[:, :, 70].add(1)), places)
    np.testing.assert_array_equal(before[:, :, :70], after[:, :, :70])
    np.testing.assert_array_equal(before[0, :, 90:110], after[0, :, 90:110])
    assert (np.abs(before[:, :, 70] - after[:, :, 70]).max(-1) > 1e-4).all()


@RUNS_HERE
def test_padding_is_never_seen(kernel, inputs):
    (query, key, value, _), places, real = inputs
    changed = [jnp.where(real, x, x + 3) for x in (key, value)]
    one, two = run(kernel, (query, key, value), places), run(kernel, (query, *changed), places)
    np.testing.assert_array_equal(jnp.where(real, one, 0), jnp.where(real, two, 0))
    assert np.isfinite(one).all()


def test_relative_scores_in_blocks(inputs):
    """Transformer-XL's scores go with REFERENCE and BLOCKS, and no other."""
    (*arrays, _), places, real = inputs
    relative = jax.random.normal(jax.random.key(7), (ROWS, HEADS, LENGTH, LENGTH))
    one, two = (
        attention(*arrays, places, added=relative, kernel=kernel) for kernel in (Kernel.REFERENCE, Kernel.BLOCKS)
    )
    np.testing.assert_allclose(jnp.where(real, one, 0), jnp.where(real, two, 0), atol=2e-5)
    with pytest.raises(ValueError, match=r"splash cannot add Transformer-XL's scores"):
        attention(*arrays, places, added=relative, kernel=Kernel.SPLASH)


def test_what_cudnn_is_given(inputs):
    """cuDNN itself is on no machine of ours; its layout, mask and scale are, under XLA's own implementation."""
    (query, key, value, _), places, real = inputs
    attended = kernels._cudnn(
        query / SIZE**0.5, key, value, places.query_segments, places.key_segments, implementation="xla"
    )
    expected = run(Kernel.REFERENCE, (query, key, value), places)
    np.testing.assert_allclose(jnp.where(real, attended, 0), jnp.where(real, expected, 0), atol=2e-5)


def mesh_of(platform, kind):
    """All that the choice asks of a mesh: what its first device is."""
    device = types.SimpleNamespace(platform=platform, device_kind=kind)
    return types.SimpleNamespace(devices=np.asarray([device], dtype=object))


@pytest.mark.parametrize(
    ("platform", "kind", "positions", "expected"),
    [
        ("cpu", "cpu", Positions.ROTARY, Kernel.BLOCKS),
        ("tpu", "TPU v3", Positions.ROTARY, Kernel.BLOCKS),
        ("tpu", "TPU v4", Positions.ROTARY, Kernel.SPLASH),
        ("tpu", "TPU v5 lite", Positions.LEARNED, Kernel.SPLASH),
        ("tpu", "TPU v5 lite", Positions.TRANSFORMER_XL, Kernel.BLOCKS),
        ("gpu", "NVIDIA H100", Positions.NONE, Kernel.CUDNN),
        ("gpu", "NVIDIA H100", Positions.TRANSFORMER_XL, Kernel.BLOCKS),
    ],
)
def test_the_mesh_chooses(platform, kind, positions, expected):
    model = presets.gato_1b(positions=positions)
    chosen, why = kernels.choose(Kernel.AUTO, model, mesh_of(platform, kind), lengths=[1024], dtype="bfloat16")
    assert chosen is expected
    assert why


def test_a_wanted_kernel_that_cannot_run_is_refused():
    cpu = sharding.make_mesh(MeshConfig(), devices=jax.devices()[:1])
    rotary = presets.gato_1b(positions=Positions.ROTARY)
    for kernel, model, mesh, message in (
        (Kernel.CUDNN, rotary, cpu, "runs on GPUs, found cpu"),
        (Kernel.SPLASH, rotary, mesh_of("tpu", "TPU v3"), "TPU v3 compiles no bfloat16 Pallas kernel"),
        (Kernel.SPLASH, presets.gato_1b(), cpu, "Transformer-XL positions add scores of their own"),
        (Kernel.SPLASH, presets.gato_79m(positions=Positions.NONE), cpu, "heads of a multiple of 64"),
    ):
        with pytest.raises(ValueError, match=message):
            kernels.choose(kernel, model, mesh, lengths=[1024], dtype="bfloat16")


@pytest.mark.parametrize("kernel", [Kernel.REFERENCE, Kernel.SPLASH])
def test_heads_are_split_and_merged_alike_for_all_kernels(kernel):
    """By whole tiles for a fused kernel, by a transpose else."""
    x = jnp.arange(2 * 16 * 3 * 128, dtype=jnp.float32).reshape(2 * 16, 3 * 128)
    heads = split_heads(x, 2, 3, kernel=kernel)
    np.testing.assert_array_equal(heads[1, 2, 5], x[16 + 5, 2 * 128 :])
    np.testing.assert_array_equal(merge_heads(heads, kernel=kernel), x)


@pytest.mark.parametrize(("length", "together"), [(1024, True), (384, False)])
def test_splash_over_several_blocks(length, together):
    """Two blocks: one backward kernel, whose gradients of the queries add up. Three: a kernel for each gradient."""
    assert kernels.one_backward_kernel(length) is together
    index = jnp.arange(length, dtype=jnp.int32)[None]
    segments = 1 + (index > length // 3).astype(jnp.int32)
    places = Places(index, segments, index, segments, square=True)
    *arrays, weight = (jax.random.normal(key, (1, 1, length, SIZE)) for key in jax.random.split(jax.random.key(1), 4))

    def gradients(kernel):
        return jax.jit(jax.grad(lambda arrays: (run(kernel, arrays, places) * weight).sum()))(arrays)

    same = lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5, rtol=2e-4)  # noqa: E731
    jax.tree.map(same, gradients(Kernel.SPLASH), gradients(Kernel.REFERENCE))
