"""The paper's middle Gato: 364M parameters.

    gato train experiments/gato_364m.py --data.directory DATA --data.mixture.renormalise --out RUN

DATA is what `gato record` and the imports wrote. The mixture is the paper's, Table 1, over the rows that DATA has; a
part of that table was never released, so without --data.mixture.renormalise the run stops and names what is absent.
`gato mixture show gato --data DATA` says what DATA amounts to; --data.mixture.named takes another mixture or file.

Expected time: one million steps of 512 x 1024 tokens, 5.2e11 in all. The paper's largest size took
about four days on 256 TPU v3 chips. Meant for an accelerator slice.
Expected result: not known to us. We have not run this experiment at its full length.
"""

from experiments._paper import paper_experiment
from gato_jax.config import Experiment
from gato_jax.model.presets import gato_364m


def experiment() -> Experiment:
    """Sizes of table 5, optimizer of appendix C of the paper."""
    return paper_experiment("gato_364m", gato_364m(scan_layers=True), learning_rate=2e-4)
