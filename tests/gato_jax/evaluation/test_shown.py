"""What an evaluation shows: prompts as in training, and nearest neighbours as the floor; both from recordings."""

import dataclasses
import importlib.util
import json
import pathlib
import sys

import numpy as np
import pytest

from data_pipelines.spec import ItemSpec, Kind, TaskSpec
from data_pipelines.storage.recorded_tasks import DataError, read_task
from data_pipelines.storage.records import read_record
from data_pipelines.suites import catalog
from gato_jax.agent.policy import Policy
from gato_jax.evaluation import baselines, demonstrations, neighbour, prompts
from gato_jax.evaluation.demonstrations import Demonstrations, Request
from gato_jax.evaluation.evaluate import evaluate
from gato_jax.evaluation.results import load_result
from gato_jax.evaluation.rollouts import roll_out
from gato_jax.evaluation.worker import Jobs
from gato_jax.weights.load import load_weights

BABYAI, METAWORLD = "babyai.go_to_obj", "metaworld.drawer_close"


@pytest.fixture(scope="module")
def run(recorded_data, tmp_path_factory):
    """Untrained weights with windows of three timesteps, whose experiment has prompts."""
    path = pathlib.Path(__file__).parents[1] / "export" / "small.py"
    spec = importlib.util.spec_from_file_location("small_checkpoints", path)
    small = importlib.util.module_from_spec(spec)
    sys.modules["small_checkpoints"] = small
    spec.loader.exec_module(small)
    groups = {name: group for name, group in small.GROUPS.items() if name != "dm_control"}
    experiment = small.small_experiment(recorded_data, groups=groups)
    out = small.save(experiment, tmp_path_factory.mktemp("shown") / "run")
    (out / "config.json").write_text(experiment.to_json())
    return out


@pytest.fixture(scope="module")
def shown(recorded_data, tmp_path_factory):
    """First timesteps of some episodes, and all of them; read in this process, which `evaluated` never does."""
    out = tmp_path_factory.mktemp("demonstrations")
    every = Request("train", episodes=10**9, timesteps=10**9)
    requests = {"some": {BABYAI: dataclasses.replace(every, episodes=5, first=2, seed=1)}}
    requests["all"] = {BABYAI: every, METAWORLD: every}
    demonstrations_of = {}
    for name, request_of_task in requests.items():
        (out / name).mkdir()
        demonstrations.write(str(recorded_data), request_of_task, out / name)
        demonstrations_of[name] = {task: demonstrations.load(out / name / f"{task}.npz") for task in request_of_task}
    return demonstrations_of


@pytest.fixture(scope="module")
def evaluated(run, tmp_path_factory):
    """One task, prompted as in training, with the baseline beside it."""
    out = tmp_path_factory.mktemp("evaluated")
    return evaluate(
        run, tasks=[BABYAI], episodes=3, environments=2, baselines=True, policies=["random", "expert"], out=out
    ), out


def test_demonstrations_are_the_recorded_episodes(recorded_data, shown):
    every, some = shown["all"][BABYAI], shown["some"][BABYAI]
    task = read_task(recorded_data, BABYAI)
    assert len(every.lengths) == every.recorded == task.examples("train") == 12
    assert sorted(every.names) == sorted(task.example_name(number) for number in range(12))
    assert len(every.actions) == len(every.observations["image"]) == every.lengths.sum()
    assert some.lengths.tolist() == [2] * 5
    for index, name in enumerate(some.names):
        whole = every.episode(every.names.index(name))
        for (observation, action), (expected, executed) in zip(some.episode(index), whole, strict=False):
            assert action == executed
            assert observation.keys() == expected.keys()
            assert all(np.array_equal(observation[key], expected[key]) for key in observation)
    with pytest.raises(DataError, match=r"no record 12 of split 'train', which has 12"):
        read_record(task, "train", 12)


def test_an_evaluation_is_prompted_as_training_was(evaluated, run):
    result, out = evaluated
    (score,) = result.tasks
    assert score.prompt["timesteps"] == 1, "half of a window of three"
    assert score.prompt["split"] == "train"
    assert list(score.prompt["episodes"]) == [str(seed) for seed in score.seeds]
    assert all("record" in name for name in score.prompt["episodes"].values())
    assert load_result(out / "evaluation.json").to_dict() == result.to_dict()


def test_prompted_episodes_do_not_depend_on_how_many_are_played_at_a_time(run, shown):
    """Each has the demonstration that its seed draws; and without prompts they would be others."""
    environments = [catalog.make(BABYAI) for _ in range(2)]
    policy = Policy(load_weights(run), environments[0].spec)
    seeds = [1_000_000, 1_000_001, 1_000_002]
    rollouts = []
    for count in (1, 2):
        actor = prompts.PromptedPolicy(policy, shown["some"][BABYAI], split="train")
        rollouts.append(roll_out(actor, environments[:count], seeds, max_steps=5))
    assert rollouts[0].notes == rollouts[1].notes
    assert len(set(rollouts[0].notes["episodes"].values())) > 1
    plain = roll_out(policy, environments, seeds, max_steps=5)
    for one, other in zip(rollouts[0].actions, rollouts[1].actions, strict=True):
        np.testing.assert_array_equal(one, other)
    assert any(not np.array_equal(a, b) for a, b in zip(rollouts[0].actions, plain.actions, strict=True))


def test_prompts_are_an_option(run, recorded_data, tmp_path):
    weights = load_weights(run)
    ask = {"data": str(recorded_data), "episodes": 2}
    assert prompts.plan(weights, [BABYAI], "none", **ask).about == "none"
    (tmp_path / "empty").mkdir()
    nothing = prompts.plan(weights, [BABYAI], "auto", data=str(tmp_path / "empty"), episodes=2)
    assert nothing.requests == {}
    assert "expected a data directory" in nothing.about
    with pytest.raises(DataError, match="expected a data directory"):
        prompts.plan(weights, [BABYAI], str(tmp_path / "empty"), **ask)


