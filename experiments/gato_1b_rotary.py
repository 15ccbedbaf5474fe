"""The paper's largest size with rotary positions instead of Transformer-XL's: 1.08B parameters.

    gato train experiments/gato_1b_rotary.py --mesh.fsdp 16 --data.directory DATA --data.mixture.renormalise --out RUN

What fused attention kernels can run; the 0.1B that are missing projected relative positions. It compiles fast and
takes little memory; docs/model-and-sharding.md has the options that are fastest on each kind of slice.

Expected time: `gato plan gato_1b_rotary --topology v3:16x16` estimates it. Meant for an accelerator slice.
Expected result: not known to us. We have not run this experiment.
"""

from experiments._paper import paper_experiment
from gato_jax.config import Experiment, Positions
from gato_jax.model.presets import gato_1b


def experiment() -> Experiment:
    """As gato_1b, positions apart."""
    return paper_experiment("gato_1b_rotary", gato_1b(positions=Positions.ROTARY, scan_layers=True), learning_rate=1e-4)
