"""How a server does: counts and latencies, for people and for Prometheus."""

import collections
import dataclasses
import time

import numpy as np

KEPT = 8192
"""Latencies of so many latest actions are remembered."""


@dataclasses.dataclass
class Statistics:
    """Counts since the server began.

    Args:
      clients: connected now.
      connections: ever made.
      refused: for want of a free place or a key.
      actions: answered with actions.
      errors: answered with an error.
      dropped: connections that the server ended: silent, not reading, or too large a message.
    """

    clients: int = 0
    connections: int = 0
    refused: int = 0
    actions: int = 0
    errors: int = 0
    dropped: int = 0
    started: float = dataclasses.field(default_factory=time.monotonic)
    latencies: collections.deque[float] = dataclasses.field(default_factory=lambda: collections.deque(maxlen=KEPT))

    def acted(self, milliseconds: float) -> None:
        """Counts one answer, from the whole request to the whole reply."""
        self.actions += 1
        self.latencies.append(milliseconds)

    def percentiles(self) -> dict[str, float]:
        """Milliseconds of the latest actions: p50, p90, p99, worst; empty before the first."""
        if not self.latencies:
            return {}
        values = np.percentile(np.asarray(self.latencies), [50, 90, 99, 100])
        return dict(zip(("p50", "p90", "p99", "worst"), map(float, values), strict=True))

    def line(self) -> str:
        """One line for a person."""
        parts = [f"{self.clients} clients", f"{self.actions:,} actions", f"{self.errors:,} errors"]
        parts += [f"{name} {value:.1f} ms" for name, value in self.percentiles().items()]
        return ", ".join(parts)

    def prometheus(self) -> str:
        """The text that Prometheus reads."""
        counters = ("connections", "refused", "actions", "errors", "dropped")
        lines = ["# TYPE gato_clients gauge", f"gato_clients {self.clients}"]
        for name in counters:
            lines += [f"# TYPE gato_{name}_total counter", f"gato_{name}_total {getattr(self, name)}"]
        lines += ["# TYPE gato_latency_milliseconds gauge"]
        lines += [f'gato_latency_milliseconds{{quantile="{name}"}} {v:.3f}' for name, v in self.percentiles().items()]
        return "\n".join([*lines, ""])
