"""Commands about studies: sweeps over mixtures, laws, proposals."""

import contextlib
import pathlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tyro
from tyro.conf import Positional

from gato_jax.cli.common import UsageError, show, use_cpu_without_accelerator


def sweep(arguments: Sequence[str]) -> None:
    """Train every mixture of a study, once: `gato sweep STUDY`, `gato sweep fit DIR`, `gato sweep propose DIR`."""
    if not arguments:
        raise UsageError("gato sweep needs a study, or fit, propose or status with a sweep directory")
    actions: dict[str, Callable[..., None]] = {"fit": _fit, "propose": _propose, "status": _status}
    name, *rest = arguments
    if name in actions:
        tyro.cli(actions[name], args=rest, prog=f"gato sweep {name}")
    else:
        tyro.cli(_run, args=list(arguments), prog="gato sweep")


def _run(
    study: Positional[str],
    data: pathlib.Path = pathlib.Path("gato-quickstart/data"),
    out: pathlib.Path | None = None,
    workers: int = 1,
    slurm: bool = False,
    job: tuple[str, ...] = (),
    k8s: str = "",
    json: bool = False,
) -> None:
    """Train what is not done yet; run again to continue, or on other machines with the same directory.

    Args:
      study: a name in experiments/studies/ or a path to a Python file.
      data: data directory.
      out: sweep directory, common to all workers; sweeps/STUDY when not given.
      workers: processes here, or jobs, or pods.
      slurm: submit one array of jobs to SLURM and return; `gato sweep status` shows how far they are.
      job: settings of each job as submitit names them, such as timeout_min=240 gpus_per_node=1 slurm_partition=long.
      k8s: only print the manifest of a job whose pods run this image.
      json: print the end's state, or the job ids, as JSON.
    """
    import dataclasses

    from gato_jax.studies import processes

    directory = out or pathlib.Path("sweeps") / pathlib.Path(study).stem
    if k8s:
        print(processes.pod_manifest(study, directory, workers=workers, image=k8s))
        return
    if job and not slurm:
        raise UsageError("--job sets the jobs of --slurm, which is not given")
    options = processes.parse_options(job)
    if not slurm:  # Jobs may have the accelerator that this machine lacks.
        use_cpu_without_accelerator()
    from gato_jax.studies import sweep as room
    from gato_jax.studies.study import load_study

    found = load_study(study, directory=data)
    if slurm:
        executor = processes.job_executor(directory, name=found.name, workers=workers, options=options)
        room.write_plan(found, directory)
        jobs = processes.submit(executor, directory, workers=workers)
        show({"jobs": jobs, "out": str(directory)}, f"jobs {', '.join(jobs)}; gato sweep status {directory}", json)
        return
    with _live(workers) as shown:
        state = room.sweep(found, directory, workers=workers, show=shown)
    _show_status(dataclasses.asdict, state, json)


def _status(sweep: Positional[pathlib.Path], json: bool = False) -> None:
    """Say which runs are done, failed, running and waiting.

    Args:
      sweep: sweep directory.
      json: print it as JSON.
    """
    import dataclasses

    from gato_jax.studies import sweep as room

    _show_status(dataclasses.asdict, room.status(sweep), json)


def _fit(
    sweep: Positional[pathlib.Path], families: tuple[str, ...] = ("mean", "exponential"), json: bool = False
) -> None:
    """Fit a law to every domain's loss, and test it on the held-out mixtures.

    Args:
      sweep: sweep directory.
      families: of mean, exponential, gaussian_process, boosted_trees; cross-validation chooses for each domain.
      json: print the fit as JSON.
    """
    from gato_jax.studies import analysis, laws

    known = [law.value for law in laws.Law]
    if unknown := sorted(set(families) - set(known)):
        raise UsageError(f"--families: expected some of {known}, found {unknown}")
    found = analysis.fit(sweep, families=[laws.Law(family) for family in families])
    lines = [f"{found['fitted']} fitted mixtures, {found['held_out']} held out; relative errors, median and worst"]
    for domain, of in found["domains"].items():
        crossed = of["cross_validated"][of["law"]]
        lines.append(f"  {domain}: {of['law']}, cross-validated {_errors(crossed)}, held out {_errors(of['held_out'])}")
    show(found, "\n".join(lines), json)


def _propose(sweep: Positional[pathlib.Path], target: str = "mean", json: bool = False) -> None:
    """Write the mixture with the least predicted loss as a mixture file.

    Args:
      sweep: sweep directory with fit.json.
      target: mean, worst, or domains joined by commas.
      json: print the proposal as JSON.
    """
    import json as json_module

    from gato_jax.studies import analysis

    if not (sweep / analysis.FIT).is_file():
        raise UsageError(f"{sweep / analysis.FIT} is not there; run `gato sweep fit {sweep}` first")
    found = analysis.propose(sweep, json_module.loads((sweep / analysis.FIT).read_text()), target=target)
    shares = ", ".join(f"{domain} {100 * share:.1f} %" for domain, share in found["shares"].items())
    gain = (
        f"{100 * found['gain']:.2f} % (90 % of refits: {100 * found['gain_low']:.2f} to {100 * found['gain_high']:.2f})"
    )
    show(found, f"{shares}\npredicted gain over uniform: {gain}\nwrote {found['file']}", json)


def _errors(found: dict[str, float] | None) -> str:
    return "-" if found is None else f"{100 * found['median']:.2f} % / {100 * found['worst']:.2f} %"


@contextlib.contextmanager
def _live(workers: int) -> Iterator[Callable[[Any], None]]:
    """Shows states on the error stream: a table that is drawn anew in a terminal, a line per change elsewhere."""
    import rich.console
    import rich.live

    console, last = rich.console.Console(stderr=True), ""

    def line(status: Any) -> None:
        nonlocal last
        if (text := status.line(workers=workers)) != last:
            print(text, file=sys.stderr, flush=True)
            last = text

    if not console.is_terminal:
        yield line
        return
    with rich.live.Live(console=console, auto_refresh=False) as live:
        yield lambda status: live.update(status.table(workers=workers), refresh=True)


def _show_status(as_dict: Any, status: Any, json: bool) -> None:
    show(as_dict(status), status.table() if status.running or status.failed else status.line(), json)
