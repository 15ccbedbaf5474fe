"""Commands about data: recording, mixing, caching, looking."""

import dataclasses
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from tyro.conf import Positional

from data_pipelines.ranges import Count, Minutes, Natural, Positive, ShareAboveNone, ShareBelowAll
from gato_jax.cli.common import DATA, UsageError, json_object, show

if TYPE_CHECKING:
    from data_pipelines.recording import RecordingSummary


def record(
    names: Positional[tuple[str, ...]] = (),
    out: pathlib.Path = DATA,
    preset: str = "",
    tasks_from: pathlib.Path | None = None,
    minutes: Minutes | None = None,
    workers: Count = 2,
    episodes: Count | None = None,
    scale: Positive = 1.0,
    validation: ShareBelowAll = 0.05,
    filter: ShareAboveNone | None = None,
    policy: Literal["expert", "random", "mixed"] = "expert",
    seed: Natural = 0,
    dry_run: bool = False,
    again: bool = False,
    beam: tuple[str, ...] = (),
    json: bool = False,
    tasks: tuple[str, ...] = (),
    expert: str = "",
    kwargs: str = "{}",
    name: str = "",
    bar: float | None = None,
    max_steps: Natural = 0,
) -> None:
    """Record expert episodes, text and questions into TFDS directories. See docs/recording.md.

    Args:
      names: task names, globs such as "babyai.*", "default" (when nothing is named), or "all"; or worlds of your own,
        whose code then runs: my_pkg.my_env:make_task, or gymnasium:Pendulum-v1 (docs/add-a-task.md).
      out: data directory; tasks already recorded there with the same settings are reused.
      preset: instead of names: default, local (every quick expert), local_long, atari, or pixels.
      tasks_from: instead of names: a file with a name or glob on each line, and perhaps a number of episodes.
      minutes: budget; every task keeps the same share of its episodes, at least one.
      workers: processes that record side by side.
      episodes: to keep of each task; each task's own number when not given.
      scale: multiplies every task's number of episodes.
      validation: held-out episodes of each environment beside those, as a share of them; at least one unless 0.
      filter: keep only episodes that come this share of the way from random play to the expert's usual return, such as
        0.8; each task's own bar when not given.
      policy: who acts: the expert; random actions; or mixed, the expert with a random share of random actions. Of the
        last two every episode is kept.
      seed: run seed; episode i of a task has the same start on every machine.
      dry_run: only foretell time and disk of each task.
      again: record again, in their place, tasks that are there with other settings.
      beam: options of an Apache Beam pipeline that records instead, such as --beam=--runner=DirectRunner.
      json: print the summary as JSON.
      tasks: the same as NAME.
      expert: of a world of your own: my_pkg.my_env:expert, a file (.zip of Stable-Baselines3, .onnx), or random.
      kwargs: of a world of your own: JSON object for its factory, such as '{"g": 9.8}'.
      name: of the task that a world of your own becomes; as the world has it when not given.
      bar: of a world of your own: return that an episode must reach to be kept; all are kept when not given.
      max_steps: of a world of your own: cuts longer episodes; 0 = where the world does.
    """
    from data_pipelines import recording
    from data_pipelines.recording.progress import show_table

    ways = {"": " ".join(names), "--tasks ": " ".join(tasks), "--preset ": preset, "--tasks-from ": tasks_from}
    if len(given := [f"{way}{value}" for way, value in ways.items() if value]) > 1:
        raise UsageError(f"name tasks once, found {' and '.join(given)}")
    world = recording.WorldOptions(
        expert=expert, kwargs=json_object("--kwargs", kwargs), name=name, bar=bar, max_steps=max_steps
    )
    chosen: Sequence[str] = names or tasks or ("default",)
    counts: Mapping[str, int] = {}
    if tasks_from:
        chosen, counts = recording.read_task_list(tasks_from)
    if preset:
        meant = recording.preset(preset)
        chosen, counts, filter = meant.tasks, meant.counts, filter if filter is not None else meant.filter
        if meant.left_out:
            print(f"{preset}: not installed here, so left out: {', '.join(meant.left_out)}", file=sys.stderr)
    config = recording.RecordingConfig(
        seed=seed, episodes=episodes, scale=scale, validation=validation, counts={} if episodes else counts,
        filter=filter, policy=recording.Policy(policy),
    )  # fmt: skip
    options: dict[str, Any] = {"workers": workers, "config": config, "world": world, "minutes": minutes}
    options |= {"any_number": bool(preset) and not episodes, "again": again}
    if dry_run:
        forecast = recording.foretell(chosen, out, **options)
        if json:
            show(forecast.to_dict(), None, json)
        else:
            show_table(forecast.table(), sys.stdout, forecast.line())
        return
    try:
        summary = recording.record(chosen, out, beam=beam, **options)
    except recording.TasksFailed as error:
        _show_recording(error.summary, json)
        raise
    _show_recording(summary, json)


def _show_recording(summary: "RecordingSummary", json: bool) -> None:
    from data_pipelines.recording.progress import show_table

    if json:
        show(summary.to_dict(), None, json)
        return
    for table in (summary.table(), summary.rejections()):
        if table is not None:
            show_table(table, sys.stdout)


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
