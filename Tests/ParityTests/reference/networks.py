"""The three networks of configs/fashion-mnist-*.json, written as PyTorch modules.

The attribute names are the configs' layer names, so that `state_dict()` has exactly the tensor
names that Rondo writes. Shared by make_reference.py and load_state_dict.py.
"""

from torch import nn
from torch.nn import functional


class MultilayerPerceptron(nn.Module):
    """784-512-512-10 with ReLU; takes images of any shape with 784 pixels."""

    def __init__(self):
        super().__init__()
        self.hidden1 = nn.Linear(784, 512)
        self.hidden2 = nn.Linear(512, 512)
        self.output = nn.Linear(512, 10)

    def forward(self, images):
        features = functional.relu(self.hidden1(images.flatten(1)))
        features = functional.relu(self.hidden2(features))
        return self.output(features)


class ConvolutionalNetwork(nn.Module):
    """Two 3x3 convolutions with pooling and a hidden layer of 128.

    The config's dropout is left out: it has no tensors, and no random stream of PyTorch's could
    agree with another program's.
    """

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.hidden = nn.Linear(64 * 7 * 7, 128)
        self.output = nn.Linear(128, 10)

    def forward(self, images):
        maps = functional.max_pool2d(functional.relu(self.conv1(images)), 2)
        maps = functional.max_pool2d(functional.relu(self.conv2(maps)), 2)
        return self.output(functional.relu(self.hidden(maps.flatten(1))))


class Shortcut(nn.Module):
    """The projection beside a block that changes the shape."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, maps):
        return self.norm(self.conv(maps))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside the identity, or beside a projection where the shape changes."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else Shortcut(inputs, outputs, stride)

    def forward(self, maps):
        inner = functional.relu(self.norm1(self.conv1(maps)))
        return functional.relu(self.norm2(self.conv2(inner)) + self.shortcut(maps))


class ResidualNetwork20(nn.Module):
    """ResNet-20 of He et al. 2016, section 4.2 (16-32-64), on one input channel."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(16)
        self.blocks = []
        inputs = 16
        for stage, outputs in enumerate((16, 32, 64), start=1):
            for block in range(1, 4):
                name = f"stage{stage}_block{block}"
                stride = 2 if stage > 1 and block == 1 else 1
                setattr(self, name, ResidualBlock(inputs, outputs, stride))
                self.blocks.append(name)
                inputs = outputs
        self.output = nn.Linear(64, 10)

    def forward(self, images):
        maps = functional.relu(self.norm1(self.conv1(images)))
        for name in self.blocks:
            maps = getattr(self, name)(maps)
        return self.output(maps.mean(dim=(2, 3)))


NETWORKS = {
    "mlp": MultilayerPerceptron,
    "cnn": ConvolutionalNetwork,
    "resnet20": ResidualNetwork20,
}
