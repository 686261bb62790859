# SPDX-License-Identifier: Apache-2.0
"""Constructors' calls for every class of torch.nn, as Python and kdl_nn_from_text() read them.

CALLS[name] has at least six argument lists where the class has arguments. INPUTS[name] are shapes
that initialise each of a Lazy class's calls.
"""

CONV = [  # in_channels and out_channels come before; T is a tuple of the class's length
    "3", "{T}, stride=2", "2, padding=1, bias=False", "3, dilation=2, groups=2",
    "kernel_size={T}, stride={T}, padding={T}, dilation={T}, groups=4", "1, 1, 0",
]
CONV_ONLY = [
    "3, padding='same'", "2, padding='valid', padding_mode='reflect'",
    "3, padding_mode='circular', padding=1", "4, padding='same', dilation=3, groups=2, bias=False",
    "2, 2, 1, 2, 1, True, 'replicate'",
]
TRANSPOSED_ONLY = [
    "3, stride=2, output_padding=1", "3, 2, 1, 1, 2, False, 2", "{T}, output_padding={T}, stride=3",
]
BATCH_NORM = [
    "", "eps=0.001", "momentum=None", "affine=False", "track_running_stats=False", "bias=False",
    "1e-3, 0.5, False, False", "momentum=1, eps=2", "affine=True, track_running_stats=True",
    "affine=False, bias=False", "affine=True, bias=False, track_running_stats=False",
]
INSTANCE_NORM_ONLY = [  # which by itself has no tensors
    "affine=True", "track_running_stats=True, momentum=None", "1e-3, 0.5, True, True",
    "0, affine=True, bias=False, track_running_stats=True", "momentum=0.9, affine=True",
]
DROPOUT = ["", "0.25", "p=0.1, inplace=True", "0", "1.0", "inplace=False, p=1"]
INPLACE = ["", "True", "False", "inplace=True", "inplace=False", " inplace = True ,"]
DIM = ["", "1", "-1", "dim=None", "dim=0", "None"]
ELU = ["", "0.5", "alpha=2", "1.0, True", "inplace=True", "alpha=1e-05, inplace=False"]
SHRINK = ["", "0.1", "lambd=2", "0", "lambd=1e-07", "3.0"]


def join(*parts):
    return ", ".join(part for part in parts if part)


def tuple_of(n):
    return ("(3,)", "(2, 3)", "(1, 2, 3)")[n - 1]


