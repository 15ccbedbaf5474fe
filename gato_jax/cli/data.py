"""Commands about data: recording, importing, checking, mixing, caching, looking."""

import dataclasses
import pathlib
import sys
from typing import Literal

from tyro.conf import Positional

from gato_jax.cli.common import UsageError, show


def record(
    out: pathlib.Path = pathlib.Path("gato-quickstart/data"),
    tasks: tuple[str, ...] = ("default",),
    workers: int = 2,
    seed: int = 0,
    scale: float = 1.0,
    validation: float = 0.05,
    json: bool = False,
) -> None:
    """Record expert episodes, text and questions into TFDS directories.

    Args:
      out: data directory; tasks already recorded there with the same settings are reused.
      tasks: task names, or "default", or "all".
      workers: processes that record side by side.
      seed: run seed; episode i of a task has the same start on every machine.
      scale: multiplies every task's number of episodes.
      validation: held-out episodes of each environment beside those, as a share of them; at least one unless 0.
      json: print the summary as JSON.
    """
    from data_pipelines import recording

    summary = recording.record(tasks, out, workers=workers, seed=seed, scale=scale, validation=validation)
    show(summary.to_dict(), summary.table(), json)


def tasks(data: pathlib.Path = pathlib.Path("gato-quickstart/data"), row: str = "", json: bool = False) -> None:
    """List the tasks of Table 1 that public sources name: what can be recorded here, and what lies in the data.

    Args:
      data: data directory; need not exist.
      row: only this row of the table, such as "ALE Atari".
      json: print the list as JSON: domain, source, environment, expert, presence and weight of each task.
    """
    from data_pipelines.reports import tasks as task_list

    found = task_list.list_tasks(data, row=row)
    show(found.to_dict(), found.table(), json)


