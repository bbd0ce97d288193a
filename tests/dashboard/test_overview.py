"""The page Overview: its figures are the store's, and each leads to the requests behind it."""

import re
from html import unescape
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.server.dashboard.charts import HEIGHT, WIDTH, bars, lines
from omniroute.server.store.key_terms import KeyTerms
from tests.dashboard.visiting import Visitor, words_of
from tests.store.test_pieces import DAYS_S, keep, mixed
from tests.store.test_usage import NOON, at_once
from tests.v1.whole import client, opened

pytestmark = pytest.mark.anyio

PAGE = "/dashboard"
WINDOW = f"since={int(NOON) - 3_600}&until={int(NOON) + DAYS_S}"
FIGURE = re.compile(
    r'figure-label">([^<]*)</p>\s*<p class="figure-value">(?:<a href="([^"]*)">)?([^<]*)', re.S
)
ROW = re.compile(r'<td class="num"><a href="([^"]*)">([\d,]+)</a></td>')
STEP = re.compile(r'<td><a href="([^"]*)">([\d,]+)</a>')
LISTED = re.compile(r'<th scope="row"><a href="/dashboard/requests/')


async def listed(visitor: Visitor, path: str) -> int:
    """Give how many requests a list has, over all of its pages."""
    number = 0
    while path:
        page = await visitor.open(path)
        number += len(LISTED.findall(page))
        onward = re.search(r'rel="next" href="([^"]*)"', page)
        path = f"/dashboard/requests{unescape(onward[1])}" if onward else ""
    return number


