"""A small VGG for painted birds, which trains in minutes on a CPU."""

from torch import Tensor, nn

from explorer.nn.backbones.architecture import Architecture, Family

VGG_SMALL = Architecture("vgg_small", (128, 128))
_WIDTHS = (32, "P", 64, "P", 128, 128, "P", 256, 256, "P")


class SmallVgg(nn.Module):
    """3x3 convolutions 32-P-64-P-128-128-P-256-256-P, pooling to 4x4, then 4096-512-512-C.

    Parameters
    ----------
    category_count : int
        C.
    batch_norm : bool
        Whether batch norm follows every convolution.
    """

    def __init__(self, category_count: int, *, batch_norm: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width in _WIDTHS:
            if isinstance(width, str):
                layers.append(nn.MaxPool2d(2))
                continue
            layers.append(nn.Conv2d(channels, width, 3, padding=1))
            if batch_norm:
                layers.append(nn.BatchNorm2d(width))
            layers.append(nn.ReLU())
            channels = width
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(4)
        self.classifier = nn.Sequential(
            nn.Linear(channels * 16, 512),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(512, 512),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(512, category_count),
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        head = self.classifier[-1]
        if isinstance(head, nn.Linear):
            nn.init.normal_(head.weight, std=0.01)

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images (B, 3, H, W) to logits (B, C)."""
        logits: Tensor = self.classifier(self.avgpool(self.features(images)).flatten(1))
        return logits


def _build(_name: str, category_count: int, batch_norm: bool) -> nn.Module:
    return SmallVgg(category_count, batch_norm=batch_norm)


FAMILY = Family((VGG_SMALL,), _build, has_imagenet_weights=False)
