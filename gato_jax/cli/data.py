"""Commands about data: recording, mixing, caching, looking."""

import dataclasses
import pathlib
import sys
from typing import Literal

from tyro.conf import Positional

from data_pipelines.ranges import Count, Natural, Positive, ShareBelowAll
from gato_jax.cli.common import DATA, UsageError, json_object, show


def record(
    names: Positional[tuple[str, ...]] = (),
    out: pathlib.Path = DATA,
    tasks: tuple[str, ...] = (),
    expert: str = "",
    kwargs: str = "{}",
    name: str = "",
    bar: float | None = None,
    max_steps: Natural = 0,
    episodes: Count | None = None,
    workers: Count = 2,
    seed: Natural = 0,
    scale: Positive = 1.0,
    validation: ShareBelowAll = 0.05,
    json: bool = False,
) -> None:
    """Record expert episodes, text and questions into TFDS directories.

    Args:
      names: task names, "default" (when nothing is named), or "all"; or worlds of your own, whose code then runs:
        my_pkg.my_env:make_task, or gymnasium:Pendulum-v1. See docs/add-a-task.md.
      out: data directory; tasks already recorded there with the same settings are reused.
      tasks: the same as NAME.
      expert: of a world of your own: my_pkg.my_env:expert, a file (.zip of Stable-Baselines3, .onnx), or random.
      kwargs: of a world of your own: JSON object for its factory, such as '{"g": 9.8}'.
      name: of the task that a world of your own becomes; as the world has it when not given.
      bar: of a world of your own: return that an episode must reach to be kept; all are kept when not given.
      max_steps: of a world of your own: cuts longer episodes; 0 = where the world does.
      episodes: to keep of each task; each task's own number when not given.
      workers: processes that record side by side.
      seed: run seed; episode i of a task has the same start on every machine.
      scale: multiplies every task's number of episodes.
      validation: held-out episodes of each environment beside those, as a share of them; at least one unless 0.
      json: print the summary as JSON.
    """
    from data_pipelines import recording

    if names and tasks:
        raise UsageError(f"name tasks once, found {' '.join(names)} and --tasks {' '.join(tasks)}")
    world = recording.WorldOptions(
        expert=expert, kwargs=json_object("--kwargs", kwargs), name=name, bar=bar, max_steps=max_steps
    )
    config = recording.RecordingConfig(seed=seed, episodes=episodes, scale=scale, validation=validation)
    summary = recording.record(names or tasks or ("default",), out, workers=workers, config=config, world=world)
    show(summary.to_dict(), summary.table(), json)


def tasks(data: pathlib.Path = DATA, row: str = "", all: bool = False, sums: bool = False, json: bool = False) -> None:
    """List tasks: what your data directory contains, what can be recorded or only played here, and Table 1.

    Args:
      data: data directory; need not exist.
      row: only this row of the table, such as "ALE Atari".
      all: a line for each task, also for those that public sources name and that cannot run here.
      sums: only counts, of suites and of rows, as tables of Markdown.
      json: print the list as JSON: domain, source, environment, expert, presence and weight of each task, and counts.
    """
    from data_pipelines.reports import tasks as task_list

    listing = task_list.list_tasks(data, row=row)
    show(listing.to_dict(), listing.sums() if sums else listing.table(everything=all or bool(row)), json)


def mixture(
    action: Positional[Literal["show", "list"]],
    name: Positional[str] = "gato",
    data: pathlib.Path = DATA,
    experiment: str = "gato_79m",
    tokens: Positive = 5e11,
    dry_run: Natural = 0,
    count: bool = True,
    json: bool = False,
) -> None:
    """Show what a mixture amounts to: `gato mixture show NAME`; `gato mixture list` names the mixtures that ship.

    Args:
      action: show or list.
      name: a mixture's name, or a YAML file.
      data: data directory.
      experiment: whose tokens and row groups count; name, Python file or resolved config.json.
      tokens: length of the run.
      dry_run: steps that are really drawn, for the shares as they come out.
      count: count the tokens of the data, for the number of passes over it.
      json: print the summary as JSON.
    """
    from data_pipelines.mixtures import named as named_mixtures
    from data_pipelines.reports import mixture as mixture_report
    from gato_jax import config

    if action == "list":
        members = {name: dict(definition.shares) for name, definition in named_mixtures.NAMED.items()}
        show(members, "\n".join(f"{name}: {len(of)} members" for name, of in members.items()), json)
        return
    resolved = dataclasses.replace(config.load_experiment(experiment).data, directory=str(data))
    summary = mixture_report.summarise(name, resolved, tokens=tokens, dry_run_steps=dry_run, count=count)
    show(summary.to_dict(), summary.table(), json)