async def test_every_figure_leads_to_as_many_requests_as_it_counts(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        await keep(gateway.parts.storage.database, mixed(150))
        visitor = Visitor(http, gateway.token)
        page = await visitor.open(f"{PAGE}?{WINDOW}")
        told = await visitor.api(f"/api/usage/overview?{WINDOW}")
        figures = {name: (unescape(link), value) for name, link, value in FIGURE.findall(page)}
        counted = {
            name: (int(figures[name][1]), await listed(visitor, figures[name][0]))
            for name in ("Requests", "Errors", "Cost unknown", "Cache hits")
        }
        parts = [(int(value), unescape(link)) for link, value in ROW.findall(page)]
        steps = await visitor.open(f"{PAGE}?{WINDOW}&table=time")
        parts += [(int(value), unescape(link)) for link, value in STEP.findall(steps)][::9]
        found = [(number, await listed(visitor, link)) for number, link in parts]

    whole = told["whole"]
    assert isinstance(whole, dict)
    assert counted["Requests"] == (150, 150)
    assert counted["Errors"] == (whole["failed"] + whole["refused"],) * 2
    assert counted["Cost unknown"] == (whole["unpricedRequests"],) * 2
    assert counted["Cache hits"] == (whole["cachedRequests"],) * 2
    assert len(parts) > 12
    assert sum(int(value) for _, value in STEP.findall(steps)) == 150
    assert [one for one in found if one[0] != one[1]] == []
    assert all(link for link, _ in figures.values())


async def test_charts_have_words_for_who_cannot_see_them_and_a_table(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        await keep(gateway.parts.storage.database, mixed(60))
        visitor = Visitor(http, gateway.token)
        page = await visitor.open(f"{PAGE}?{WINDOW}")
        link = next(one for one in re.findall(r'href="(\?[^"]*)"', page) if "table=time" in one)
        told = await visitor.open(f"{PAGE}{unescape(link)}")

    charts = re.findall(r'<svg class="chart-drawn" [^>]*role="img" aria-labelledby="([^"]*)"', page)
    assert len(charts) == 3
    assert all(f'id="{one}"' in page for names in charts for one in names.split())
    assert "60 requests in all" in words_of(page)
    assert len(STEP.findall(told)) > 20
    assert 'class="chart-drawn"' not in told
    assert len(page.encode()) < 60_000


async def test_a_window_without_requests_says_what_to_do(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        empty = await visitor.open(PAGE)
        old = await visitor.open(f"{PAGE}?since=5&until=1")

    assert "Nothing was asked for in this window" in words_of(empty)
    assert "Nothing was asked for in this window" in words_of(old)
    assert 'class="chart-drawn"' not in empty


async def test_a_cost_that_is_not_known_is_drawn_as_unknown(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        await keep(
            gateway.parts.storage.database,
            [at_once("r1", at_unix_s=NOON + 1, cost_usd_nanos=None, first_content_s=None)],
        )
        page = await Visitor(http, gateway.token).open(f"{PAGE}?{WINDOW}")

    figures = {name: value for name, _, value in FIGURE.findall(page)}
    assert figures["Cost"] == "–"  # noqa: RUF001 - what stands for the unknown
    assert figures["Cost unknown"] == "1"
    assert figures["First token, half of them"] == "–"  # noqa: RUF001


async def test_names_of_models_and_keys_are_text_and_narrow_the_page(tmp_path: Path) -> None:
    hostile = '"><script>alert(1)</script>'
    async with opened(tmp_path) as gateway, client(gateway) as http:
        made = [at_once(f"r{one}", hostile, at_unix_s=NOON + one) for one in range(3)]
        other = at_once("other", "key-2", at_unix_s=NOON + 9)
        await keep(gateway.parts.storage.database, [*made, other])
        visitor = Visitor(http, gateway.token)
        page = await visitor.open(f"{PAGE}?{WINDOW}")
        link = next(
            one for one in re.findall(r'href="(\?[^"]*key=[^"]*)"', page) if "script" in one
        )
        narrowed = await visitor.open(f"{PAGE}{unescape(link)}")

    assert "<script>alert" not in page + narrowed
    assert {name: value for name, _, value in FIGURE.findall(narrowed)}["Requests"] == "3"


async def test_a_table_of_many_shows_the_most_used_and_all_when_asked(tmp_path: Path) -> None:
    made = [at_once(f"r{one}", f"key-{one % 30:02}", at_unix_s=NOON + one) for one in range(45)]
    async with opened(tmp_path) as gateway, client(gateway) as http:
        await keep(gateway.parts.storage.database, made)
        visitor = Visitor(http, gateway.token)
        page = await visitor.open(f"{PAGE}?{WINDOW}")
        alone = await visitor.open(f"{PAGE}?{WINDOW}&table=key")

    assert "18 more" in words_of(page)
    assert "key-29" not in words_of(page)
    assert "key-29" in words_of(alone)
    assert "By model" not in words_of(alone)


async def test_a_key_without_the_scope_for_usage_sees_no_figures(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        keys = gateway.parts.storage.keys
        terms = KeyTerms(name="blind", scopes=("write:route",))
        blind = (await keys.create(terms, actor="test")).text
        answer = await http.get(PAGE, headers={"authorization": f"Bearer {blind}"})

    assert answer.status_code == 403
    assert "read:usage" in answer.text


def test_bars_stand_on_each_other_and_the_highest_fills_the_height() -> None:
    drawn = bars(("note", [3, 0, 1]), ("bad", [1, 0, 0]))

    assert drawn.top == 4
    assert [kind for kind, _ in drawn.bars] == ["note", "bad"]
    assert drawn.bars[0][1].count("M") == 2
    assert drawn.bars[1][1] == f"M18 {HEIGHT / 4:g}h204v-{HEIGHT / 4:g}h-204z"
    assert bars(("note", [0, 0])) == bars(("note", []))


def test_a_line_is_broken_where_nothing_was_measured() -> None:
    drawn = lines(("note", [1.0, 2.0, None, 4.0]))

    ((_, path),) = drawn.lines
    assert path.count("M") == 2
    assert path.endswith(f"M{WIDTH * 3.5 / 4:g} 0h.5")
    assert lines(("note", [None, None])).lines == ()


@given(st.lists(st.floats(0, 1e6, allow_nan=False) | st.none(), max_size=50))
def test_lines_stay_within_the_chart(values: list[float | None]) -> None:
    drawn = lines(("note", values)) if values else lines(("note", [None]))

    numbers = [float(one) for _, path in drawn.lines for one in re.findall(r" (-?[\d.]+)", path)]
    assert all(0 <= one <= HEIGHT for one in numbers)
