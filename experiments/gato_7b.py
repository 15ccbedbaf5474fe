"""Beyond the paper: 6.6B parameters, rotary positions.

    gato train experiments/gato_7b.py --mesh.fsdp 32 --data.directory DATA --data.mixture.renormalise --out RUN

Data and settings are those of gato_1b.

Expected time: `gato plan gato_7b --topology v5p:8x8x8` estimates it. Meant for an accelerator slice.
Expected result: not known to us. We have not run this experiment.
"""

from experiments._paper import paper_experiment
from gato_jax.config import Experiment
from gato_jax.model.presets import gato_7b


def experiment() -> Experiment:
    """The paper's settings over a larger network of today's shape."""
    return paper_experiment("gato_7b", gato_7b(), learning_rate=1e-4)
