"""Where in a recording things are: names for Rerun's tree of entities."""

from __future__ import annotations

TIMELINE = 'ros_time'

PLACE = '/place'  # the map's frame
POINTS = f'{PLACE}/points'
MAPPED_PATH = f'{PLACE}/mapped_path'
ROBOT = f'{PLACE}/robot'
SPREAD = f'{PLACE}/spread'
TRAIL = f'{PLACE}/trail'
CAMERA = f'{PLACE}/camera'
IMAGE = f'{CAMERA}/image'

VIEW = '/map_at_the_pose/view'
POSEMAP = '/map_at_the_pose/posemap'

STATUS, NEWS = '/status', '/news'
LOG = '/log'
NODE_LOG, REFINE_LOG, STATE_LOG, VIEW_LOG = (
    f'{LOG}/{source}' for source in ('node', 'refine', 'state', 'view')
)

LATENCY, SIGMA, RATE = '/plots/latency', '/plots/sigma', '/plots/rate'
PLOTS = {'Latency (ms)': LATENCY, 'Spread': SIGMA, 'Rates (Hz)': RATE}
