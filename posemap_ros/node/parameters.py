"""The node's parameters: what each one means, what it may be, and reading them.

Values are read from the node at each use, so a parameter that is not read-only takes effect at
once, and there is no second copy that could disagree. config/localize.yaml says the same in a
user's words.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

from posemap_ros.node.frames import TfMode


class InvalidParameter(ValueError):
    """A value that the node was started with and cannot use."""


@dataclass(frozen=True)
class _Declaration:
    name: str
    default: bool | int | float | str
    text: str
    between: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    read_only: bool = False
    is_frame: bool = False

    def descriptor(self) -> ParameterDescriptor:
        descriptor = ParameterDescriptor(
            description=self.text, read_only=self.read_only, dynamic_typing=self.may_be_off
        )
        if self.choices:
            descriptor.additional_constraints = f'one of {", ".join(self.choices)}'
        elif self.is_frame:
            descriptor.additional_constraints = 'a frame id, without a leading slash'
        if self.between and isinstance(self.default, float):
            low, high = self.between
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
        elif self.between:
            low, high = map(int, self.between)
            descriptor.integer_range = [IntegerRange(from_value=low, to_value=high, step=1)]
        return descriptor

    @property
    def may_be_off(self) -> bool:
        """Whether 'off' is a choice, which YAML reads as false where it is not in quotes."""
        return 'off' in self.choices

    def read(self, value: Any) -> Any:
        """The value that was meant."""
        return 'off' if self.may_be_off and value is False else value

    def objection(self, value: Any) -> str:
        """Why `value` cannot be taken, where the descriptor's range does not say so; or ''."""
        value = self.read(value)
        if self.choices and value not in self.choices:
            return f'{self.name} must be one of {", ".join(self.choices)}, not {value!r}'
        if self.is_frame and (not value or value.startswith('/')):
            return f'{self.name} must be a frame id without a leading slash, not {value!r}'
        return ''


_DECLARATIONS = (
    _Declaration(
        'environment',
        '',
        'Folder of the trained environment; empty: the demo environment of the package.',
        read_only=True,
    ),
    _Declaration(
        'revision',
        -1,
        'Alignment to start with: -1 the newest accepted one, 0 the base weights, n the n-th.',
        between=(-1, 1_000_000),
        read_only=True,
    ),
    _Declaration(
        'autostart',
        True,
        'Configure and activate at once; false: wait for a lifecycle manager to do it.',
        read_only=True,
    ),
    _Declaration(
        'device',
        'auto',
        'Where the network runs; auto takes a CUDA GPU where there is one.',
        choices=('auto', 'cpu', 'cuda'),
        read_only=True,
    ),
    _Declaration(
        'torch_threads',
        0,
        'CPU threads of the network; 0: half of the cores, at most four.',
        between=(0, 256),
        read_only=True,
    ),
    _Declaration(
        'image_transport',
        'raw',
        'raw: sensor_msgs/Image on image. compressed: CompressedImage on image/compressed.',
        choices=('raw', 'compressed'),
        read_only=True,
    ),
    _Declaration(
        'image_reliability',
        'best_effort',
        'How images are subscribed to: best_effort goes with every camera driver; reliable has '
        'lost pieces of an image sent again, by drivers that are reliable, too.',
        choices=('best_effort', 'reliable'),
        read_only=True,
    ),
    _Declaration(
        'image_rectified',
        False,
        'Whether the images are rectified: P of camera_info describes them, without distortion.',
        read_only=True,
    ),
    _Declaration(
        'assume_training_camera',
        False,
        'Do without camera_info: the camera is the one that the environment was trained with.',
        read_only=True,
    ),
    _Declaration(
        'check_image',
        True,
        'Whether dark, covered, overexposed and blurred images are taken for what they are.',
    ),
    _Declaration(
        'max_image_age',
        1.0,
        'Seconds by which an image may be too old, or in the future; 0: no limit.',
        between=(0.0, 3600.0),
    ),
    _Declaration('map_frame', 'map', 'Frame of the poses.', read_only=True, is_frame=True),
    _Declaration('odom_frame', 'odom', "Odometry's fixed frame.", read_only=True, is_frame=True),
    _Declaration(
        'base_frame',
        'base_link',
        'The robot; its pose is published.',
        read_only=True,
        is_frame=True,
    ),
    _Declaration(
        'camera_frame',
        '',
        "The camera's optical frame (z forward); empty: frame_id of the images.",
        read_only=True,
    ),
    _Declaration(
        'tf_mode',
        TfMode.MAP_TO_ODOM.value,
        'Which transform to broadcast; map_to_base and map_to_camera: robots without odometry.',
        choices=tuple(mode.value for mode in TfMode),
        read_only=True,
    ),
    _Declaration(
        'planar',
        False,
        'The robot drives on the floor that was mapped: height, roll and pitch are kept there.',
        read_only=True,
    ),
    _Declaration(
        'tf_rate',
        20.0,
        'How often map->odom is sent again between fixes, in Hz.',
        between=(1.0, 200.0),
        read_only=True,
    ),
    _Declaration(
        'transform_tolerance',
        0.2,
        'Seconds by which map->odom is dated into the future, so that TF can be asked for now.',
        between=(0.0, 5.0),
    ),
    _Declaration(
        'transform_wait',
        0.1,
        'Seconds to wait for odometry at the time of an image.',
        between=(0.0, 1.0),
    ),
    _Declaration(
        'fix_timeout',
        3.0,
        'Seconds without an accepted fix until the robot is lost and map->odom not sent.',
        between=(0.1, 3600.0),
    ),
    _Declaration(
        'lost_after',
        0.6,
        'Seconds of images that speak against the pose until the robot is lost.',
        between=(0.0, 3600.0),
    ),
    _Declaration(
        'verification',
        'as_able',
        'Matching images against the landmarks of the environment: as_able, as many as the '
        'processor allows, beside the quick poses; always, every one, at its rate; off.',
        choices=('off', 'as_able', 'always'),
        read_only=True,
    ),
    _Declaration(
        'gate_window',
        10,
        'How many fixes back a new one is compared, by odometry, where none is verified.',
        between=(1, 1000),
        read_only=True,
    ),
    _Declaration(
        'max_sigma_translation',
        1.0,
        'Predicted standard deviation above which a fix is rejected, in metres.',
        between=(0.001, 1000.0),
    ),
    _Declaration(
        'max_sigma_rotation',
        20.0,
        'Predicted standard deviation above which a fix is rejected, in degrees.',
        between=(0.01, 180.0),
    ),
    _Declaration(
        'max_disagreement_translation',
        0.5,
        'How far a fix may be from what earlier fixes and odometry say, in metres.',
        between=(0.001, 1000.0),
    ),
    _Declaration(
        'max_disagreement_rotation',
        15.0,
        'How far a fix may be from what earlier fixes and odometry say, in degrees.',
        between=(0.01, 180.0),
    ),
    _Declaration(
        'path_length', 1000, 'Most poses that ~/path holds.', between=(1, 100_000), read_only=True
    ),
    _Declaration('path_spacing', 0.05, 'Metres between poses of ~/path.', between=(0.0, 100.0)),
    _Declaration(
        'posemap_rate',
        1.0,
        'How often ~/posemap_image is rendered while someone subscribes to it, in Hz.',
        between=(0.05, 10.0),
        read_only=True,
    ),
    _Declaration(
        'refine_frames',
        200,
        'Most frames that are kept for refine.',
        between=(10, 10_000),
        read_only=True,
    ),
    _Declaration(
        'refine_horizon',
        600.0,
        'Seconds after which a frame is too old for refine.',
        between=(1.0, 86_400.0),
        read_only=True,
    ),
    _Declaration('refine_min_frames', 30, 'Fewest frames to refine on.', between=(8, 10_000)),
    _Declaration(
        'refine_seconds',
        120.0,
        'Training time of one refine, in seconds.',
        between=(1.0, 86_400.0),
    ),
    _Declaration(
        'refine_timeout',
        600.0,
        'Seconds after which a refine that has not ended is stopped.',
        between=(1.0, 172_800.0),
    ),
    _Declaration(
        'refine_threads', 1, 'CPU threads of a refine, which runs beside.', between=(1, 256)
    ),
)


