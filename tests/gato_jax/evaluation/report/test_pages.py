"""The report, the comparison, CSV and card of made-up scores, and how they look in a browser."""

import csv
import dataclasses
import io
import json

import numpy as np
import pytest

from data_pipelines.suites.frozen_scores import frozen_scores
from gato_jax import cli
from gato_jax.evaluation.baselines import Baseline
from gato_jax.evaluation.report import exports, films, published
from gato_jax.evaluation.report.compare import write_comparison
from gato_jax.evaluation.report.report import write_report
from gato_jax.evaluation.results import EvaluationResult, LanguageScore, TaskScore

TASKS = ("atari.breakout", "babyai.go_to_obj", "babyai.pickup", "metaworld.assembly", "metaworld.drawer_close")
EPISODES = 6


def task_score(name: str, level: float) -> TaskScore:
    """Scores around a level between random (0) and the expert (1)."""
    normaliser = frozen_scores().tasks[name].normaliser
    places = level + 0.2 * np.linspace(-1, 1, EPISODES)
    returns = (normaliser.random + places * (normaliser.expert - normaliser.random)).tolist()
    success = [] if name.startswith("atari") else [bool(place > level) for place in places]
    return TaskScore(
        task=name, domain=name.partition(".")[0], decode="argmax", seeds=list(range(1_000_000, 1_000_000 + EPISODES)),
        returns=returns, lengths=[50] * EPISODES, success=success, expert_mean=normaliser.expert,
        random_mean=normaliser.random, random_episodes=20, percent=100 * level, low=100 * level - 15,
        high=100 * level + 15, interval="t", p_below_random=1.0, seconds=3.0,
        failures={"1000099": "task 'x': it <broke>"} if name == TASKS[2] else {},
        baseline=Baseline("1-NN", percent=60.0, low=50.0, high=70.0, interval="t"),
        others={"random": Baseline("random", percent=0.5), "expert": Baseline("expert", "nobody demonstrates it here")},
        ever=[True] * len(success), truncated=[not of for of in success] or [False] * EPISODES,
    )  # fmt: skip


