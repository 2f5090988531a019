"""Models as COLMAP writes them, made by pycolmap."""

import shutil
import struct

import numpy as np
import pytest

from posemap_ros.camera import Camera
from posemap_ros.dataset import DatasetError, open_dataset
from posemap_ros.dataset.image_io import write_image

pycolmap = pytest.importorskip('pycolmap')

# Each model with parameters behind focal length and principal point that all do something.
MODELS = {
    'SIMPLE_PINHOLE': (50, 33, 23),
    'PINHOLE': (50, 51, 33, 23),
    'SIMPLE_RADIAL': (50, 33, 23, -0.1),
    'RADIAL': (50, 33, 23, -0.1, 0.05),
    'OPENCV': (50, 51, 33, 23, -0.1, 0.05, 0.01, -0.02),
    'FULL_OPENCV': (50, 51, 33, 23, -0.1, 0.05, 0.01, -0.02, 0.03, 0.02, 0.01, 0.04),
    'SIMPLE_FISHEYE': (50, 33, 23),
    'FISHEYE': (50, 51, 33, 23),
    'SIMPLE_RADIAL_FISHEYE': (50, 33, 23, -0.03),
    'RADIAL_FISHEYE': (50, 33, 23, -0.03, 0.01),
    'OPENCV_FISHEYE': (50, 51, 33, 23, -0.03, 0.01, 0.02, -0.01),
}


def truth(i):
    """T_world_cam."""
    c, s = np.cos(0.2 * i), np.sin(0.2 * i)
    return np.array([[c, 0, s, 3.0 * i], [0, 1, 0, -1.5], [-s, 0, c, 0.5], [0, 0, 0, 1]])


def write_colmap(root, names=('a/0.jpg', 'a/1.jpg', 'b/0.png'), cameras=None, binary=True):
    """sparse/0 and images/; the last camera took the last image."""
    if cameras is None:
        cameras = {1: ('SIMPLE_RADIAL', (50, 32, 24, 0.01)), 7: ('PINHOLE', (50, 51, 33, 23))}
    model = pycolmap.Reconstruction()
    for number, (name, parameters) in cameras.items():
        model.add_camera_with_trivial_rig(
            pycolmap.Camera(
                camera_id=number, model=name, width=64, height=48, params=list(parameters)
            )
        )
    used = [min(cameras)] * (len(names) - 1) + [max(cameras)]
    for i, (name, camera_id) in enumerate(zip(names, used, strict=True)):
        image = pycolmap.Image(name=name, camera_id=camera_id, image_id=i + 1)
        T_cam_world = np.linalg.inv(truth(i))[:3]
        model.add_image_with_trivial_frame(image, pycolmap.Rigid3d(T_cam_world))
        (root / 'images' / name).parent.mkdir(parents=True, exist_ok=True)
        write_image(root / 'images' / name, np.full((48, 64, 3), 10 * i, np.uint8))
    folder = root / 'sparse' / '0'
    folder.mkdir(parents=True)
    (model.write_binary if binary else model.write_text)(folder)
    return root


@pytest.mark.parametrize('binary', [True, False])
def test_poses_names_cameras_and_images(tmp_path, binary):
    dataset = open_dataset(write_colmap(tmp_path, binary=binary))
    assert dataset.names == ['a/0', 'a/1', 'b/0']
    np.testing.assert_allclose(dataset.poses, [truth(i) for i in range(3)], atol=1e-12)
    wide = Camera(64, 48, 50, 50, 32, 24, 'plumb_bob', (0.01, 0, 0, 0))
    assert [dataset.camera_of(i) for i in range(3)] == [wide, wide, Camera(64, 48, 50, 51, 33, 23)]
    assert dataset.load(2)[0, 0, 0] == 20


@pytest.mark.parametrize('name', MODELS)
def test_every_camera_projects_as_colmaps(tmp_path, name):
    """Our camera against pycolmap's own projection; both count from the image's corner."""
    root = write_colmap(tmp_path, ['0.jpg'], {1: (name, MODELS[name])})
    points = np.random.default_rng(0).uniform((-0.5, -0.4, 1), (0.5, 0.4, 1), (50, 3))
    theirs = pycolmap.Camera(model=name, width=64, height=48, params=list(MODELS[name]))
    np.testing.assert_allclose(
        open_dataset(root).camera.project(points), theirs.img_from_cam(points), atol=1e-9
    )


