"""Our layers beside those of flax.nnx: `python -m benchmarks.nnx_layers [--json]`.

For each: whether the initial parameters are equal leaf by leaf (values, and names in the tree, by which checkpoints and
exports know them), whether outputs are bit-equal, and time and temporary memory of a forward and backward pass, as
nnx / ours from one run. What stays ours, and why, is said where the layer stands in `gato_jax/model/`.
"""

import argparse
import functools
import json
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from gato_jax.config import ModelConfig, Norm
from gato_jax.model.embedding import GroupNorm
from gato_jax.model.embedding import _conv as conv
from gato_jax.model.parameters import fan_in, normal
from gato_jax.model.transformer import PreNorm

WIDTH, TOKENS, CHANNELS, PATCHES, ROWS = 512, 4096, 64, 256, 8192
RUNS = 15


class Plain(nnx.Module):
    """A parameter and what is done with it, as our modules hold them."""

    def __init__(self, shape, initializer, apply, *, rngs):
        self.weights, self.apply = nnx.Param(initializer(rngs.params(), shape)), apply

    def __call__(self, x):
        return self.apply(x, self.weights[...])


def with_dtype(initializer):
    """Our initializers take (key, shape); nnx passes a dtype too."""
    return lambda key, shape, dtype: initializer(key, shape).astype(dtype)


def cases():
    """{name: (ours, nnx, input)}."""
    shape = dict(width=WIDTH, layers=1, heads=4, head_size=128, hidden=4 * WIDTH)
    tokens = jax.random.normal(jax.random.key(1), (TOKENS, WIDTH))
    pixels = jax.random.normal(jax.random.key(2), (PATCHES, 16, 16, CHANNELS))
    ids = jax.random.randint(jax.random.key(3), (TOKENS,), 0, ROWS)
    rngs = lambda: nnx.Rngs(0)  # noqa: E731
    bare = {"use_bias": False, "epsilon": 1e-6}
    yield (
        "LayerNorm",
        (
            PreNorm(ModelConfig(**shape, norm=Norm.LAYER), rngs=rngs()),
            nnx.LayerNorm(WIDTH, **bare, use_fast_variance=False, rngs=rngs()),
            tokens,
        ),
    )
    yield (
        "RMSNorm",
        (
            PreNorm(ModelConfig(**shape, norm=Norm.RMS), rngs=rngs()),
            nnx.RMSNorm(WIDTH, epsilon=1e-6, rngs=rngs()),
            tokens,
        ),
    )
    yield (
        "GroupNorm",
        (
            GroupNorm(CHANNELS, 32, rngs=rngs()),
            nnx.GroupNorm(CHANNELS, 32, epsilon=1e-6, use_fast_variance=False, rngs=rngs()),
            pixels,
        ),
    )
    yield (
        "Linear",
        (
            Plain((WIDTH, WIDTH), fan_in(), lambda x, w: x @ w, rngs=rngs()),
            nnx.Linear(WIDTH, WIDTH, use_bias=False, kernel_init=with_dtype(fan_in()), rngs=rngs()),
            tokens,
        ),
    )
    yield (
        "Embed",
        (
            Plain((ROWS, WIDTH), normal(0.02), lambda x, w: w[x], rngs=rngs()),
            nnx.Embed(ROWS, WIDTH, embedding_init=with_dtype(normal(0.02)), rngs=rngs()),
            ids,
        ),
    )
    yield (
        "Conv",
        (
            Plain((3, 3, CHANNELS, CHANNELS), fan_in(contracted=3), conv, rngs=rngs()),
            nnx.Conv(
                CHANNELS, CHANNELS, (3, 3), use_bias=False, kernel_init=with_dtype(fan_in(contracted=3)), rngs=rngs()
            ),
            pixels,
        ),
    )


def leaves(module):
    return {"/".join(map(str, path)): np.asarray(leaf[...]) for path, leaf in nnx.to_flat_state(nnx.state(module))}


def trained(module):
    """With weights that are neither 1 nor 0, the same for both: at birth a scale of 1 hides in which order it comes."""
    state = nnx.state(module)
    draw = lambda leaf: leaf * 1.1 + 0.1 * jax.random.normal(jax.random.key(leaf.size), leaf.shape)  # noqa: E731
    nnx.update(module, jax.tree.map(draw, state))
    return module


def compiled(module, x):
    """Compiled (parameters, x) -> (output, gradients)."""
    graph, state = nnx.split(module)

    def loss(state, x):
        y = nnx.merge(graph, state)(x)
        return jnp.square(y).sum(), y

    run = jax.jit(jax.value_and_grad(loss, has_aux=True))
    return functools.partial(run.lower(state, x).compile(), state, x), run.lower(state, x).compile().memory_analysis()


def seconds(run):
    """Median of one call, after a warm-up."""
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        jax.block_until_ready(run())
        times.append(time.perf_counter() - start)
    return statistics.median(times[2:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    layers = {}
    for name, (ours, theirs, x) in cases():
        one, two = leaves(ours), leaves(theirs)
        same = all(np.array_equal(a, b) for a, b in zip(one.values(), two.values(), strict=True))
        (run, memory), (other, other_memory) = compiled(trained(ours), x), compiled(trained(theirs), x)
        layers[name] = {
            "initial_values_equal": same,
            "names": [sorted(one), sorted(two)],
            "outputs_bit_equal": bool((run()[0][1] == other()[0][1]).all()),
            "time_ratio": seconds(other) / seconds(run),
            "memory_ratio": other_memory.temp_size_in_bytes / max(memory.temp_size_in_bytes, 1),
        }
    if arguments.json:
        print(json.dumps({"device": jax.devices()[0].device_kind, "layers": layers}, indent=2))
        return
    print(f"{'layer':<10} {'values':<7} {'bits':<6} {'time':>6} {'memory':>7}  names ours / nnx")
    for name, row in layers.items():
        names = " / ".join(",".join(side) for side in row["names"])
        print(
            f"{name:<10} {row['initial_values_equal']!s:<7} {row['outputs_bit_equal']!s:<6} "
            f"{row['time_ratio']:>6.2f} {row['memory_ratio']:>7.2f}  {names}"
        )


if __name__ == "__main__":
    main()
