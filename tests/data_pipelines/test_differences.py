"""Where two descriptions differ, leaf by leaf."""

from data_pipelines.differences import difference_lines, differences

SAVED = {"table": [[0, {"a": 1.0}], [3, {"a": 2.0}]], "model": {"layers": 2, "width": 8}}
HERE = {"table": [[0, {"a": 1.0}], [3, {"a": 4.0}], [5, {}]], "model": {"layers": 5, "heads": 2, "width": 8}}


def test_lines_name_every_leaf():
    assert difference_lines(SAVED, HERE) == [
        "model.heads: '(absent)' -> 2",
        "model.layers: 2 -> 5",
        "table.1.1.a: 2.0 -> 4.0",
        "table.2: '(absent)' -> [5, {}]",
    ]
    assert difference_lines(SAVED, SAVED) == []


def test_a_list_may_be_a_leaf():
    entries = differences(SAVED, HERE, inside_lists=False, absent="absent")
    assert entries == [
        ("model.heads", "absent", 2),
        ("model.layers", 2, 5),
        ("table", SAVED["table"], HERE["table"]),
    ]