CALLS = {
    "Identity": [""],
    "Linear": ["7, 5", "300, 3", "4, 4, False", "1, 1", "in_features=16, out_features=1",
               "5, out_features=16, bias=True", "17, 33"],
    "Bilinear": ["7, 5, 3", "1, 1, 1", "2, 3, 4, False", "300, 2, 2", "16, 16, 2, bias=True",
                 "in1_features=5, in2_features=9, out_features=1"],
    "LazyLinear": ["5", "1, False", "33, bias=True", "out_features=4", "16", "7, bias=False"],
    "Embedding": ["10, 3", "5, 2, 0", "9, 4, -2, 1.5, 3, True, True", "1, 1", "40, 16, max_norm=1",
                  "5, 2, padding_idx=None", "16, 1, padding_idx=15, norm_type=2.0",
                  "3, 7, norm_type=1.5, scale_grad_by_freq=True, _freeze=True"],
    "EmbeddingBag": ["10, 3", "5, 2, 1.0", "9, 4, 1, 3, True, 'sum', True", "1, 1, mode='max'",
                     "40, 16, padding_idx=-1", "6, 3, include_last_offset=True, padding_idx=0",
                     "7, 5, None, 2, False, 'mean', False, None, True, 6"],
    "AdaptiveLogSoftmaxWithLoss": [
        "16, 20, [5]", "20, 200, (20, 100, 150), 2.0, True", "9, 30, cutoffs=[1, 2, 3], div_value=2",
        "8, 4, [3], head_bias=True", "64, 50, [10, 49], 1", "7, 100, [30, 60], 0.5, head_bias=False",
        "4, 20, [5, 10], 2.5", "0, 5, [1]", "12, 40, [4], 1e300, True"],
    "LayerNorm": ["6", "(2, 3)", "(1, 2, 3), elementwise_affine=False", "5, 1e-12, bias=False",
                  "[4, 2], eps=0", "(3,), 0.1, True, True",
                  "2, elementwise_affine=False, bias=False", "17", "(4, 4, 5), bias=True"],
    "RMSNorm": ["4", "(3, 2)", "5, 1e-06", "5, None, False", "[2, 2], eps=1", "(7,), 0.1, True",
                "33", "(2, 8), 1e-3"],
    "GroupNorm": ["2, 4", "1, 1, 0.1", "3, 6, affine=False", "5, 5, bias=False",
                  "num_groups=4, num_channels=16, eps=1", "2, 2, 1e-3, True", "8, 32",
                  "1, 17, bias=True"],
    "LocalResponseNorm": ["2", "3, 0.1", "5, alpha=1, beta=2, k=3", "1, k=2.0", "size=4",
                          "7, 1e-05, 0.5, 1"],
    "CrossMapLRN2d": ["2", "3, 0.1", "5, alpha=1, beta=2, k=3", "1, k=2.0", "size=4",
                      "7, 1e-05, 0.5, 1"],
    "LogSigmoid": [""], "Sigmoid": [""], "Softmax2d": [""], "Softsign": [""], "Tanh": [""],
    "Tanhshrink": [""],
    "GLU": ["", "1", "-2", "dim=0", "dim=-1", "2"],
    "Threshold": ["0.1, 20", "1, 2.0, True", "threshold=0, value=-1e-05", "-3.5, 7, inplace=False",
                  "0.0, 0.0", "1e20, value=1, inplace=True"],
    "RReLU": ["", "0.1", "0.1, 0.3", "lower=0, upper=1", "inplace=True", "0.125, 0.25, True"],
    "Hardtanh": ["", "-2, 2", "-2.0, 2.0, True", "max_val=6", "min_val=0, max_val=0.5",
                 "min_value=-3, max_value=3.5", "inplace=True"],
    "GELU": ["", "'none'", "'tanh'", "approximate='tanh'", "approximate=\"none\"", "\"tanh\""],
    "LeakyReLU": ["", "0.2", "1e-05, True", "negative_slope=0.1", "inplace=True", "1"],
    "Softplus": ["", "2", "0.5, 10", "beta=1, threshold=20", "threshold=1.5", "1.0, 20.0"],
    "PReLU": ["", "3", "1, 0.1", "16, init=1", "num_parameters=2, init=-0.5", "7, 0.0"],
}
for name in ("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout",
             "FeatureAlphaDropout"):
    CALLS[name] = DROPOUT
for name in ("ReLU", "ReLU6", "SELU", "SiLU", "Mish", "Hardswish", "Hardsigmoid"):
    CALLS[name] = INPLACE
for name in ("Softmax", "LogSoftmax", "Softmin"):
    CALLS[name] = DIM
for name in ("ELU", "CELU"):
    CALLS[name] = ELU
for name in ("Hardshrink", "Softshrink"):
    CALLS[name] = SHRINK

for n in (1, 2, 3):
    T = tuple_of(n)
    conv = [args.replace("{T}", T) for args in CONV + CONV_ONLY]
    transposed = [args.replace("{T}", T) for args in CONV + TRANSPOSED_ONLY]
    CALLS[f"Conv{n}d"] = [f"4, 8, {args}" for args in conv]
    CALLS[f"ConvTranspose{n}d"] = [f"8, 4, {args}" for args in transposed]
    CALLS[f"LazyConv{n}d"] = [f"8, {args}" for args in conv]
    CALLS[f"LazyConvTranspose{n}d"] = [f"4, {args}" for args in transposed]
    for kind in ("BatchNorm", "InstanceNorm"):
        CALLS[f"{kind}{n}d"] = [join(str(n + 4), args) for args in BATCH_NORM]
        CALLS[f"Lazy{kind}{n}d"] = BATCH_NORM
    CALLS[f"InstanceNorm{n}d"] += [f"{n + 4}, {args}" for args in INSTANCE_NORM_ONLY]
CALLS["SyncBatchNorm"] = [join("7", args) for args in BATCH_NORM] + [
    "2, 0.1, 0.2, True, True, None"]

