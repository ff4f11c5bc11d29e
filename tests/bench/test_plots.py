"""Plots have the figures of their table, as text and in words, and are readable on light and on dark pages."""

import re
from xml.etree import ElementTree as ET

import pytest

from bench import plots, readme
from bench.plots import Plot, number

SVG = "{http://www.w3.org/2000/svg}"
RESULTS = """\
# Accord and its peers

2026-11-21, a machine.

## On PostgreSQL

| Product by id, with tags | requests/s | FastAPI = 1 |  busy |
|--------------------------|-----------:|------------:|------:|
| **Accord**               |      4,000 |        4.00 |   95% |
| Bare <ASGI>              |      8,000 |        8.00 | 50% ¹ |

| Mixed traffic: reads; two workers | requests/s | FastAPI = 1 | p50 ms | p99 ms | p99.9 ms |
|----------------------------|-----------:|------------:|-------:|-------:|---------:|
| **Accord**                 |      4,000 |        4.00 |    1.0 |    2.0 |     10.0 |

## Memory and start

| Memory in MB | RSS after start | PSS after start | PSS after 100 requests |
|--------------|----------------:|----------------:|-----------------------:|
| **Accord**   |             100 |              90 |                    120 |

| `main.py --help` | minimum s | median s |
|------------------|----------:|---------:|
| **Accord**       |      0.20 |     0.30 |

## Method

Words.
"""
BY_ID, MIXED, MEMORY, HELP = plots.plots(RESULTS)


@pytest.mark.parametrize(("cell", "expected"), [("1,234", 1234), ("66% ¹", 66), ("0.30", 0.3), ("", 0)])
def test_number_of_a_cell(cell, expected):
    assert number(cell) == expected


def test_each_table_has_its_plot():
    assert [plot.name for plot in plots.plots(RESULTS)] == [
        "postgresql-product-by-id", "postgresql-mixed-traffic", "memory-in-mb", "main-py-help",
    ]  # fmt: skip
    assert [plot.series for plot in (BY_ID, MIXED, MEMORY, HELP)] == [
        ("requests/s",), ("p50 ms", "p99 ms", "p99.9 ms"), ["PSS after start", "PSS after 100 requests"], ("median s",),
    ]  # fmt: skip


def test_lengths_of_bars_are_in_proportion():
    widths = [float(bar.get("width")) for bar in ET.fromstring(BY_ID.svg()).iter(f"{SVG}rect")]
    assert widths[1] == pytest.approx(2 * widths[0], rel=0.01)


def test_figures_are_text_and_in_the_description():
    image = ET.fromstring(MIXED.svg())
    texts = [text.text for text in image.iter(f"{SVG}text")]
    assert {"Accord", "1.0", "2.0", "10.0", "p50 ms · p99 ms · p99.9 ms"} <= {*texts}
    assert image.find(f"{SVG}desc").text == "Accord: 1.0 p50 ms, 2.0 p99 ms, 10.0 p99.9 ms."
    assert image.find(f"{SVG}title").text == "Mixed traffic: reads; two workers, on PostgreSQL"
    named = {image.find(f"{SVG}{name}").get("id") for name in ("title", "desc")}
    assert (image.get("role"), {*image.get("aria-labelledby").split()}) == ("img", named)


def test_labels_have_room_for_their_letters():
    long = Plot("long", "Long", ("s",), [("Accord, without the response cache on SQLite", ["1"]), ("Short", ["2"])])
    for label in ET.fromstring(long.svg()).iterfind(f"{SVG}text[@text-anchor='end']"):
        assert float(label.get("x")) >= 7.7 * len(label.text)


def test_bars_are_inside_of_the_image():
    for plot in (BY_ID, MIXED, MEMORY, HELP):
        image = ET.fromstring(plot.svg())
        width, height = (float(image.get(name)) for name in ("width", "height"))
        for bar in image.iter(f"{SVG}rect"):
            assert float(bar.get("x")) + float(bar.get("width")) <= width
            assert float(bar.get("y")) + float(bar.get("height")) <= height


def test_colours_are_those_of_the_page():
    text = BY_ID.svg()
    assert "@media (prefers-color-scheme: dark)" in text
    dark = text.partition("@media")[2]
    for selector in ("text", ".note", "rect", "rect.own"):
        assert re.search(rf"^  {re.escape(selector)} {{ fill: ", dark, re.MULTILINE), selector
    assert not re.search(r'(?:fill|style)="', text)


def test_labels_are_escaped():
    assert "Bare &lt;ASGI&gt;" in BY_ID.svg()


def test_plot_of_nothing_has_bars_of_least_length():
    assert 'width="1.0"' in Plot("none", "None", ("s",), [("Accord", [""])]).svg()


def test_old_plots_are_deleted(tmp_path):
    tmp_path.joinpath("gone.svg").write_text("", "utf-8")
    plots.write(RESULTS, tmp_path)
    assert {file.stem for file in tmp_path.iterdir()} == {plot.name for plot in plots.plots(RESULTS)}


def test_section_of_the_readme_has_tables_and_images():
    section = readme.performance(RESULTS)
    assert "| **Accord** | 4,000 (4.00) | 4,000 (4.00) |" in section
    assert "| Bare <ASGI> | 8,000 (8.00) |  |" in section
    assert "(bench/plots/postgresql-product-by-id.svg)" in section
    assert readme.all_plots(RESULTS).count("](plots/") == 4


def test_section_of_the_readme_has_spreads_if_the_results_have_them():
    assert "±" not in readme.performance(RESULTS)
    text = RESULTS.replace("| requests/s | FastAPI = 1 |  busy |", "| requests/s | FastAPI = 1 |     ± |")
    section = readme.performance(text)
    assert "4,000 ±95% (4.00)" in section
    assert "± is half the difference" in section


def test_plots_in_the_repository_are_those_of_the_results():
    text = readme.RESULTS.read_text("utf-8")
    stored = {file.stem: file.read_text("utf-8") for file in readme.PLOTS.glob("*.svg")}
    assert stored == {plot.name: plot.svg() for plot in plots.plots(text)}, "run `python -m bench.readme`"
    assert readme.all_plots(text) in readme.BENCH_README.read_text("utf-8"), "run `python -m bench.readme`"
