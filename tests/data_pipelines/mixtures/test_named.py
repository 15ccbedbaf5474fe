"""Table 1 as data, and mixtures over what is there."""

import importlib.util
import pathlib

import pytest

from data_pipelines.mixtures.named import NAMED, MixtureError, load, resolve
from data_pipelines.mixtures.table1 import CONTROL, ROWS, VISION_LANGUAGE
from data_pipelines.mixtures.table1_names import DMLAB
from data_pipelines.mixtures.table1_tasks import without
from data_pipelines.suites.catalog import catalog, suites

PRESENT = ("atari.boxing", "atari.pong", "babyai.go_to_obj", "metaworld.door_close", "metaworld.drawer_close", "text.a")


def test_sums_of_the_paper():
    """The printed rows sum to a little less than the printed totals of 85.3 and 14.7 percent."""
    assert len(CONTROL) == 16
    assert len(VISION_LANGUAGE) == 8
    assert sum(row.weight for row in CONTROL) == pytest.approx(85.21)
    assert sum(row.weight for row in VISION_LANGUAGE) == pytest.approx(14.72)
    assert sum(row.tasks for row in CONTROL) == 596
    assert sum(row.tokens for row in CONTROL) == pytest.approx(1.61e12, rel=0.005)


def test_rows_list_as_many_tasks_as_the_paper_counts():
    few = {  # Fewer are public; without cartpole_swingup; five triplets and imports of them for one task.
        "DM Lab": len(DMLAB), "DM Control Suite Pixels": 27, "RGB Stacking simulator": 6,
    }  # fmt: skip
    for row in CONTROL:
        assert len(row.names) == len(set(row.names)) == (few.get(row.name, row.tasks) if row.names else 0), row.name
        assert not set(row.names) & set(row.held_out), row.name
    with pytest.raises(ValueError, match=r"expected names of the list, found \['pongg'\]"):
        without(("pong",), "pongg")


def test_tasks_of_ours_stand_for_one_row_at_most():
    """The quickstart's stand for one each; levels beyond a row's list join none, and that is said."""
    for name, task in catalog().items():
        rows = [row.name for row in ROWS if row.holds(name)]
        assert len(rows) <= (not task.held_out), name
        if task.default and not name.startswith(("text.", "vqa.")):
            assert len(rows) == 1, name
    unused = resolve("gato", ["babyai.key_corridor_s6r3", "atari.skiing", "babyai.go_to", "modular_rl.mine"]).unused
    assert unused == {
        "babyai.key_corridor_s6r3": "it is none of the tasks that BabyAI names; a mixture of your own may name it",
        "atari.skiing": "it is none of the tasks that ALE Atari names; a mixture of your own may name it",
        "modular_rl.mine": "it is none of the tasks that Modular RL names; a mixture of your own may name it",
    }


def test_names_of_rows_exist_where_there_is_a_simulator():
    imported = {"rgb_stacking_sim.rgb_stacking"}
    domains = {suite.domain for suite in suites()}
    for row in CONTROL:
        names = [name for name in row.names if name.partition(".")[0] in domains and name not in imported]
        assert not [name for name in names if name not in catalog()], row.name


def test_games_that_are_chosen_are_those_of_the_reason():
    (tfds,) = importlib.util.find_spec("tensorflow_datasets").submodule_search_locations
    source = (pathlib.Path(tfds) / "rl_unplugged" / "atari_utils.py").read_text()
    games = source.partition("_GAMES = [")[2].partition("]")[0].split(",")
    unplugged = {game.strip(" '\n").lower() for game in games}
    beyond = {"berzerk", "phoenix", "pitfall", "skiing", "solaris", "surround", "yars_revenge"}
    chosen = {name.partition(".")[2] for name in next(row for row in CONTROL if row.name == "ALE Atari").names}
    assert chosen & beyond == {game for game in beyond if game.replace("_", "") in unplugged}


def test_a_row_is_dealt_over_its_tasks_and_the_absent_are_named():
    resolved = resolve("gato_control", PRESENT)
    total = sum(row.weight for row in CONTROL)
    assert resolved.shares["metaworld.door_close"] == pytest.approx(8.96 / 2 / total)
    assert resolved.shares["atari.pong"] == pytest.approx(9.5 / total)
    assert "atari.boxing" not in resolved.shares
    assert "DM Lab" in resolved.absent
    assert sum(resolved.shares.values()) + resolved.absent_share == pytest.approx(1)
    with pytest.raises(MixtureError, match=r"DM Lab \(10.97 %\)"):
        resolved.weights()
    weights = resolved.weights(renormalise=True)
    assert sum(weights.values()) == pytest.approx(1)
    assert weights["atari.pong"] / weights["babyai.go_to_obj"] == pytest.approx(9.5 / 9.06)