def test_a_prompt_stays_while_the_episode_slides(run, shown):
    """As in training, where it stands before any part of an episode; and each environment has its own."""
    policy = Policy(load_weights(run), read_task(load_weights(run).experiment.data.directory, BABYAI).spec)
    demonstrations_ = [shown["some"][BABYAI].episode(index) for index in range(2)]
    policy.reset([1, 2], prompts=demonstrations_)
    observations = [demonstrations_[0][1][0]] * 2
    seen = []
    for _ in range(5):
        policy.act(observations)
        seen.append(policy.remembered.tolist())
    assert seen == [[2, 2], [3, 3], [3, 3], [3, 3], [3, 3]]
    alone = Policy(load_weights(run), policy.spec)
    for row in range(2):
        alone.reset([row + 1], prompts=[demonstrations_[row]])
        policy.reset([1, 2], prompts=demonstrations_)
        for _ in range(4):
            assert alone.act(observations[:1])[0] == policy.act(observations)[row]
    with pytest.raises(ValueError, match="one prompt for each of 1 seeds, found 2"):
        alone.reset([1], prompts=demonstrations_)


@pytest.mark.parametrize("task", [BABYAI, METAWORLD])
def test_the_nearest_neighbour_of_a_recorded_timestep_is_itself(recorded_data, shown, task):
    demonstration = shown["all"][task]
    player = neighbour.NearestNeighbour(read_task(recorded_data, task).spec, demonstration)
    places = range(0, len(demonstration.actions), 7)
    player.reset(range(len(places)))
    actions = player.act([demonstration.observation(place) for place in places])
    same = [np.array_equal(action, demonstration.labels[place]) for action, place in zip(actions, places, strict=True)]
    assert np.mean(same) > 0.9, "but for timesteps that look alike"
    assert actions.dtype == player.spec.action.dtype


def test_the_nearest_neighbour_knows_kinds_of_values():
    """Texts first, digits by being equal, numbers by their companded distance."""
    spec = TaskSpec(
        "toy.kinds",
        (
            ItemSpec("cell", Kind.DISCRETE, (2,), "int32", radix=(9, 9)),
            ItemSpec("place", Kind.CONTINUOUS, ()),
            ItemSpec("what", Kind.TEXT, (), "str"),
        ),
        ItemSpec("action", Kind.DISCRETE, (), "int32", num_values=9),
        10,
    )
    observations = {
        "cell": np.array([[1, 1], [8, 1], [1, 1], [1, 1]]),
        "place": np.array([0.0, 0.0, 1.0, 0.0], np.float32),
        "what": np.array(["go", "go", "go", "stop"]),
    }
    labels = np.arange(4)
    player = neighbour.NearestNeighbour(spec, Demonstrations(["a"], np.array([4]), observations, labels, labels, 1))
    asked = [
        {"cell": np.array([2, 1]), "place": np.float32(0.05), "what": "go"},  # as far from 1 as from 8
        {"cell": np.array([8, 1]), "place": np.float32(0.9), "what": "go"},
        {"cell": np.array([1, 1]), "place": np.float32(0.9), "what": "go"},
        {"cell": np.array([1, 1]), "place": np.float32(0.1), "what": "stop"},
        {"cell": np.array([8, 1]), "place": np.float32(0.0), "what": "never heard"},
        {"cell": np.array([8, 1]), "place": np.float32(np.nan), "what": "go"},
    ]
    player.reset(range(6))
    assert player.act(asked)[:5].tolist() == [0, 1, 2, 3, 1]
    assert list(player.failures) == [5]
    picture = TaskSpec("toy.seen", (ItemSpec("frame", Kind.IMAGE, (16, 16, 3), "uint8"),), spec.action, 10)
    assert neighbour.why_not(picture) == "observations are pictures (frame)"


def test_baselines_stand_beside_the_scores(evaluated, run, recorded_data):
    from rich.console import Console

    from gato_jax.evaluation.report.report import write_report

    result, out = evaluated
    (score,) = result.tasks
    baseline = score.baseline
    assert baseline.name == "1-NN"
    assert len(baseline.returns) == 3
    assert baseline.low <= baseline.percent <= baseline.high
    assert baseline.searched["episodes"] == baseline.searched["recorded"] == 12
    assert baseline.percent > score.percent, "untrained weights"
    assert json.loads((out / "evaluation.json").read_text())["tasks"][0]["baseline"]["percent"] == baseline.percent
    console = Console(width=100, record=True)
    console.print(result.table())
    text = console.export_text()
    assert "1-NN" in text
    assert f"below 1-NN play, of 1: {BABYAI}" in " ".join(text.split())
    page = write_report(run, evaluation=out, out=out / "report.html", films=False).read_text()
    assert "1-NN" in page
    assert "the first timesteps of recorded episodes" in page
    assert score.others["random"].percent < score.others["expert"].percent
    assert len(score.others["expert"].returns) == 3
    assert (out / "policies" / "expert" / f"{BABYAI}.npz").is_file()
    assert "expert: mean" in " ".join(text.split())
    jobs = Jobs(weights="", data="", episodes=1, environments=1, first_seed=0, out="", settings={})
    contender = baselines.nearest_neighbour(jobs, [BABYAI, "dm_control.cartpole_balance"], str(recorded_data))
    assert contender.tasks == [BABYAI]
    assert "is not recorded" in contender.why_not["dm_control.cartpole_balance"]
    assert baselines.policy("expert", jobs, [BABYAI, "modular_rl.no_such_body"]).tasks == [BABYAI]
