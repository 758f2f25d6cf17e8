"""The networks of the corpus that PyTorch's two exporters write.

Each function of `NETWORKS` makes one; its decorator sets how it is exported and its pixel format.
"""

from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn import functional as F
from torch_layers import (
    ChannelAttention,
    ChannelShuffle,
    Concat,
    CroppedResidual,
    Gate,
    Lambda,
    LinearSqueezeExcite,
    NormalisedInside,
    PadToMultiple,
    Residual,
    SpatialAttention,
    SqueezeExcite,
    UNet,
    batch,
    conv,
    instance,
    inverted,
    transposed,
    up,
)

NETWORKS = {}


@dataclass
class Written:
    """How a network is exported, and its input and output pixel formats."""

    make: object
    opset: int
    exporter: str = "legacy"
    fixed: tuple = ()
    keeps_norms: bool = False
    entry: dict = field(default_factory=dict)


def network(opset, exporter="legacy", fixed=(), keeps_norms=False, **entry):
    def add(make):
        covers = " ".join(make.__doc__.split()).rstrip(".")
        NETWORKS[make.__name__] = Written(
            make, opset, exporter, fixed, keeps_norms, {"covers": covers} | entry)
        return make
    return add


def relu():
    return nn.ReLU()


def leaky(slope=0.2):
    return nn.LeakyReLU(slope)


def residual(norm=instance):
    """The residual block of Johnson's network, twelve wide."""
    return Residual(*conv(12, 12, norm=norm(12), act=relu()), *conv(12, 12, norm=norm(12)))


@network(11, order="bgr")
def transposed_k3_instance_norm():
    """rrmina-like: reflection, ConvTranspose k3 s2 p1 output_padding 1, InstanceNorm; BGR 0..255."""
    return nn.Sequential(
        *conv(3, 8, 9, norm=instance(8), act=relu()), *conv(8, 10, 3, 2, instance(10), relu()),
        *conv(10, 12, 3, 2, instance(12), relu()), residual(), residual(),
        *transposed(12, 10, 3, padding=1, output_padding=1, norm=instance(10), act=relu()),
        *transposed(10, 8, 3, padding=1, output_padding=1, norm=instance(8), act=relu()), *conv(8, 3, 9))


@network(9, fixed=(32, 48), input="-1..1", output="-1..1", output_known="graph")
def cyclegan_resnet():
    """CycleGAN-like at a baked size: InstanceNorm without weights, ConvTranspose k3, Tanh."""
    norm = nn.InstanceNorm2d
    return nn.Sequential(
        *conv(3, 8, 7, norm=norm(8), act=relu()), *conv(8, 12, 3, 2, norm(12), relu(), mode="zeros"),
        residual(norm), residual(norm),
        *transposed(12, 8, 3, padding=1, output_padding=1, norm=norm(8), act=relu()),
        *conv(8, 3, 7), nn.Tanh())


@network(13, fixed=(32, 48), input="-1..1", output="-1..1", output_known="graph", keeps_norms=True)
def pix2pix_unet():
    """pix2pix-like at a baked size: Conv k4 s2 p1, LeakyReLU, BatchNorm, ConvTranspose k4 s2 p1, Concat skips,
    Dropout, Tanh."""
    def level(inputs, outputs, inner):
        down = nn.Sequential(leaky(), nn.Conv2d(inputs, outputs, 4, 2, 1), batch(outputs))
        width = 2 * outputs if isinstance(inner, UNet) else outputs
        above = nn.Sequential(relu(), *transposed(width, inputs, 4, padding=1, norm=batch(inputs)),
                              nn.Dropout(0.5))
        return UNet(down, inner, above)
    inner = level(8, 12, level(12, 16, nn.Sequential()))
    return nn.Sequential(nn.Conv2d(3, 8, 4, 2, 1), inner, relu(), *transposed(16, 3, 4, padding=1), nn.Tanh())


