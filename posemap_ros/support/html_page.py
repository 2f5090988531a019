"""A self-contained HTML page of text, tables, figures and pictures: one file that can be mailed.

No scripts, nothing fetched: pictures are inside the file, all text is escaped.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np

from posemap_ros.support.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Pictures up to this size are grids rather than photographs: kept without loss, and enlarged with
# sharp edges.
_MAX_GRID_PIXELS = 128 * 128
_JPEG_QUALITY = 85

_STYLE = """
:root { color-scheme: light }
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2328; background: #fff;
       max-width: 1080px; margin: 2rem auto 4rem; padding: 0 1.5rem }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 1rem }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .75rem; padding-bottom: .3rem;
     border-bottom: 1px solid #d1d9e0 }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem }
p, ul { max-width: 46rem; margin: .6rem 0 }
ul { padding-left: 1.2rem }
table { border-collapse: collapse; margin: .8rem 0; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .9rem .25rem 0; text-align: left; border-bottom: 1px solid #e6eaee;
         vertical-align: top }
th { font-weight: 600; border-bottom-color: #9aa4af; vertical-align: bottom }
.number { text-align: right }
figure { margin: 1rem 0; break-inside: avoid }
figure img { display: block; max-width: 100%; height: auto }
figcaption { font-size: .85rem; color: #59636e; margin-top: .3rem }
.row { display: grid; gap: .6rem; margin: .8rem 0; align-items: start; break-inside: avoid }
.row figure { margin: 0 }
.row img { width: 100% }
.grid { image-rendering: pixelated }
.finding { padding: .3rem .8rem; border-left: 4px solid; max-width: 46rem }
.good { border-color: #2da44e } .warning { border-color: #d4a72c } .bad { border-color: #cf222e }
"""


class Page:
    """Blocks that stand one below the other in the order of the calls.

    Args:
        title: of the page, and its first heading.
    """

    def __init__(self, title: str) -> None:
        self._title = escape(title)
        self._blocks = [f'<h1>{self._title}</h1>']

    def heading(self, text: str, level: int = 2) -> None:
        """A heading; level 2 begins a section, level 3 a part of one."""
        self._blocks.append(f'<h{level}>{escape(text)}</h{level}>')

    def paragraph(self, text: str) -> None:
        """Running text."""
        self._blocks.append(f'<p>{escape(text)}</p>')

    def listing(self, lines: Iterable[str]) -> None:
        """Short lines, each on its own."""
        items = '\n'.join(f'<li>{escape(line)}' for line in lines)
        self._blocks.append(f'<ul>\n{items}\n</ul>')

    def finding(self, verdict: Literal['good', 'warning', 'bad'], text: str) -> None:
        """One thing that was checked, with how it came out in a word and a colour."""
        self._blocks.append(
            f'<p class="finding {verdict}"><b>{verdict.capitalize()}:</b> {escape(text)}</p>'
        )

    def table(
        self, columns: Sequence[str], rows: Iterable[Sequence[object]], caption: str = ''
    ) -> None:
        """A table; cells that read as numbers are set to the right, so units go into `columns`."""
        rows = [[str(cell) for cell in row] for row in rows]
        numeric = [
            bool(rows) and all(_is_number(row[i]) for row in rows) for i in range(len(columns))
        ]

        def line(tag: str, cells: Sequence[str]) -> str:
            return '<tr>' + ''.join(
                f'<{tag}{" class=number" if right else ""}>{escape(cell)}</{tag}>'
                for cell, right in zip(cells, numeric)
            )

        body = '\n'.join([line('th', columns), *(line('td', row) for row in rows)])
        self._blocks.append(f'<figure><table>\n{body}\n</table>{_caption(caption)}</figure>')

    def figure(self, figure: Figure, caption: str = '') -> None:
        """A matplotlib figure, as vectors."""
        import matplotlib

        file = io.BytesIO()
        # The same figure gives the same bytes.
        with matplotlib.rc_context({'svg.hashsalt': 'posemap_ros'}):
            figure.savefig(file, format='svg', metadata={'Date': None})
        source = _data_url('image/svg+xml', file.getvalue())
        self._blocks.append(
            f'<figure><img alt="{escape(caption)}" src="{source}">{_caption(caption)}</figure>'
        )

    def images(self, pictures: Sequence[tuple[np.ndarray, str]]) -> None:
        """Pictures, uint8 RGB [h, w, 3] or grey [h, w], of equal width side by side, with their
        captions.
        """
        cells = ''.join(
            f'<figure>{_image(picture, caption)}{_caption(caption)}</figure>'
            for picture, caption in pictures
        )
        columns = f'grid-template-columns: repeat({len(pictures)}, minmax(0, 1fr))'
        self._blocks.append(f'<div class="row" style="{columns}">{cells}</div>')

    def html(self) -> str:
        """The whole page."""
        return (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<title>{self._title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n'
            + '\n'.join(self._blocks)
            + '\n</body>\n</html>\n'
        )

    def write(self, path: Path | str) -> None:
        """Write the page to a file, which appears complete or not at all."""
        with atomic_write(path) as temporary:
            temporary.write_text(self.html(), encoding='utf-8')


def _image(picture: np.ndarray, alt: str) -> str:
    grid = picture.shape[0] * picture.shape[1] <= _MAX_GRID_PIXELS
    stored = picture[..., ::-1] if picture.ndim == 3 else picture  # OpenCV: blue first
    ending, options = ('.png', []) if grid else ('.jpg', [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    _, data = cv2.imencode(ending, stored, options)
    source = _data_url('image/png' if grid else 'image/jpeg', data.tobytes())
    return f'<img{" class=grid" if grid else ""} alt="{escape(alt)}" src="{source}">'


def _caption(text: str) -> str:
    return f'<figcaption>{escape(text)}</figcaption>' if text else ''


def _data_url(kind: str, data: bytes) -> str:
    return f'data:{kind};base64,{base64.b64encode(data).decode()}'


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
