"""Samples become medians, spreads and ratios, and tables that can be read again."""

import pytest

from bench import results
from bench.install import HERE, Checkout
from bench.measurements import Conditions, with_workers
from bench.results import Column, Ratio, document, ratio_table, spread, tables
from bench.revision import Revision, twin
from bench.servers import ACCORD, ACCORD_SQLITE, ACCORD_UNCACHED, FASTAPI, LIMIT, PEERS
from bench.tables import parse, render

CONDITIONS = Conditions(rounds=3, seconds=2.0, connections=32, memory_requests=1000)


def throughput(*rates, cpu=100.0, busy=0.95):
    return [
        {"per_second": rate, "cpu": cpu, "database_cpu": 5.0, "busy": busy, "p50": 1.0, "p99": 2.5, "p999": 9.0}
        for rate in rates
    ]


def test_spread_is_half_the_range_by_the_median():
    assert spread([90, 100, 120]) == pytest.approx(0.15)
    assert spread([7]) == 0


def test_column_is_relative_to_a_peer_that_was_measured():
    samples = {"accord": throughput(300, 500, 400), "fastapi": throughput(100, 80, 120)}
    column = Column("FastAPI = 1", "per_second", ".2f", relative_to="fastapi")
    assert column.cell(samples, "accord") == "4.00"
    assert column.cell({"accord": samples["accord"]}, "accord") == ""
    assert Column("", "rate").cell(samples, "accord") == ""


def test_ratios_are_of_each_round_and_of_the_best():
    cost = Ratio.of([50, 60, 45], [100, 100, 90])
    assert (cost.rounds, cost.best) == ([0.5, 0.6, 0.5], 0.5)
    rate = Ratio.of([300, 200], [100, 150], is_rate=True)
    assert (rate.rounds, rate.best) == ([3, pytest.approx(4 / 3)], 2)


def test_tables_are_read_as_they_are_written():
    samples = {
        ("accord", "by_id"): throughput(300, 500, 400),
        ("fastapi", "by_id"): throughput(100, 80, 120, busy=0.5),
        ("limit", "by_id"): throughput(800),
    }
    (table,) = parse(tables(samples, [ACCORD, FASTAPI, LIMIT], CONDITIONS))
    assert (table.section, table.title) == ("On PostgreSQL", "Product by id, with category and tags")
    assert list(table.rows) == [ACCORD.title, FASTAPI.title, LIMIT.title]
    accord = table.rows[ACCORD.title]
    assert (accord["requests/s"], accord["±"], accord["FastAPI = 1"], accord["limit"]) == ("400", "25%", "4.00", "50%")
    assert (accord["busy"], table.rows[FASTAPI.title]["busy"]) == ("95%", "50% ¹")


def test_measurement_without_samples_has_no_table():
    samples = {("accord-sqlite", "writer"): [{"per_second": 9.0, "writes": 2.0, "p50": 1, "p99": 2, "write_p50": 3,
                                              "write_p99": 4}]}  # fmt: skip
    (table,) = parse(tables(samples, PEERS, CONDITIONS))
    assert (table.section, list(table.rows)) == ("On SQLite", [ACCORD_SQLITE.title])


def test_costs_have_a_row_for_each_number_of_workers_and_database():
    start = [{"seconds": seconds, "cpu_seconds": 1.0} for seconds in (3.0, 1.0, 2.0)]
    names = ["accord", "accord-2", "accord-sqlite", "fastapi"]
    samples = {(name, "start"): start for name in names}
    (table,) = parse(tables(samples, [ACCORD, FASTAPI, ACCORD_SQLITE], CONDITIONS))
    assert table.section == "Memory and start"
    assert list(table.rows) == ["**Accord**", "**Accord**, two workers", FASTAPI.title, "**Accord** on SQLite"]
    assert (table.rows["**Accord**"]["minimum s"], table.rows["**Accord**"]["median s"]) == ("1.00", "2.00")


def test_two_workers_are_those_of_accord_with_its_usual_settings():
    assert [(peer.name, peer.workers) for peer in with_workers([ACCORD, ACCORD_UNCACHED, FASTAPI])] == [
        ("accord", 1), ("accord-2", 2), ("accord-uncached", 1), ("fastapi", 1),
    ]  # fmt: skip


def test_ratio_table_compares_this_revision_with_the_other():
    other = twin(ACCORD, Revision("v1", "0123456789abcdef", "Old"), Checkout(HERE.root, "python3"))
    assert other.name != ACCORD.name
    memory = {
        "rss_start": 100.0,
        "pss_start": 90.0,
        "rss_half": 0.0,
        "pss_half": 0.0,
        "rss_end": 200.0,
        "pss_end": 180.0,
    }
    samples = {
        (ACCORD.name, "by_id"): throughput(200, 210, cpu=50.0),
        (other.name, "by_id"): throughput(100, 100, cpu=100.0),
        (ACCORD.name, "memory"): [memory],
        (other.name, "memory"): [{name: value * 2 for name, value in memory.items()}],
    }
    text = ratio_table(samples, [(ACCORD, other)], "This against that.")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    assert "This against that." in text
    assert ["Accord (postgresql)", "by_id", "requests/s", "2.05", "2.00", "2.10", "2.10"] in rows
    assert ["Accord (postgresql)", "by_id", "CPU a request", "0.50", "0.50", "0.50", "0.50"] in rows
    assert ["Accord (postgresql)", "memory", "PSS after start", "0.50", "0.50", "0.50", "0.50"] in rows
    assert len(rows) == 2 + 3 + 4


def test_document_has_the_method_and_its_conditions():
    samples = {("fastapi", "health"): throughput(100)}
    text = document(samples, [FASTAPI], CONDITIONS, "## Ratios\n\nNone.")
    words = " ".join(text.split())
    assert "32 connections, the median of 3 rounds of 2 s" in words
    assert "after half of 1,000 requests" in words
    assert text.index("## On PostgreSQL") < text.index("## Ratios") < text.index("## Method")
    assert set(results._METRICS) >= {metric for metrics in results._RATIOS.values() for metric in metrics}


def test_column_without_content_is_left_out():
    assert render([["a", "b", "c"], ["x", "", "1"], ["y", "0", "2"]]).splitlines()[0] == "| a | c |"
