"""From a real run to scores and a report: real environments, real checkpoints, tiny weights."""

import base64
import dataclasses
import importlib.util
import json
import pathlib
import re
import shutil

import numpy as np
import pytest

from data_pipelines.errors import TimestepError
from data_pipelines.scores import EVALUATION_SEED_BASE, Normaliser
from data_pipelines.suites import catalog, render
from data_pipelines.suites.base.suite import Source
from data_pipelines.suites.frozen_scores import frozen_scores
from gato_jax.agent.generate import Generator
from gato_jax.agent.policy import Policy
from gato_jax.config import AgentConfig, Decode
from gato_jax.evaluation import evaluate as module
from gato_jax.evaluation import validation
from gato_jax.evaluation.evaluate import evaluate, split_tasks
from gato_jax.evaluation.metrics.decisions import decision
from gato_jax.evaluation.play import play
from gato_jax.evaluation.report import pictures
from gato_jax.evaluation.report.report import write_report
from gato_jax.evaluation.results import EvaluationResult, load_result
from gato_jax.evaluation.rollouts import load_rollout, roll_out
from gato_jax.evaluation.scores import score_task
from gato_jax.weights.load import load_weights

_file = importlib.util.spec_from_file_location(
    "recomputation", pathlib.Path(__file__).parents[1] / "agent" / "recomputation.py"
)
recomputation = importlib.util.module_from_spec(_file)
_file.loader.exec_module(recomputation)

BABYAI, METAWORLD = "babyai.go_to_obj", "metaworld.drawer_close"


@pytest.fixture(scope="module")
def weights(tiny_run):
    return load_weights(tiny_run)


@pytest.fixture(scope="module")
def evaluated(tiny_run, tmp_path_factory):
    """One full evaluation, by worker processes."""
    out = tmp_path_factory.mktemp("evaluated")
    return evaluate(tiny_run, episodes=3, out=out), out


def act(weights, task, seeds, *, max_steps=12, **agent):
    environments = [catalog.make(task) for _ in seeds]
    policy = Policy(weights, environments[0].spec, agent=AgentConfig(**{"context_timesteps": 1, **agent}))
    return roll_out(policy, environments, seeds, max_steps=max_steps)


def test_a_batch_of_environments_equals_one_by_one(weights):
    for task, decode in ((BABYAI, Decode.SAMPLE), (METAWORLD, Decode.ARGMAX)):
        together = act(weights, task, [1_000_000, 1_000_001], decode_others=decode)
        for i, seed in enumerate(together.seeds):
            alone = act(weights, task, [seed], decode_others=decode)
            np.testing.assert_array_equal(alone.actions[0], together.actions[i])
            np.testing.assert_array_equal(alone.rewards[0], together.rewards[i])