INPUTS = {"LazyLinear": (3, 7)}
for n in (1, 2, 3):
    INPUTS[f"LazyConv{n}d"] = INPUTS[f"LazyConvTranspose{n}d"] = (2, 4) + (9,) * n
    INPUTS[f"LazyBatchNorm{n}d"] = INPUTS[f"LazyInstanceNorm{n}d"] = (2, 5) + (3,) * n

CALLS |= {
    "FractionalMaxPool2d": ["3, 5", "3, output_ratio=0.5", "(2, 3), output_size=(4, 5)",
                            "2, output_ratio=(0.5, 0.25)", "3, 4, None, True",
                            "kernel_size=1, output_size=1, return_indices=True"],
    "FractionalMaxPool3d": ["3, 5", "3, output_ratio=0.5", "(2, 3, 1), output_size=(4, 5, 6)",
                            "2, output_ratio=(0.5, 0.25, 0.1)", "3, 4, None, True",
                            "kernel_size=1, output_size=1, return_indices=True"],
    "Flatten": ["", "0", "1, 2", "start_dim=-2", "end_dim=3", "start_dim=0, end_dim=-1"],
    "Unflatten": ["1, (2, 5)", "0, (3,)", "-1, (2, -1, 3)", "dim=2, unflattened_size=(1, 1)", "1, ()",
                  "3, unflattened_size=(7, 2)"],
    "Fold": ["4, 2", "(4, 5), (2, 2)", "4, 2, 1, 1, 2", "output_size=7, kernel_size=3, stride=(2, 1)",
             "(4, 5), 3, padding=(1, 0)", "3, 1, dilation=2"],
    "Unfold": ["2", "(2, 3)", "2, 1, 1, 2", "kernel_size=3, stride=(2, 1)", "3, padding=(1, 0)",
               "1, dilation=2"],
    "ChannelShuffle": ["2", "groups=3", "1", "groups=1", "16", "0"],
    "PixelShuffle": ["2", "upscale_factor=3", "1", "16", "upscale_factor=1", "4"],
    "PixelUnshuffle": ["2", "downscale_factor=3", "1", "16", "downscale_factor=1", "4"],
    "Upsample": ["", "2", "(4, 5)", "scale_factor=2", "scale_factor=(2, 1.5), mode='bilinear'",
                 "None, 0.5, 'linear', True, False", "scale_factor=0, mode='area'",
                 "size=7, mode='bicubic', align_corners=None, recompute_scale_factor=True"],
    "CosineSimilarity": ["", "0", "dim=-1", "1, 1e-6", "eps=1", "dim=2, eps=0.1"],
    "PairwiseDistance": ["", "1", "p=2", "1.5, 1e-3, True", "keepdim=True", "eps=0"],
    "NLLLoss": ["", "None", "ignore_index=0", "None, None, -1, None, 'sum'", "reduction='none'",
                "weight=None, size_average=False"],
    "CrossEntropyLoss": ["", "ignore_index=3", "label_smoothing=0.1", "reduction='sum'",
                         "None, True, -100, False, 'mean', 1", "reduce=True, size_average=False"],
    "LinearCrossEntropyLoss": ["7, 5", "3, 4, bias=True", "2, 3, out_features=(4,)",
                               "16, 1, out_features=(2, 3), reduction='sum'",
                               "in_features=5, num_classes=3, label_smoothing=0.5, ignore_index=1",
                               "4, 4, out_features=(), weight=None, options=None",
                               "9, 2, label_smoothing=1, bias=True",
                               "4, 5, options=nn.LinearCrossEntropyOptions()",
                               "4, 5, options=nn.LinearCrossEntropyOptions(True, 3, None), "
                               "bias=True",
                               "4, 5, options=nn.LinearCrossEntropyOptions(chunking_method='"
                               "aspect_ratio:4', acc_policy='compact')"],
    "BCEWithLogitsLoss": ["", "None", "reduction='sum'", "None, False", "reduce=False",
                          "weight=None, pos_weight=None"],
    "PoissonNLLLoss": ["", "False", "True, True", "eps=1e-3", "reduction='none'",
                       "False, True, True, 1, True, 'sum'"],
    "GaussianNLLLoss": ["", "full=True", "eps=1e-3", "reduction='none'", "eps=1, reduction='sum'",
                        "full=False, eps=0.5"],
    "KLDivLoss": ["", "reduction='batchmean'", "log_target=True", "None, None, 'sum', True", "False",
                  "reduce=False"],
    "CTCLoss": ["", "1", "0, 'sum'", "zero_infinity=True", "blank=3, reduction='none'",
                "2, 'mean', True"],
    "SmoothL1Loss": ["", "beta=0.5", "reduction='sum'", "None, None, 'none', 2", "True, True",
                     "reduce=False, beta=0"],
    "HuberLoss": ["", "'sum'", "delta=2", "'none', 0.5", "reduction='mean', delta=1", "delta=1.5"],
    "MultiMarginLoss": ["", "2", "1, 0.5", "p=2, margin=2, weight=None", "reduction='sum'",
                        "1, 1.0, None, False"],
    "TripletMarginLoss": ["", "0.5", "1, 3, 1e-3, True", "swap=True", "p=1", "margin=2, reduction='sum'"],
    "TripletMarginWithDistanceLoss": [
        "", "margin=2", "distance_function=nn.CosineSimilarity(dim=0)", "swap=True",
        "reduction='sum', margin=0.5",
        "distance_function=nn.TripletMarginWithDistanceLoss(swap=True), swap=False"],
}
REDUCTIONS = ["", "reduction='sum'", "reduction='none'", "size_average=False", "reduce=False",
              "size_average=True, reduce=None"]