@network(12, input="0..1", output="0..1", output_known="graph", multiple=4)
def unet_maxpool_transposed_k2():
    """U-Net: MaxPool, ConvTranspose k2 s2, Concat skips, zero padding, Sigmoid; sides are multiples of 4."""
    def double(inputs, outputs):
        return [*conv(inputs, outputs, mode="zeros", act=relu()),
                *conv(outputs, outputs, mode="zeros", norm=batch(outputs), act=relu())]
    inner = UNet(nn.MaxPool2d(2), nn.Sequential(*double(10, 12)), nn.Sequential(*transposed(12, 10, 2)))
    outer = UNet(nn.MaxPool2d(2), nn.Sequential(*double(8, 10), inner, *double(20, 10)),
                 nn.Sequential(*transposed(10, 8, 2)))
    return nn.Sequential(*double(3, 8), outer, *double(16, 8), nn.Conv2d(8, 3, 1), nn.Sigmoid())


@network(13, input="0..1", output="0..1", output_known="graph")
def unet_resize_to_skip_bilinear():
    """U-Net of any size: bilinear Resize (half_pixel) to the skip's own size, which is computed from Shape."""
    mode = {"mode": "bilinear", "align_corners": False}
    def down(i, o):
        return nn.Sequential(*conv(i, o, 3, 2, instance(o), relu(), mode="zeros"))

    inner = UNet(down(10, 12), nn.Sequential(*conv(12, 12, act=relu())), nn.Sequential(), mode)
    outer = UNet(down(8, 10), nn.Sequential(inner, *conv(22, 10, act=relu())), nn.Sequential(), mode)
    return nn.Sequential(*conv(3, 8, act=relu()), outer, *conv(18, 8, act=relu()), *conv(8, 3), nn.Sigmoid())


@network(18, "dynamo", input="-1..1", output="-1..1", output_known="graph")
def unet_align_corners_dynamo():
    """U-Net of any size by the newer exporter: Resize align_corners to the skip's size, LeakyReLU, Tanh."""
    mode = {"mode": "bilinear", "align_corners": True}
    inner = UNet(nn.Sequential(*conv(8, 12, 3, 2, instance(12), leaky(), mode="zeros")),
                 nn.Sequential(*conv(12, 12, act=leaky(0.1), mode="zeros")), nn.Sequential(), mode)
    return nn.Sequential(*conv(3, 8, act=leaky(), mode="zeros"), inner,
                         *conv(20, 8, mode="zeros", act=leaky()), *conv(8, 3, mode="zeros"), nn.Tanh())


# Its values are far from black: if they are read as 0..1, everything is white.
@network(11, ending=(140.0, 25.0))
def mobilenet_relu6():
    """MobileNet-like: depthwise convolutions, inverted residual blocks, Clip 0..6, nearest Resize; 0..255."""
    return nn.Sequential(
        *conv(3, 8, norm=instance(8), act=nn.ReLU6()),
        *conv(8, 8, 3, 2, instance(8), nn.ReLU6(), groups=8), *conv(8, 16, 1, act=nn.ReLU6()),
        inverted(16, 16, 24, instance, nn.ReLU6), inverted(16, 16, 24, instance, nn.ReLU6), up(),
        *conv(16, 16, groups=16, mode="zeros"), *conv(16, 8, 1, norm=instance(8), act=nn.ReLU6()), *conv(8, 3, 9))


@network(20, "dynamo", input="imagenet", output="0..1", output_known="graph")
def mobilenet3_dynamo():
    """MobileNetV3-like by the newer exporter: HardSwish, HardSigmoid, squeeze-and-excitation by 1x1
    convolutions, depthwise k5 s2; ImageNet's mean and deviation in."""
    swish = nn.Hardswish
    return nn.Sequential(
        *conv(3, 8, act=swish(), mode="zeros"), *conv(8, 8, 5, 2, act=swish(), mode="zeros", groups=8),
        *conv(8, 16, 1, act=relu()), SqueezeExcite(16, 4, nn.Hardsigmoid()),
        Residual(*conv(16, 16, 5, mode="zeros", groups=16, act=swish()), SqueezeExcite(16, 8, nn.Sigmoid()),
                 *conv(16, 16, 1)),
        *conv(16, 8, 1, act=swish()), up("bilinear", align_corners=False),
        *conv(8, 3, mode="zeros"), nn.Hardsigmoid())


