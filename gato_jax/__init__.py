"""From token sequences to an agent: model, training, sharding, acting, evaluation, export."""

__version__ = "0.1.0"
