"""One recorded task is shown without an experiment."""

import pytest

from data_pipelines.reports.batch_page import inspect_page
from data_pipelines.storage.recorded_tasks import DataError, recorded_tasks
from gato_jax.config.load import load_data, load_experiment


def test_every_recorded_task_has_rows_of_its_own(recorded_data):
    configs = {name: load_data(str(recorded_data / name)) for name in recorded_tasks(recorded_data)}
    assert len(configs) == 5
    for name, config in configs.items():
        (group,) = config.mixture.groups.values()
        assert (config.directory, group.tasks, dict(config.mixture.weights)) == (
            str(recorded_data),
            (name,),
            {name: 1.0},
        )
    # An observation of 39 numbers, the separator and 4 numbers of the action.
    assert configs["metaworld.drawer_close"].mixture.groups["task"].window_length == 16 * 44


def test_a_path_to_no_task_says_what_was_expected(recorded_data, tmp_path):
    expected = r"expected a recorded task \(DATA/TASK\), a run directory, or an experiment's \.py or \.json file"
    (tmp_path / "empty").mkdir()
    for path, ending in {
        tmp_path / "nope" / "task": f"; there is no directory {tmp_path}/nope",
        tmp_path / "empty": ", found a directory without spec.json",
        tmp_path / "nope": ", found nothing",
        recorded_data: f", found a data directory; name one of its tasks: {recorded_data}/babyai.go_to_obj",
        recorded_data / "babyai.go_obj": rf", found nothing; recorded in {recorded_data}: \['babyai.go_to_obj'.*\]",
    }.items():
        with pytest.raises(ValueError, match=f"^{path}: {expected}{ending}$"):
            load_data(str(path))


def test_a_page_of_one_task(outside_data):
    page = inspect_page(load_data(str(outside_data / "gymnasium.cartpole_v1")), rows=1)
    assert "observation[3] = " in page
    assert page.count("class=row") == 1


def test_the_guides_experiment(outsiders):
    path = outsiders / "cartpole_experiment.py"
    if not path.exists():
        pytest.skip("the code stands in docs/add-a-task.md, which an installed wheel does not have")
    (group,) = load_experiment(path).data.mixture.groups.values()
    assert (group.tasks, group.window_length) == (("gymnasium.cartpole_v1",), 48)


def test_a_task_that_is_not_whole(tmp_path):
    (tmp_path / "a.b").mkdir()
    (tmp_path / "a.b" / "spec.json").write_text("{}")
    with pytest.raises(DataError, match=r"tasks \['a\.b'\] are not recorded"):
        load_data(str(tmp_path / "a.b"))
