"""posemap and robot_localization: the filter fuses the poses with odometry, and broadcasts
map -> odom.

    ros2 launch posemap_ros robot_localization.launch.py environment:=... odom_topic:=/odom
"""

from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """Describe the launch. Arguments of localize.launch.py are passed on to it."""
    share = FindPackageShare('posemap_ros')
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                'odom_topic', default_value='odom', description='nav_msgs/Odometry of the wheels.'
            ),
            IncludeLaunchDescription(
                PathJoinSubstitution([share, 'launch', 'localize.launch.py']),
                launch_arguments={'tf_mode': 'none'}.items(),
            ),
            Node(
                package='robot_localization',
                executable='ekf_node',
                name='ekf_filter_node',
                parameters=[
                    PathJoinSubstitution([share, 'examples', 'robot_localization.yaml']),
                ],
                remappings=[('odom', LaunchConfiguration('odom_topic'))],
                output='screen',
            ),
        ]
    )
