"""The renderer's poses against the projection that the bags' camera_info describes."""

import numpy as np
import pytest

pytest.importorskip('mitsuba', reason='the renderer is only needed to make the bags anew')

from demo.bag_writer import camera_info  # noqa: E402
from demo.camera import FOCAL_PX, HEIGHT, WIDTH  # noqa: E402
from demo.drives import MAPPING, camera_poses  # noqa: E402
from demo.scene import Light, Thing  # noqa: E402
from demo.shapes import ball, box  # noqa: E402


@pytest.mark.parametrize('pixel', [(160.0, 120.0), (31.5, 200.25), (290.0, 40.0)])
def test_a_lamp_appears_where_camera_info_projects_it(pixel):
    from demo.render import Renderer

    T_world_cam = camera_poses(MAPPING)[37]
    K = camera_info(0, WIDTH, HEIGHT, FOCAL_PX).k.reshape(3, 3)
    in_camera = 2.0 * np.linalg.inv(K) @ [*pixel, 1]
    x, y, z = (T_world_cam @ [*in_camera, 1])[:3]
    radius = 0.03
    room = {
        'lamp': Thing([(ball(radius), 'lamp')], x, y, z - radius),
        'far away': Thing([(box(0.1, 0.1, 0.1), (0, 0, 0))], 50, 50),
    }
    light = Light(window=(0, 0, 0), ceiling=(0, 0, 0), lamp=(5, 5, 5), exposure=1)
    shine = Renderer(room, light, samples=64).image(T_world_cam).mean(axis=-1)
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    centre = (shine * u).sum() / shine.sum(), (shine * v).sum() / shine.sum()
    assert np.allclose(centre, pixel, atol=0.2)