def test_a_file_nests_mixtures_and_has_a_temperature(tmp_path):
    inner, outer = tmp_path / "inner.yaml", tmp_path / "outer.yaml"
    inner.write_text("weights: {babyai.go_to_obj: 1, Meta-World: 3}\n")
    outer.write_text("weights: {inner.yaml: 16, text.a: 1}\ntemperature: 2\n")
    resolved = resolve(outer, PRESENT)
    assert resolved.shares == pytest.approx(
        {
            "babyai.go_to_obj": 4 / 5 / 4,
            "metaworld.door_close": 4 / 5 * 3 / 8,
            "metaworld.drawer_close": 4 / 5 * 3 / 8,
            "text.a": 1 / 5,
        }
    )
    assert resolved.weights() == pytest.approx(dict(resolved.shares))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("weights: {}", "at least one member"),
        ("weights: {text.a: -1}", r"weights\['text.a'\]: expected a positive number, found -1"),
        ("weights: {text.a: true}", "expected a positive number, found True"),
        ("weights: {text.a: 1}\ntemperature: 0", "temperature: expected a positive number, found 0"),
        ("weights: {text.a: 1}\ntemprature: 2", "no key 'temprature'; nearest: \\['temperature'\\]"),
        ("weights: {gato_contrl: 1}", "'gato_contrl'; nearest: \\['gato_control'"),
        ("weights: {Meta-World: 1, metaworld.door_close: 1}", "is named by 'Meta-World' and by 'metaworld.door_close'"),
        ("weights: {text.a: 1}\nschedule: {0: {text.a: 1}}", "schedule: expected steps above 0, found 0"),
        ("weights: {text.a: 1}\nschedule: {9: {text.a: no}}", r"schedule\[9\]\['text.a'\]: expected a positive number"),
        ("weights: {text.a: 1}\nschedule: [1]", "schedule: expected steps with their weights, found \\[1\\]"),
        ("- 1", "expected a mapping with `weights`"),
        ("weights: [", "mixture file"),
    ],
)
def test_what_is_wrong_is_named(text, message, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(MixtureError, match=message):
        resolve(path, PRESENT)


def test_a_mixture_inside_itself_is_refused(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(f"weights: {{'{path}': 1}}")
    with pytest.raises(MixtureError, match="holds itself"):
        resolve(path, PRESENT)


def test_unknown_names():
    with pytest.raises(MixtureError, match="nearest names: \\['gato"):
        load("gatto")
    with pytest.raises(MixtureError, match="none of its members"):
        resolve("gato", ()).weights(renormalise=True)
    assert {"gato", "gato_control", "gato_vision_language", "quickstart", "ale_atari_extended", "vqav2"} < set(NAMED)


def test_patterns_leave_out_what_the_paper_holds_out():
    shares = resolve("quickstart", PRESENT).shares
    assert "atari.boxing" not in shares
    assert shares["atari.pong"] == pytest.approx(8 / 80)
    assert shares["metaworld.door_close"] == shares["metaworld.drawer_close"] == pytest.approx(8 / 80)


def test_a_file_has_phases(tmp_path):
    path = tmp_path / "phases.yaml"
    path.write_text("weights: {text.a: 1}\nschedule: {200: {text.a: 1, Meta-World: 3, ALE Atari Extended: 4}}\n")
    resolved = resolve(path, PRESENT)
    assert resolved.weights() == {"metaworld.door_close": 0, "metaworld.drawer_close": 0, "text.a": 1}
    with pytest.raises(MixtureError, match=r"from step 200: 50.0 % of its weight is absent: ALE Atari Extended"):
        resolved.schedule()
    (phase,) = resolved.schedule(renormalise=True)
    assert phase.step == 200
    assert phase.weights == pytest.approx(
        {"metaworld.door_close": 3 / 8, "metaworld.drawer_close": 3 / 8, "text.a": 1 / 4}
    )
    outer = tmp_path / "outer.yaml"
    outer.write_text("weights: {phases.yaml: 1, babyai.go_to_obj: 1}")
    with pytest.raises(MixtureError, match="has a schedule, so it cannot be a member"):
        resolve(outer, PRESENT)


def test_phases_may_name_a_task_by_other_members(tmp_path):
    path = tmp_path / "phases.yaml"
    path.write_text("weights: {Meta-World: 1}\nschedule: {200: {metaworld.door_close: 3, 'metaworld.d*r_close': 1}}\n")
    with pytest.raises(MixtureError, match=r"by 'metaworld.door_close' and by 'metaworld.d"):
        resolve(path, PRESENT)
    path.write_text("weights: {Meta-World: 1}\nschedule: {200: {metaworld.door_close: 3, text.a: 1}}\n")
    resolved = resolve(path, PRESENT)
    assert resolved.origin == {
        "metaworld.door_close": "Meta-World",
        "metaworld.drawer_close": "Meta-World",
        "text.a": "text.a",
    }
    assert resolved.schedule()[0].weights == {"metaworld.door_close": 0.75, "metaworld.drawer_close": 0, "text.a": 0.25}


def test_tasks_that_no_member_names():
    resolved = resolve("gato", [*PRESENT, "captions.mine", "my_robot.reach"])
    assert resolved.unused == {
        "atari.boxing": "the paper holds it out",
        "captions.mine": "it stands for no row of Table 1; captions.align* for ALIGN, captions.coco* for MS-COCO "
        "Captions, captions.conceptual* for Conceptual Captions, captions.ltip* for LTIP do",
        "my_robot.reach": "it stands for no row of Table 1",
    }
    assert sorted([*resolved.tasks, *resolved.unused]) == sorted([*PRESENT, "captions.mine", "my_robot.reach"])
    assert resolve("ale_atari", PRESENT).unused["babyai.go_to_obj"] == "it stands for BabyAI"
    assert resolve("gato", [name for name in PRESENT if name != "atari.boxing"]).unused == {}
