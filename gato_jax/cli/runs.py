"""Commands about runs: training, acting, scoring, reporting."""

import dataclasses
import json as json_module
import pathlib
from collections.abc import Sequence

from tyro.conf import Positional

from data_pipelines.ranges import Count, Natural, Positive
from gato_jax.cli.common import UsageError, json_object, show, take_option
from gato_jax.cli.experiment import experiment_argument, experiments_here, read_experiment


def train(arguments: Sequence[str]) -> None:
    """Train an experiment: `gato train EXPERIMENT [--out DIR] [--init-from RUN|EXPORT] [--train.steps 200 ...]`.

    EXPERIMENT is a name in `experiments/`, a path to a Python file, or a resolved `config.json`. Every field of the
    experiment is an option: `gato train EXPERIMENT --help` shows the common ones, `--help-all` all. Running again in
    the same directory continues. --init-from begins with the weights of another run or export instead of fresh
    ones.
    """
    if arguments and arguments[0] in ("-h", "--help"):
        print(f"{train.__doc__}\nExperiments here: {experiments_here()}")
        return
    name, rest = experiment_argument(arguments)
    from gato_jax import config

    default = config.load_experiment(name)
    out, rest = take_option(rest, "--out")
    init_from, rest = take_option(rest, "--init-from")
    if init_from is not None:
        default = dataclasses.replace(default, train=dataclasses.replace(default.train, init_from=init_from))
    as_json = "--json" in rest
    rest = [argument for argument in rest if argument != "--json"]
    told = (
        f"{default.name}: any field can be set here. --out DIR: run directory. --init-from RUN|EXPORT: begin with its "
        "weights. --json: the result as JSON."
    )
    experiment = read_experiment("train", name, default, rest, told)
    from gato_jax.api import train as run

    result = run(experiment, out or f"runs/{experiment.name}")
    if as_json:
        print(
            json_module.dumps(
                {
                    **dataclasses.asdict(result),
                    "out": str(result.out),
                    "finished": result.finished,
                    "interrupted": result.interrupted,
                },
                indent=2,
            )
        )
        return
    print(result.message)
    if result.interrupted:
        # Interrupted runs saved their state and are not failures: schedulers restart on a signal, not on an error.
        print("run the same command again to continue")


def evaluate(
    run: Positional[pathlib.Path],
    data: pathlib.Path | None = None,
    episodes: Count | None = None,
    tasks: tuple[str, ...] = (),
    out: pathlib.Path | None = None,
    environments: Count | None = None,
    prompts: str = "auto",
    baselines: bool = False,
    policies: tuple[str, ...] = (),
    allow_code: tuple[str, ...] = (),
    json: bool = False,
) -> None:
    """Act with a run's weights in every environment it was trained on, and score against the experts.

    Args:
      run: run directory of `gato train`.
      data: data directory with scores.json; the run's own when not given.
      episodes: episodes per task, on seeds never recorded; the experiment's own when not given.
      tasks: only these tasks; globs such as "babyai.*" mean those of the experiment.
      out: where evaluation.json goes; beside the run when not given.
      environments: of a task, stepped at a time; more are faster and take more memory, and the scores are the same.
      prompts: what stands before every episode: auto = a recorded demonstration, when the run trained with prompts;
        none; or another data directory.
      baselines: also play the recorded action at the nearest recorded observation (1-NN): the floor that an agent
        should beat.
      policies: also play these, on the same seeds: random, expert, or package.module:policy, whose code then runs.
      allow_code: packages that may be imported for tasks outside this package, although `gato record` never named their
        worlds here: data and weights of others say where they act.
      json: print the scores as JSON.
    """
    from gato_jax.evaluation import evaluate as evaluate_module

    result = evaluate_module.evaluate(
        run,
        data,
        episodes=episodes,
        tasks=tasks or None,
        out=out,
        environments=environments,
        prompts=prompts,
        baselines=baselines,
        policies=policies,
        allow_code=allow_code,
    )
    show(result.to_dict(), result.table(), json)


def evaluate_loss(
    run: Positional[pathlib.Path],
    tasks: tuple[str, ...] = (),
    rows: Count = 64,
    data: pathlib.Path | None = None,
    json: bool = False,
) -> None:
    """Validation loss and token accuracy of a run's weights, task by task.

    Args:
      run: run directory of `gato train`, or one of its checkpoints.
      tasks: only these tasks.
      rows: at most so many held-out rows of each task.
      data: data directory; the run's own when not given.
      json: print the losses as JSON.
    """
    from gato_jax.training.validation.command import evaluate_run

    result = evaluate_run(run, tasks=tasks, rows=rows, data=data)
    show(result.to_dict(), result.table(), json)


