from posemap_ros.support.torchvision_compat import import_torchvision


def test_torchvision_imports_whatever_torch_it_was_built_for():
    torchvision = import_torchvision()
    network = torchvision.models.vgg16(weights=None)
    assert network.features[0].out_channels == 64
    assert import_torchvision() is torchvision
