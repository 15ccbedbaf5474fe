"""SVG that is well formed, with every point where it belongs."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from gato_jax.studies.report import charts
from gato_jax.studies.report.charts import Dot, Line


def elements(svg, tag):
    return [element for element in ElementTree.fromstring(svg).iter() if element.tag == tag]


def test_a_plot_has_its_points_bars_and_lines():
    dots = [Dot(1, 2, "fit", "a<b"), Dot(2, 3, "held_out", "b", 2.5, 3.5, label="b & c")]
    svg = charts.plot(dots, [Line([1, 2], [2, 3], "proposal", "law")], x_label="x", y_label="y", diagonal=True)
    circles = elements(svg, "circle")
    assert [circle.get("class") for circle in circles] == ["point fit", "point held_out"]
    x, y = ([float(circle.get(key)) for circle in circles] for key in ("cx", "cy"))
    assert x[0] < x[1]
    assert y[0] > y[1]
    whisker = next(line for line in elements(svg, "line") if line.get("class").startswith("whisker"))
    assert float(whisker.get("y2")) < y[1] < float(whisker.get("y1"))
    assert len(elements(svg, "polyline")) == 1
    assert charts.plot([], x_label="x", y_label="y").startswith("<p")


def test_a_triangle_puts_a_corner_in_its_corner():
    dots = [((0.98, 0.01, 0.01), 1.0, "a"), ((0.01, 0.98, 0.01), 2.0, "b"), ((0.01, 0.01, 0.98), 3.0, "c")]
    surface = lambda shares: np.where(shares[:, 0] > 0.5, np.nan, shares[:, 1])  # noqa: E731
    svg = charts.ternary(["one", "two", "three"], dots, surface, label="loss", cells=10)
    assert len(elements(svg, "polygon")) == 1 + np.sum(10**2) - 25
    (ax, ay), (bx, by), (cx, cy) = ((float(c.get("cx")), float(c.get("cy"))) for c in elements(svg, "circle"))
    assert ax < cx < bx
    assert cy < ay == pytest.approx(by)


def test_shades_run_from_good_over_the_card_to_bad():
    assert charts.shade(0) == charts.shade(-1) == "color-mix(in srgb,var(--good) 75%,var(--card))"
    assert " 0%" in charts.shade(0.5)
    assert charts.shade(2) == "color-mix(in srgb,var(--bad) 75%,var(--card))"
    assert "var(--good) 28%" in charts.heat(-0.5, "x", diverging=True)
    assert charts.heat(float("nan"), "x") == '<td class="heat soft">-</td>'
