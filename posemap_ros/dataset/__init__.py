"""Posed images on disk and their readers."""

from posemap_ros.dataset.errors import DatasetError, ImageError
from posemap_ros.dataset.open_dataset import READERS, open_dataset, open_images, open_part
from posemap_ros.dataset.posed_images import PosedFrame, PosedImages
from posemap_ros.dataset.trainable import check_trainable, leave_out_narrow
from posemap_ros.dataset.transforms_json import write_transforms_json

__all__ = [
    'READERS',
    'DatasetError',
    'ImageError',
    'PosedFrame',
    'PosedImages',
    'check_trainable',
    'leave_out_narrow',
    'open_dataset',
    'open_images',
    'open_part',
    'write_transforms_json',
]