def data(
    action: Positional[Literal["summary"]],
    directory: Positional[pathlib.Path] = DATA,
    tasks: tuple[str, ...] = (),
    html: bool = False,
    out: pathlib.Path = pathlib.Path("data.html"),
    episodes: Count = 3,
    megabytes: Positive = 16.0,
    draw: bool = False,
    experiment: str = "gato_79m",
    json: bool = False,
) -> None:
    """Show what a data directory holds: `gato data summary DIR`; with `--html` as a page that plays its episodes.

    Exit code 1 if a task is damaged: the others are summarised all the same.

    Args:
      action: summary.
      directory: data directory, or one task of one.
      tasks: only these; names, or globs such as "babyai.*".
      html: write a page too: plots, first frames, and a browser of episodes.
      out: the page.
      episodes: of each task in the browser; of texts and pictures four times as many.
      megabytes: size of the page at most; what is left out for it is said there.
      draw: let simulators draw episodes whose data hold no pictures; takes seconds an episode.
      experiment: whose tokens count; name, Python file or resolved config.json.
      json: print the summary as JSON.
    """
    from data_pipelines import atomic_files
    from data_pipelines.reports import data_summary
    from gato_jax import config

    if html:
        atomic_files.check_destination(out)
    tokens = config.load_experiment(experiment).data.tokens
    summary = data_summary.summarise(directory, tasks, tokens=tokens, experiment=experiment)
    show(summary.to_dict(), summary.table(), json)
    if html:
        from data_pipelines.reports import data_page

        page = data_page.data_page(summary, episodes=episodes, megabytes=megabytes, draw=draw)
        atomic_files.write_text(out, page)
        print(f"wrote {out}", file=sys.stderr)
    if summary.problems:
        sys.exit(1)


def text_model(
    data: Positional[pathlib.Path] = DATA,
    to: pathlib.Path | None = None,
    pieces: Count = 8192,
    tasks: tuple[str, ...] = (),
    characters: Count = 20_000_000,
    json: bool = False,
) -> None:
    """Train a SentencePiece model on the texts of a data directory.

    Args:
      data: data directory.
      to: the model's file; the data directory's own when not given, which experiments without a text model use.
      pieces: size of the vocabulary.
      tasks: tasks to train on; all that have texts when not given.
      characters: characters to train on at most; every task gives an equal share.
      json: print the summary as JSON.
    """
    from data_pipelines import text_model as text_model_module

    summary = text_model_module.train_text_model(data, to=to, pieces=pieces, tasks=tasks, characters=characters)
    show(summary.to_dict(), summary.table(), json)


def cache(
    source: Positional[str],
    to: pathlib.Path,
    data: pathlib.Path | None = None,
    workers: Count = 2,
    beam: tuple[str, ...] = (),
    raw_frames: bool = False,
    verify: bool = False,
    json: bool = False,
) -> None:
    """Tokenise a mixture's control and text tasks once; `--data.cache DIR` streams the same batches from there.

    Args:
      source: an experiment (name, Python file or config.json), or a mixture (name or YAML file) as gato_79m streams it.
      to: directory of the cache, which every worker must see; files that are there and whole are kept.
      data: data directory; the experiment's own when not given.
      workers: processes on this machine.
      beam: options of an Apache Beam pipeline instead, such as --beam=--runner=DirectRunner.
      raw_frames: store pictures as bare pixels: nothing to decode while streaming, several times the space.
      verify: only read the cache that is there and compare counts and checksums.
      json: print the result as JSON.
    """
    from data_pipelines.caching import writer
    from gato_jax import config

    if verify:
        problems = writer.verify_cache(to)
        show({"problems": problems}, "\n".join(problems) or f"{to}: every file is whole", json)
        if problems:
            sys.exit(1)
        return
    resolved = config.load_data(source)
    if data is not None:
        resolved = dataclasses.replace(resolved, directory=str(data))
    result = writer.write_cache(resolved, to, workers=workers, beam_options=list(beam) or None, raw_frames=raw_frames)
    lines = [f"{name}: {task['examples']} examples, {task['bytes']:,} bytes" for name, task in result.tasks.items()]
    lines += [f"{name}: not cached ({reason})" for name, reason in result.uncached.items()]
    show(result.to_dict(), "\n".join([*lines, f"{to}: written in {result.seconds:.0f} s"]), json)


def inspect(
    source: Positional[str],
    data: pathlib.Path | None = None,
    out: pathlib.Path = pathlib.Path("batch.html"),
    rows: Count = 2,
    step: Natural = 0,
    seed: Natural | None = None,
    task: str = "",
) -> None:
    """Write a page that shows rows of a batch, or of one recorded task, as a person sees them.

    Args:
      source: an experiment (name, Python file or config.json), a run directory, whose batch of any step is shown as it
        was; a mixture (name or YAML file), shown as gato_79m would stream it; or one recorded task, DATA/TASK.
      data: data directory; the experiment's own when not given.
      out: the page.
      rows: rows per group.
      step: which step of the stream.
      seed: another seed of the stream than the experiment's.
      task: only rows of this task.
    """
    from data_pipelines import atomic_files
    from data_pipelines.reports import batch_page
    from gato_jax import config

    atomic_files.check_destination(out)
    resolved = config.load_data(source)
    if data is not None:
        resolved = dataclasses.replace(resolved, directory=str(data))
    atomic_files.write_text(out, batch_page.inspect_page(resolved, rows=rows, step=step, seed=seed, task=task))
    print(f"wrote {out}")