class Parameters:
    """Declares every parameter on `node`; each is an attribute, as in ``parameters.fix_timeout``.

    Sets that make no sense are refused with a reason. Raises `InvalidParameter` when the node was
    started with such a value.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._declarations = {declaration.name: declaration for declaration in _DECLARATIONS}
        node.add_on_set_parameters_callback(self._validate)
        try:
            for declaration in _DECLARATIONS:
                node.declare_parameter(
                    declaration.name, declaration.default, declaration.descriptor()
                )
        except InvalidParameterTypeException as error:
            raise InvalidParameter(
                f'{error}; write a DOUBLE with a point (20.0), a STRING with quotes'
            ) from None
        except InvalidParameterValueException as error:
            raise InvalidParameter(str(error)) from None
        self._check_frames()
        if self.planar and self.tf_mode == TfMode.MAP_TO_CAMERA:
            raise InvalidParameter(
                'planar is for the robot on which the camera is mounted, but with tf_mode '
                'map_to_camera there is none: set one of them otherwise'
            )
        self._log()

    def __getattr__(self, name: str) -> Any:
        if name.startswith('_') or name not in self._declarations:
            raise AttributeError(f'no parameter {name!r} is declared')
        return self._declarations[name].read(self._node.get_parameter(name).value)

    def _validate(self, parameters: list[Parameter]) -> SetParametersResult:
        for parameter in parameters:
            declaration = self._declarations.get(parameter.name)
            if declaration and (reason := declaration.objection(parameter.value)):
                return SetParametersResult(successful=False, reason=reason)
        return SetParametersResult(successful=True)

    def _check_frames(self) -> None:
        """Each has a parent of its own, so one that is named twice has two."""
        names = ('map_frame', 'odom_frame', 'base_frame')
        for a, b in combinations(names, 2):
            if getattr(self, a) == getattr(self, b):
                raise InvalidParameter(
                    f'{a} and {b} are both {getattr(self, a)!r}: name three different frames; '
                    'for a robot without odometry, set tf_mode to map_to_base instead'
                )

    def _log(self) -> None:
        values = ', '.join(f'{name}: {getattr(self, name)!r}' for name in self._declarations)
        self._node.get_logger().info(f'parameters: {values}')
        # rclpy ignores a misspelt name without a word, and has no public way to ask for it.
        for name in self._node._parameter_overrides:
            if not self._node.has_parameter(name) and not name.startswith('qos_overrides.'):
                self._node.get_logger().warning(
                    f'the parameter {name!r} is not known and has no effect'
                )
