"""The page of a sweep: whole at any time, self-contained, with everything that was found."""

import csv
import html.parser
import json
import pathlib
import re
import shutil

import pytest

from gato_jax import cli
from gato_jax.studies import sweep
from gato_jax.studies.laws import analysis, proposals
from gato_jax.studies.plan import added_runs
from gato_jax.studies.report import page as sweep_page


class Balanced(html.parser.HTMLParser):
    """Fails on an element that is not closed in its turn."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "br", "img", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def checked(path):
    text = path.read_text()
    parser = Balanced()
    parser.feed(text)
    assert parser.open == []
    assert not re.search(r'(src|href)="(?!#|runs/|proposal-)', text)
    assert "nan" not in re.findall(r'points="([^"]*)"', text)
    return text


def sections(text):
    return re.findall("<h2>(.*?)</h2>", text)


def test_before_the_first_result(made, tmp_path):
    made.sweep(tmp_path)
    shutil.rmtree(tmp_path / "runs")
    text = checked(sweep_page.write_page(tmp_path))
    assert sections(text) == ["Runs"]
    assert text.count("waiting") == 54


def test_with_everything(made, fitted_sweep, tmp_path):
    out = tmp_path / "sweep"
    shutil.copytree(fitted_sweep[0], out)
    proposals.add(out, proposals.propose(out, fitted_sweep[1], samples=2))
    runs = added_runs(out)
    made.finish(out, runs[:2])
    failed = out / "runs" / runs[2].name
    failed.mkdir()
    (failed / "failed.json").write_text(json.dumps({"run": runs[2].name, "reason": "ValueError: a < b"}))
    result = json.loads((out / "runs" / "uniform.s0" / "result.json").read_text())
    result["rows"]["text.task"]["within"] = False
    (out / "runs" / "uniform.s0" / "result.json").write_text(json.dumps(result))
    metrics = out / "runs" / "uniform.s1" / "train" / "metrics.jsonl"
    metrics.parent.mkdir()
    lines = [json.dumps({"step": s, "task_loss": {f"{d}.task": 5 - s / 10 for d in made.DOMAINS}}) for s in range(10)]
    metrics.write_text("\n".join(lines) + '\n{"step": 10, "task_lo')
    text = checked(sweep_page.write_page(out, ternary=("text", "vqa", "babyai"), pareto=("text", "vqa")))
    assert sections(text) == [
        *("Proposals against references", "Proposals", "Losses", "Laws", "Loss by own share", "Triangles"),
        *("Pareto front", "Transfer", "Learning curves", "Failed runs", "Runs"),
    ]
    assert "ValueError: a &lt; b" in text
    assert 'class="tbad" title="text.task"' in text
    assert 'href="runs/uniform.s0/"' in text
    assert 'href="proposal-mean.yaml"' in text
    assert "Parts of text, vqa, babyai" in text
    # 1/31 of the rows, and a draw with more text than any of the design.
    assert "Outside the design lie skewed (in babyai), dirichlet1-005 (in text)." in text
    assert text.count("<b>extrapolated</b> in babyai") == 2  # of the proposal, and of its finished run
    assert text.count("skewed, extrapolated</text>") == len(made.DOMAINS)
    assert text.count("dirichlet1-005, extrapolated: ") == len(made.DOMAINS)  # on hovering
    assert "uniform, extrapolated" not in text
    assert "loss of vqa" in text
    with pytest.raises(ValueError, match="ternary: expected 3 of"):
        sweep_page.write_page(out, ternary=("text", "vqa"))


STUDY = pathlib.Path(__file__).parents[4] / "experiments" / "results" / "local_domains" / "sweep.html"


@pytest.mark.skipif(not STUDY.exists(), reason="tests outside the tree: the wheel holds no results of studies")
def test_in_a_browser(pages):
    """The page of a whole study."""
    pages(STUDY)


def test_the_commands_write_fit_proposal_and_page(made, tmp_path, capsys):
    out = made.sweep(tmp_path / "sweep")

    def run(*arguments):
        cli.main(["sweep", *arguments])
        return capsys.readouterr().out

    assert "held out" in run("fit", str(out), "--samples", "2", "--families", "mean", "effective_data")
    assert (out / analysis.FIT).is_file()
    checked(out / "sweep.html")
    proposal = json.loads(run("propose", str(out), "--target", "worst", "--add", "--json"))
    assert proposal["runs"] == [f"proposal-worst.s{seed}" for seed in range(3)]
    assert "uniform" in run("compare", str(out))
    assert json.loads(run("report", str(out), "--json")) == {
        "file": str(out / "sweep.html"), "csv": str(out / "sweep.csv")
    }  # fmt: skip
    rows = list(csv.DictReader((out / "sweep.csv").open()))
    assert [row["run"] for row in rows] == [run["name"] for run in sweep.results(out)]
    first = sweep.results(out)[0]
    assert float(rows[0]["loss vqa"]) == pytest.approx(first["domain_losses"]["vqa"], rel=1e-5)
    assert float(rows[0]["planned vqa"]) == pytest.approx(float(rows[0]["drawn vqa"]))
