"""Beyond the paper: 31.3B parameters, rotary positions.

    gato train experiments/gato_30b.py --mesh.fsdp 64 --data.directory DATA --data.mixture.renormalise --out RUN

Data and settings are those of gato_1b.

Expected time: `gato plan gato_30b --topology v6e:16x16` estimates it. Meant for an accelerator slice.
Expected result: not known to us. We have not run this experiment.
"""

from experiments._paper import paper_experiment
from gato_jax.config import Experiment
from gato_jax.model.presets import gato_30b


def experiment() -> Experiment:
    """The paper's settings over a larger network of today's shape."""
    return paper_experiment("gato_30b", gato_30b(), learning_rate=1e-4)
