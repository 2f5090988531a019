"""Localize a robot by its camera: the node, and RViz if asked for.

Bare, this starts in the demo environment; `ros2 launch posemap_ros localize.launch.py --show-args`
lists the arguments. Arguments for parameters are empty by default, which leaves them to the
parameter file.
"""

import tempfile
from pathlib import Path
from posixpath import dirname, join

from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from launch.actions import DeclareLaunchArgument, GroupAction, OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node, SetParameter
from launch_ros.parameter_descriptions import ParameterFile, ParameterValue
from launch_ros.substitutions import FindPackageShare

from launch import LaunchContext, LaunchDescription

# Launch arguments that, when given, go before the parameter file.
_PARAMETERS = {
    'environment': 'Folder of the trained environment; empty: the demo environment.',
    'image_transport': 'raw, or compressed for <image_topic>/compressed.',
    'tf_mode': 'map_to_odom, map_to_base, map_to_camera or none.',
    'camera_frame': "Optical frame of the camera; empty: the images' frame_id.",
    'device': 'auto, cpu or cuda.',
    'verification': 'as_able, always or off: matching images against the landmarks.',
}

# /tf and /tf_static are absolute names, the same in every namespace: fine for one robot. Several
# robots, whose frames have the same names, each need a tree of their own, which these make; with
# one robot in the root namespace they change nothing.
_TF_REMAPPINGS = [('/tf', 'tf'), ('/tf_static', 'tf_static')]


def generate_launch_description() -> LaunchDescription:
    """Describe the launch."""
    share = FindPackageShare('posemap_ros')
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                'params_file',
                default_value=PathJoinSubstitution([share, 'config', 'localize.yaml']),
                description='Parameters of the node, see config/localize.yaml.',
            ),
            *(
                DeclareLaunchArgument(name, default_value='', description=text)
                for name, text in _PARAMETERS.items()
            ),
            DeclareLaunchArgument(
                'image_topic', default_value='image', description='Topic of the camera images.'
            ),
            DeclareLaunchArgument(
                'camera_info_topic',
                default_value='',
                description='Topic of its calibration; empty: camera_info beside image_topic.',
            ),
            DeclareLaunchArgument(
                'use_sim_time',
                default_value='false',
                choices=['true', 'false', 'True', 'False'],
                description='Follow /clock, of a simulation or of `ros2 bag play --clock`.',
            ),
            DeclareLaunchArgument(
                'autostart',
                default_value='',
                choices=['', 'true', 'false', 'True', 'False'],
                description='Start localizing at once; false: wait for a lifecycle manager.',
            ),
            DeclareLaunchArgument(
                'namespace', default_value='', description='Namespace of the robot.'
            ),
            DeclareLaunchArgument(
                'log_level', default_value='info', description='debug, info, warn or error.'
            ),
            DeclareLaunchArgument(
                'use_rviz',
                default_value='false',
                choices=['true', 'false', 'True', 'False'],
                description='Start RViz as well.',
            ),
            DeclareLaunchArgument(
                'use_view',
                default_value='false',
                choices=['true', 'false', 'True', 'False'],
                description='Start the live view as well, which needs the Rerun SDK.',
            ),
            DeclareLaunchArgument(
                'view_to',
                default_value='browser',
                description='Where it is shown: browser, screen or FILE.rrd.',
            ),
            GroupAction(
                [
                    SetParameter('use_sim_time', LaunchConfiguration('use_sim_time')),
                    # First, because once the localizer runs nobody would stop it.
                    OpaqueFunction(
                        function=_check_rviz,
                        condition=IfCondition(LaunchConfiguration('use_rviz')),
                    ),
                    OpaqueFunction(function=_localizer),
                    OpaqueFunction(
                        function=_rviz, condition=IfCondition(LaunchConfiguration('use_rviz'))
                    ),
                    Node(
                        package='posemap_ros',
                        executable='view',
                        name='posemap_view',
                        namespace=LaunchConfiguration('namespace'),
                        arguments=[
                            '--node',
                            [LaunchConfiguration('namespace'), '/posemap'],
                            '--to',
                            LaunchConfiguration('view_to'),
                        ],
                        remappings=_TF_REMAPPINGS,
                        output='screen',
                        condition=IfCondition(LaunchConfiguration('use_view')),
                    ),
                ]
            ),
        ]
    )


def _check_rviz(context: LaunchContext) -> None:
    """Raise unless RViz is there."""
    try:
        get_package_prefix('rviz2')
    except PackageNotFoundError:
        raise RuntimeError(
            'use_rviz is true, but rviz2 is not installed: install it (ros-<distribution>-rviz2), '
            'or leave use_rviz out'
        ) from None


def _image_topic(context: LaunchContext) -> tuple[str, str]:
    """The topic of the images without its transport, and the transport, or ''."""
    transport = LaunchConfiguration('image_transport').perform(context)
    topic = LaunchConfiguration('image_topic').perform(context)
    # A topic that is compressed by its name is what users copy from `ros2 topic list`.
    if topic.endswith('/compressed'):
        return topic.removesuffix('/compressed'), transport or 'compressed'
    return topic, transport


def _rviz(context: LaunchContext) -> list[Node]:
    """RViz, which knows the transport of images by how the topic in its configuration ends."""
    topic, transport = _image_topic(context)
    share = FindPackageShare('posemap_ros').perform(context)
    config = Path(share) / 'config' / 'localize.rviz'
    if transport == 'compressed':
        text = config.read_text().replace('Value: image\n', 'Value: image/compressed\n')
        config = Path(tempfile.mkdtemp(prefix='posemap_rviz_')) / config.name
        config.write_text(text)
    return [
        Node(
            package='rviz2',
            executable='rviz2',
            namespace=LaunchConfiguration('namespace'),
            arguments=['-d', str(config)],
            remappings=[
                ('image', topic),
                ('image/compressed', f'{topic}/compressed'),
                *_TF_REMAPPINGS,
            ],
        )
    ]


def _localizer(context: LaunchContext) -> list[Node]:
    """The node, with the parameters that were given as arguments."""
    given = {name: LaunchConfiguration(name).perform(context) for name in _PARAMETERS}
    plain_topic, given['image_transport'] = _image_topic(context)
    # As text: a folder named 2024 is no number.
    parameters = {
        name: ParameterValue(value, value_type=str) for name, value in given.items() if value
    }
    if autostart := LaunchConfiguration('autostart').perform(context):
        parameters['autostart'] = autostart.lower() == 'true'
    camera_info_topic = LaunchConfiguration('camera_info_topic').perform(context)
    return [
        Node(
            package='posemap_ros',
            executable='localize',
            name='posemap',
            namespace=LaunchConfiguration('namespace'),
            parameters=[
                ParameterFile(LaunchConfiguration('params_file'), allow_substs=True),
                *([parameters] if parameters else []),
            ],
            remappings=[
                ('image', plain_topic),
                ('image/compressed', f'{plain_topic}/compressed'),
                ('camera_info', camera_info_topic or join(dirname(plain_topic), 'camera_info')),
                *_TF_REMAPPINGS,
            ],
            arguments=['--ros-args', '--log-level', LaunchConfiguration('log_level')],
            output='screen',
        )
    ]
