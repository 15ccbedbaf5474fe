"""What a person sees while a run trains: a live view in a terminal, plain lines elsewhere."""

import math
import sys
import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table

from gato_jax.training.logging.timer import PARTS


class Progress:
    """A view that redraws itself in a terminal; elsewhere a plain line now and then.

    Args:
      plain_seconds: least time between plain lines.
      console: standard error if None, because results go to standard output.
    """

    def __init__(self, *, plain_seconds: float = 10.0, console: Console | None = None):
        self._console = console or Console(stderr=True)
        self._live = Live(console=self._console, auto_refresh=False) if self._console.is_terminal else None
        self._plain_seconds, self._last = plain_seconds, -math.inf

    def __enter__(self) -> "Progress":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        """A line that stays."""
        if self._live is not None:
            self._console.print(text, highlight=False, markup=False)
        else:
            print(text, file=sys.stderr, flush=True)

    def update(self, step: int, steps: int, record: Mapping[str, Any]) -> None:
        """The state of the run after `step` of `steps` steps; `record` is one of metrics.jsonl."""
        if self._live is not None:
            self._live.update(live_view(step, steps, record), refresh=True)
        elif step == steps or time.monotonic() - self._last > self._plain_seconds:
            self._last = time.monotonic()
            self.say(progress_text(step, steps, record))


def progress_text(step: int, steps: int, record: Mapping[str, Any]) -> str:
    """Such as "step 200/2,000  loss 3.2100  dm_control 4.900  18,300 tokens/s  eta 4:05"."""
    groups = "  ".join(f"{name} {value:.3f}" for name, value in record["group_loss"].items())
    return (
        f"step {step:,}/{steps:,}  loss {record['loss']:.4f}  {groups}  "
        f"{record['tokens_per_second']:,.0f} tokens/s  eta {_clock(record.get('eta_seconds'))}"
    )


def live_view(step: int, steps: int, record: Mapping[str, Any]) -> RenderableType:
    """A panel: how far the run is, losses and token accuracies by domain, speed, and where the time goes."""
    head = Table.grid(padding=(0, 2), expand=True)
    head.add_column(ratio=1)
    head.add_row(
        ProgressBar(total=steps, completed=step),
        f"step {step:,}/{steps:,}",
        f"eta {_clock(record.get('eta_seconds'))}",
    )
    losses = Table("domain", box=None, padding=(0, 2, 0, 0))
    for name in ("loss", "accuracy"):
        losses.add_column(name, justify="right")
    losses.add_row("all", f"{record['loss']:.4f}", "")
    for domain, loss in record["domain_loss"].items():
        losses.add_row(domain, f"{loss:.4f}", f"{record['domain_accuracy'][domain]:.1%}")
    each = record["seconds_per_step"]
    speed = [f"{record['tokens_per_second']:,.0f} tokens/s", f"goodput {record['goodput']:.1%}"]
    speed += [f"MFU {record['mfu']:.1%}"] if "mfu" in record else []
    speed += [f"learning rate {record['learning_rate']:.2e}", f"gradient norm {record['gradient_norm']:.3g}"]
    times = "ms per step: " + ", ".join(f"{name} {1000 * each[name]:,.1f}" for name in PARTS if each[name])
    counters = [f"{record[name]:,} {name.replace('_', ' ')}" for name in _COUNTERS if record.get(name)]
    lines = ["  ".join(speed), times, *(["  ".join(counters)] if counters else [])]
    return Panel(Group(head, "", losses, "", *lines), title="gato train")


_COUNTERS = ("skipped_steps", "budget_overflows")
"""Shown once they are not 0."""


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return "not known yet"
    whole = int(seconds)
    if whole >= 3600:
        return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    return f"{whole // 60}:{whole % 60:02d}"
