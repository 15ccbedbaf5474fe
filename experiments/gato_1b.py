"""The paper's Gato: 1.18B parameters.

    gato train experiments/gato_1b.py --data.directory DATA --out RUN

DATA is what `gato record` wrote. The mixture below is over the tasks that it records by default, so that the command
runs as it stands; give it your own tasks and weights for a real run.

Expected time: one million steps of 512 x 1024 tokens, 5.2e11 in all. The paper's largest size took
about four days on 256 TPU v3 chips. Meant for an accelerator slice.
Expected result: not known to us. We have not run this experiment at its full length.
"""

from experiments._paper import paper_experiment
from gato_jax.config import Experiment
from gato_jax.model.presets import gato_1b


def experiment() -> Experiment:
    """Sizes of table 5, optimizer of appendix C of the paper."""
    return paper_experiment("gato_1b", gato_1b(), learning_rate=1e-4)