@network(14)
def grouped_channel_shuffle():
    """ShuffleNet-like: grouped 1x1 convolutions, channel shuffle as Reshape, Transpose, Reshape of any size."""
    def block():
        return Residual(

        *conv(12, 12, 1, groups=3, norm=instance(12), act=relu()), ChannelShuffle(3),
        *conv(12, 12, mode="zeros", groups=12), *conv(12, 12, 1, groups=3))
    return nn.Sequential(*conv(3, 12, 5, 2, act=relu()), block(), block(), up(), *conv(12, 8, groups=2, act=relu()),
                         *conv(8, 3))


def shuffled(down, inputs):
    """Residual blocks at half the size, and a pixel shuffle after them."""
    def block():
        return Residual(*conv(12, 12, mode="zeros", act=relu()), *conv(12, 12, mode="zeros"))
    return nn.Sequential(down, *conv(inputs, 12, mode="zeros", act=relu()), block(), block(),
                         *conv(12, 12, mode="zeros"), nn.PixelShuffle(2))


@network(13, multiple=2, input="0..1", output="0..1")
def pixel_shuffle_crd():
    """Conv k2 s2, residual blocks, DepthToSpace CRD."""
    return shuffled(nn.Conv2d(3, 12, 2, 2), 12)


@network(13, multiple=2, input="0..1", output="0..1")
def pixel_unshuffle_reshape():
    """Pixel unshuffle as Reshape, Transpose, Reshape of sizes that are computed from Shape; DepthToSpace CRD."""
    return shuffled(nn.PixelUnshuffle(2), 12)


@network(9, fixed=(16, 24), scale=2, input="0..1", output="0..1")
def upscale_twice_reshape():
    """ESPCN-like: twice the size, pixel shuffle as Reshape, Transpose, Reshape, at a baked size; Tanh inside."""
    return nn.Sequential(*conv(3, 16, 5, mode="zeros", act=nn.Tanh()), *conv(16, 12, mode="zeros", act=nn.Tanh()),
                         *conv(12, 12, mode="zeros"), nn.PixelShuffle(2))