def evaluation(name: str, level: float) -> EvaluationResult:
    languages = [
        LanguageScore("text.python_docs", "text", 3.2, 5000, bits_per_byte=1.5),
        LanguageScore("coco.captions", "coco", 2.2, 900, cider=41.5, bleu=12.25, captions=8),
    ]
    tasks = [task_score(task, level + 0.1 * i) for i, task in enumerate(TASKS)]
    return EvaluationResult(
        name=name, step=100, episodes=EPISODES, context="the training window", tasks=tasks, language=languages,
        seconds=60.0, complete=True, versions={"python": "3.11"}, scores=frozen_scores().identity,
        packaged=["atari.breakout"], machine={"device": "1 x cpu", "cpus": "2", "commit": "abcdef123456"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def runs(tiny, tmp_path_factory):
    """Two run directories with configs, metrics and evaluations."""
    out = tmp_path_factory.mktemp("runs")
    for name, level in (("small", 0.31), ("large", 0.6)):
        (out / name).mkdir()
        experiment = dataclasses.replace(tiny.tiny_experiment(steps=100 if name == "small" else 200), name=name)
        (out / name / "config.json").write_text(experiment.to_json())
        losses = [{"step": s, "group_loss": {"control": 3 / (1 + s), "text": 5 / (1 + s)}} for s in range(0, 100, 10)]
        held = [{"step": s, "validation": {"babyai.go_to_obj": {"loss": 2 / (1 + s)}}} for s in range(0, 100, 20)]
        (out / name / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in [*losses, *held]))
        (out / name / "evaluation.json").write_text(json.dumps(evaluation(name, level).to_dict()))
    return [out / "small", out / "large"]


def test_the_report_in_a_browser(runs, pages):
    phone = pages(write_report(runs[0], films=False))
    text = phone.run("document.body.innerText")
    for said in (
        "Tasks at or above a threshold", "IQM", "Every episode", "Beside others", "Validation", "warm-up",
        "abcdef123456", "1.500 bits a byte", "CIDEr 41.5", "it <broke>", "no expert play",
    ):  # fmt: skip
        assert said in text, said
    widths = phone.run("[...document.querySelectorAll('td.bar .track')].map(bar => bar.getBoundingClientRect().width)")
    assert len(widths) > len(TASKS)
    assert min(widths) > 250, "on a phone a bar takes the whole width"
    tips = phone.run("[...document.querySelectorAll('svg .tip')].map(tip => tip.textContent)")
    assert "50 % and more: 3 of 5 tasks" in tips
    assert "step 20: 0.0952" in tips, "validation curves say their values"
    assert phone.run("document.querySelectorAll('circle.episode').length") == len(TASKS) * EPISODES


def test_the_comparison_in_a_browser(runs, pages, tmp_path):
    phone = pages(write_comparison(runs, out=tmp_path / "comparison.html"))
    text = phone.run("document.body.innerText")
    assert "train.steps: 100 -> 200" in text
    bold = phone.run("[...document.querySelectorAll('td.n b')].map(cell => cell.textContent)")
    assert "60" in bold, "the large run is surely better"


def test_only_what_is_normalised_alike_is_compared(runs, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text((runs[0] / "config.json").read_text())
    old = {**json.loads((runs[0] / "evaluation.json").read_text()), "scores": {"version": 0, "sha256": "0" * 64}}
    (other / "evaluation.json").write_text(json.dumps(old))
    with pytest.raises(ValueError, match=r"one version of the frozen scores, found small: .* other: version 0 \(SHA"):
        write_comparison([runs[0], other], out=tmp_path / "page.html")
    with pytest.raises(ValueError, match="needs two runs or more, found 1"):
        write_comparison(runs[:1], out=tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
    page = write_report(other, films=False).read_text()
    assert "Beside others" not in page, "scored with other frozen scores: nothing is set beside what is published"


def test_scores_as_csv_and_card():
    result = evaluation("small", 0.31)
    rows = list(csv.DictReader(io.StringIO(exports.csv_text(result))))
    assert [row["task"] for row in rows] == list(TASKS)
    first = rows[0]
    assert float(first["percent"]) == float(first["frozen_percent"]) == pytest.approx(31, abs=1e-3)
    breakout = frozen_scores().tasks["atari.breakout"]
    mean = np.mean(result.tasks[0].returns)
    assert float(first["human_percent"]) == pytest.approx(100 * (mean - 1.7) / (breakout.human - 1.7), rel=1e-4)
    assert (first["1-NN"], first["random"], first["expert"]) == ("60", "0.5", "")
    assert (rows[1]["success"], rows[1]["success_at_any_step"], rows[1]["truncated"]) == ("0.5", "1", "0.5")
    card = exports.card_text(result)
    assert f"version {frozen_scores().version} (SHA-256 {frozen_scores().sha256[:16]})" in card
    assert "| metaworld.assembly | 61 | 46 to 76 | 61 | 50 % | argmax | 6 |" in card
    assert "- coco.captions: 2.200 nats a token, CIDEr 41.5 and BLEU-4 12.2 over 8 captions" in card


def test_the_command(runs, tmp_path, capsys):
    asked = ["--csv", str(tmp_path / "a.csv"), "--card", str(tmp_path / "card.md")]
    cli.main(["report", str(runs[0]), "--no-films", "--out", str(tmp_path / "a.html"), *asked, "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["written"] == [str(tmp_path / name) for name in ("a.html", "a.csv", "card.md")]
    assert told["summary"]["statistics"]["frozen"]["all"]["tasks"] == len(TASKS)
    assert told["summary"]["thresholds"]["tasks"][10] == 3, "at 50 %"
    assert (tmp_path / "card.md").read_text().startswith("# small, step 100\n\n0 is random play, 100 the expert")
    cli.main(["report", *map(str, runs), "--out", str(tmp_path / "both.html")])
    assert capsys.readouterr().out == f"wrote {tmp_path / 'both.html'}\n"
    with pytest.raises(SystemExit) as refused:
        cli.main(["report", *map(str, runs), *asked])
    assert refused.value.code == 2
    assert "--csv is for one run, found 2" in capsys.readouterr().err


def test_episodes_that_are_shown():
    picked = films.chosen([task_score("babyai.go_to_obj", 0.5), task_score("babyai.pickup", 0.7)])
    assert {name: (score.task, index) for name, (score, index) in picked.items()} == {
        "best": ("babyai.pickup", 5),
        "median": ("babyai.go_to_obj", 4),
        "worst": ("babyai.go_to_obj", 0),
    }
    fine = dataclasses.replace(task_score("babyai.pickup", 0.7), success=[True] * 4 + [False, True])
    assert films.chosen([fine])["without success"][1] == 4
    (only,) = films.chosen([dataclasses.replace(fine, returns=[0.5], success=[True])]).values()
    assert only[1] == 0


def test_every_published_figure_has_a_source():
    names = [agent.name for agent in published.agents()]
    assert names == ["Gato", "JAT", "Vintix", "Vintix II", "DB1"]
    for agent in published.agents():
        assert agent.citation and agent.url.startswith("https://") and agent.note and agent.normaliser, agent.name  # noqa: PT018
    _, jat, *_ = published.agents()
    assert len(jat.tasks) == 157
    assert set(jat.tasks) <= set(_catalog()), "under the names of our own tasks"
    assert jat.domains["babyai"]["iqm"] == 99


def _catalog():
    from data_pipelines.suites import catalog

    return catalog.catalog()