@pytest.mark.parametrize(
    'place', ['sparse', 'colmap/sparse/0', '.', 'sparse/1'], ids=lambda place: place
)
def test_models_are_found_where_tools_put_them(tmp_path, place):
    write_colmap(tmp_path)
    (tmp_path / 'sparse' / '0').rename(tmp_path / 'moved')
    shutil.rmtree(tmp_path / 'sparse')
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    for path in (tmp_path / 'moved').iterdir():
        path.rename(tmp_path / place / path.name)
    assert len(open_dataset(tmp_path)) == 3


def test_of_several_models_the_largest_is_read(tmp_path):
    write_colmap(tmp_path / 'small', ['0.jpg'])
    write_colmap(tmp_path / 'large')
    (tmp_path / 'small' / 'sparse' / '0').rename(tmp_path / 'large' / 'sparse' / '1')
    assert len(open_dataset(tmp_path / 'large')) == 3


@pytest.mark.parametrize(
    ('name', 'parameters'), [('FOV', (50, 50, 32, 24, 0.5)), ('EQUIRECTANGULAR', (64, 48))]
)
def test_cameras_that_we_do_not_have_are_refused(tmp_path, name, parameters):
    write_colmap(tmp_path, ['0.jpg'], {1: (name, parameters)})
    with pytest.raises(DatasetError, match=f'{name} are not supported; undistort the images'):
        open_dataset(tmp_path)


def test_an_image_outside_the_folder_is_refused(tmp_path):
    write_colmap(tmp_path, binary=False)
    path = tmp_path / 'sparse' / '0' / 'images.txt'
    path.write_text(path.read_text().replace('b/0.png', '../../x.jpg'))
    with pytest.raises(DatasetError, match=r"image '\.\./\.\./x\.jpg' lies outside the dataset"):
        open_dataset(tmp_path)


@pytest.mark.parametrize('name', ['cameras', 'images', 'frames', 'rigs'])
@pytest.mark.parametrize('content', [b'', b'\x01' * 40, b'\xff' * 200], ids=['empty', '01', 'ff'])
@pytest.mark.parametrize('binary', [True, False], ids=['bin', 'txt'])
def test_broken_models_are_refused(tmp_path, name, content, binary):
    write_colmap(tmp_path, binary=binary)
    path = tmp_path / 'sparse' / '0' / f'{name}{".bin" if binary else ".txt"}'
    path.write_bytes(content)
    with pytest.raises(DatasetError, match='sparse/0: |is cut short|images without poses'):
        open_dataset(tmp_path)


CAMERA_BIN = struct.pack('<QiiQQ4d', 1, 1, 1, 640, 480, 500, 500, 320, 240)
IMAGE_BIN = struct.pack('<I7dI', 1, 1, 0, 0, 0, 0, 0, 0, 1) + b'a.png\0'
POINT_BIN = struct.pack('<Q3d3Bd', 1, 0, 0, 0, 0, 0, 0, 0.0)
NONE = struct.pack('<Q', 0)


@pytest.mark.parametrize(
    ('images', 'points', 'name'),
    [
        (struct.pack('<Q', 2**60), NONE, 'images.bin'),
        (struct.pack('<Q', 1) + IMAGE_BIN + struct.pack('<Q', 2**33), NONE, 'images.bin'),
        (NONE, struct.pack('<Q', 2**60), 'points3D.bin'),
        (NONE, struct.pack('<Q', 1) + POINT_BIN + struct.pack('<Q', 2**33), 'points3D.bin'),
        (NONE, b'', 'points3D.bin'),
    ],
    ids=['images', 'points of an image', 'points', 'images of a point', 'empty'],
)
def test_no_memory_is_taken_for_what_a_model_only_claims(tmp_path, images, points, name):
    model = tmp_path / 'sparse' / '0'
    model.mkdir(parents=True)
    (model / 'cameras.bin').write_bytes(CAMERA_BIN)
    (model / 'images.bin').write_bytes(images)
    (model / 'points3D.bin').write_bytes(points)
    with pytest.raises(DatasetError, match=f'{name} is cut short'):
        open_dataset(tmp_path)
