"""safetensors: the tensors, and the model in NumPy beside them."""

import shutil

from gato_jax.export.common import bundle
from gato_jax.export.common.export_format import ExportFormat, Order


def write(order: Order) -> None:
    """Writes numpy_gato.py."""
    shutil.copyfile(bundle.HERE / "numpy_gato.py", order.directory / "numpy_gato.py")


FORMAT = ExportFormat(
    name="safetensors",
    description="weights, `numpy_gato.py`",
    write=write,
    has_tensors=True,
    with_optimizer=True,
    runtime=("numpy", "safetensors"),
    install="pip install numpy safetensors",
    hidden=("jax", "flax", "tensorflow", "torch"),
    usage="""With NumPy and safetensors, nothing else (`pip install numpy safetensors`):

```python
import numpy_gato                                  # in this directory
config, weights = numpy_gato.load(".")
print(weights("embedding.tokens").shape)
```

With gato-jax: `load_weights(DIR)` in `gato_jax.weights.load`, or `gato play DIR TASK`.
Back into training: `gato import-weights DIR --to RUN`.""",
)
