"""Beyond the paper: 78.1B parameters, rotary positions.

    gato train experiments/gato_70b.py --mesh.fsdp 64 --data.directory DATA --data.mixture.renormalise --out RUN

Data and settings are those of gato_1b.

Expected time: `gato plan gato_70b --topology v5p:8x8x8` estimates it. Meant for an accelerator slice.
Expected result: not known to us. We have not run this experiment.
"""

from experiments._paper import paper_experiment
from gato_jax.config import Experiment
from gato_jax.model.presets import gato_70b


def experiment() -> Experiment:
    """The paper's settings over a larger network of today's shape."""
    return paper_experiment("gato_70b", gato_70b(), learning_rate=1e-4)
