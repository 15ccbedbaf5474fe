"""StableHLO by `jax.export`: four functions, each one file for cpu, tpu and cuda, with symbolic batch and lengths.

The weights are arguments, and lie beside the functions as safetensors: one file serves them all, and a function is
some hundred kilobytes.
"""

import json
from typing import Any

from gato_jax.export.common.export_format import ExportFormat, Order

PLATFORMS = ("cpu", "tpu", "cuda")
SUFFIX = ".stablehlo"


def write(order: Order) -> None:
    """Writes forward, prefill, extend and decode, and functions.json, which says their arguments."""
    import jax

    from data_pipelines import atomic_files
    from gato_jax.export.common.functions import Functions

    experiment, directory = order.source.experiment, order.directory
    length = max(group.window_length for group in experiment.data.mixture.groups.values())
    functions = Functions(experiment, length=length, dtype=order.dtype)
    b, n, p = jax.export.symbolic_shape("b, n, p", constraints=[f"n <= {length}"])
    (rows,) = jax.export.symbolic_shape("b")
    weights = functions.weights()
    exported: dict[str, tuple[Any, tuple[Any, ...]]] = {
        "forward": (functions.logits, (weights, functions.inputs(b, n, p))),
        "prefill": (functions.prefill, (weights, functions.inputs(b, n, p))),
        "extend": (functions.extend, (weights, functions.cache(b), functions.inputs(b, n, p))),
        "decode": (functions.extend, (weights, functions.cache(rows), functions.inputs(rows, 1))),
    }
    signatures = {}
    for name, (function, arguments) in exported.items():
        blob = jax.export.export(jax.jit(function), platforms=PLATFORMS)(*arguments)
        atomic_files.write_bytes(directory / f"{name}{SUFFIX}", bytes(blob.serialize()))
        shown = arguments[1:]
        signatures[name] = {
            "arguments": ["weights: model.safetensors, by name", *(_shown(argument) for argument in shown)],
            "platforms": list(PLATFORMS),
        }
    signatures["sizes"] = {"b": "rows", "n": "places", "p": "patches, at least 1", "cache": length}
    atomic_files.write_bytes(directory / "functions.json", (json.dumps(signatures, indent=2) + "\n").encode())


def _shown(argument: dict[str, Any]) -> dict[str, str]:
    return {name: f"{leaf.dtype}[{', '.join(map(str, leaf.shape))}]" for name, leaf in argument.items()}


FORMAT = ExportFormat(
    name="stablehlo",
    description="weights, `forward`, `prefill`, `extend`, `decode`",
    write=write,
    has_tensors=True,
    runtime=("numpy", "jax", "safetensors"),
    install="pip install jax safetensors",
    hidden=("flax", "tensorflow", "torch"),
    usage="""With JAX alone, on CPU, TPU or CUDA (`pip install jax safetensors`):

```python
import jax, safetensors.numpy
prefill = jax.export.deserialize(bytearray(open("prefill.stablehlo", "rb").read()))
weights = safetensors.numpy.load_file("model.safetensors")
logits, cache = prefill.call(weights, fields)      # fields: see functions.json
```

`extend` reads more places behind a cache, `decode` one of them.""",
)
