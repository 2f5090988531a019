"""Posed images on disk and their readers."""

from posemap_ros.dataset.errors import DatasetError, ImageError
from posemap_ros.dataset.open_dataset import open_dataset
from posemap_ros.dataset.posed_images import PosedFrame, PosedImages
from posemap_ros.dataset.transforms_json import write_transforms_json

__all__ = [
    'DatasetError',
    'ImageError',
    'PosedFrame',
    'PosedImages',
    'open_dataset',
    'write_transforms_json',
]
