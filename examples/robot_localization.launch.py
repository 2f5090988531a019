"""posemap and robot_localization: the filter fuses the poses with odometry, and broadcasts
map -> odom.

    ros2 launch posemap_ros robot_localization.launch.py environment:=... odom_topic:=/odom

Without a leading slash, odom_topic is in the robot's namespace.
"""

from launch.actions import DeclareLaunchArgument, GroupAction, IncludeLaunchDescription
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node, SetParameter
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """Describe the launch. Arguments of localize.launch.py are passed on to it; namespace and
    use_sim_time count for the filter, too.
    """
    share = FindPackageShare('posemap_ros')
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                'odom_topic', default_value='odom', description='nav_msgs/Odometry of the wheels.'
            ),
            DeclareLaunchArgument(
                'namespace', default_value='', description='Namespace of the robot.'
            ),
            DeclareLaunchArgument(
                'use_sim_time', default_value='false', description='Follow /clock.'
            ),
            IncludeLaunchDescription(
                PathJoinSubstitution([share, 'launch', 'localize.launch.py']),
                launch_arguments={'tf_mode': 'none'}.items(),
            ),
            GroupAction(
                [
                    SetParameter('use_sim_time', LaunchConfiguration('use_sim_time')),
                    Node(
                        package='robot_localization',
                        executable='ekf_node',
                        # Named apart from the filter of odometry, which often runs beside it.
                        name='ekf_filter_node_map',
                        namespace=LaunchConfiguration('namespace'),
                        parameters=[
                            PathJoinSubstitution([share, 'examples', 'robot_localization.yaml']),
                        ],
                        remappings=[
                            ('odom', LaunchConfiguration('odom_topic')),
                            ('odometry/filtered', 'odometry/filtered_map'),
                            # A tree for each robot, as in localize.launch.py.
                            ('/tf', 'tf'),
                            ('/tf_static', 'tf_static'),
                        ],
                        output='screen',
                    ),
                ]
            ),
        ]
    )
