"""camera.yaml: a camera as ROS's camera_calibration writes it."""

from __future__ import annotations

from pathlib import Path

from posemap_ros.camera import Camera, InvalidCamera
from posemap_ros.dataset.errors import DatasetError
from posemap_ros.dataset.listed_files import read_listing
from posemap_ros.support.files import atomic_write
from posemap_ros.support.untrusted import FileRefused, dump_yaml, parse_yaml

FILE_NAME = 'camera.yaml'


def read_calibration(path: Path) -> Camera:
    """The camera in a file. Raises `DatasetError`."""
    try:
        content = parse_yaml(read_listing(path), str(path))
        return Camera.from_camera_info(
            content['image_width'],
            content['image_height'],
            content['camera_matrix']['data'],
            content.get('distortion_model', ''),
            content.get('distortion_coefficients', {}).get('data', ()),
        )
    except InvalidCamera as error:
        raise DatasetError(f'{path}: {error}') from None
    except DatasetError:
        raise
    except FileRefused as error:
        raise DatasetError(str(error)) from None
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DatasetError(
            f'{path}: not a calibration as ROS writes it, with image_width, image_height, '
            f'camera_matrix and distortion_coefficients ({error!r})'
        ) from None


def write_calibration(path: Path, camera: Camera) -> None:
    """Inverse of `read_calibration`."""
    K, D = camera.matrix_opencv().ravel().tolist(), list(camera.distortion)
    content = {
        'image_width': camera.width,
        'image_height': camera.height,
        'camera_name': 'camera',
        'camera_matrix': {'rows': 3, 'cols': 3, 'data': K},
        'distortion_model': 'plumb_bob' if not D else camera.distortion_model,
        'distortion_coefficients': {'rows': 1, 'cols': len(D) or 5, 'data': D or [0.0] * 5},
    }
    with atomic_write(path) as temporary:
        temporary.write_text(dump_yaml(content))
