"""The plain reference for the node: VGG-16 in eager float32 PyTorch, straight in the callback.

What one writes first: message -> resized image -> VGG-16 and one linear layer -> PoseStamped. No
calibration, no TF, no gate. `--echo` leaves the network out, which tells what DDS and Python cost
by themselves.
"""

from __future__ import annotations

import argparse

import cv2
import numpy as np
import rclpy
import torch
from geometry_msgs.msg import PoseStamped
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from torch import Tensor, nn

from posemap_ros.support.torchvision_compat import import_torchvision


class PlainNetwork(nn.Module):
    """torchvision's VGG-16 up to its last pool, the average over the image, a pose of 7 numbers.

    Random weights: they cost what others cost.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = import_torchvision().models.vgg16(weights=None).features
        self.pose = nn.Linear(512, 7)

    def forward(self, images: Tensor) -> Tensor:
        """[B, 3, H, W] normalised -> x, y, z and a quaternion [B, 7], not normalised."""
        return self.pose(self.features(images).mean((2, 3)))


class PlainNode(Node):
    """Subscribes `image`, publishes `posemap/pose`."""

    def __init__(self, width: int, height: int, device: str, echo: bool) -> None:
        super().__init__('plain')
        self.size, self.device = (width, height), device
        self.net = None if echo else PlainNetwork().eval().to(device)
        # The newest image only, as ours: with rclpy's usual ten, it would be seconds late.
        newest = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        self.publisher = self.create_publisher(PoseStamped, 'posemap/pose', 1)
        self.create_subscription(Image, 'image', self.on_image, newest)
        self.mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
        self.std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]

    def on_image(self, message: Image) -> None:
        out = PoseStamped(header=message.header)
        out.header.frame_id = 'map'
        if self.net is not None:
            p, q = out.pose.position, out.pose.orientation
            p.x, p.y, p.z, q.x, q.y, q.z, q.w = self.localize(message).tolist()
        self.publisher.publish(out)

    @torch.no_grad()
    def localize(self, message: Image) -> Tensor:
        """x, y, z and a unit quaternion [7]."""
        image = np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3)
        image = cv2.resize(image, self.size, interpolation=cv2.INTER_AREA)
        pixels = torch.from_numpy(image).permute(2, 0, 1).float() / 255.0
        pixels = ((pixels - self.mean) / self.std)[None]
        pose = self.net(pixels.to(self.device))[0].cpu()
        pose[3:] /= pose[3:].norm()
        return pose


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--width', type=int, default=320)
    parser.add_argument('--height', type=int, default=240)
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--echo', action='store_true', help='leave the network out')
    arguments = parser.parse_args()
    rclpy.init()
    try:
        node = PlainNode(arguments.width, arguments.height, arguments.device, arguments.echo)
        print('ready', flush=True)
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass  # rclpy's handler of the signal has shut the middleware down


if __name__ == '__main__':
    main()
