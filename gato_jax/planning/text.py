"""A plan as text in a terminal."""

from collections.abc import Iterable, Sequence
from typing import Any

from gato_jax.planning.plan import Plan
from gato_jax.planning.units import gib, mb, ms

NOTE = "Times are estimates, not measured: they rank plans, and are neither lower nor upper bounds (docs/plan.md)."


def facts(plan: Plan) -> list[tuple[str, str]]:
    """Name and value of all that a plan says, except its tables."""
    where = f"{plan.slices} x {plan.topology}" if plan.slices > 1 else plan.topology
    rows = [
        ("outcome", plan.message),
        ("slice", f"{where}: {plan.chips} chips, {plan.devices} devices, {plan.hosts} hosts"),
        ("settings", ", ".join(f"{name} {_setting(value)}" for name, value in plan.settings.items())),
    ]
    if plan.mesh:
        rows.append(("mesh", " x ".join(f"{axis} {size}" for axis, size in plan.mesh.items())))
    if plan.parameters is not None:
        rows.append(("parameters", f"{plan.parameters:,}"))
        rows.append(("attention", plan.kernel))
    rows.append(("tokens", f"{plan.tokens_per_step:,} a step, {plan.tokens_per_device:,.0f} per device"))
    if plan.memory:
        names = ("arguments", "state", "temporaries", "outputs", "aliased", "code", "peak", "limit")
        sizes = [f"{name} {gib(size)}" for name in names if (size := plan.memory.get(name)) is not None]
        rows.append(("memory per device", ", ".join(sizes)))
    if plan.executed is not None and plan.expected and plan.needed:
        rows.append(
            (
                "matrix FLOPs per device",
                f"executed {plan.executed:.4g} ({plan.executed / plan.expected - 1:+.2%} from the hand count)"
                + (f", in kernels {plan.kernels:.3g}" if plan.kernels else "")
                + f", needed {plan.needed:.4g}: executed / needed {plan.executed_over_needed:.3f}",
            )
        )
    rows += _times(plan)
    if plan.versions:
        versions = ", ".join(f"{name} {version}" for name, version in plan.versions.items() if version)
        options = ", ".join(f"{name}={value}" for name, value in plan.compiler_options.items())
        rows.append(("compiler", versions + (f"; {options}" if options else "")))
        rows.append(("compiled in", f"{sum(plan.seconds.values()):.0f} s"))
    return rows


def _times(plan: Plan) -> list[tuple[str, str]]:
    rows = []
    if plan.lower_bound is not None:
        rows.append(("lower bound of a step", f"{ms(plan.lower_bound)} (executed matrix FLOPs at the peak rate)"))
    if plan.estimate is not None:
        split = f"compute {ms(plan.compute)} + exposed collectives {ms(plan.exposed)}"
        rows.append(("estimate of a step", f"{ms(plan.estimate)}: {split} (estimate, not measured)"))
    if plan.mfu is not None:
        rows.append(("MFU at the estimate", f"{plan.mfu:.3f} (estimate, not measured)"))
    if plan.mfu_refused:
        rows.append(("MFU refused", plan.mfu_refused))
    needs = plan.needs
    if needs is not None:
        speed = "the estimate" if plan.estimate else "the lower bound"
        if needs.days is not None:
            rows.append(
                (
                    "whole run",
                    f"{needs.steps:,} steps at {speed}: {needs.days:.2f} days, {needs.device_hours:,.0f} device-hours",
                )
            )
        host = f"{needs.host_bytes_per_second / 1e6:,.2f} MB/s, {needs.host_tokens_per_second:,.0f} tokens/s"
        if needs.benchmark is not None:
            host += (
                f"; benchmark ({needs.benchmark.source}) {needs.benchmark.tokens_per_second:,.0f} tokens/s, so "
                f"{needs.host_cores:.1f} cores"
            )
        rows.append(("each host delivers", host))
    return rows


def tables(plan: Plan) -> Iterable[tuple[str, Sequence[str], list[list[str]]]]:
    """(title, column heads with ">" for right-aligned ones, rows)."""
    if plan.collectives:
        rows = [
            [row.kind, row.axis, str(row.group), "async" if row.is_async else "sync", str(row.count), mb(row.bytes)]
            for row in plan.collectives
        ]
        yield "Collectives of a step", ("kind", "axis", ">devices", "overlap", ">count", ">MB"), rows
    if plan.costs:
        rows = [[ms(seconds), where[-100:]] for seconds, where in plan.costs]
        yield "Where the estimated compute goes (estimate, not measured)", (">time", "from"), rows
    if plan.buffers:
        rows = [[mb(size), shape, where[:90]] for size, shape, where in plan.buffers]
        yield "Largest arrays of the program", (">MB", "array", "from"), rows
    if plan.parts:
        whole = sum(plan.parts.values())
        parts = [[name, f"{flops:.3g}", f"{flops / whole:.1%}"] for name, flops in plan.parts.items()]
        yield "Matrix FLOPs by part, by hand", ("part", ">FLOPs", ">share"), parts
    if plan.unseen:
        yield "What the estimate cannot see", ("",), [[line] for line in plan.unseen]


COMPARED = ("plan", ">peak GiB", ">limit", ">exec/need", ">bound ms", ">estimate ms", ">MFU", ">days", "outcome")


def compared_row(name: str, plan: Plan) -> list[str]:
    """One line of a comparison, under the heads `COMPARED`."""
    peak, limit = plan.memory.get("peak") or plan.memory.get("temporaries"), plan.memory.get("limit")
    days = plan.needs.days if plan.needs else None
    number = lambda value, form: "" if value is None else format(value, form)  # noqa: E731
    return [
        name,
        number(peak and peak / 2**30, ".2f"),
        number(limit and limit / 2**30, ".2f"),
        number(plan.executed_over_needed, ".3f"),
        number(plan.lower_bound and 1000 * plan.lower_bound, ".1f"),
        number(plan.estimate and 1000 * plan.estimate, ".1f"),
        number(plan.mfu, ".3f"),
        number(days, ".2f"),
        plan.outcome.name.lower().replace("_", " "),
    ]


def terminal(plan: Plan) -> Any:
    """A `rich` renderable of a plan."""
    import rich.console
    import rich.text

    grid = rich_table(f"{plan.experiment} on {plan.topology}", ("", ""), [list(row) for row in facts(plan)])
    return rich.console.Group(grid, *(rich_table(*table) for table in tables(plan)), rich.text.Text(NOTE, "dim"))


def rich_table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Any:
    """Heads that start with ">" are right-aligned."""
    import rich.table
    import rich.text

    table = rich.table.Table(title=title, title_justify="left", show_header=any(heads))
    for head in heads:
        table.add_column(head.lstrip(">"), justify="right" if head.startswith(">") else "left", overflow="fold")
    for row in rows:
        table.add_row(*(rich.text.Text(cell) for cell in row))
    return table


def _setting(value: Any) -> str:
    return "; ".join(f"{key} {item}" for key, item in value.items()) if isinstance(value, dict) else str(value)
