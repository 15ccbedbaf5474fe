"""Figures as files, for README and papers."""

import io
from pathlib import Path

from data_pipelines import atomic_files
from gato_jax.evaluation.results import EvaluationResult

GOOD, FAIR, BAD, INK = "#2a7f62", "#b7791f", "#b83a3a", "#1d2126"


def score_figure(result: EvaluationResult, out: Path) -> Path:
    """Writes the score bars with their 95 % intervals as a PNG (white ground, readable in both themes).

    Raises:
      ValueError: the evaluation has no control tasks.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    scores = sorted(result.tasks, key=lambda score: (score.domain, -score.percent))
    if not scores:
        raise ValueError("a score figure needs control tasks, found none")
    figure = Figure(figsize=(9, 0.9 + 0.34 * len(scores)), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for place, score in enumerate(scores):
        colour = BAD if score.below_random else GOOD if score.passed else FAIR
        axes.barh(place, score.percent, color=colour, alpha=0.85, height=0.66)
        axes.plot([score.low, score.high], [place, place], color=INK, linewidth=1.4)
        for end in (score.low, score.high):
            axes.plot([end, end], [place - 0.16, place + 0.16], color=INK, linewidth=1.4)
    axes.axvline(50, color=INK, linewidth=0.9, linestyle=(0, (4, 4)), alpha=0.6)
    axes.axvline(100, color=INK, linewidth=0.9, alpha=0.4)
    axes.axvline(0, color=INK, linewidth=0.9)
    axes.set_yticks(range(len(scores)), [score.task for score in scores], fontsize=9)
    axes.invert_yaxis()
    edges = [value for score in scores for value in (score.low, score.high)]
    axes.set_xlim(max(-70, min(0, *edges) - 3), min(180, max(105, *edges) + 5))
    axes.set_xlabel(
        f"percent of the expert (0 = random), {result.episodes} episodes a task, 95 % intervals", fontsize=9
    )
    axes.set_title(
        f"{result.name}: {result.passed} of {len(scores)} tasks reach half of the expert, one set of weights",
        fontsize=11, loc="left",
    )  # fmt: skip
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", alpha=0.2)
    axes.set_axisbelow(True)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="white", metadata={"Software": None})
    atomic_files.write_bytes(Path(out), buffer.getvalue())
    return Path(out)
