"""`report.html`: one self-contained page that says what was trained, how well it acts, and where it fails."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data_pipelines import atomic_files, html_page
from data_pipelines.html_page import escape, whole
from data_pipelines.read_json import read_json
from data_pipelines.words import counted
from gato_jax import __version__
from gato_jax.config import Experiment, load_experiment
from gato_jax.evaluation.report import bars, facts, pictures
from gato_jax.evaluation.results import RESULT, ROLLOUTS, EvaluationResult, LanguageScore, TaskScore, load_result
from gato_jax.evaluation.rollouts import load_rollout
from gato_jax.evaluation.score_table import conclusion, remarks
from gato_jax.model.gato import count_parameters
from gato_jax.training.mixture_control.controller import weights_in_force
from gato_jax.training.run_directory import read_records

SECONDS = "seconds.json"
CURVE_POINTS = 160


def write_report(
    run: Path | str, *, evaluation: Path | str | None = None, out: Path | str | None = None, films: bool = True
) -> Path:
    """Writes the page.

    Args:
      run: run directory, for its config.json and metrics.jsonl.
      evaluation: directory with evaluation.json and rollouts/ (and seconds.json, wall time by stage, where there is
        one); `run` when None.
      out: the page; report.html beside evaluation.json when None.
      films: replay and render an episode per domain.

    Raises:
      FileNotFoundError: the run's config or the evaluation is missing.
      ValueError: they are not what they should be.
      IsADirectoryError, NotADirectoryError: no file can be written at `out`.
    """
    run = Path(run)
    evaluation = run if evaluation is None else Path(evaluation)
    out = evaluation / "report.html" if out is None else Path(out)
    atomic_files.check_destination(out)
    result = load_result(evaluation / RESULT)
    config = run / "config.json"
    if not config.is_file():
        raise FileNotFoundError(f"{config}: expected the resolved config of a run, found none")
    experiment = load_experiment(config)
    records = read_records(run)
    metrics = [record for record in records if "group_loss" in record]
    seconds = read_json(evaluation / SECONDS, "seconds by stage") if (evaluation / SECONDS).is_file() else {}
    body = [
        _head(result, experiment),
        _scores(result),
        _films(result, evaluation / ROLLOUTS) if films else "",
        _language(result.language),
        _losses(metrics),
        _mixture(experiment, records),
        facts.settings(experiment, result),
        facts.times(result, metrics, seconds),
        facts.next_steps(run),
        f"<footer>gato-jax {__version__}, evaluation of {escape(result.name)} at step {result.step:,}.</footer>",
    ]
    page = html_page.document(f"{result.name}: report", "".join(body), style=bars.STYLE)
    atomic_files.write_bytes(out, page.encode())
    return out


def _head(result: EvaluationResult, experiment: Experiment) -> str:
    vocabulary = experiment.data.tokens.vocabulary
    parameters = count_parameters(experiment.model, vocabulary)
    overall = result.overall()
    figures = [
        (f"{result.passed}<small> of {len(result.tasks)}</small>", "environment tasks reach half of the expert"),
        (f"{len(result.below_random)}", "tasks are below random at 95 % confidence"),
    ]
    if overall is not None:
        figures.append(
            (f"{whole(overall.mean)}<small> %</small>", "of the expert, mean over domains of the mean over tasks")
        )
    figures.append((f"{parameters / 1e6:.2f}<small> M</small>", "parameters, one set for all tasks"))
    figures.append((f"{result.step:,}", "training steps"))
    tasks = counted(len(experiment.data.mixture.task_names), "task")
    about = f"One transformer, one set of weights, {tasks}. {conclusion(result)}."
    lead = f'<p class="lead">{escape(about)}</p>'
    return f"<header><h1>{escape(result.name)}</h1>{lead}{html_page.tiles(figures)}</header>"


def _grade(score: TaskScore) -> str:
    return "bad" if score.below_random else "good" if score.passed else "fair"


def _scores(result: EvaluationResult) -> str:
    if not result.tasks:
        return ""
    rows = []
    named = [score.baseline_name for score in result.tasks if score.baseline is not None][:1]
    blank = "<td></td>" * len(named)
    for domain, interval in result.domains().items():
        members = [score for score in result.tasks if score.domain == domain]
        rows += [_score_row(score, named=bool(named)) for score in members]
        if len(members) > 1:
            bar = bars.bar(interval.mean, interval.low, interval.high, "good" if interval.mean >= 50 else "fair")
            rows.append(
                f'<tr class="mean"><td class="task">{escape(domain)}, mean</td>'
                f'<td class="n">{whole(interval.mean)}</td>'
                f'<td class="n">{whole(interval.low)} to {whole(interval.high)}</td>'
                f'<td class="bar">{bar}</td>'
                f"{blank}<td></td><td></td><td></td><td></td><td></td></tr>"
            )
    heads = [
        "task",
        ">score",
        ">95 % interval",
        "0 = random, 100 = expert",
        *(f">{name}" for name in named),
        ">success",
        ">return",
        ">random",
        ">expert",
    ]
    table = html_page.table([*heads, ">acting"], rows)
    about = (
        f"Percent of the expert over {result.episodes} episodes a task on seeds that were never recorded; the agent "
        f"saw {escape(result.context)}. The dashed line is 50 %, the solid one the expert. Intervals are at 95 %: "
        "Wilson's for tasks whose return is success or failure, Student's t of the mean otherwise; the means of expert "
        "and random are taken as fixed. Green: at least 50 %. Amber: less. Red: below random (one-sided permutation "
        "test)."
    )
    if named:
        about += (
            f" {named[0]}: the score of playing, on the same seeds, the recorded action at the nearest recorded "
            "observation, which is the floor that an agent should beat; bold where it is higher than the agent's."
        )
    partial = "" if result.complete else '<p class="tbad">Interrupted: some tasks are missing.</p>'
    return html_page.section("Scores", partial + table + _remarks(result), about=about)


def _remarks(result: EvaluationResult) -> str:
    """Failed episodes, and tasks that the baseline says nothing about."""
    lines = "".join(f"<li>{escape(line)}</li>" for line in remarks(result))
    return f'<ul class="note">{lines}</ul>' if lines else ""


def _score_row(score: TaskScore, *, named: bool) -> str:
    grade = _grade(score)
    success = "" if score.success_rate is None else f"{100 * score.success_rate:.0f} %"
    span = "" if score.interval == "none" else f"{whole(score.low)} to {whole(score.high)}"
    cells = [success, f"{statistics.mean(score.returns):.4g}", f"{score.random_mean:.3g}", f"{score.expert_mean:.4g}"]
    beside = ""
    if named:
        percent = None if score.baseline is None else score.baseline.percent
        text = "" if percent is None else whole(percent)
        cell = f"<b>{text}</b>" if score.below_baseline else text
        beside = f'<td class="n" data-label="{score.baseline_name}">{cell}</td>'
    failed = f' <span class="tbad">({len(score.failures)} failed)</span>' if score.failures else ""
    return (
        f'<tr><td class="task">{escape(score.task)}{failed}</td>'
        f'<td class="n"><b class="t{grade}">{whole(score.percent)}</b></td>'
        f'<td class="n soft">{span}</td>'
        f'<td class="bar">{bars.bar(score.percent, score.low, score.high, grade)}</td>{beside}'
        + "".join(
            f'<td class="n" data-label="{label}">{cell}</td>' if cell else "<td></td>"
            for label, cell in zip(("success", "return", "random", "expert", "acting"), (*cells, escape(score.decode)))
        )
        + "</tr>"
    )


def _films(result: EvaluationResult, rollouts: Path) -> str:
    """The best task of each domain, its median episode: neither the luckiest nor the worst."""
    cards, notes = [], []
    for domain in result.domains():
        score = max((s for s in result.tasks if s.domain == domain), key=lambda s: s.percent)
        path = rollouts / f"{score.task}.npz"
        if not path.is_file():
            notes.append(f"{domain}: no rollout was kept")
            continue
        rollout, _ = load_rollout(path)
        order = sorted(range(len(rollout.returns)), key=lambda i: rollout.returns[i])
        index = order[len(order) // 2]
        picture = pictures.episode(rollout, index)
        kind = "film" if not picture.note else "plot"
        note = f'<br><span class="note">Nothing could render here, so this is a plot: {escape(picture.note)}</span>'
        cards.append(
            f'<figure class="card">{html_page.image(picture.data, picture.mime, alt=f"{kind} of {score.task}")}'
            f"<figcaption><b>{html_page.breakable(score.task)}</b><br>return {rollout.returns[index]:.4g} in "
            f"{rollout.lengths[index]} steps, seed {rollout.seeds[index]}{note if picture.note else ''}"
            "</figcaption></figure>"
        )
    if not cards:
        return ""
    about = "Of each domain the task with the highest score, and of that the episode with the median return."
    extra = f'<p class="note">{escape("; ".join(notes))}</p>' if notes else ""
    return html_page.section("Watch it", f'<div class="grid">{"".join(cards)}</div>{extra}', about=about)


def _language(scores: Sequence[LanguageScore]) -> str:
    return "".join(_questions(score) if score.accuracy is not None else _text(score) for score in scores)


def _questions(score: LanguageScore) -> str:
    cards = []
    for sample in score.samples:
        right = sample["said"].strip().lower() == sample["expected"].strip().lower()
        verdict = "" if right else f' <span class="soft">(expected {escape(sample["expected"])})</span>'
        cards.append(
            f'<figure class="card sharp"><img alt="" src="data:image/png;base64,{escape(sample["picture"])}">'
            f'<figcaption>{escape(sample["prompt"])}<br><b class="{"tgood" if right else "tbad"}">'
            f"{escape(sample['said'] or '(nothing)')}</b>{verdict}</figcaption></figure>"
        )
    about = (
        f"{escape(score.task)}: {100 * (score.accuracy or 0):.0f} % of {score.questions} held-out questions answered "
        f"exactly ({100 * (score.low or 0):.0f} to {100 * (score.high or 0):.0f} %), where always giving the commonest "
        f"answer reaches {100 * (score.majority or 0):.0f} %. Validation loss {score.loss:.3f} nats a token over "
        f"{score.tokens:,} tokens. The first {len(score.samples)} questions:"
    )
    return html_page.section("Questions about pictures", f'<div class="grid">{"".join(cards)}</div>', about=about)


def _text(score: LanguageScore) -> str:
    quotes = "".join(
        f'<div class="card"><blockquote>{escape(s["prompt"])}<span class="said">{escape(" " + s["said"])}</span>'
        "</blockquote></div>"
        for s in score.samples
    )
    about = (
        f"{escape(score.task)}: validation loss {score.loss:.3f} nats a token over {score.tokens:,} tokens. Held-out "
        "beginnings, and how the agent goes on (shaded):"
    )
    return html_page.section("Text", f'<div class="grid two">{quotes}</div>', about=about)


def _losses(metrics: Sequence[Mapping[str, Any]]) -> str:
    if not metrics:
        return html_page.section("Losses", '<p class="note">The run kept no metrics.jsonl.</p>')
    thinned = metrics[:: max(1, len(metrics) // CURVE_POINTS)]
    names = sorted({name for record in metrics for name in record.get("group_loss", {})})
    cards = []
    for name in names:
        points = [(r["step"], r["group_loss"][name]) for r in thinned if name in r.get("group_loss", {})]
        if not points:
            continue
        xs, ys = zip(*points, strict=True)
        cards.append(
            f'<div class="card"><h3>{escape(name)} <span class="soft">{ys[-1]:.3f}</span></h3>'
            f"{html_page.curve(xs, ys, label=f'loss of {name} by step')}</div>"
        )
    about = (
        "Training loss of each row group by step, in nats a target. Soft targets, where they are on, put a floor under "
        "the loss of continuous actions, so groups do not compare with each other."
    )
    return html_page.section("Losses", f'<div class="grid two">{"".join(cards)}</div>', about=about)


def _mixture(experiment: Experiment, records: Sequence[Mapping[str, Any]]) -> str:
    rows: dict[str, int] = next((r["task_rows"] for r in reversed(records) if r.get("task_rows")), {})
    steps = experiment.train.steps or 1
    weights = weights_in_force(experiment.data, records)
    declared = dict.fromkeys(experiment.data.mixture.task_names, 0.0)
    for (first, some), end in zip(weights, [*(first for first, _ in weights[1:]), steps], strict=True):
        for task, share in experiment.data.mixture.shares(some).items():
            declared[task] += share * max(0, min(end, steps) - first) / steps
    total = sum(rows.values())
    realised = {task: rows.get(task, 0) / total for task in declared} if total else {}
    largest = max([*declared.values(), *realised.values()])
    lines = [
        f'<tr><td class="task">{escape(task)}</td><td class="n">{100 * share:.2f} %</td>'
        + (f'<td class="n">{100 * realised[task]:.2f} %</td>' if realised else '<td class="n soft">unknown</td>')
        + f'<td class="n">{rows.get(task, 0):,}</td>'
        + f'<td class="bar">{html_page.share_bar(realised.get(task, share), largest)}</td></tr>'
        for task, share in declared.items()
    ]
    table = html_page.table(["task", ">declared", ">realised", ">rows seen", "realised share"], lines)
    about = "Shares of the rows of a batch: as declared, and as the run really drew them."
    if len(weights) > 1:
        about += " Declared shares changed; the table has their means, and the curves say when."
        shares = [(first, experiment.data.mixture.shares(some)) for first, some in weights if first < steps]
        table += f'<div class="grid two">{"".join(_share_card(task, shares, steps) for task in declared)}</div>'
    return html_page.section("Mixture", table, about=about)


def _share_card(task: str, shares: Sequence[tuple[int, Mapping[str, float]]], steps: int) -> str:
    """A curve of steps: the share of a task in force by step, in percent."""
    ends = [*(first for first, _ in shares[1:]), steps]
    points = [(x, 100 * some[task]) for (first, some), end in zip(shares, ends, strict=True) for x in (first, end)]
    xs, ys = zip(*points, strict=True)
    title = f'<h3>{escape(task)} <span class="soft">{ys[0]:.1f} to {ys[-1]:.1f} %</span></h3>'
    return f'<div class="card">{title}{html_page.curve(xs, ys, label=f"share of {task} by step")}</div>'
