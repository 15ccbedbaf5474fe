"""Episodes to watch: the best, the median and the worst of each domain, and one that failed."""

from pathlib import Path

from data_pipelines import html_page
from data_pipelines.html_page import escape
from data_pipelines.words import counted
from gato_jax.evaluation.report import pictures
from gato_jax.evaluation.results import EvaluationResult, TaskScore
from gato_jax.evaluation.rollouts import load_rollout

Choice = tuple[TaskScore, int]
"""A task, and the place of an episode among its own."""


def watch(result: EvaluationResult, rollouts: Path) -> str:
    """The section; empty where no rollouts were kept."""
    cards, notes = [], []
    for domain in result.domains():
        for name, (score, index) in chosen([score for score in result.tasks if score.domain == domain]).items():
            path = rollouts / f"{score.task}.npz"
            if not path.is_file():
                notes.append(f"{score.task}: no rollout was kept")
                continue
            cards.append(_card(name, score, index, path))
    if not cards:
        return ""
    about = (
        "Of each domain the episodes with the highest, the median and the lowest percent of the expert, and one that "
        "ended without success where none of these did."
    )
    notes += [
        f"{score.task}: {counted(len(score.failures), 'episode')} could not be played to the end"
        for score in result.tasks
        if score.failures
    ]
    extra = f'<p class="note">{escape("; ".join(notes))}</p>' if notes else ""
    return html_page.section("Watch it", f'<div class="grid films">{"".join(cards)}</div>{extra}', about=about)


def chosen(scores: list[TaskScore]) -> dict[str, Choice]:
    """Name -> episode of a domain's tasks, in the order in which they are shown; fewer where there are few."""
    episodes = sorted(
        ((float(percent), score, i) for score in scores for i, percent in enumerate(score.percents)),
        key=lambda episode: (episode[0], episode[1].task, episode[2]),
    )
    choices: list[Choice] = [(score, index) for _, score, index in episodes]
    places = {"best": len(choices) - 1, "median": len(choices) // 2, "worst": 0}
    picked: dict[str, Choice] = {}
    for name, place in places.items():
        if choices[place] not in picked.values():
            picked[name] = choices[place]
    lost = [choice for choice in choices if not _succeeded(*choice)]
    if lost and all(_succeeded(*choice) for choice in picked.values()):
        picked["without success"] = lost[0]
    return picked


def _succeeded(score: TaskScore, index: int) -> bool:
    """Whether an episode ended well; that is unknown, and so taken for granted, where a task does not say."""
    return not score.success or bool(score.success[index])


def _card(name: str, score: TaskScore, index: int, path: Path) -> str:
    rollout, _ = load_rollout(path)
    picture = pictures.episode(rollout, index)
    kind = "film" if not picture.note else "plot"
    note = f'<br><span class="note">Nothing could render here, so this is a plot: {escape(picture.note)}</span>'
    verdict = ""
    if score.success:
        verdict = ", success" if score.success[index] else ", no success"
    image = html_page.image(picture.data, picture.mime, alt=f"{kind} of {score.task}")
    title = f"<b>{escape(name)}: {html_page.breakable(score.task)}</b><br>{score.percents[index]:.0f} %{verdict}"
    about = f"return {rollout.returns[index]:.4g} in {rollout.lengths[index]} steps, seed {rollout.seeds[index]}"
    note = note if picture.note else ""
    return f'<figure class="card">{image}<figcaption>{title}, {about}{note}</figcaption></figure>'
