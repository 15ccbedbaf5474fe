"""A file of tasks: names, globs, numbers, comments, and what is wrong in it by its line."""

import pytest

from data_pipelines.recording.plan.task_list import read_task_list


def test_names_globs_numbers_and_comments(tmp_path):
    file = tmp_path / "tasks.txt"
    file.write_text(
        "# levels\nbabyai.go_to_obj* 30\n\nbabyai.go_to_obj 5  # fewer\nsokoban.boxoban\ngymnasium:Taxi-v3\n"
    )
    words, counts = read_task_list(file)
    assert words == ("babyai.go_to_obj*", "babyai.go_to_obj", "sokoban.boxoban", "gymnasium:Taxi-v3")
    assert counts["babyai.go_to_obj"] == 5
    assert counts["babyai.go_to_obj_s4"] == 30
    assert "sokoban.boxoban" not in counts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("babyai.go_to_obj\nbabyai.goto_obj 3", "line 2: unknown task 'babyai.goto_obj'; did you mean"),
        ("babyai.go_to_obj many", "line 1: expected a number of episodes, found 'many'"),
        ("babyai.go_to_obj 0", "line 1: expected a number of episodes, found '0'"),
        ("babyai.go_to_obj 3 4", "line 1: expected a task and perhaps a number of episodes, found 'babyai.go"),
        ("gymnasium:Taxi-v3 4", "line 1: a world of your own takes the number of episodes from --episodes"),
        ("# nothing\n", "expected names of tasks, one a line, found none"),
    ],
)
def test_what_is_wrong_is_named_by_its_line(tmp_path, text, message):
    file = tmp_path / "tasks.txt"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"tasks\.txt") as error:
        read_task_list(file)
    assert message in str(error.value)
