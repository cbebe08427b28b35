"""Tables, verdicts and boxes: their text, their HTML, their colours."""

import re

import pytest
from tables import rows

from helpers.table import Judged, table, verdict_box

EVIL = "<script>alert('a & b')</script>"
SHOWN = "&lt;script&gt;alert(&#x27;a &amp; b&#x27;)&lt;/script&gt;"
READABLE = 7
"""WCAG 2.2's enhanced contrast (AAA) of text and its ground."""


def luminance(colour: str) -> float:
    """Source: https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def colours(html: str) -> tuple[str, str]:
    """The ground and the text of the one coloured element: both are its own, on any page."""
    ((ground, text),) = re.findall("background: (#[0-9a-f]{6});.*? color: (#[0-9a-f]{6})", html)
    return ground, text


def test_the_ratio_is_the_one_that_wcag_defines() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("right", [True, False])
def test_what_is_coloured_reads_well(right: bool) -> None:
    chip = Judged("ALLOWED", right).html
    assert contrast(*colours(chip)) >= READABLE
    assert colours(chip) == colours(verdict_box(right, "Well done.").html)


def test_colour_never_speaks_alone() -> None:
    good, bad = Judged("ALLOWED", right=True), Judged("ALLOWED", right=False)
    assert [str(good), str(bad)] == ["✓ ALLOWED", "✗ ALLOWED"]
    assert colours(good.html) != colours(bad.html)
    for each in (good, bad):
        assert f">{str(each).replace(' ', '&nbsp;')}<" in each.html
        assert each.html in table(["One"], [[each]]).html
    assert "<b>✗ Not yet.</b>" in verdict_box(False, "Not yet.").html


def test_all_text_is_escaped() -> None:
    shown = table([EVIL], [[EVIL], [Judged(EVIL, right=True)]])
    assert shown.html.count(SHOWN) == 3
    assert verdict_box(False, EVIL, [EVIL]).html.count(SHOWN) == 2
    assert EVIL not in shown.html + verdict_box(False, EVIL, [EVIL]).html
    assert rows(shown) == [[EVIL], [f"✓ {EVIL}"]]


def test_a_table_is_left_aligned_and_any_value_can_stand_in_it() -> None:
    shown = table(["One", "Two"], [(1, None), ("a", Judged("no", right=False))])
    assert shown._repr_html_() == shown.html
    assert shown.html.count("text-align: left") == 6
    assert [shown.html.count(f'<th scope="{of}"') for of in ("col", "row")] == [2, 2]
    assert shown.html.count("<tr>") == 3
    assert "\n\n" not in shown.html  # where Markdown's HTML would end
    assert repr(shown) == (
        "+-----+------+\n| One | Two  |\n+-----+------+\n"
        "| 1   | None |\n| a   | ✗ no |\n+-----+------+"
    )
    assert rows(table(["One"], [])) == []


def test_a_box_is_one_line_of_text_and_a_paragraph_for_each_sentence() -> None:
    box = verdict_box(True, "Well done.", ["It works.", "On to 02."])
    assert repr(box) == "✓ Well done. It works. On to 02."
    assert "<div>It works.</div><div>On to 02.</div>" in box.html
