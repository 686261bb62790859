# SPDX-License-Identifier: Apache-2.0
"""What functional_window.h declares, through ctypes."""
import ctypes

from kindling import BOOL, DOUBLE, FUNCTIONS, INT, LONG, POINTER, SIZE, TEXT, NewTensor, Shape, Tensor
from training import NO_FLOAT, NO_INT, IntOrShape, PoolOptions, Training


def structure(name, *fields):
    """A struct of options: its own size comes first."""
    return type(name, (ctypes.Structure,), {"_fields_": [("nbytes", SIZE), *fields]})


class Ratios(ctypes.Structure):
    """kdl_ratios: a number has no count."""

    _fields_ = [("values", DOUBLE * 3), ("count", INT)]

    @classmethod
    def of(cls, value):
        values = value if isinstance(value, tuple) else (NO_FLOAT if value is None else value,)
        return cls((DOUBLE * 3)(*values), len(values) if isinstance(value, tuple) else 0)


OUTPUT = ctypes.POINTER(POINTER)
ConvTransposeOptions = structure(
    "ConvTransposeOptions", ("stride", IntOrShape), ("padding", IntOrShape),
    ("output_padding", IntOrShape), ("dilation", IntOrShape), ("groups", LONG))
PadOptions = structure("PadOptions", ("mode", TEXT), ("value", DOUBLE))
UnpoolOptions = structure("UnpoolOptions", ("stride", IntOrShape), ("padding", IntOrShape),
                          ("output_size", Shape))
FractionalOptions = structure("FractionalOptions", ("output_size", IntOrShape),
                              ("output_ratio", Ratios), ("random_samples", POINTER),
                              ("indices", OUTPUT))
FoldOptions = structure("FoldOptions", ("dilation", IntOrShape), ("padding", IntOrShape),
                        ("stride", IntOrShape))
InterpolateOptions = structure(
    "InterpolateOptions", ("size", IntOrShape), ("scale_factor", Ratios), ("mode", TEXT),
    ("align_corners", ctypes.c_int8), ("recompute_scale_factor", ctypes.c_int8),
    ("antialias", BOOL))

GridSampleOptions = structure("GridSampleOptions", ("mode", TEXT), ("padding_mode", TEXT),
                              ("align_corners", ctypes.c_int8))

FUNCTIONS.update({
    "kdl_f_grid_sample_with": (NewTensor, POINTER, POINTER, ctypes.POINTER(GridSampleOptions)),
    "kdl_f_affine_grid": (NewTensor, POINTER, Shape, ctypes.c_int8),
    "kdl_f_conv_transpose_with": (NewTensor, INT, POINTER, POINTER, POINTER,
                                  ctypes.POINTER(ConvTransposeOptions)),
    "kdl_f_pad_with": (NewTensor, POINTER, Shape, ctypes.POINTER(PadOptions)),
    "kdl_f_adaptive_max_pool": (NewTensor, INT, POINTER, Shape, OUTPUT),
    "kdl_f_lp_pool_with": (NewTensor, INT, POINTER, DOUBLE, IntOrShape,
                           ctypes.POINTER(PoolOptions)),
    "kdl_f_max_unpool_with": (NewTensor, INT, POINTER, POINTER, IntOrShape,
                              ctypes.POINTER(UnpoolOptions)),
    "kdl_f_fractional_max_pool_with": (NewTensor, INT, POINTER, IntOrShape,
                                       ctypes.POINTER(FractionalOptions)),
    "kdl_f_instance_norm": (NewTensor, *(POINTER,) * 5, BOOL, DOUBLE, DOUBLE),
    "kdl_f_local_response_norm": (NewTensor, POINTER, LONG, DOUBLE, DOUBLE, DOUBLE),
    "kdl_f_cross_map_lrn2d": (NewTensor, POINTER, LONG, DOUBLE, DOUBLE, DOUBLE),
    "kdl_f_pixel_shuffle": (NewTensor, POINTER, LONG),
    "kdl_f_pixel_unshuffle": (NewTensor, POINTER, LONG),
    "kdl_channel_shuffle": (NewTensor, POINTER, LONG),
    "kdl_unflatten": (NewTensor, POINTER, INT, Shape),
    "kdl_f_unfold_with": (NewTensor, POINTER, IntOrShape, ctypes.POINTER(FoldOptions)),
    "kdl_f_fold_with": (NewTensor, POINTER, IntOrShape, IntOrShape, ctypes.POINTER(FoldOptions)),
    "kdl_f_interpolate_with": (NewTensor, POINTER, ctypes.POINTER(InterpolateOptions)),
})


