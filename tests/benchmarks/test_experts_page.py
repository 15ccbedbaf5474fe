"""The page of demonstrators: how many count, what fell short and what was tried, where chance was scored."""

import json

from benchmarks import experts_page
from benchmarks.experts import score
from data_pipelines.suites import catalog


def test_the_page_sums_up_and_says_what_fell_short(tmp_path):
    results, page = tmp_path / "experts", tmp_path / "docs" / "experts.md"
    results.mkdir()
    for name, returns in (("dm_control.reacher_easy", [900.0, 950.0]), ("metaworld.box_close", [0.0, 1.0])):
        of = {"expert": returns, "random": [1.0, 2.0] if name.startswith("dm") else [0.0, 0.0]}
        records = [
            {"who": who, "return": value, "seconds": 1.0}
            | ({"success": value == 1.0} if name.startswith("meta") else {})
            for who, values in of.items()
            for value in values
        ]
        made = {"settings": {"episodes": 2}, "versions": {"mujoco": "3"}, "date": "today", "machine": "this"}
        (results / f"{name}.json").write_text(json.dumps(score(catalog.get(name), records, 2) | made))
    (tmp_path / "random.json").write_text(json.dumps({"tasks": {"vizdoom.basic": {"returns": [1.0], "versions": {}}}}))
    experts_page.write(results, page)
    lines = page.read_text().splitlines()
    assert "**1 of 2 measured experts count**; tasks that repeat another in another mode are left out." in lines
    assert "| dm_control | 1 | 1 | 1 | privileged: the simulator's state and future |" in lines
    assert "| vizdoom | 0 | 0 | 1 |  |" in lines
    assert "| all | 2 | 1 | 3 | |" in lines
    assert "| metaworld.box_close | 50% | 80% | Meta-World's own policy, as it is shipped |" in lines
    assert (page.parent / "images" / "experts.png").stat().st_size > 1000