def play(
    run: Positional[pathlib.Path],
    task: Positional[str],
    episodes: Count = 1,
    out: pathlib.Path = pathlib.Path("play"),
    prompts: str = "auto",
    kwargs: str = "{}",
    allow_code: tuple[str, ...] = (),
    json: bool = False,
) -> None:
    """Roll out one task with a run's weights and write a GIF of each episode.

    Args:
      run: run directory of `gato train`.
      task: task name, such as metaworld.drawer_close; or a world of your own, whose code then runs:
        my_pkg.my_env:make_task, or gymnasium:Pendulum-v1.
      episodes: how many.
      out: directory for the GIFs; or, for one episode, a file that ends in .gif.
      prompts: what stands before every episode: auto, none or a data directory, as in `gato evaluate`.
      kwargs: of a world of your own: JSON object for its factory.
      allow_code: as in `gato evaluate`.
      json: print the episodes as JSON.
    """
    from gato_jax.evaluation import play as play_module

    result = play_module.play(
        run,
        task,
        episodes=episodes,
        out=out,
        prompts=prompts,
        kwargs=json_object("--kwargs", kwargs),
        allow_code=allow_code,
    )
    show(result.to_dict(), result.table(), json)


def report(
    runs: Positional[tuple[pathlib.Path, ...]],
    evaluation: pathlib.Path | None = None,
    out: pathlib.Path | None = None,
    csv: pathlib.Path | None = None,
    card: pathlib.Path | None = None,
    films: bool = True,
    json: bool = False,
) -> None:
    """Write report.html of a run: scores, films, losses, settings in one page; or compare several runs.

    Args:
      runs: run directory of `gato train`; of several, comparison.html is written beside the first.
      evaluation: directory with evaluation.json; the run directory when not given. For one run.
      out: the page; report.html beside evaluation.json when not given.
      csv: also write the scores of all tasks as CSV here. For one run.
      card: also write the scores as Markdown for a model card here. For one run.
      films: replay and draw episodes of each domain.
      json: print what was written, and the figures of evaluation.json, as JSON.
    """
    if not runs:
        raise UsageError("expected a run directory, or several to compare, found none")
    if len(runs) > 1:
        if given := [name for name, value in (("evaluation", evaluation), ("csv", csv), ("card", card)) if value]:
            raise UsageError(f"--{given[0]} is for one run, found {len(runs)}")
        from gato_jax.evaluation.report.compare import write_comparison

        page = write_comparison(runs, out=out)
        show({"page": str(page)}, f"wrote {page}", json)
        return
    from gato_jax.evaluation.report import exports
    from gato_jax.evaluation.report.report import write_report
    from gato_jax.evaluation.results import RESULT, load_result

    page = write_report(runs[0], evaluation=evaluation, out=out, films=films)
    result = load_result((evaluation or runs[0]) / RESULT)
    written = [page, *exports.write(result, csv_file=csv, card=card)]
    data = {"written": list(map(str, written)), "summary": result.to_dict()["summary"]}
    show(data, "\n".join(f"wrote {path}" for path in written), json)


def quickstart(
    out: pathlib.Path = pathlib.Path("gato-quickstart"),
    minutes: Positive = 8.0,
    tasks: tuple[str, ...] = ("default",),
    episodes: Count = 20,
    workers: Count = 2,
    seed: Natural = 0,
    scale: Positive = 1.0,
    json: bool = False,
) -> None:
    """Record, train, evaluate, export and report one small generalist agent: about 10 minutes on two CPU cores.

    Args:
      out: everything is written here; running again continues where it was.
      minutes: training time; recording and evaluation come on top.
      tasks: task names, or "default", or "all".
      episodes: evaluation episodes per task.
      workers: recording processes.
      seed: run seed.
      scale: multiplies the number of recorded episodes.
      json: print the scores as JSON.
    """
    from gato_jax import quickstart as quickstart_module

    result = quickstart_module.quickstart(
        out, minutes=minutes, tasks=tasks, episodes=episodes, workers=workers, seed=seed, scale=scale
    )
    show(result.to_dict(), result.table(), json)
