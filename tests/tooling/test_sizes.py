"""What is too long to be read in one go is found, and counted as a reader sees it."""

import pytest

from tests.tooling.sizes import Limits, too_long

LIMITS = Limits(file=8, function=3)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x = 1\n" * 8,
        "def short(a):\n    b = a\n    return b\n",
        "@decorated\n@twice\ndef short(a):\n    b = a\n    return b\n",
    ],
)
def test_what_keeps_to_the_limits_is_let_be(text: str) -> None:
    assert list(too_long(text, LIMITS)) == []


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("x = 1\n" * 9, "the file has 9 lines, and 8 are the most"),
        ("def f(\n    a,\n    b,\n): ...\n", "f in line 1 has 4 lines, and 3 are the most"),
        (
            'class C:\n    async def f():\n        """A.\n\n        B.\n        """\n',
            "f in line 2 has 5 lines, and 3 are the most",
        ),
        ("def f():\n    def g():\n        x = 1\n        return x\n", "f in line 1 has 4 lines, and 3 are the most"),
    ],
)
def test_what_is_too_long_is_named_with_its_line(text: str, sentence: str) -> None:
    assert list(too_long(text, LIMITS)) == [sentence]
