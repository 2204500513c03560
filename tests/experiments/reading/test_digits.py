"""A mean has the digits that its spread supports."""

import pytest

from flq_jax.experiments.reading import digits


@pytest.mark.parametrize(
    "values, text",
    [
        ([1.0, 3.0], "2.0 ± 1.4"),
        ([5.0], "5"),
        ([5.0, 5.0], "5"),
        ([1.0, None, 3.0], "2.0 ± 1.4 (2 of 3)"),
        ([None, None], "never"),
        ([0.0], "0"),
        ([0.123456], "0.1235"),
        # deviation 50 000 000^(1/2) = 7071
        ([690_000.0, 700_000.0], "695000 ± 7100"),
        ([69e6, 70e6], "(6.950 ± 0.071)e7"),
        ([2.5e9], "2.5e9"),
        ([1234567.0], "1.235e6"),
        ([2e-5, 4e-5], "(3.0 ± 1.4)e-5"),
        # 0.996 has two digits as 1.0: the mean ends at the tenth
        ([10.0, 10.0 + 0.996 * 2**0.5], "10.7 ± 1.0"),
    ],
)
def test_plain_text(values, text):
    assert digits.plain(values) == text


@pytest.mark.parametrize(
    "values, text",
    [
        ([90.7], "90.70"),
        ([90.7, 90.7], "90.70"),
        ([90.70, 90.71], "90.70 ± 0.01"),  # two decimals at most
        ([90.0, 80.0], "85.0 ± 7.1"),
        ([10.0, 80.0], "45 ± 49"),
        ([0.0], "0.00"),
    ],
)
def test_shares_are_in_percent(values, text):
    assert digits.plain(values, share=True) == text


@pytest.mark.parametrize(
    "values, text",
    [
        ([1.0, 3.0], r"$2.0 \pm 1.4$"),
        ([69e6, 70e6, None], r"$(6.950 \pm 0.071) \times 10^{7}$ (2 of 3)"),
        ([2.5e9], r"$2.5 \times 10^{9}$"),
        ([None], "never"),
    ],
)
def test_the_same_in_latex(values, text):
    assert digits.latex(values) == text
