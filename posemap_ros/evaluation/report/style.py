"""The look that all figures of the report share.

Functions that draw are decorated with ``rc_context(STYLE)``: the style ends where they end.
"""

from __future__ import annotations

# Told apart by people who do not see red and green as different, too.
TRUE, ESTIMATED, NEAREST, PREDICTED = '#117a5d', '#d1491b', '#7b838c', '#3b6fb0'
VERIFIED = '#7a3fa0'
# Of what is compared with; told apart by their dashes, too.
OTHERS = (('#2f6db5', (4, 1.5)), ('#a07a12', (1.5, 1)), ('#4b4f57', (5, 1, 1, 1)))
MAPPED = '#9aa4af'  # where the mapping photos were taken
GUIDE = '#9aa4af'  # thresholds
LANDMARK = '#c3cad1'
WIDTH_IN = 10.75  # of a figure as wide as the page

STYLE = {
    'font.size': 9.0,
    'axes.titlesize': 9.0,
    'axes.titlelocation': 'left',
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.edgecolor': '#59636e',
    'axes.linewidth': 0.8,
    'axes.grid': True,
    'axes.axisbelow': True,
    'grid.color': '#e6eaee',
    'grid.linewidth': 0.7,
    'xtick.color': '#59636e',
    'ytick.color': '#59636e',
    'xtick.labelcolor': '#1f2328',
    'ytick.labelcolor': '#1f2328',
    'legend.frameon': False,
    'lines.linewidth': 1.2,
    # From blue (low) to yellow (high), evenly for every eye.
    'image.cmap': 'cividis',
}