@network(17, scale=4, input="0..1", output="0..1")
def upscale_four_times_dense():
    """ESRGAN-like: four times the size, dense Concat blocks, scaled residuals, nearest Resize, LeakyReLU."""
    class Dense(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(Concat(*conv(8, 4, mode="zeros", act=leaky())),
                                      Concat(*conv(12, 4, mode="zeros", act=leaky())), *conv(16, 8, mode="zeros"))

        def forward(self, x):
            return x + 0.2 * self.body(x)
    return nn.Sequential(*conv(3, 8, mode="zeros"), Dense(), Dense(), up(), *conv(8, 8, mode="zeros", act=leaky()),
                         up(), *conv(8, 8, mode="zeros", act=leaky()), *conv(8, 3, mode="zeros"))


@network(17, keeps_norms=True)
def preactivation_batch_norm():
    """Pre-activation residual blocks: BatchNorm, ReLU, Conv; BatchNorm kept as a node."""
    def block():
        return Residual(batch(12), relu(), nn.Conv2d(12, 12, 3, 1, 1, bias=False), batch(12), relu(),
                nn.Conv2d(12, 12, 3, 1, 1, bias=False))

    return nn.Sequential(batch(3), *conv(3, 12, 5, 2, mode="zeros"), block(), block(), block(), batch(12), relu(),
                         *transposed(12, 8, 4, padding=1, norm=batch(8), act=relu()), *conv(8, 3, mode="zeros"))


@network(21, "dynamo")
def preactivation_instance_norm_dynamo():
    """Pre-activation residual blocks with InstanceNorm by the newer exporter, opset 21."""
    def block():
        return Residual(instance(12), relu(), *conv(12, 12), instance(12), relu(), *conv(12, 12))

    return nn.Sequential(*conv(3, 12, 5, 2), block(), block(), instance(12), relu(), up(), *conv(12, 3, 5))


@network(10, input="0..1", output="0..1", fixed=(29, 43))
def prelu_sizes():
    """PReLU with one slope and with a slope for each channel, at a baked odd size."""
    return nn.Sequential(*conv(3, 12, mode="zeros", act=nn.PReLU()), *conv(12, 12, mode="zeros", act=nn.PReLU(12)),
                         Residual(*conv(12, 12, mode="zeros", act=nn.PReLU(12))), *conv(12, 3, mode="zeros"))


@network(16, input="0..1", output="0..1", output_known="graph", multiple=2)
def gelu_erf():
    """GELU as Div, Erf, Add, Mul, Mul; ELU; depthwise k7 as in ConvNeXt."""
    def block():
        return Residual(*conv(12, 12, 7, mode="zeros", groups=12), *conv(12, 32, 1, act=nn.GELU()),
                *conv(32, 12, 1))

    return nn.Sequential(nn.Conv2d(3, 12, 2, 2), block(), block(), nn.ELU(0.7), up("bilinear", align_corners=False),
                         *conv(12, 3), nn.Sigmoid())


@network(20, "dynamo", input="0..1", output="0..1")
def gelu_node_dynamo():
    """The node Gelu of opset 20, exact and by tanh."""
    return nn.Sequential(*conv(3, 12, mode="zeros", act=nn.GELU()),
                         Residual(*conv(12, 12, mode="zeros", act=nn.GELU("tanh"))), *conv(12, 3, mode="zeros"))


@network(15, input="0..1", output="0..1")
def silu_mish_softplus():
    """SiLU as Sigmoid and Mul, Mish as Softplus, Tanh and Mul, and Softplus alone."""
    return nn.Sequential(*conv(3, 12, act=nn.SiLU()), Residual(*conv(12, 12, act=nn.Mish())),
                         *conv(12, 12, act=nn.Softplus()), *conv(12, 3))


@network(12)
def squeeze_excite_linear():
    """Squeeze-and-excitation through Flatten or Reshape, Gemm and Reshape; any size."""
    def block():
        return Residual(*conv(12, 12, norm=instance(12), act=relu()), *conv(12, 12),
                        LinearSqueezeExcite(12, 4))

    return nn.Sequential(*conv(3, 12, 3, 2, act=relu()), block(), block(), up(), *conv(12, 3))


@network(11)
def pooling_kinds():
    """AveragePool with and without padding counted, ceil mode, MaxPool k3 s2 p1, bilinear Resize by 2."""
    return nn.Sequential(
        *conv(3, 12, act=relu()), nn.AvgPool2d(3, 1, 1), *conv(12, 12, act=relu()),
        nn.AvgPool2d(3, 1, 1, count_include_pad=False), nn.MaxPool2d(3, 2, 1), *conv(12, 12, act=relu()),
        nn.MaxPool2d(2, 2, ceil_mode=True), *conv(12, 12), nn.AvgPool2d(2, 2, ceil_mode=True),
        up("bilinear", 2, align_corners=False), up("bilinear", 4, align_corners=False), *conv(12, 3))


@network(11)
def gated_slice():
    """Gated convolutions: channels halved by Slice or Split, Tanh times Sigmoid."""
    return nn.Sequential(Gate(nn.Conv2d(3, 16, 5, 1, 2)), Residual(Gate(nn.Conv2d(8, 16, 3, 1, 1))),
                         Lambda(lambda x: x[:, 1:7] + x[:, 2:8]), *conv(6, 3))


@network(13)
def gated_split():
    """The same with Split of opset 13, whose sizes are an input."""
    return nn.Sequential(Gate(nn.Conv2d(3, 16, 5, 1, 2)), Residual(Gate(nn.Conv2d(8, 16, 3, 1, 1))),
                         Lambda(lambda x: torch.cat(x.split([2, 5, 1], 1)[::-1], 1)), *conv(8, 3))


@network(11, output_known="graph")
def johnson_cropped():
    """Johnson's first network: reflection by 12 at the start, valid convolutions, cropped residuals (Slice),
    tanh * 150 + 127.5."""
    def block():
        return CroppedResidual(*conv(12, 12, norm=batch(12), act=relu(), mode="valid"),
                *conv(12, 12, norm=batch(12), mode="valid"))

    return nn.Sequential(nn.ReflectionPad2d(12), *conv(3, 8, 9, act=relu(), mode="zeros"),
                         *conv(8, 12, 3, 2, act=relu(), mode="zeros"), block(), block(), block(),
                         *transposed(12, 8, 3, padding=1, output_padding=1, act=relu()),
                         *conv(8, 3, 9, mode="zeros"),
                         Lambda(lambda x: torch.tanh(x) * 150 + 127.5))


@network(17)
def instance_norm_epsilons():
    """InstanceNorm with eps 1e-3 and 1e-9, with and without weights."""
    return nn.Sequential(*conv(3, 12, norm=instance(12, eps=1e-3), act=relu()),
                         Residual(*conv(12, 12, norm=instance(12, eps=1e-9), act=relu()),
                                  *conv(12, 12, norm=nn.InstanceNorm2d(12, eps=1e-3))), *conv(12, 3))


def animegan(norm):
    """The generator of AnimeGANv2 in its PyTorch form, narrow."""
    def block(inputs, outputs, kernel=3, stride=1):
        return conv(inputs, outputs, kernel, stride, norm(outputs), leaky(), bias=False)
    return nn.Sequential(
        *block(3, 8, 7), *block(8, 12, 3, 2), *block(12, 12),
        inverted(12, 16, 24, norm, leaky), inverted(16, 16, 32, norm, leaky),
        up("bilinear", align_corners=False), *block(16, 12), *block(12, 8, 7), nn.Conv2d(8, 3, 1), nn.Tanh())


@network(12, input="-1..1", output="-1..1", output_known="graph")
def animegan2_like():
    """AnimeGANv2-like with InstanceNorm: reflection, inverted residual blocks, LeakyReLU, bilinear, Tanh."""
    return animegan(instance)


@network(12, input="-1..1", output="-1..1", output_known="graph")
def animegan2_group_norm():
    """AnimeGANv2-like with the norm that is published: GroupNorm with one group, as Reshape,
    InstanceNormalization, Reshape, Mul, Add."""
    return animegan(lambda channels: nn.GroupNorm(1, channels))


@network(13, order="bgr", input="-1..1", output="-1..1", output_known="graph")
def cartoongan_like():
    """CartoonGAN-like: BGR -1..1, InstanceNorm, ConvTranspose k3 s2 p1 output_padding 1 after Conv, Tanh."""
    return nn.Sequential(
        *conv(3, 8, 7, norm=instance(8), act=relu()), *conv(8, 12, 3, 2, mode="zeros"),
        *conv(12, 12, 3, mode="zeros", norm=instance(12), act=relu()),
        residual(), residual(), *transposed(12, 8, 3, padding=1, output_padding=1),
        *conv(8, 8, mode="zeros", norm=instance(8), act=relu()),
        *conv(8, 3, 7), nn.Tanh())


@network(13, input_known="graph", output_known="graph", ending=(0.0, 1.0))
def imagenet_inside():
    """Takes 0..255 and gives 0..255: Div 255, Sub mean, Div deviation inside, and back, Clip 0..255."""
    return NormalisedInside(nn.Sequential(
        *conv(3, 8, 5, norm=instance(8), act=relu()), *conv(8, 8, norm=instance(8), act=relu()), *conv(8, 3)))


@network(13, order="rgb")
def swapped_inside_gather():
    """Turns RGB into BGR and back by an index list (Gather) inside."""
    def swap():
        return Lambda(lambda x: x[:, [2, 1, 0]])

    return nn.Sequential(swap(), *conv(3, 10, 5, norm=instance(10), act=relu()), *conv(10, 3), swap())


@network(11, order="rgb")
def swapped_inside_flip():
    """Turns RGB into BGR by Slice with a step of -1."""
    return nn.Sequential(Lambda(lambda x: x.flip(1)), *conv(3, 10, 5, act=relu()), *conv(10, 3))


@network(13)
def dilated():
    """Dilated convolutions 2, 4 and (1, 3), with reflection and with zeros."""
    return nn.Sequential(*conv(3, 10, act=relu(), dilation=2),
                         Residual(*conv(10, 10, mode="zeros", dilation=4, act=relu())),
                         nn.Conv2d(10, 10, (3, 5), 1, (1, 6), dilation=(1, 3)), relu(), *conv(10, 3))


@network(13)
def padded_to_multiple():
    """Pads any size to a multiple of 4 (sizes computed by Mod and Sub), cuts the padding off at the end."""
    return PadToMultiple(4, nn.Sequential(
        nn.Conv2d(3, 12, 4, 2, 1), relu(), nn.Conv2d(12, 12, 4, 2, 1), relu(),
        *transposed(12, 12, 4, padding=1, act=relu()), *transposed(12, 3, 4, padding=1)))


@network(18, "dynamo")
def padded_to_multiple_dynamo():
    """The same by the newer exporter."""
    return padded_to_multiple()


@network(14, multiple=6)
def transposed_kinds():
    """ConvTranspose k5 s3 p1, k(4,6) s2 p(1,2), k3 s1 dilated by 2, in groups, k2 s2."""
    return nn.Sequential(
        nn.Conv2d(3, 12, 3, 3), relu(), *transposed(12, 12, 5, 3, 1, act=relu()),
        nn.Conv2d(12, 12, 2, 2), relu(), nn.ConvTranspose2d(12, 12, (4, 6), 2, (1, 2), groups=3), relu(),
        nn.ConvTranspose2d(12, 8, 3, 1, 2, dilation=2), relu(), nn.Conv2d(8, 8, 2, 2), relu(),
        *transposed(8, 8, 2, act=relu()), *conv(8, 3, mode="zeros"))


@network(13)
def pad_kinds():
    """Pad edge, reflect, constant 0.5, unequal sides, negative (a crop)."""
    return nn.Sequential(
        nn.ReplicationPad2d((1, 3, 2, 4)), nn.Conv2d(3, 10, 5), relu(),
        nn.ReflectionPad2d((0, 3, 2, 0)), nn.Conv2d(10, 10, 3), relu(),
        nn.ConstantPad2d(2, 0.5), nn.Conv2d(10, 10, 3), Lambda(lambda x: F.pad(x, (-1, -2, -2, -1))), relu(),
        nn.ZeroPad2d((3, 1, 1, 1)), nn.Conv2d(10, 3, 3))


@network(15)
def channel_attention():
    """CBAM's channel attention: GlobalAveragePool and GlobalMaxPool through shared 1x1 convolutions."""
    return nn.Sequential(*conv(3, 12, 3, 2, act=relu()), ChannelAttention(12, 4),
                         *conv(12, 12, act=relu()), up(), *conv(12, 3))


@network(15, outcome="run_or_refuse")
def spatial_attention():
    """CBAM's spatial attention: ReduceMean and ReduceMax over channels."""
    return nn.Sequential(*conv(3, 12, act=relu()), SpatialAttention(), *conv(12, 3))


@network(11, input="0..1", output="0..1", output_known="graph", ending=(0.0, 0.2))
def residual_to_input():
    """Works on half the size by bilinear Resize 0.5, adds its result to the input, Clip 0..1."""
    class ToInput(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(*conv(3, 12, act=relu()), *conv(12, 3))

        def forward(self, x):
            y = F.interpolate(x, scale_factor=0.5, mode="bilinear", align_corners=False)
            y = F.interpolate(self.body(y), size=x.shape[2:], mode="bilinear", align_corners=False)
            return torch.clamp(x + y, 0, 1)
    return ToInput()


@network(16)
def bicubic():
    """Bicubic Resize by 2 after a stride of 2."""
    return nn.Sequential(*conv(3, 10, 5, 2, act=relu()), up("bicubic", 2, align_corners=False), *conv(10, 3))