def test_an_episode_replays_from_its_seed_and_actions(weights, tmp_path):
    rollout = act(weights, BABYAI, [1_000_003], max_steps=30)
    environment = catalog.make(BABYAI)
    environment.reset_to(rollout.seeds[0])
    rewards = [environment.step(action).reward for action in rollout.actions[0]]
    np.testing.assert_allclose(rewards, rollout.rewards[0], rtol=1e-6)
    rollout.save(tmp_path / "a.npz", settings={"x": 1})
    loaded, settings = load_rollout(tmp_path / "a.npz")
    assert settings == {"x": 1}
    np.testing.assert_array_equal(loaded.actions[0], rollout.actions[0])
    assert loaded.returns == rollout.returns
    (tmp_path / "a.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:100])
    with pytest.raises(ValueError, match="not a saved rollout"):
        load_rollout(tmp_path / "a.npz")


def test_the_window_grows_with_the_context(weights):
    environment = catalog.make(BABYAI)
    assert Policy(weights, environment.spec, agent=AgentConfig(context_timesteps=0)).window == 2
    with pytest.raises(ValueError, match=r"context_timesteps = 3 needs 3 timesteps .* trained on windows of 144"):
        Policy(weights, environment.spec, agent=AgentConfig(context_timesteps=3))
    policy = Policy(weights, environment.spec)
    policy.reset([0])
    observation = environment.reset_to(1_000_000).observation
    assert policy.act(observation).shape == ()
    policy.reset([0, 1])
    assert policy.act([observation, observation]).shape == (2,)
    del observation["image"]
    with pytest.raises(TimestepError, match=r"episode 'of seed 0', timestep 1, key 'image': expected a value"):
        policy.act([observation, observation])


def test_a_demonstration_as_prompt_changes_what_is_seen(weights):
    environment = catalog.make(BABYAI)
    observation = environment.reset_to(1_000_000).observation
    agent = AgentConfig(context_timesteps=0, prompt_tokens=72)
    policy = Policy(weights, environment.spec, agent=agent, prompt=[(observation, np.int32(2))] * 4)
    policy.reset([0])
    assert policy.remembered.tolist() == [1], "one timestep of prompt fits, one is left for the episode"
    policy.act(observation)


def test_evaluation_scores_every_task(evaluated, tiny_run):
    result, out = evaluated
    assert [score.task for score in result.tasks] == [BABYAI, METAWORLD]
    assert [score.task for score in result.language] == ["text.python_docs", "vqa.easy_vqa"]
    assert result.complete
    assert result.step == 2
    for score in result.tasks:
        assert len(score.returns) == len(score.lengths) == len(score.success) == 3
        assert list(score.seeds) == [EVALUATION_SEED_BASE + i for i in range(3)]
        assert score.low <= score.percent <= score.high
    assert all(len(score.ever) == len(score.truncated) == 3 for score in result.tasks)
    assert dict(result.scores) == frozen_scores().identity
    assert set(result.machine) >= {"device", "cpus"}
    text, questions = result.language
    assert text.loss > 3
    # Untrained: a token costs about log2(1024) bits, and stands for some bytes of English.
    assert 10 / 4 < text.bits_per_byte < 10 / 1.5
    assert questions.vqa_accuracy == pytest.approx(questions.accuracy), "one answer a question"
    assert text.accuracy is None
    assert len(text.samples) == 2
    assert 0 <= questions.accuracy <= 1
    assert 1 <= questions.questions <= 12
    assert {BABYAI, METAWORLD} == {path.stem for path in (out / "rollouts").glob("*.npz")}
    stored = json.loads((out / "evaluation.json").read_text())
    assert load_result(out / "evaluation.json").to_dict() == stored
    assert list(stored["summary"]["frozen_percent"]) == [BABYAI, METAWORLD]
    assert stored["summary"]["statistics"]["expert"]["all"]["tasks"] == 2


def test_a_second_evaluation_only_does_what_is_missing(evaluated, tiny_run, tmp_path, monkeypatch):
    out = shutil.copytree(evaluated[1], tmp_path / "copy")
    (out / "rollouts" / f"{BABYAI}.npz").unlink()
    acted = []

    def watch(jobs, task, progress):
        acted.append(task)
        run_task(jobs, task, progress)

    run_task = module.run_task
    monkeypatch.setattr(module, "run_task", watch)
    again = evaluate(tiny_run, episodes=3, out=out, tasks=["babyai.*", METAWORLD])
    assert acted == [BABYAI]
    assert [score.returns for score in again.tasks] == [score.returns for score in evaluated[0].tasks], (
        "same seed, same"
    )


def test_an_interrupt_keeps_the_tasks_that_are_done(evaluated, tiny_run, tmp_path, monkeypatch):
    shutil.copytree(evaluated[1] / "rollouts", tmp_path / "rollouts")

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "score_language", interrupt)
    with pytest.raises(KeyboardInterrupt):
        evaluate(tiny_run, episodes=3, out=tmp_path)
    partial = load_result(tmp_path / "evaluation.json")
    assert not partial.complete
    assert len(partial.tasks) == 2


def test_bad_input_names_what_was_found(tiny_run, tmp_path):
    with pytest.raises(ValueError, match=r"unknown task 'metaworld.drawer_clos'; did you mean metaworld.drawer_close"):
        evaluate(tiny_run, tasks=["metaworld.drawer_clos"])
    with pytest.raises(ValueError, match=r"'vqa.easy_vqa' was not trained on"):
        split_tasks([BABYAI], ["vqa.easy_vqa"])
    unknown = next(
        task.name
        for task in catalog.catalog().values()
        if task.source is Source.ENVIRONMENT and task.name not in frozen_scores().tasks
    )
    with pytest.raises(ValueError, match=rf"'{unknown}' has no entry in .*, and no expert in the package's frozen"):
        evaluate(tiny_run, tasks=[unknown], out=tmp_path)
    with pytest.raises(ValueError, match=r"no task of the experiment matches 'atari\.\*'; it has babyai"):
        evaluate(tiny_run, tasks=["atari.*"], out=tmp_path)
    with pytest.raises(ValueError, match=r"policies: expected 'random', 'expert', '1-NN' or package\.module:policy"):
        evaluate(tiny_run, tasks=[BABYAI], policies=["best"], out=tmp_path)
    with pytest.raises(FileNotFoundError, match="expected a run directory"):
        evaluate(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"scores.json"):
        evaluate(tiny_run, tmp_path)
    with pytest.raises(ValueError, match="unknown task"):
        play(tiny_run, "babyai.go_to_ob", out=tmp_path)
    with pytest.raises(FileNotFoundError, match="run `gato evaluate`"):
        load_result(tmp_path / "evaluation.json")


