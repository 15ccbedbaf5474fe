"""One adapter per suite behind `dm_env`, found by name through `catalog`."""

from data_pipelines.environments.base import Environment
from data_pipelines.environments.catalog import make

__all__ = ["Environment", "make"]