def shape_of(value):
    """An int or a tuple, as the functions take it."""
    return IntOrShape.of(value)


class Windows(Training):
    """A context that can train, with these functions."""

    def struct(self, kind, *values):
        return kind(ctypes.sizeof(kind), *values)

    def taken(self, output):
        """The tensor that a function has put into `output`."""
        return Tensor(self, output[0])

    def conv_transpose(self, count, x, weight, bias, stride=1, padding=0, output_padding=0,
                       groups=1, dilation=1):
        return self.call("kdl_f_conv_transpose_with", count, x, weight, bias,
                         self.struct(ConvTransposeOptions, shape_of(stride), shape_of(padding),
                                      shape_of(output_padding), shape_of(dilation), groups))

    def pad(self, x, widths, mode="constant", value=0.0):
        return self.call("kdl_f_pad_with", x, list(widths),
                         self.struct(PadOptions, mode.encode(), value))

    def max_pool(self, count, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
        """F.max_pool1d to 3d: the values and the indices."""
        output = (POINTER * 1)()
        kernel = kernel_size if isinstance(kernel_size, tuple) else (kernel_size,) * count
        values = self.call(
            "kdl_f_max_pool_with", count, x, list(kernel),
            self.struct(PoolOptions, shape_of(NO_INT if stride is None else stride),
                         shape_of(padding), shape_of(dilation), ceil_mode, True, NO_INT, output))
        return values, self.taken(output)

    def adaptive_max_pool(self, count, x, size):
        output = (POINTER * 1)()
        values = self.call("kdl_f_adaptive_max_pool", count, x, list(size), output)
        return values, self.taken(output)

    def lp_pool(self, count, x, norm_type, kernel_size, stride=None, ceil_mode=False):
        return self.call("kdl_f_lp_pool_with", count, x, norm_type, shape_of(kernel_size),
                         self.struct(PoolOptions, shape_of(NO_INT if stride is None else stride),
                                      shape_of(0), shape_of(1), ceil_mode, True, NO_INT))

    def max_unpool(self, count, x, indices, kernel_size, stride=None, padding=0, output_size=()):
        return self.call("kdl_f_max_unpool_with", count, x, indices, shape_of(kernel_size),
                         self.struct(UnpoolOptions, shape_of(NO_INT if stride is None else stride),
                                      shape_of(padding), Shape.from_param(list(output_size))))

    def fractional_max_pool(self, count, x, kernel_size, output_size=None, output_ratio=None,
                            samples=None):
        """F.fractional_max_pool2d, 3d: the values and the indices."""
        output = (POINTER * 1)()
        values = self.call(
            "kdl_f_fractional_max_pool_with", count, x, shape_of(kernel_size),
            self.struct(FractionalOptions,
                         shape_of(NO_INT if output_size is None else output_size),
                         Ratios.of(output_ratio), samples and samples.pointer, output))
        return values, self.taken(output)

    def fold_options(self, dilation=1, padding=0, stride=1):
        return self.struct(FoldOptions, shape_of(dilation), shape_of(padding), shape_of(stride))

    def unfold(self, x, kernel_size, **options):
        return self.call("kdl_f_unfold_with", x, shape_of(kernel_size),
                         self.fold_options(**options))

    def fold(self, x, output_size, kernel_size, **options):
        return self.call("kdl_f_fold_with", x, shape_of(output_size), shape_of(kernel_size),
                         self.fold_options(**options))

    def grid_sample(self, x, grid, mode, padding_mode, align_corners):
        return self.call("kdl_f_grid_sample_with", x, grid, self.struct(
            GridSampleOptions, mode.encode(), padding_mode.encode(),
            -1 if align_corners is None else align_corners))

    def affine_grid(self, theta, size, align_corners):
        return self.call("kdl_f_affine_grid", theta, list(size),
                         -1 if align_corners is None else align_corners)

    def interpolate(self, x, size=None, scale_factor=None, mode="nearest", align_corners=None,
                    recompute_scale_factor=None, antialias=False):
        none = lambda flag: -1 if flag is None else flag  # noqa: E731
        return self.call("kdl_f_interpolate_with", x,
                         self.struct(InterpolateOptions,
                                      shape_of(NO_INT if size is None else size),
                                      Ratios.of(scale_factor), mode.encode(), none(align_corners),
                                      none(recompute_scale_factor), antialias))
