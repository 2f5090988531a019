"""Pictures of a map show the pose that they are asked for, in colours that can be compared."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_environment import CAMERA, circle_of_poses, photograph, tiny_landmarks

from posemap_ros.environment import Environment
from posemap_ros.map_view.place import Place
from posemap_ros.map_view.rendering import MapRenderer, fine_posemap, render_photo
from posemap_ros.nerf_p.exposure import luma_histogram

POSES = circle_of_poses(8)
PHOTO = photograph(POSES[1])


@pytest.fixture
def loaded(environment: Path) -> Environment:
    return Environment.load(environment)


@pytest.fixture
def renderer(loaded: Environment) -> MapRenderer:
    return MapRenderer(
        loaded.load_nerf_p(), loaded.network_camera, Place.from_landmarks(tiny_landmarks())
    )


def test_a_view_is_the_fields_at_the_pose_and_exposure(
    renderer: MapRenderer, loaded: Environment
) -> None:
    view = renderer.view(POSES[1], PHOTO, 24)
    assert view.shape == (24, 32, 3) and view.dtype == np.uint8
    with torch.no_grad():
        expected = loaded.load_nerf_p().render_view(
            torch.from_numpy(POSES[1]).float(),
            CAMERA.resized(32, 24),
            luma_histogram(torch.from_numpy(PHOTO)[None])[0],
        )
    assert np.abs(view / 255.0 - expected.rgb.numpy()).max() < 0.003
    assert not np.array_equal(view, renderer.view(POSES[2], PHOTO, 24))


def test_the_posemap_is_the_networks_only_finer(loaded: Environment) -> None:
    nerf, pose = loaded.load_nerf_p(), torch.from_numpy(POSES[1]).float()
    with torch.no_grad():
        coarse = nerf.posemap(pose[None], CAMERA).features[0].reshape(3, 4, -1)
        assert torch.allclose(fine_posemap(nerf, pose, CAMERA, 1), coarse, atol=1e-5)
        # With three times as many cells, each third one looks where one of the coarse looks.
        assert torch.allclose(fine_posemap(nerf, pose, CAMERA, 3)[1::3, 1::3], coarse, atol=1e-4)


def test_the_posemap_picture_shows_the_pose(renderer: MapRenderer) -> None:
    first, second = (renderer.posemap(pose, 2) for pose in POSES[:2])
    assert first.shape == (6, 8, 3) and first.dtype == np.uint8
    assert np.ptp(first) > 100
    assert not np.array_equal(first, second)


def test_colours_of_posemaps_do_not_depend_on_what_was_shown_before(
    renderer: MapRenderer, loaded: Environment
) -> None:
    place = Place.from_landmarks(tiny_landmarks())
    other = MapRenderer(loaded.load_nerf_p(), loaded.network_camera, place)
    renderer.posemap(POSES[0])
    np.testing.assert_array_equal(renderer.posemap(POSES[5]), other.posemap(POSES[5]))


def test_without_a_place_the_first_pose_chooses_the_colours(loaded: Environment) -> None:
    renderer = MapRenderer(loaded.load_nerf_p(), loaded.network_camera)
    first = renderer.posemap(POSES[0])
    assert np.ptp(first) > 100
    renderer.posemap(POSES[3])
    np.testing.assert_array_equal(renderer.posemap(POSES[0]), first)


def test_points_have_the_colour_of_their_pixel_in_the_view(
    renderer: MapRenderer, loaded: Environment
) -> None:
    place = Place.from_landmarks(tiny_landmarks())
    colours = renderer.point_colours(place, PHOTO)
    assert colours.shape == (len(place.points), 3) and colours.dtype == np.uint8
    # The fifth point of each photo is in its middle: between the pixels there.
    camera = CAMERA.resized(101, 101)
    for T_world_cam, colour in zip(place.T_world_cam[:3], colours[4::9]):
        pose = torch.from_numpy(T_world_cam).float()
        with torch.no_grad():
            view = render_photo(loaded.load_nerf_p(), pose, camera, torch.from_numpy(PHOTO))
        assert np.abs(view[50, 50].numpy().astype(int) - colour).max() <= 2
