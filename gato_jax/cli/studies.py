"""Commands about studies: sweeps over mixtures, laws, proposals."""

import contextlib
import dataclasses
import pathlib
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tyro.conf import Positional

from data_pipelines.ranges import Count, Positive
from gato_jax.cli.common import DATA, UsageError, call, show


def sweep(arguments: Sequence[str]) -> None:
    """Train every mixture of a study, once: `gato sweep STUDY`, then `gato sweep fit DIR`, propose, compare, report."""
    if not arguments:
        raise UsageError("needs a study, or fit, propose, compare, extrapolate, report or status")
    name, *rest = arguments
    if name in ACTIONS:
        call(ACTIONS[name], rest, f"gato sweep {name}")
    else:
        call(_run, arguments, "gato sweep")


def _run(
    study: Positional[str],
    data: pathlib.Path = DATA,
    out: pathlib.Path | None = None,
    workers: Count = 1,
    slurm: bool = False,
    job: tuple[str, ...] = (),
    k8s: str = "",
    options: tuple[str, ...] = (),
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
      options: of the study, such as width=128.
      json: print the end's state, or the job ids, as JSON.
    """
    from gato_jax.studies.workers import processes

    directory = out or pathlib.Path("sweeps") / pathlib.Path(study).stem
    if k8s:
        print(processes.pod_manifest(study, data, directory, workers=workers, image=k8s, options=options))
        return
    if job and not slurm:
        raise UsageError("--job sets the jobs of --slurm, which is not given")
    settings = processes.parse_options(job)
    from data_pipelines.storage.recorded_tasks import check_recorded
    from gato_jax.studies import sweep as sweep_module
    from gato_jax.studies.plan import write_plan
    from gato_jax.studies.study import load_study

    loaded_study = load_study(study, directory=data, **processes.parse_options(options))
    check_recorded(
        loaded_study.base.data.directory, [task for tasks in loaded_study.domains.values() for task in tasks]
    )
    if slurm:
        executor = processes.job_executor(directory, name=loaded_study.name, workers=workers, options=settings)
        write_plan(loaded_study, directory)
        jobs = processes.submit(executor, directory, workers=workers)
        show({"jobs": jobs, "out": str(directory)}, f"jobs {', '.join(jobs)}; gato sweep status {directory}", json)
        return
    # Ends like Ctrl-C does: the workers are told too, and save their runs.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with _live(workers) as shown:
        state = sweep_module.sweep(loaded_study, directory, workers=workers, show=shown)
    _show_status(state, json)


def _status(sweep: Positional[pathlib.Path], json: bool = False) -> None:
    """Say which runs are done, failed, running and waiting.

    Args:
      sweep: sweep directory.
      json: print it as JSON.
    """
    from gato_jax.studies import sweep as sweep_module

    _show_status(sweep_module.status(sweep), json)


def _fit(
    sweep: Positional[pathlib.Path],
    families: tuple[str, ...] = ("mean", "exponential", "effective_data"),
    samples: Count = 20,
    json: bool = False,
) -> None:
    """Fit a law to every domain's loss, test it on the held-out mixtures, and write fit.json and sweep.html.

    Args:
      sweep: sweep directory.
      families: of mean, exponential, effective_data, gaussian_process, boosted_trees; cross-validation chooses for each
        domain.
      samples: bootstrap draws behind the intervals of predictions.
      json: print the fit as JSON.
    """
    from gato_jax.studies.laws import analysis, laws
    from gato_jax.studies.report import page as sweep_page

    law_names = [law.value for law in laws.Law]
    if unknown := sorted(set(families) - set(law_names)):
        raise UsageError(f"--families: expected some of {law_names}, found {unknown}")
    fit_results = analysis.fit(sweep, families=[laws.Law(family) for family in families], samples=samples)
    lines = [f"{fit_results['fitted']} fitted mixtures, {fit_results['held_out']} held out; errors are relative"]
    lines.append("median (90 % of its bootstrap) / worst")
    for domain, of in {**fit_results["domains"], "all": None}.items():
        if of is None:
            lines.append(f"  all domains: held out {_errors(fit_results['all'])}")
            continue
        crossed = of["cross_validated"][of["law"]]
        noise = "" if of["noise"] is None else f", between seeds {100 * of['noise']:.2f} %"
        lines.append(
            f"  {domain}: {of['law']}, cross-validated {_errors(crossed)}, held out {_errors(of['held_out'])}{noise}"
        )
    lines.append(f"wrote {sweep / analysis.FIT} and {sweep_page.write_page(sweep)}")
    show(fit_results, "\n".join(lines), json)


def _propose(sweep: Positional[pathlib.Path], target: str = "mean", add: bool = False, json: bool = False) -> None:
    """Write the mixture with the least predicted loss as a mixture file.

    Args:
      sweep: sweep directory with fit.json.
      target: mean (of the domains' losses); worst (the domain that is furthest above the least loss that the design
        reached in it); or domains joined by commas, whose mean counts.
      add: add its runs, with the seeds of the references; the next `gato sweep STUDY` trains them.
      json: print the proposal as JSON.
    """
    from gato_jax.studies.laws import analysis, proposals

    if not (sweep / analysis.FIT).is_file():
        raise UsageError(f"{sweep / analysis.FIT} is not there; run `gato sweep fit {sweep}` first")
    proposal = proposals.propose(sweep, analysis.read_fit(sweep), target=target)
    lines = [", ".join(f"{domain} {100 * share:.1f} %" for domain, share in proposal["shares"].items())]
    for reference, gain in proposal["gains"].items():
        interval = f"90 % of refits: {100 * gain['low']:.2f} to {100 * gain['high']:.2f}"
        beyond = f"; extrapolated in {', '.join(gain['extrapolated'])}" if gain["extrapolated"] else ""
        lines.append(f"predicted gain over {reference}: {100 * gain['gain']:.2f} % ({interval}{beyond})")
    lines.append(f"wrote {proposal['file']}")
    if add:
        runs = [run.name for run in proposals.add(sweep, proposal)]
        lines.append(f"added {', '.join(runs)}: sweep the study again to train them")
        proposal = {**proposal, "runs": runs}
    show(proposal, "\n".join(lines), json)


def _compare(sweep: Positional[pathlib.Path], json: bool = False) -> None:
    """Compare proposals with references at equal rows: losses, and differences paired by seed.

    Args:
      sweep: sweep directory.
      json: print the comparison as JSON.
    """
    from gato_jax.studies.laws import comparison

    compared = comparison.compare(sweep)
    show(compared, "\n".join(comparison.lines(compared)), json)


def _extrapolate(
    sweeps: Positional[tuple[pathlib.Path, ...]], to: tuple[Positive, ...] = (2, 10), json: bool = False
) -> None:
    """Extrapolate the losses of references and proposals over sweeps of models of two or more sizes.

    Args:
      sweeps: directories of one study at several sizes.
      to: multiples of the largest size.
      json: print the extrapolation as JSON.
    """
    from gato_jax.studies.laws import scaling

    extrapolation = scaling.extrapolate(sweeps, to=to)
    show(extrapolation, "\n".join(scaling.lines(extrapolation)), json)


def _report(
    sweep: Positional[pathlib.Path], ternary: tuple[str, ...] = (), pareto: tuple[str, ...] = (), json: bool = False
) -> None:
    """Write sweep.html (losses, laws, triangles, Pareto front, transfer, curves, runs; self-contained) and sweep.csv.

    Args:
      sweep: sweep directory, at any time.
      ternary: three domains for the triangles; those whose losses vary most, when not given.
      pareto: two domains for the front; mean loss and worst domain, when not given.
      json: print the paths as JSON.
    """
    from gato_jax.studies import table
    from gato_jax.studies.report import page as sweep_page

    path = sweep_page.write_page(sweep, ternary=ternary, pareto=pareto)
    runs = table.write_csv(sweep)
    show({"file": str(path), "csv": str(runs)}, f"wrote {path} and {runs}", json)


ACTIONS: dict[str, Callable[..., None]] = {
    "compare": _compare,
    "extrapolate": _extrapolate,
    "fit": _fit,
    "propose": _propose,
    "report": _report,
    "status": _status,
}
"""Word behind `gato sweep` -> what it does."""


def _errors(errors: dict[str, float] | None) -> str:
    if errors is None:
        return "-"
    low, high = 100 * errors["low"], 100 * errors["high"]
    return f"{100 * errors['median']:.2f} % ({low:.2f} to {high:.2f}) / {100 * errors['worst']:.2f} %"


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


def _show_status(status: Any, json: bool) -> None:
    show(dataclasses.asdict(status), status.table() if status.running or status.failed else status.line(), json)
