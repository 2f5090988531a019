"""Text from elsewhere in sentences."""

import pytest

from posemap_ros.support.printable import printable


@pytest.mark.parametrize(
    ('text', 'shown'),
    [
        ('rgb8; jpeg compressed bgr8', 'rgb8; jpeg compressed bgr8'),
        ('Küche', 'Küche'),
        ('\x1b[2Jrgb8\n\t\0', r'\x1b[2Jrgb8\n\t\x00'),
        ('a\u202eb', r'a\u202eb'),  # turns the direction of writing
        ('\udcff', r'\udcff'),  # no character at all
        ('', ''),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text, shown):
    assert printable(text) == shown


@pytest.mark.parametrize('text', ['x' * 81, '\0' * 30, 'x' * 1_000_000])
def test_long_text_is_cut(text):
    shown = printable(text)
    assert len(shown) == 80 and shown.endswith('...')


def test_text_of_the_limit_stays():
    assert printable('x' * 80) == 'x' * 80
