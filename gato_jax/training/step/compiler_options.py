"""What the compiler of each kind of device has to be asked for."""

_READABLE = {"xla_tpu_offload_gather_to_sparsecore": "false"}
COMPILER_OPTIONS = {
    "TPU v4": {"xla_enable_async_all_gather": "true"},
    "TPU v5 lite": {"xla_tpu_scoped_vmem_limit_kib": "50000"},
    "TPU v5": _READABLE,
    "TPU v5p": _READABLE,
    "TPU v6 lite": _READABLE,
    "TPU7x": _READABLE,
}
"""By the kind of device; `gato plan` compiles with the same.

On v4, gathers overlap with compute only when the compiler is asked to. On v5e, fusions that may hold 50 MiB of the
chip's fast memory, instead of 16, move less through the slow one. A program that looks up embeddings on the SparseCores
of later chips cannot be printed (jaxlib 0.10: "async-update instruction should have 1 operands"), so that what it does
would not be known.
"""