def mixture(
    action: Positional[Literal["show", "list"]],
    name: Positional[str] = "gato",
    data: pathlib.Path = pathlib.Path("gato-quickstart/data"),
    experiment: str = "gato_79m",
    tokens: float = 5e11,
    dry_run: int = 0,
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


def cache(
    source: Positional[str],
    to: pathlib.Path,
    data: pathlib.Path | None = None,
    workers: int = 2,
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


def import_text_images(
    source: Positional[pathlib.Path],
    task: Positional[str],
    format: str,
    data: pathlib.Path = pathlib.Path("gato-quickstart/data"),
    images: pathlib.Path | None = None,
    split: str = "train",
    columns: dict[str, str] | None = None,
    size: int = 224,
    fit: Literal["long", "short", "crop", "stretch"] = "long",
    encoding: Literal["jpeg", "png"] = "jpeg",
    max_patches: int = 512,
    min_side: int = 1,
    validation: float = 0.02,
    threads: int = 2,
    json: bool = False,
) -> None:
    """Import text, captions, picture questions or interleaved documents from local disk as one task.

    Args:
      source: file or folder; nothing is ever downloaded.
      task: name of the task to write, such as captions.coco.
      format: coco_captions, vqa_v2, ok_vqa, image_folder, text, parquet, obelics or tfds.
      data: data directory; run again after an interrupt, the import goes on.
      images: folder of the pictures, where it is not beside the annotations.
      split: which of the source's own splits to import; train and validation are made from it, by hash.
      columns: role and column, where names are not usual ones: --columns caption alt_text.
      size: pixels of the side that `fit` names, a multiple of 16.
      fit: long or short side, aspect kept; crop to a square; stretch to a square.
      encoding: of the stored pictures.
      max_patches: pictures with more 16x16 patches are left out, and counted.
      min_side: pictures with a side of fewer pixels are left out, and counted.
      validation: share held out.
      threads: pictures prepared side by side.
      json: print the summary as JSON.
    """
    from data_pipelines.importing import vision_language as room

    summary = room.import_vision_language(
        source,
        data,
        task,
        format=format,
        options=room.SourceOptions(images=images, split=split, columns=columns or {}),
        pictures=room.PictureConfig(
            size=size, fit=room.Fit(fit), encoding=room.Encoding(encoding), max_patches=max_patches, min_side=min_side
        ),
        validation=validation,
        threads=threads,
    )
    show(summary.to_dict(), summary.table(), json)


def import_data(
    source: Positional[pathlib.Path],
    task: Positional[str],
    format: str,
    data: pathlib.Path = pathlib.Path("gato-quickstart/data"),
    filter: float | None = None,
    filter_floor: float | None = None,
    validation: float = 0.0,
    split: str = "train",
    recipe: str = "auto",
    columns: dict[str, str] | None = None,
    observation: dict[str, str] | None = None,
    leave_out: tuple[str, ...] = (),
    action: tuple[str, ...] = (),
    kinds: dict[str, str] | None = None,
    num_values: dict[str, int] | None = None,
    action_range: Literal["spec", "data"] = "spec",
    action_low: float | None = None,
    action_high: float | None = None,
    clip_actions: bool = False,
    rewards: Literal["aligned", "shifted"] | None = None,
    last_step: Literal["auto", "dummy", "real"] | None = None,
    float64: Literal["nearest", "refuse"] = "nearest",
    channels: Literal["refuse", "rgb", "newest"] | None = None,
    bad_episodes: Literal["refuse", "leave-out"] = "refuse",
    videos: Literal["refuse", "leave-out"] = "refuse",
    frame_size: tuple[str, ...] = (),
    json: bool = False,
) -> None:
    """Import episodes of a simulator or robot from local disk as one control task.

    Args:
      source: file or folder; nothing is ever downloaded.
      task: name of the task to write, such as modular_rl.hopper.
      format: rlds, npz, hdf5, lerobot, jat or parquet.
      data: data directory; run again after an interrupt, the import goes on.
      filter: keep episodes that reach this share of the expert's return; the paper's is 0.8.
      filter_floor: return that counts as nothing, for the filter; needed where the expert's is near zero.
      validation: share of the episodes held out, by a hash of their ids.
      split: the source's own split.
      recipe: how a public RLDS data set is read: auto, none, or a name.
      columns: role (episode, reward, terminated, truncated, ends, ...) and column: --columns truncated timeouts.
      observation: key and column; these become the observation, and nothing else.
      leave_out: keys of the observation to leave out.
      action: columns of the action; several are joined.
      kinds: key, or action, and text, image, discrete or continuous.
      num_values: key, or action, and how many discrete values there are.
      action_range: the range given or the source's own (else -1 to 1), or the least and greatest of the data.
      action_low: least legal value of a continuous action.
      action_high: greatest legal value of a continuous action.
      clip_actions: clip actions to their range, and count them, instead of stopping.
      rewards: the reward at step t belongs to the action there, or (shifted) to the one before.
      last_step: whether the last recorded action is a placeholder, or real; auto looks at is_last.
      float64: round to the nearest float32, or refuse.
      channels: of pictures with four: the first three (rgb), or the newest of four stacked gray frames.
      bad_episodes: with NaN or Inf: stop, or leave them out and count them.
      videos: cameras stored as video, which are not decoded: stop, or leave them out and say so.
      frame_size: stretch pictures to HxW pixels, such as 224x320 (aspect not kept); or KEY HxW for each: wrist 64x64.
      json: print the summary as JSON.
    """
    from data_pipelines.importing import control as room

    options = room.control_options(
        split=split, recipe=recipe, columns=columns or {}, observation=observation or {}, leave_out=leave_out,
        action=action, kinds=kinds or {}, num_values=num_values or {}, action_range=action_range, action_low=action_low,
        action_high=action_high, clip_actions=clip_actions, rewards=rewards, last_step=last_step, float64=float64,
        channels=channels, bad_episodes=bad_episodes, videos=videos, frame_size=frame_size,
    )  # fmt: skip
    chosen = None if filter is None else room.FilterConfig(filter, filter_floor)
    if filter is None and filter_floor is not None:
        raise UsageError("--filter-floor needs --filter")
    summary = room.import_data(source, data, task, format=format, options=options, filter=chosen, validation=validation)
    show(summary.to_dict(), summary.table(), json)


def check_data(
    source: Positional[pathlib.Path],
    format: str | None = None,
    episodes: int = 64,
    text_tokens: int = 16,
    max_observation_tokens: int = 512,
    segment_length: int = 1024,
    text_model: str = "",
    split: str = "train",
    recipe: str = "auto",
    columns: dict[str, str] | None = None,
    observation: dict[str, str] | None = None,
    leave_out: tuple[str, ...] = (),
    action: tuple[str, ...] = (),
    kinds: dict[str, str] | None = None,
    num_values: dict[str, int] | None = None,
    action_low: float | None = None,
    action_high: float | None = None,
    videos: Literal["refuse", "leave-out"] = "refuse",
    frame_size: tuple[str, ...] = (),
    json: bool = False,
) -> None:
    """Explain every problem of a data directory, a task, or a source before its import; exit code 1 if one is an error.

    Args:
      source: data directory, one of its tasks, or (with a format) what is to be imported.
      format: of a source: rlds, npz, hdf5, lerobot, jat or parquet.
      episodes: to read at most, spread over the source.
      text_tokens: places of a textual observation in the experiment.
      max_observation_tokens: the experiment's table of local positions.
      segment_length: places of the experiment's segments.
      text_model: SentencePiece model; the data directory's own when not given.
      split: the source's own split.
      recipe: as for import-data.
      columns: as for import-data.
      observation: as for import-data.
      leave_out: as for import-data.
      action: as for import-data.
      kinds: as for import-data.
      num_values: as for import-data.
      action_low: as for import-data.
      action_high: as for import-data.
      videos: as for import-data.
      frame_size: as for import-data.
      json: print the report as JSON.
    """
    from data_pipelines.importing import check as checking
    from data_pipelines.importing import control as room
    from data_pipelines.tokenizers.layout import TokenConfig

    options = room.control_options(
        split=split, recipe=recipe, columns=columns or {}, observation=observation or {}, leave_out=leave_out,
        action=action, kinds=kinds or {}, num_values=num_values or {}, action_low=action_low, action_high=action_high,
        videos=videos, frame_size=frame_size,
    )  # fmt: skip
    tokens = TokenConfig(text_model=text_model, text_tokens=text_tokens, max_observation_tokens=max_observation_tokens)
    report = checking.check_data(
        source, format=format, options=options, tokens=tokens, segment_length=segment_length, episodes=episodes
    )
    if json:
        show(report.to_dict(), "", json)
    else:
        print(report.text())
    if report.errors:
        sys.exit(1)


def inspect(
    source: Positional[str],
    data: pathlib.Path | None = None,
    out: pathlib.Path = pathlib.Path("batch.html"),
    rows: int = 2,
    step: int = 0,
    seed: int | None = None,
    task: str = "",
) -> None:
    """Write a page that shows rows of a batch as a person sees them.

    Args:
      source: an experiment (name, Python file or config.json), a run directory, whose batch of any step is shown as it
        was, or a mixture (name or YAML file), shown as gato_79m would stream it.
      data: data directory; the experiment's own when not given.
      out: the page.
      rows: rows per group.
      step: which step of the stream.
      seed: another seed of the stream than the experiment's.
      task: only rows of this task.
    """
    from data_pipelines.reports import batch_page as room
    from gato_jax import config

    resolved = config.load_data(source)
    if data is not None:
        resolved = dataclasses.replace(resolved, directory=str(data))
    out.write_text(room.inspect_page(resolved, rows=rows, step=step, seed=seed, task=task))
    print(f"wrote {out}")
