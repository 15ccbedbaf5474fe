"""The scores in other forms: CSV for tables, Markdown for a model card."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from data_pipelines import atomic_files
from data_pipelines.words import counted
from gato_jax.evaluation.metrics import summaries
from gato_jax.evaluation.results import EvaluationResult, TaskScore

COLUMNS = (
    "task", "domain", "percent", "low", "high", "interval", "frozen_percent", "human_percent", "episodes", "failed",
    "success", "success_at_any_step", "truncated", "return", "random", "expert", "length", "decode",
    "p_below_random",
)  # fmt: skip


def csv_text(result: EvaluationResult) -> str:
    """A line a control task: `COLUMNS`, and the percent of every baseline and policy."""
    frozen = summaries.frozen_percents(result)
    human = summaries.human_percents(result)
    beside = list(dict.fromkeys(name for score in result.tasks for name in _beside(score)))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, [*COLUMNS, *beside], lineterminator="\n")
    writer.writeheader()
    for score in result.tasks:
        values = {
            "task": score.task, "domain": score.domain, "percent": score.percent, "low": score.low,
            "high": score.high, "interval": score.interval,
            "frozen_percent": frozen[score.task].mean() if score.task in frozen else None,
            "human_percent": human[score.task].mean() if score.task in human else None,
            "episodes": len(score.returns), "failed": len(score.failures), "success": score.success_rate,
            "success_at_any_step": score.ever_rate,
            "truncated": sum(score.truncated) / len(score.truncated) if score.truncated else None,
            "return": sum(score.returns) / len(score.returns), "random": score.random_mean,
            "expert": score.expert_mean, "length": sum(score.lengths) / len(score.lengths), "decode": score.decode,
            "p_below_random": score.p_below_random, **_beside(score),
        }  # fmt: skip
        writer.writerow({name: _plain(value) for name, value in values.items()})
    return buffer.getvalue()


def _beside(score: TaskScore) -> dict[str, float | None]:
    own = {} if score.baseline is None else {score.baseline.name: score.baseline.percent}
    return {**own, **{name: other.percent for name, other in score.others.items()}}


def _plain(value: object) -> object:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else value


def card_text(result: EvaluationResult) -> str:
    """The scores as a section of a model card."""
    text = (
        f"0 is random play, 100 the expert; {counted(result.episodes, 'episode')} a task on seeds that were never "
        f"recorded; context: {result.context}; prompts: {result.prompts}."
    )
    if result.scores:
        text += (
            f" Frozen: by the scores of gato-jax, version {result.scores['version']} (SHA-256 "
            f"{result.scores['sha256'][:16]}), which compare between runs."
        )
    parts = [text]
    if result.tasks:
        parts += [_domains(result), _tasks(result)]
    if result.language:
        parts.append("\n".join(f"- {line}" for line in _language(result)))
    return "\n\n".join(parts)


def _domains(result: EvaluationResult) -> str:
    rows = [
        (name, str(of["tasks"]), _aggregate(of["mean"]), _aggregate(of["iqm"]))
        for name, of in summaries.totals(summaries.expert_percents(result.tasks))["domains"].items()
    ]
    return _table(("domain", "tasks", "mean (95 %)", "interquartile mean (95 %)"), rows)


def _tasks(result: EvaluationResult) -> str:
    frozen = summaries.frozen_percents(result) if result.scores else {}
    rows = [
        (
            score.task,
            f"{score.percent:.0f}",
            f"{score.low:.0f} to {score.high:.0f}",
            f"{frozen[score.task].mean():.0f}" if score.task in frozen else "",
            "" if score.success_rate is None else f"{100 * score.success_rate:.0f} %",
            score.decode,
            str(len(score.returns)),
        )
        for score in result.tasks
    ]
    return _table(("task", "percent of expert", "95 %", "frozen", "success", "actions", "episodes"), rows)


def _language(result: EvaluationResult) -> list[str]:
    lines = []
    for score in result.language:
        line = f"{score.task}: {score.loss:.3f} nats a token"
        if score.bits_per_byte is not None:
            line += f", {score.bits_per_byte:.3f} bits a byte"
        if score.accuracy is not None:
            line += f", {100 * score.accuracy:.0f} % of {score.questions} answers exact"
        if score.captions:
            line += f", CIDEr {score.cider or 0:.1f} and BLEU-4 {score.bleu or 0:.1f} over {score.captions} captions"
        lines.append(line)
    return lines


def _aggregate(of: dict[str, float | None]) -> str:
    span = "" if of["low"] is None or of["high"] is None else f" ({of['low']:.0f} to {of['high']:.0f})"
    return f"{of['value']:.0f}{span}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def write(result: EvaluationResult, *, csv_file: Path | None = None, card: Path | None = None) -> list[Path]:
    """Writes what is asked for, and says what."""
    written = []
    if csv_file is not None:
        atomic_files.write_text(csv_file, csv_text(result))
        written.append(csv_file)
    if card is not None:
        atomic_files.write_text(card, f"# {result.name}, step {result.step:,}\n\n{card_text(result)}\n")
        written.append(card)
    return written
