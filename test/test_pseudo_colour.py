"""Colours show what varies, the same way each time, and one basis serves many pictures."""

import numpy as np
import torch

from posemap_ros.pseudo_colour import PseudoColour


def features(count=4000):
    """Gaussian features [count, 6] with a clear order of components, turned and shifted, and the
    components themselves.
    """
    generator = torch.Generator().manual_seed(0)
    components = torch.randn(count, 6, generator=generator) * torch.tensor(
        [9.0, 4.0, 2.0, 0.1, 0.1, 0.1]
    )
    turn = torch.linalg.qr(torch.randn(6, 6, generator=generator))[0]
    return components @ turn.t() + 7.0, components


def test_red_green_and_blue_are_the_main_components_in_order():
    mixed, components = features()
    colours = PseudoColour(mixed)(mixed).astype(float)
    for channel in range(3):
        kept = (colours[:, channel] > 0) & (colours[:, channel] < 255)
        r = np.corrcoef(colours[kept, channel], components[kept, channel])[0, 1]
        assert abs(r) > 0.99
    assert colours.min() == 0 and colours.max() == 255


def test_only_the_ends_are_cut():
    mixed, _ = features()
    mixed[0] += 1e4 * torch.ones(6) / 6**0.5  # an outlier
    colours = PseudoColour(mixed)(mixed)
    inside = ((colours > 0) & (colours < 255)).mean(0)
    assert (inside > 0.9).all()


def test_equal_features_have_equal_colours_in_every_picture():
    mixed, _ = features(600)
    colour = PseudoColour(mixed)
    picture = mixed[:60].reshape(5, 12, 6)
    assert colour(picture).shape == (5, 12, 3) and colour(picture).dtype == np.uint8
    np.testing.assert_array_equal(colour(picture).reshape(-1, 3), colour(mixed)[:60])


def test_colours_do_not_depend_on_the_order_of_the_features():
    mixed, _ = features(600)
    shuffled = mixed[torch.randperm(600, generator=torch.Generator().manual_seed(1))]
    a, b = PseudoColour(mixed)(mixed), PseudoColour(shuffled)(mixed)
    assert np.abs(a.astype(int) - b).max() <= 1


def test_features_that_are_all_alike_are_one_colour():
    assert len(np.unique(PseudoColour(torch.ones(50, 8))(torch.ones(50, 8)))) == 1
