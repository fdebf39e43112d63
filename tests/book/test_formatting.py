import math

import pytest

from dsn_book.formatting import minus, number


@pytest.mark.parametrize(
    ("value", "sign", "text"),
    [
        (-1.25, "", "−1.25"),
        (1.5, "", "1.50"),
        (1.5, "+", "+1.50"),
        (-0.001, "", "0.00"),
        (0.004, "+", "0.00"),
        (math.nan, "", "not defined"),
        (math.inf, "+", "not defined"),
    ],
)
def test_numbers_for_reading(value: float, sign: str, text: str) -> None:
    assert number(value, 2, sign) == text


def test_words_for_what_is_no_number_can_be_chosen() -> None:
    assert number(math.nan, 1, nan="–") == "–"


def test_minus_signs_are_real() -> None:
    assert minus("-5 to -0.1") == "−5 to −0.1"