MARGINS = ["", "0.5", "margin=2", "1, True, None, 'sum'", "reduction='none'", "margin=-1, reduce=False"]
for name in ("L1Loss", "MSELoss", "MultiLabelMarginLoss", "SoftMarginLoss"):
    CALLS[name] = REDUCTIONS
for name in ("BCELoss", "MultiLabelSoftMarginLoss"):
    CALLS[name] = ["None"] + REDUCTIONS
for name in ("HingeEmbeddingLoss", "CosineEmbeddingLoss", "MarginRankingLoss"):
    CALLS[name] = MARGINS
for name in ("UpsamplingNearest2d", "UpsamplingBilinear2d"):
    CALLS[name] = ["", "2", "(4, 5)", "scale_factor=2", "scale_factor=(2, 1.5)", "None, 0.5"]
for n in (1, 2, 3):
    T = tuple_of(n)
    pool = ["3", "3, 2", "kernel_size=2, padding=1", "{T}, {T}, {T}", "2, stride=None", "4, 1, 2, True",
            "{T}, ceil_mode=True"]
    pool = [args.replace("{T}", T) for args in pool]
    CALLS[f"MaxPool{n}d"] = [args.replace(", True", ", 1, True") for args in pool] + [
        "2, 1, 0, 2, True, True", "3, dilation=2", f"2, dilation={T}, return_indices=True"]
    CALLS[f"AvgPool{n}d"] = pool + ["2, count_include_pad=False", "2, 2, 0, False, True"] + (
        ["2, divisor_override=3"] if n > 1 else [])
    CALLS[f"MaxUnpool{n}d"] = pool[:5] + [f"2, {T}", "3, 1, 1"]
    CALLS[f"LPPool{n}d"] = ["2, 3", "1.5, 2, 2", f"2.0, {T}, stride={T}", "3, 2, None, True",
                            "norm_type=1, kernel_size=3", "2, 3, ceil_mode=True"]
    # None in a tuple is an input's own size.
    sizes = ["5", T, "None", "output_size=1", "(" + "None, " * (n - 1) + "7,)", "output_size=None"]
    CALLS[f"AdaptiveAvgPool{n}d"] = sizes
    CALLS[f"AdaptiveMaxPool{n}d"] = sizes + ["3, True", f"{T}, return_indices=False"]
    widths = "(" + ", ".join(str(i % 4) for i in range(2 * n)) + ")"
    pads = ["1", "2", widths, "padding=0", f"padding={widths}", "-1"]
    for kind in ("CircularPad", "ReflectionPad", "ReplicationPad", "ZeroPad"):
        CALLS[f"{kind}{n}d"] = pads
    CALLS[f"ConstantPad{n}d"] = [f"{args}, {value}" for args, value in zip(
        pads, ("0", "3.5", "-1", "value=0.0", "value=1", "1e-05"))]
