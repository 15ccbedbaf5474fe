"""Fused attention of the accelerators, and the choice between them.

All read segment ids and the causal order instead of a dense mask, and take a query that is scaled already.
"""

import functools
from collections.abc import Sequence
from typing import Literal

import jax
import jax.numpy as jnp
from jax.experimental.pallas.ops.tpu.splash_attention import splash_attention_kernel, splash_attention_mask
from jax.sharding import Mesh
from jaxtyping import Array, Float, Int

from gato_jax import sharding
from gato_jax.config import Kernel, ModelConfig
from gato_jax.model.positions import scheme_of

OLD_TPUS = ("TPU v2", "TPU v3")
"""Their compiler refuses Pallas kernels with bfloat16 matrices (E2001)."""

Heads = Float[Array, "rows heads places size"]
Segments = Int[Array, "rows places"]


def choose(kernel: Kernel, model: ModelConfig, mesh: Mesh, *, lengths: Sequence[int], dtype: str) -> tuple[Kernel, str]:
    """The kernel that runs on this mesh, and why.

    Args:
      kernel: AUTO to choose, or the one that is wanted.
      lengths: places of a window of each row group.

    Raises:
      ValueError: the wanted kernel cannot run this network there.
    """
    platform, kind = sharding.device_kind(mesh)
    old = kind.startswith(OLD_TPUS)
    problems: dict[Kernel, str] = {}
    scheme = scheme_of(model)
    if scheme.adds_scores:
        problems[Kernel.SPLASH] = problems[Kernel.CUDNN] = f"{scheme.title} positions add scores of their own"
    elif platform == "tpu" and old:
        problems[Kernel.SPLASH] = f"{kind} compiles no bfloat16 Pallas kernel"
    elif model.head_size % 64 or any(length % 128 for length in lengths):
        problems[Kernel.SPLASH] = f"needs heads of a multiple of 64 and 128 places, found {model.head_size}, {lengths}"
    if dtype != "bfloat16":
        problems.setdefault(Kernel.CUDNN, f"computes in bfloat16, found {dtype}")
    if platform != "gpu":
        problems.setdefault(Kernel.CUDNN, f"runs on GPUs, found {platform}")
    if kernel is not Kernel.AUTO:
        if kernel in problems:
            raise ValueError(f"step.attention {kernel.value}: {problems[kernel]}")
        return kernel, "as configured"
    plain = Kernel.BLOCKS if max(lengths) >= 512 else Kernel.REFERENCE
    fused = {"tpu": Kernel.SPLASH, "gpu": Kernel.CUDNN}.get(platform)
    if fused is None:
        return plain, f"{platform}, windows of at most {max(lengths)}"
    if fused in problems:
        return plain, f"not {fused.value}: {problems[fused]}"
    return fused, kind


def splash_block(length: int) -> int:
    """Places of a block of queries, and of keys."""
    return next(size for size in (512, 256, 128) if length % size == 0)


def one_backward_kernel(length: int) -> bool:
    """Whether one kernel gives all three gradients, which computes the scores once instead of twice.

    It writes a gradient of the queries for each block of keys, so only where these are few.
    """
    return length <= 2 * splash_block(length)


def splash(query: Heads, key: Heads, value: Heads, query_segments: Segments, key_segments: Segments) -> Heads:
    """The TPU kernel on each device's rows and heads. Interpreted, slowly, where the process has no TPU to run on."""
    heads, segments = ("batch", "heads", None, None), ("batch", None)
    return sharding.per_device(
        functools.partial(_splash, interpret=sharding.context_platform() == "cpu"),
        (query, key, value, query_segments, key_segments),
        axes=(heads, heads, heads, segments, segments),
        out=heads,
    )


def _splash(
    query: Heads, key: Heads, value: Heads, query_segments: Segments, key_segments: Segments, *, interpret: bool
) -> Heads:
    heads, length = query.shape[1:3]
    wide = splash_block(length)
    together = one_backward_kernel(length)
    sizes = splash_attention_kernel.BlockSizes(
        block_q=wide,
        block_kv=wide,
        block_kv_compute=wide,
        block_q_dkv=wide,
        block_kv_dkv=wide,
        block_kv_dkv_compute=wide,
        block_q_dq=None if together else wide,
        block_kv_dq=None if together else wide,
        use_fused_bwd_kernel=together,
    )
    mask = splash_attention_mask.MultiHeadMask([splash_attention_mask.CausalMask((length, length))] * heads)
    # Under a remat policy the name keeps the kernel's sums too, or its forward pass would run twice.
    kernel = splash_attention_kernel.make_splash_mha(
        mask, block_sizes=sizes, head_shards=1, q_seq_shards=1, residual_checkpoint_name="attn", interpret=interpret
    )
    # A query of padding has no visible key of its own segment: segment 0 of the queries meets segment 0 of the keys.
    segments = splash_attention_kernel.SegmentIds(query_segments, key_segments)
    return jax.vmap(kernel)(query, key, value, segments)


def cudnn(query: Heads, key: Heads, value: Heads, query_segments: Segments, key_segments: Segments) -> Heads:
    """cuDNN's flash attention through `jax.nn`, which wants places before heads."""
    heads, segments = ("batch", "heads", None, None), ("batch", None)
    return sharding.per_device(
        _cudnn,
        (query, key, value, query_segments, key_segments),
        axes=(heads, heads, heads, segments, segments),
        out=heads,
    )


def _cudnn(
    query: Heads,
    key: Heads,
    value: Heads,
    query_segments: Segments,
    key_segments: Segments,
    *,
    implementation: Literal["xla", "cudnn"] = "cudnn",
) -> Heads:
    q, k, v = (x.transpose(0, 2, 1, 3) for x in (query, key, value))
    same = (query_segments[:, :, None] == key_segments[:, None, :])[:, None]
    mixed = jax.nn.dot_product_attention(q, k, v, mask=same, is_causal=True, scale=1.0, implementation=implementation)
    return jnp.asarray(mixed).transpose(0, 2, 1, 3)


FUSED = {Kernel.SPLASH: splash, Kernel.CUDNN: cudnn}
