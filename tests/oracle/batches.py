# SPDX-License-Identifier: Apache-2.0
"""torch.utils.data's DataLoader over a TensorDataset, here: what training.py is for functions."""
import ctypes

from kindling import BOOL, FUNCTIONS, INT, LONG, POINTER, SIZE, Tensor

MAX_TENSORS = 16


class Dataset(ctypes.Structure):
    """kdl_tensor_dataset."""

    _fields_ = [("tensors", POINTER * MAX_TENSORS), ("count", INT)]


class LoaderOptions(ctypes.Structure):
    """kdl_data_loader_options."""

    _fields_ = [("nbytes", SIZE), ("batch_size", LONG), ("shuffle", BOOL), ("drop_last", BOOL),
                ("generator", POINTER)]


class DataIterator(ctypes.Structure):
    """kdl_data_iterator."""

    _fields_ = [("tensors", ctypes.POINTER(POINTER)), ("index", LONG), ("loader", POINTER),
                ("iteration", ctypes.c_uint64)]


FUNCTIONS.update({
    "kdl_data_loader_new_with": (POINTER, Dataset, ctypes.POINTER(LoaderOptions)),
    "kdl_data_loader_release": (None, POINTER),
    "kdl_data_loader_length": (LONG, POINTER),
    "kdl_data_iter": (DataIterator, POINTER),
    "kdl_data_next": (BOOL, ctypes.POINTER(DataIterator)),
})


class DataLoader:
    """A kdl_data_loader; each batch is a list of Tensors."""

    def __init__(self, context, tensors, batch_size=1, shuffle=False, drop_last=False,
                 generator=None):
        self.context, self.count, self.pointer = context, len(tensors), None
        dataset = Dataset((POINTER * MAX_TENSORS)(*(tensor.pointer for tensor in tensors)),
                          len(tensors))
        options = LoaderOptions(ctypes.sizeof(LoaderOptions), batch_size, shuffle, drop_last,
                                generator and generator.pointer)
        self.pointer = context.call("kdl_data_loader_new_with", dataset, options)

    def __del__(self):
        self.context.library.kdl_data_loader_release(self.pointer)

    def __len__(self):
        return self.context.call("kdl_data_loader_length", self)

    def __iter__(self):
        return Batches(self)


class Batches:
    """An iteration."""

    def __init__(self, loader):
        self.loader = loader
        self.iterator = loader.context.call("kdl_data_iter", loader)

    def __iter__(self):
        return self

    def __next__(self):
        context = self.loader.context
        if not context.call("kdl_data_next", ctypes.byref(self.iterator)):
            raise StopIteration
        return [Tensor(context, context.library.kdl_tensor_retain(self.iterator.tensors[i]))
                for i in range(self.loader.count)]
