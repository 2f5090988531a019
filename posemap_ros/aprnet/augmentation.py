"""What APRNet learns not to mind: other lamps, another exposure, a noisier camera."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_LAMPS = 3, 4  # down and across an image, places whose light changes by itself


def random_gains(
    count: int, brightness: float, light: float, generator: torch.Generator
) -> Tensor:
    """Random factors near 1 for the channels of so many images, [count, 3, 3, 4]: one of up to
    ``brightness`` off for each image, half as much for each of its channels, and up to ``light``
    for each of 3 x 4 places in it, as where other lamps burn.
    """

    def factors(off: float, *shape: int) -> Tensor:
        return 1.0 + off * (2.0 * torch.rand((count, *shape), generator=generator) - 1.0)

    return (
        factors(brightness, 1, 1, 1)
        * factors(0.5 * brightness, 3, 1, 1)
        * factors(light, 1, *_LAMPS)
    )


def brighten(images: Tensor, gains: Tensor) -> Tensor:
    """Images [B, 3, H, W] with their channels' gains [B, 3, h, w], which run smoothly over the
    image; within [0, 1].
    """
    gains = F.interpolate(gains.to(images.device), images.shape[2:], mode='bilinear')
    return (images * gains).clamp(0.0, 1.0)


def add_noise(images: Tensor, most: float, generator: torch.Generator) -> Tensor:
    """Images [B, 3, H, W] as a sensor in poorer light takes them: with white noise, whose standard
    deviation is drawn for each image, up to ``most``; within [0, 1].
    """
    if most == 0:
        return images
    sigma = most * torch.rand((len(images), 1, 1, 1), generator=generator)
    # Millions of numbers, which a GPU would wait for if a processor drew them.
    seed = int(torch.randint(2**62, (1,), generator=generator))
    there = torch.Generator(images.device).manual_seed(seed)
    noise = torch.randn(images.shape, generator=there, device=images.device)
    return (images + sigma.to(images.device) * noise).clamp(0.0, 1.0)
