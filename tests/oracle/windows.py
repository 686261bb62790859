# SPDX-License-Identifier: Apache-2.0
"""What functional_window.h declares, through ctypes."""
import ctypes

from kindling import DOUBLE, FUNCTIONS, INT, LONG, POINTER, SIZE, TEXT, NewTensor, Shape, Tensor
from training import NO_INT, IntOrShape, PoolOptions, Training


def structure(name, *fields):
    """A struct of options: its own size comes first."""
    return type(name, (ctypes.Structure,), {"_fields_": [("nbytes", SIZE), *fields]})


OUTPUT = ctypes.POINTER(POINTER)
ConvTransposeOptions = structure(
    "ConvTransposeOptions", ("stride", IntOrShape), ("padding", IntOrShape),
    ("output_padding", IntOrShape), ("dilation", IntOrShape), ("groups", LONG))
PadOptions = structure("PadOptions", ("mode", TEXT), ("value", DOUBLE))

FUNCTIONS.update({
    "kdl_f_conv_transpose_with": (NewTensor, INT, POINTER, POINTER, POINTER,
                                  ctypes.POINTER(ConvTransposeOptions)),
    "kdl_f_pad_with": (NewTensor, POINTER, Shape, ctypes.POINTER(PadOptions)),
    "kdl_f_adaptive_max_pool": (NewTensor, INT, POINTER, Shape, OUTPUT),
})


def shape_of(value):
    """An int or a tuple, as the functions take it."""
    return IntOrShape.of(value)


class Windows(Training):
    """A context that can train, with these functions."""

    def options(self, kind, *values):
        return kind(ctypes.sizeof(kind), *values)

    def taken(self, output):
        """The tensor that a function has put into `output`."""
        return Tensor(self, output[0])

    def conv_transpose(self, count, x, weight, bias, stride=1, padding=0, output_padding=0,
                       groups=1, dilation=1):
        return self.call("kdl_f_conv_transpose_with", count, x, weight, bias,
                         self.options(ConvTransposeOptions, shape_of(stride), shape_of(padding),
                                      shape_of(output_padding), shape_of(dilation), groups))

    def pad(self, x, widths, mode="constant", value=0.0):
        return self.call("kdl_f_pad_with", x, list(widths),
                         self.options(PadOptions, mode.encode(), value))

    def max_pool(self, count, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
        """F.max_pool1d to 3d: the values and the indices."""
        output = (POINTER * 1)()
        kernel = kernel_size if isinstance(kernel_size, tuple) else (kernel_size,) * count
        values = self.call(
            "kdl_f_max_pool_with", count, x, list(kernel),
            self.options(PoolOptions, shape_of(NO_INT if stride is None else stride),
                         shape_of(padding), shape_of(dilation), ceil_mode, True, NO_INT, output))
        return values, self.taken(output)

    def adaptive_max_pool(self, count, x, size):
        output = (POINTER * 1)()
        values = self.call("kdl_f_adaptive_max_pool", count, x, list(size), output)
        return values, self.taken(output)