def test_the_report_is_whole_and_self_contained(evaluated, tiny_run, tmp_path):
    _, out = evaluated
    text = write_report(tiny_run, evaluation=out, out=tmp_path / "report.html").read_text()
    for heading in (
        "Scores",
        "Watch it",
        "One decision, token by token",
        "Questions about pictures",
        "Text",
        "Losses",
        "Mixture",
        "Settings",
        "Next steps",
    ):
        assert f"<h2>{heading}</h2>" in text, heading
    for task in (BABYAI, METAWORLD, "text.python_docs", "vqa.easy_vqa"):
        assert task in text
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", text)
    assert "<script" not in text
    sources = re.findall(r'src="data:(image/\w+);base64,([^"]*)"', text)
    assert len(sources) > 2, "a film or a plot of each domain, and the questions' pictures"
    assert all(base64.b64decode(data)[:4] in (b"GIF8", b"\x89PNG") for _, data in sources)


def test_one_decision_is_told_token_by_token(evaluated, weights):
    _, out = evaluated
    (told,) = json.loads((out / "decision.json").read_text())["decisions"]
    assert told["task"] == BABYAI
    assert 'mission "' in told["saw"]
    (token,) = told["tokens"]
    assert len([choice for choice in token["choices"] if choice["chosen"]]) == 1
    assert sum(choice["probability"] for choice in token["choices"]) <= 1 + 1e-6
    # Greedy, the likeliest id of each of the four tokens is the one that acts; each after those before it.
    environment = catalog.make(METAWORLD)
    policy = Policy(weights, environment.spec, agent=AgentConfig(context_timesteps=1))
    told = decision(weights, policy, environment.reset_to(1_000_000).observation, 1_000_000)
    assert [token["choices"][0]["chosen"] for token in told["tokens"]] == [True] * 4
    policy.reset([1_000_000])
    (action,) = policy.act([environment.reset_to(1_000_000).observation])
    means = [float(token["choices"][0]["means"]) for token in told["tokens"]]
    np.testing.assert_allclose(means, action, atol=1e-3)


def test_where_nothing_renders_a_plot_says_so(evaluated, monkeypatch):
    monkeypatch.setattr(render, "replay", lambda *_, **__: render.Replay(None, "no OpenGL here"))
    rollout, _ = load_rollout(evaluated[1] / "rollouts" / f"{METAWORLD}.npz")
    picture = pictures.episode(rollout, 0)
    assert (picture.suffix, picture.note) == ("png", "no OpenGL here")
    assert picture.data.startswith(b"\x89PNG")


def test_play_writes_a_film_of_each_episode(tiny_run, tmp_path):
    result = play(tiny_run, BABYAI, episodes=2, out=tmp_path)
    assert len(result.pictures) == 2
    assert {path.suffix for path in tmp_path.iterdir()} == {".gif"}
    assert json.dumps(result.to_dict())
    one = play(tiny_run, BABYAI, out=tmp_path / "one.gif")
    assert one.pictures == [str(tmp_path / "one.gif")]
    assert (tmp_path / "one.gif").read_bytes()[:4] == b"GIF8"


def test_tables(evaluated):
    from rich.console import Console

    result = evaluated[0]
    for width in (80, 140):
        console = Console(width=width, record=True)
        console.print(result.table())
        text = console.export_text()
        assert BABYAI in text
        assert "of 2 tasks reach 50 % of the expert" in text
    assert EvaluationResult.from_dict(json.loads(json.dumps(result.to_dict()))).passed == result.passed


def test_scores_know_what_is_below_random(evaluated):
    rollout, _ = load_rollout(evaluated[1] / "rollouts" / f"{METAWORLD}.npz")
    rollout = dataclasses.replace(rollout, returns=[0.0] * 10, lengths=[500] * 10, success=[False] * 10)
    easy = Normaliser.from_returns([1.0] * 10, [1.0] * 9 + [0.0])
    score = score_task(rollout, easy)
    assert score.below_random
    assert score.percent == pytest.approx(-900)
    hard = Normaliser.from_returns([1.0] * 10, [0.0] * 9 + [1.0])
    assert not score_task(rollout, hard).below_random


def test_questions_stand_as_in_training(weights):
    """The generator's fields give the logits that a training row gives at the same place."""
    experiment = weights.experiment
    data = validation.read(experiment.data, ["vqa.easy_vqa"], rows=4, questions=4, texts=1)["vqa.easy_vqa"]
    static = {"config": experiment.model, "vocabulary": experiment.data.tokens.vocabulary}
    generator = Generator(weights)
    for row in range(len(data.questions)):
        batch = {name: array[0][row : row + 1] for name, array in data.batches.items()}
        ids = weights.text.encode(data.questions[row])
        fields = generator._question_fields(data.pictures[row][None], [data.questions[row]], len(ids))
        expected = recomputation.recompute(weights.parameters, batch, **static)[0, 16 + len(ids) - 1]
        recomputed = recomputation.recompute(weights.parameters, fields, **static)[0, -1]
        np.testing.assert_allclose(recomputed, expected, rtol=1e-4, atol=1e-5)


def test_validation_data_that_cannot_be_read_says_why(weights, tmp_path):
    config = dataclasses.replace(weights.experiment.data, directory=str(tmp_path / "gone"))
    with pytest.raises(validation.ValidationError, match="gone"):
        validation.read(config, ["text.python_docs"], rows=1, questions=1, texts=1)
