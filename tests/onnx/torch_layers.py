"""The building blocks of the PyTorch networks of this corpus."""

import torch
from torch import nn
from torch.nn import functional as F


class Lambda(nn.Module):
    """A module that applies a function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Residual(nn.Module):
    """Adds its input to the result of its layers."""

    def __init__(self, *layers):
        super().__init__()
        self.body = nn.Sequential(*layers)

    def forward(self, x):
        return x + self.body(x)


class CroppedResidual(Residual):
    """Two valid convolutions, and the centre of the input, as in Johnson's first network."""

    def forward(self, x):
        return self.body(x) + x[:, :, 2:-2, 2:-2]


class Concat(nn.Module):
    """Joins its input with the result of its layers."""

    def __init__(self, *layers):
        super().__init__()
        self.body = nn.Sequential(*layers)

    def forward(self, x):
        return torch.cat([x, self.body(x)], 1)


class UNet(nn.Module):
    """Joins the input with the inner layers' result after `up`. With `resized`, `up` is a resize to the input's size,
    which can then be any size."""

    def __init__(self, down, inner, up, resized=None):
        super().__init__()
        self.down, self.inner, self.up, self.resized = down, inner, up, resized

    def forward(self, x):
        y = self.inner(self.down(x))
        if self.resized:
            y = F.interpolate(y, size=x.shape[2:], **self.resized)
        return torch.cat([x, self.up(y)], 1)


class Gate(nn.Module):
    """A gated convolution: half of the channels control how much of the others passes."""

    def __init__(self, conv):
        super().__init__()
        self.conv = conv

    def forward(self, x):
        x, gate = self.conv(x).chunk(2, 1)
        return torch.tanh(x) * torch.sigmoid(gate)


class SqueezeExcite(nn.Module):
    """Scales channels by factors that 1x1 convolutions compute from their means."""

    def __init__(self, channels, inner, gate):
        super().__init__()
        self.layers = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, inner, 1), nn.ReLU(),
            nn.Conv2d(inner, channels, 1), gate)

    def forward(self, x):
        return x * self.layers(x)


class LinearSqueezeExcite(nn.Module):
    """The same with linear layers on a flat vector."""

    def __init__(self, channels, inner):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(channels, inner), nn.ReLU(), nn.Linear(inner, channels), nn.Sigmoid())

    def forward(self, x):
        means = torch.flatten(F.adaptive_avg_pool2d(x, 1), 1)
        return x * self.layers(means).view(x.shape[0], -1, 1, 1)


class ChannelAttention(nn.Module):
    """CBAM's first half: means and maxima of channels through the same layers."""

    def __init__(self, channels, inner):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, inner, 1, bias=False), nn.ReLU(), nn.Conv2d(inner, channels, 1, bias=False))

    def forward(self, x):
        means, largest = F.adaptive_avg_pool2d(x, 1), F.adaptive_max_pool2d(x, 1)
        return x * torch.sigmoid(self.layers(means) + self.layers(largest))


class SpatialAttention(nn.Module):
    """CBAM's second half: means and maxima over channels."""

    def __init__(self, kernel=7):
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel, padding=kernel // 2, bias=False)

    def forward(self, x):
        both = torch.cat([x.mean(1, keepdim=True), x.max(1, keepdim=True)[0]], 1)
        return x * torch.sigmoid(self.conv(both))


class ChannelShuffle(nn.Module):
    """ShuffleNet's channel shuffle: channels of all groups alternate."""

    def __init__(self, groups):
        super().__init__()
        self.groups = groups

    def forward(self, x):
        n, c, h, w = x.shape
        x = x.view(n, self.groups, c // self.groups, h, w)
        return x.transpose(1, 2).contiguous().view(n, c, h, w)


class PadToMultiple(nn.Module):
    """Pads a picture to a multiple of `px` pixels, runs its network, and crops the padding."""

    def __init__(self, px, inner):
        super().__init__()
        self.px, self.inner = px, inner

    def forward(self, x):
        h, w = x.shape[2], x.shape[3]
        x = F.pad(x, (0, (self.px - w % self.px) % self.px, 0, (self.px - h % self.px) % self.px),
                  mode="replicate")
        return self.inner(x)[:, :, :h, :w]


class NormalisedInside(nn.Module):
    """Input and output are 0..255; the network inside reads values normalised by ImageNet's mean and deviation."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))

    def forward(self, x):
        x = (x / 255.0 - self.mean) / self.deviation
        x = self.inner(x) * self.deviation + self.mean
        return torch.clamp(x * 255.0, 0, 255)


def conv(inputs, outputs, kernel=3, stride=1, norm=None, act=None, mode="reflect", **options):
    """A convolution that keeps the size, with its norm and activation."""
    dilation = options.get("dilation", 1)
    margin = (kernel + (kernel - 1) * (dilation - 1)) // 2
    layers = []
    if mode == "reflect" and margin:
        layers, margin = [nn.ReflectionPad2d(margin)], 0
    elif mode == "replicate" and margin:
        layers, margin = [nn.ReplicationPad2d(margin)], 0
    elif mode == "valid":
        margin = 0
    layers.append(nn.Conv2d(inputs, outputs, kernel, stride, margin, **options))
    layers += [layer for layer in (norm, act) if layer]
    return layers


def inverted(inputs, outputs, wide, norm, act):
    """MobileNet's inverted residual block: wide, depthwise, narrow."""
    layers = [*conv(inputs, wide, 1, norm=norm(wide), act=act(), bias=False),
              *conv(wide, wide, norm=norm(wide), act=act(), groups=wide, bias=False),
              *conv(wide, outputs, 1, norm=norm(outputs), bias=False)]
    return Residual(*layers) if inputs == outputs else nn.Sequential(*layers)


def instance(channels, **options):
    return nn.InstanceNorm2d(channels, affine=True, **options)


def batch(channels):
    return nn.BatchNorm2d(channels)


def transposed(inputs, outputs, kernel, stride=2, padding=0, norm=None, act=None, **options):
    layers = [nn.ConvTranspose2d(inputs, outputs, kernel, stride, padding, **options)]
    return layers + [layer for layer in (norm, act) if layer]


def up(mode="nearest", scale=2, **options):
    return nn.Upsample(scale_factor=scale, mode=mode, **options)


def randomise(net, seed, rounded):
    """Random weights that keep the values in range; `rounded` makes them compressible."""
    noise = torch.Generator().manual_seed(seed)

    def normal(tensor, mean, spread):
        tensor.copy_(torch.from_numpy(rounded(
            torch.empty_like(tensor).normal_(mean, spread, generator=noise).numpy())))

    def sixteenths(tensor):
        tensor.copy_(torch.randint(8, 25, tensor.shape, generator=noise) / 16)

    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
                weight = module.weight
                fan_in = weight[0].numel()
                if isinstance(module, nn.ConvTranspose2d):
                    stride = module.stride[0] * module.stride[1]
                    fan_in = module.in_channels * weight[0, 0].numel() / stride
                normal(weight, 0, (1.6 / fan_in) ** 0.5)
                if module.bias is not None:
                    normal(module.bias, 0, 0.2)
            elif isinstance(module, (nn.InstanceNorm2d, nn.BatchNorm2d, nn.GroupNorm)):
                if module.weight is not None:
                    sixteenths(module.weight)
                    normal(module.bias, 0, 0.3)
                if isinstance(module, nn.BatchNorm2d):
                    normal(module.running_mean, 0, 0.5)
                    sixteenths(module.running_var)
            elif isinstance(module, nn.PReLU):
                normal(module.weight, 0.2, 0.2)
    return net.eval()
