"""A page holds what it was given, and nothing of it can be taken for HTML."""

import base64
import re
from html.parser import HTMLParser

import cv2
import numpy as np
from matplotlib.figure import Figure

from posemap_ros.support.html_page import Page

VOID = {'meta', 'img'}
OPTIONAL_END = {'tr', 'td', 'th'}


class Outline(HTMLParser):
    """Text, tags and picture sources of a page; fails on tags that are not closed in order."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self.text, self.tags, self.sources, self.open = [], [], [], []
        self.feed(page.html())
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == 'img':
            self.sources.append(dict(attrs)['src'])
        elif tag not in VOID | OPTIONAL_END:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in OPTIONAL_END:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.text.append(data.strip())


def decode(source: str) -> np.ndarray:
    kind, data = re.fullmatch(r'data:([a-z+/]+);base64,([A-Za-z0-9+/=]+)', source).groups()
    assert kind in ('image/png', 'image/jpeg')
    return cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)[
        ..., ::-1
    ]


def test_all_text_is_escaped():
    attack = '<script>alert("1")</script> & \'"'
    page = Page(attack)
    page.heading(attack)
    page.paragraph(attack)
    page.finding('bad', attack)
    page.table([attack], [[attack]], attack)
    page.images([(np.zeros((2, 2, 3), np.uint8), attack)])

    outline = Outline(page)

    assert 'script' not in outline.tags
    # title, h1, h2, paragraph, finding, head and cell and caption of the table, caption
    assert outline.text.count(attack) == 9
    assert '"><script' not in page.html()


def test_a_table_sets_columns_of_numbers_to_the_right():
    page = Page('t')
    page.table(['name', 'error (m)', 'mixed'], [['a', 0.5, '1'], ['b', '1e-3', 'x']])

    rows = re.findall(r'<tr>(.*)', page.html())

    assert len(rows) == 3
    for row in rows:
        assert [('class=number' in cell) for cell in re.findall(r'<t[hd][^>]*>', row)] == [
            False,
            True,
            False,
        ]


def test_a_table_without_rows_keeps_its_head():
    page = Page('t')
    page.table(['name'], [])
    assert 'name' in Outline(page).text


def test_small_pictures_are_kept_exactly_and_large_ones_closely():
    rng = np.random.default_rng(0)
    grid = rng.integers(0, 256, (6, 8, 3), np.uint8)
    photograph = cv2.GaussianBlur(rng.integers(0, 256, (240, 320, 3), np.uint8), (0, 0), 9)
    page = Page('t')
    page.images([(grid, 'small'), (photograph, 'large')])

    small, large = map(decode, Outline(page).sources)

    np.testing.assert_array_equal(small, grid)
    assert large.shape == photograph.shape
    assert np.abs(large.astype(int) - photograph).mean() < 2
    assert 'repeat(2,' in page.html()


def test_a_grey_picture():
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    page = Page('t')
    page.images([(grey, '')])
    np.testing.assert_array_equal(decode(Outline(page).sources[0])[..., 0], grey)


def test_a_figure_is_vectors_and_the_same_every_time():
    def page():
        page = Page('t')
        figure = Figure(figsize=(2, 1))
        figure.subplots().plot([0, 1], [0, 1])
        page.figure(figure, 'a line')
        return page

    (source,) = Outline(page()).sources
    assert source.startswith('data:image/svg+xml;base64,')
    assert b'<svg' in base64.b64decode(source.split(',')[1])
    assert page().html() == page().html()


def test_write_replaces_the_file_and_leaves_nothing_else(tmp_path):
    path = tmp_path / 'report.html'
    path.write_text('old')
    page = Page('Café')
    page.write(path)
    assert path.read_text(encoding='utf-8') == page.html()
    assert [file.name for file in tmp_path.iterdir()] == ['report.html']


def test_nothing_is_fetched():
    page = Page('t')
    page.images([(np.zeros((300, 300, 3), np.uint8), '')])
    assert not re.search(r'(src|href|url)\s*[=(]\s*"?(https?:)?//', page.html())
    assert '<script' not in page.html() and '<link' not in page.html()
