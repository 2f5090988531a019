"""How the view is laid out: the place, what camera and map show, words; figures below."""

from __future__ import annotations

from posemap_ros.live_view import paths
from posemap_ros.live_view.rerun_sdk import rrb

_PLOT_SECONDS = 60.0


def blueprint() -> rrb.Blueprint:
    """What viewers start with; who looks may change it."""
    place = rrb.Spatial3DView(
        name='The place, and the robot in it',
        origin=paths.PLACE,
        background=[24, 26, 30],
    )
    pictures = rrb.Vertical(
        rrb.Spatial2DView(name='Camera', origin=paths.CAMERA),
        rrb.Spatial2DView(name='What the map shows there', origin=paths.VIEW),
        rrb.Spatial2DView(name='PoseMap there', origin=paths.POSEMAP),
    )
    words = rrb.Vertical(
        rrb.TextDocumentView(name='State', origin=paths.STATUS),
        rrb.Tabs(
            rrb.TextDocumentView(name='News', origin=paths.NEWS),
            rrb.TextLogView(name='All of it', origin=paths.LOG),
            active_tab=0,
        ),
    )
    plots = rrb.Horizontal(
        *(
            rrb.TimeSeriesView(
                name=name,
                origin=origin,
                time_ranges=_last(_PLOT_SECONDS),
                plot_legend=rrb.Corner2D.LeftTop,
            )
            for name, origin in paths.PLOTS.items()
        )
    )
    return rrb.Blueprint(
        rrb.Vertical(
            rrb.Horizontal(place, pictures, words, column_shares=[5, 2, 3]),
            plots,
            row_shares=[3, 1],
        ),
        rrb.TimePanel(state='collapsed'),
        rrb.BlueprintPanel(state='hidden'),
        rrb.SelectionPanel(state='hidden'),
    )


def _last(seconds: float) -> rrb.VisibleTimeRange:
    return rrb.VisibleTimeRange(
        paths.TIMELINE,
        start=rrb.TimeRangeBoundary.cursor_relative(seconds=-seconds),
        end=rrb.TimeRangeBoundary.cursor_relative(),
    )
