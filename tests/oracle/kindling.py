# SPDX-License-Identifier: Apache-2.0
"""Kindling's library through ctypes, for comparison with PyTorch.

    context = Context(load(path))
    tensor = context.tensor(torch.ones(2, 3)).kdl_transpose(0, 1)
    assert torch.equal(tensor.torch(), torch.ones(3, 2))

A call that fails raises KindlingError and clears the error. FUNCTIONS holds the prototypes: to call
another function, add its line.
"""
import ctypes
import math

import torch

POINTER, INT, LONG, SIZE = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64, ctypes.c_size_t
BOOL, DOUBLE, TEXT = ctypes.c_bool, ctypes.c_double, ctypes.c_char_p

# In the order of enum kdl_dtype.
DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32,
          torch.uint8, torch.bool)
MAX_DIMS = 16


class Shape(ctypes.Structure):
    """kdl_shape, from a list of sizes."""

    _fields_ = [("sizes", LONG * MAX_DIMS), ("ndim", INT)]

    @classmethod
    def from_param(cls, sizes):
        return cls((LONG * MAX_DIMS)(*sizes), len(sizes))


class Options(ctypes.Structure):
    """kdl_context_options."""

    _fields_ = [("nbytes", SIZE), ("reallocate", POINTER), ("deallocate", POINTER),
                ("user_data", POINTER), ("warning", POINTER), ("warning_user_data", POINTER),
                ("threads", INT), ("deferred", BOOL)]


class RandomOptions(ctypes.Structure):
    """kdl_random_options: which generator, None for the context's default one."""

    _fields_ = [("nbytes", SIZE), ("generator", POINTER)]


class TensorOptions(ctypes.Structure):
    """kdl_tensor_options."""

    _fields_ = [("nbytes", SIZE), ("dtype", INT), ("requires_grad", BOOL), ("generator", POINTER)]


class IterationOptions(ctypes.Structure):
    """kdl_iteration_options."""

    _fields_ = [("nbytes", SIZE), ("prefix", TEXT), ("recurse", BOOL), ("remove_duplicate", BOOL)]


class IteratorFrame(ctypes.Structure):
    """What kdl_iterator remembers of a module that it is in."""

    _fields_ = [("module", POINTER), ("next", SIZE), ("length", SIZE), ("part", ctypes.c_uint)]


class Iterator(ctypes.Structure):
    """kdl_iterator."""

    _fields_ = [("name", TEXT), ("tensor", POINTER), ("module", POINTER), ("root", POINTER),
                ("kinds", ctypes.c_uint), ("flags", ctypes.c_uint), ("depth", INT),
                ("length", SIZE), ("stack", IteratorFrame * 64), ("path", ctypes.c_char * 1024)]


class BufferOptions(ctypes.Structure):
    """kdl_buffer_options."""

    _fields_ = [("nbytes", SIZE), ("persistent", BOOL)]


class ModelOptions(ctypes.Structure):
    """kdl_model_options."""

    _fields_ = [("nbytes", SIZE), ("dtype", INT), ("head", TEXT)]


class StateDictOptions(ctypes.Structure):
    """kdl_state_dict_options."""

    _fields_ = [("nbytes", SIZE), ("prefix", TEXT), ("keep_vars", BOOL)]


class LoadOptions(ctypes.Structure):
    """kdl_load_options."""

    _fields_ = [("nbytes", SIZE), ("strict", BOOL), ("assign", BOOL), ("missing_keys", POINTER),
                ("unexpected_keys", POINTER)]


class SaveOptions(ctypes.Structure):
    """kdl_save_options."""

    _fields_ = [("nbytes", SIZE), ("force", BOOL), ("sync", BOOL), ("progress", POINTER),
                ("progress_user_data", POINTER)]


class FromStringOptions(ctypes.Structure):
    """kdl_from_string_options."""

    _fields_ = [("nbytes", SIZE), ("dtype", INT), ("assume", ctypes.POINTER(TEXT)),
                ("assume_count", INT), ("note", POINTER), ("note_user_data", POINTER)]


class PlanTensor(ctypes.Structure):
    """kdl_plan_tensor."""

    _fields_ = [("name", TEXT), ("dtype", INT), ("shape", Shape), ("numel", LONG),
                ("tied_to", INT)]


class PlanRequest(ctypes.Structure):
    """kdl_plan_request."""

    _fields_ = [("tensor", INT), ("first", LONG), ("count", LONG), ("values", POINTER)]


def init_options(*fields):
    """An option struct of init.h: its size, then the fields."""
    return type("InitOptions", (ctypes.Structure,), {"_fields_": [("nbytes", SIZE), *fields]})


GENERATOR = ("generator", POINTER)
GAIN = init_options(("gain", DOUBLE), GENERATOR)
KAIMING = init_options(("a", DOUBLE), ("mode", INT), ("nonlinearity", INT), GENERATOR)
# By PyTorch's name: the option struct and its defaults.
INIT = {
    "uniform_": (init_options(("a", DOUBLE), ("b", DOUBLE), GENERATOR), {"a": 0, "b": 1}),
    "normal_": (init_options(("mean", DOUBLE), ("std", DOUBLE), GENERATOR), {"mean": 0, "std": 1}),
    "trunc_normal_": (init_options(("mean", DOUBLE), ("std", DOUBLE), ("a", DOUBLE), ("b", DOUBLE),
                                   GENERATOR), {"mean": 0, "std": 1, "a": -2, "b": 2}),
    "dirac_": (init_options(("groups", LONG)), {"groups": 1}),
    "xavier_uniform_": (GAIN, {"gain": 1}),
    "xavier_normal_": (GAIN, {"gain": 1}),
    "orthogonal_": (GAIN, {"gain": 1}),
    "kaiming_uniform_": (KAIMING, {"a": 0, "mode": "fan_in", "nonlinearity": "leaky_relu"}),
    "kaiming_normal_": (KAIMING, {"a": 0, "mode": "fan_in", "nonlinearity": "leaky_relu"}),
    "sparse_": (init_options(("std", DOUBLE), GENERATOR), {"std": 0.01}),
}
NONE_INT = -2**63
# torch.nn.utils.parametrizations, likewise.
PARAMETRIZATIONS = {
    "weight_norm": (init_options(("name", TEXT), ("dim", LONG)), {"name": "weight", "dim": 0}),
    "spectral_norm": (
        init_options(("name", TEXT), ("n_power_iterations", LONG), ("eps", DOUBLE), ("dim", LONG)),
        {"name": "weight", "n_power_iterations": 1, "eps": 1e-12, "dim": None}),
    "orthogonal": (
        init_options(("name", TEXT), ("orthogonal_map", TEXT), ("use_trivialization", BOOL)),
        {"name": "weight", "orthogonal_map": "", "use_trivialization": True}),
}
CALCULATE_GAIN = init_options(("param", DOUBLE))

WARNING_CALLBACK = ctypes.CFUNCTYPE(None, POINTER, TEXT)
APPLY_FUNCTION = ctypes.CFUNCTYPE(None, POINTER, POINTER)


class OwnedText(POINTER):
    """A string that the caller frees."""


class NewTensor(POINTER):
    """A tensor of which the caller gets a reference."""


class NewGenerator(POINTER):
    """A generator of which the caller gets a reference."""


class NewModule(POINTER):
    """A module of which the caller gets a reference."""


class NewPlan(POINTER):
    """A plan that the caller releases."""


class NewStateDict(POINTER):
    """A state_dict that the caller releases."""


class Status(INT):
    """A kdl_status: what it says is in the context's error."""


RANDOM = ctypes.POINTER(RandomOptions)
NEW = ctypes.POINTER(TensorOptions)
ITERATION = ctypes.POINTER(IterationOptions)

# name: result, then arguments
FUNCTIONS = {
    "kdl_context_new": (POINTER, ctypes.POINTER(Options)),
    "kdl_context_release": (None, POINTER),
    "kdl_error_status": (INT, POINTER),
    "kdl_error_message": (TEXT, POINTER),
    "kdl_error_clear": (None, POINTER),
    "kdl_status_name": (TEXT, INT),
    "kdl_profile": (TEXT,),
    "kdl_set_warning_callback": (None, POINTER, WARNING_CALLBACK, POINTER),
    "kdl_set_num_threads": (Status, POINTER, INT),
    "kdl_free": (None, POINTER, POINTER),
    "kdl_tensor_from_data": (NewTensor, POINTER, INT, Shape, POINTER),
    "kdl_tensor_release": (None, POINTER),
    "kdl_tensor_dtype": (INT, POINTER),
    "kdl_tensor_ndim": (INT, POINTER),
    "kdl_tensor_sizes": (ctypes.POINTER(LONG), POINTER),
    "kdl_tensor_strides": (ctypes.POINTER(LONG), POINTER),
    "kdl_tensor_numel": (LONG, POINTER),
    "kdl_tensor_storage_offset": (LONG, POINTER),
    "kdl_tensor_is_contiguous": (BOOL, POINTER),
    "kdl_tensor_requires_grad": (BOOL, POINTER),
    "kdl_tensor_data": (POINTER, POINTER),
    "kdl_tensor_item": (DOUBLE, POINTER),
    "kdl_tensor_to_string": (OwnedText, POINTER),
    "kdl_requires_grad_": (Status, POINTER, BOOL),
    "kdl_alias": (NewTensor, POINTER),
    "kdl_detach": (NewTensor, POINTER),
    "kdl_transpose": (NewTensor, POINTER, INT, INT),
    "kdl_t": (NewTensor, POINTER),
    "kdl_permute": (NewTensor, POINTER, INT, ctypes.POINTER(INT)),
    "kdl_narrow": (NewTensor, POINTER, INT, LONG, LONG),
    "kdl_select": (NewTensor, POINTER, INT, LONG),
    "kdl_slice": (NewTensor, POINTER, INT, LONG, LONG, LONG),
    "kdl_squeeze": (NewTensor, POINTER, INT),
    "kdl_unsqueeze": (NewTensor, POINTER, INT),
    "kdl_expand": (NewTensor, POINTER, Shape),
    "kdl_view": (NewTensor, POINTER, Shape),
    "kdl_to": (NewTensor, POINTER, INT),
    "kdl_abs": (NewTensor, POINTER),
    **{f"kdl_{name}": (NewTensor, POINTER, DOUBLE)
       for name in ("eq", "ne", "lt", "le", "gt", "ge")},
    "kdl_add_": (Status, POINTER, DOUBLE),
    "kdl_mul_": (Status, POINTER, DOUBLE),
    "kdl_add_tensor_": (Status, POINTER, POINTER),
    "kdl_mul_tensor_": (Status, POINTER, POINTER),
    "kdl_abs_": (Status, POINTER),
    "kdl_generator_new": (NewGenerator, POINTER),
    "kdl_generator_clone": (NewGenerator, POINTER),
    "kdl_generator_retain": (POINTER, POINTER),
    "kdl_generator_release": (None, POINTER),
    "kdl_default_generator": (POINTER, POINTER),
    "kdl_generator_manual_seed": (Status, POINTER, ctypes.c_uint64),
    "kdl_generator_initial_seed": (ctypes.c_uint64, POINTER),
    "kdl_generator_get_state": (Status, POINTER, POINTER),
    "kdl_generator_set_state": (Status, POINTER, POINTER, SIZE),
    "kdl_generator_tell": (LONG, POINTER),
    "kdl_generator_seek": (Status, POINTER, LONG),
    "kdl_generator_random": (ctypes.c_uint32, POINTER),
    "kdl_generator_random64": (ctypes.c_uint64, POINTER),
    "kdl_empty_with": (NewTensor, POINTER, Shape, NEW),
    "kdl_zeros_with": (NewTensor, POINTER, Shape, NEW),
    "kdl_ones_with": (NewTensor, POINTER, Shape, NEW),
    "kdl_full_with": (NewTensor, POINTER, Shape, DOUBLE, NEW),
    "kdl_eye_with": (NewTensor, POINTER, LONG, LONG, NEW),
    "kdl_arange_with": (NewTensor, POINTER, DOUBLE, DOUBLE, DOUBLE, NEW),
    "kdl_linspace_with": (NewTensor, POINTER, DOUBLE, DOUBLE, LONG, NEW),
    "kdl_empty_like": (NewTensor, POINTER),
    "kdl_zeros_like": (NewTensor, POINTER),
    "kdl_ones_like": (NewTensor, POINTER),
    "kdl_full_like": (NewTensor, POINTER, DOUBLE),
    "kdl_rand_like": (NewTensor, POINTER),
    "kdl_randn_like": (NewTensor, POINTER),
    "kdl_clone": (NewTensor, POINTER),
    "kdl_zero_": (Status, POINTER),
    "kdl_fill_": (Status, POINTER, DOUBLE),
    "kdl_fill_int_": (Status, POINTER, LONG),
    "kdl_mul_": (Status, POINTER, DOUBLE),
    "kdl_copy_": (Status, POINTER, POINTER),
    "kdl_tensor_set": (Status, POINTER, ctypes.POINTER(LONG), DOUBLE),
    "kdl_tensor_get": (DOUBLE, POINTER, ctypes.POINTER(LONG)),
    "kdl_tensor_read": (Status, POINTER, LONG, LONG, POINTER),
    "kdl_tensor_is_materialized": (BOOL, POINTER),
    "kdl_manual_seed": (Status, POINTER, ctypes.c_uint64),
    "kdl_rand_with": (NewTensor, POINTER, Shape, NEW),
    "kdl_randn_with": (NewTensor, POINTER, Shape, NEW),
    "kdl_randint_with": (NewTensor, POINTER, LONG, LONG, Shape, NEW),
    "kdl_randperm_with": (NewTensor, POINTER, LONG, NEW),
    "kdl_uniform_with_": (Status, POINTER, DOUBLE, DOUBLE, RANDOM),
    "kdl_normal_with_": (Status, POINTER, DOUBLE, DOUBLE, RANDOM),
    "kdl_log_normal_with_": (Status, POINTER, DOUBLE, DOUBLE, RANDOM),
    "kdl_exponential_with_": (Status, POINTER, DOUBLE, RANDOM),
    "kdl_cauchy_with_": (Status, POINTER, DOUBLE, DOUBLE, RANDOM),
    "kdl_geometric_with_": (Status, POINTER, DOUBLE, RANDOM),
    "kdl_bernoulli_with_": (Status, POINTER, DOUBLE, RANDOM),
    "kdl_bernoulli_tensor_with_": (Status, POINTER, POINTER, RANDOM),
    "kdl_random_with_": (Status, POINTER, RANDOM),
    "kdl_random_range_with_": (Status, POINTER, LONG, LONG, RANDOM),
    "kdl_random_from_with_": (Status, POINTER, LONG, RANDOM),
    "kdl_reshape": (NewTensor, POINTER, Shape),
    "kdl_flatten": (NewTensor, POINTER, INT, INT),
    "kdl_init_constant_": (Status, POINTER, DOUBLE),
    "kdl_init_ones_": (Status, POINTER),
    "kdl_init_zeros_": (Status, POINTER),
    "kdl_init_eye_": (Status, POINTER),
    "kdl_init_calculate_gain_with": (DOUBLE, POINTER, INT, ctypes.POINTER(CALCULATE_GAIN)),
    "kdl_init_calculate_fan_in_and_fan_out": (Status, POINTER, ctypes.POINTER(LONG),
                                              ctypes.POINTER(LONG)),
    "kdl_nonlinearity_parse": (Status, POINTER, TEXT, ctypes.POINTER(INT)),
    "kdl_fan_mode_parse": (Status, POINTER, TEXT, ctypes.POINTER(INT)),
    "kdl_set_lapack": (Status, POINTER, TEXT),
    "kdl_get_lapack": (TEXT, POINTER),
    "kdl_contiguous": (NewTensor, POINTER),
    "kdl_tensor_retain": (NewTensor, POINTER),
    "kdl_parameter_new_with": (NewTensor, POINTER, POINTER),
    "kdl_module_new": (NewModule, POINTER, POINTER),
    "kdl_module_retain": (POINTER, POINTER),
    "kdl_module_deep_copy": (NewModule, POINTER),
    "kdl_module_release": (None, POINTER),
    "kdl_register_parameter": (Status, POINTER, TEXT, POINTER),
    "kdl_register_buffer_with": (Status, POINTER, TEXT, POINTER, ctypes.POINTER(BufferOptions)),
    "kdl_add_module": (Status, POINTER, TEXT, POINTER),
    "kdl_append": (Status, POINTER, POINTER),
    "kdl_child": (POINTER, POINTER, LONG),
    "kdl_child_count": (LONG, POINTER),
    "kdl_child_name": (TEXT, POINTER, LONG),
    "kdl_set_child": (Status, POINTER, LONG, POINTER),
    "kdl_insert": (Status, POINTER, LONG, POINTER),
    "kdl_pop": (NewModule, POINTER, LONG),
    "kdl_delete_child": (Status, POINTER, LONG),
    "kdl_delete_children": (Status, POINTER, LONG, LONG, LONG),
    "kdl_children_slice": (NewModule, POINTER, LONG, LONG, LONG),
    "kdl_extend": (Status, POINTER, POINTER),
    "kdl_concatenate": (NewModule, POINTER, POINTER),
    "kdl_repeat": (NewModule, POINTER, LONG),
    "kdl_convert_sync_batchnorm": (NewModule, POINTER),
    "kdl_module_dict_contains": (BOOL, POINTER, TEXT),
    "kdl_module_dict_get": (POINTER, POINTER, TEXT),
    "kdl_module_dict_pop": (NewModule, POINTER, TEXT),
    "kdl_module_dict_clear": (Status, POINTER),
    "kdl_module_dict_update": (Status, POINTER, POINTER),
    "kdl_parameter_count": (LONG, POINTER),
    "kdl_parameter_list_append": (Status, POINTER, POINTER),
    "kdl_parameter_list_get": (POINTER, POINTER, LONG),
    "kdl_parameter_list_set": (Status, POINTER, LONG, POINTER),
    "kdl_parameter_list_extend": (Status, POINTER, POINTER),
    "kdl_parameter_list_slice": (NewModule, POINTER, LONG, LONG, LONG),
    "kdl_parameter_dict_keys": (POINTER, POINTER),
    "kdl_key_list_to_string": (OwnedText, POINTER),
    "kdl_parameter_dict_contains": (BOOL, POINTER, TEXT),
    "kdl_parameter_dict_set": (Status, POINTER, TEXT, POINTER),
    "kdl_parameter_dict_get": (POINTER, POINTER, TEXT),
    "kdl_parameter_dict_setdefault": (POINTER, POINTER, TEXT, POINTER),
    "kdl_parameter_dict_pop": (NewTensor, POINTER, TEXT),
    "kdl_parameter_dict_popitem": (NewTensor, POINTER, ctypes.POINTER(POINTER)),
    "kdl_parameter_dict_clear": (Status, POINTER),
    "kdl_parameter_dict_update": (Status, POINTER, POINTER),
    "kdl_parameter_dict_copy": (NewModule, POINTER),
    "kdl_apply": (Status, POINTER, APPLY_FUNCTION, POINTER),
    "kdl_nn_from_text": (NewModule, POINTER, TEXT),
    "kdl_nn_class": (POINTER, TEXT),
    "kdl_initialize_parameters": (Status, POINTER, Shape),
    "kdl_nn_class_at": (POINTER, SIZE),
    "kdl_module_to_string": (OwnedText, POINTER),
    "kdl_module_numel": (LONG, POINTER),
    "kdl_named_parameters_with": (Iterator, POINTER, ITERATION),
    "kdl_named_buffers_with": (Iterator, POINTER, ITERATION),
    "kdl_named_modules_with": (Iterator, POINTER, ITERATION),
    "kdl_named_children_with": (Iterator, POINTER, ITERATION),
    "kdl_state_dict_with": (Iterator, POINTER, ITERATION),
    "kdl_next": (BOOL, ctypes.POINTER(Iterator)),
    "kdl_module_state_dict_with": (NewStateDict, POINTER, ctypes.POINTER(StateDictOptions)),
    "kdl_state_dict_new": (NewStateDict, POINTER),
    "kdl_state_dict_open": (NewStateDict, POINTER, TEXT),
    "kdl_state_dict_part": (NewStateDict, POINTER, TEXT),
    "kdl_state_dict_release": (None, POINTER),
    "kdl_state_dict_count": (SIZE, POINTER),
    "kdl_state_dict_key": (TEXT, POINTER, SIZE),
    "kdl_state_dict_get": (POINTER, POINTER, TEXT),
    "kdl_state_dict_set": (Status, POINTER, TEXT, POINTER),
    "kdl_state_dict_remove": (Status, POINTER, TEXT),
    "kdl_state_dict_to_string": (OwnedText, POINTER),
    "kdl_state_dict_keys_to_string": (OwnedText, POINTER),
    "kdl_load_state_dict_with": (Status, POINTER, POINTER, ctypes.POINTER(LoadOptions)),
    "kdl_save_with": (Status, POINTER, TEXT, ctypes.POINTER(SaveOptions)),
    "kdl_load_with": (Status, POINTER, TEXT, ctypes.POINTER(LoadOptions)),
    "kdl_module_to": (Status, POINTER, INT),
    "kdl_model_from_config_with": (NewModule, POINTER, TEXT, SIZE, ctypes.POINTER(ModelOptions)),
    "kdl_module_from_string_with": (NewModule, POINTER, TEXT, SIZE,
                                    ctypes.POINTER(FromStringOptions)),
    "kdl_submodule": (POINTER, POINTER, TEXT),
    "kdl_parameter": (POINTER, POINTER, TEXT),
    "kdl_apply_rules": (Status, POINTER, ctypes.POINTER(TEXT), INT),
    "kdl_model_checkpoint_plan": (NewPlan, POINTER),
    "kdl_is_parametrized": (BOOL, POINTER, TEXT),
    "kdl_parametrized": (NewTensor, POINTER, TEXT),
    "kdl_set_parametrized": (Status, POINTER, TEXT, POINTER),
    "kdl_remove_parametrizations": (Status, POINTER, TEXT, BOOL),
    "kdl_module_train": (Status, POINTER, BOOL),
    "kdl_module_training": (BOOL, POINTER),
    "kdl_plan_new": (NewPlan, POINTER),
    "kdl_module_plan": (Status, POINTER, POINTER),
    "kdl_plan_release": (None, POINTER),
    "kdl_plan_count": (INT, POINTER),
    "kdl_plan_get": (ctypes.POINTER(PlanTensor), POINTER, INT),
    "kdl_plan_read": (Status, POINTER, ctypes.POINTER(PlanRequest), INT),
}
FUNCTIONS.update({
    f"kdl_init_{name}with_": (
        Status, POINTER, *((DOUBLE,) if name == "sparse_" else ()), ctypes.POINTER(struct))
    for name, (struct, _) in INIT.items()})
FUNCTIONS.update({
    f"kdl_parametrizations_{name}_with": (Status, POINTER, ctypes.POINTER(struct))
    for name, (struct, _) in PARAMETRIZATIONS.items()})


class KindlingError(Exception):
    """A failed call: `status` is the name of its kdl_status, e.g. "IndexError"."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def load(path):
    """The shared library with the prototypes of those FUNCTIONS that it has."""
    library = ctypes.CDLL(str(path))
    for name, (result, *arguments) in FUNCTIONS.items():
        if hasattr(library, name):
            function = getattr(library, name)
            function.argtypes = arguments
            # A subclass of a simple type would come back as an object, not as its value.
            function.restype = {OwnedText: POINTER, NewTensor: POINTER, NewGenerator: POINTER,
                                NewModule: POINTER, NewPlan: POINTER,
                                NewStateDict: POINTER,
                                Status: INT}.get(result, result)
    return library


def texts(strings):
    """An array of C strings."""
    encoded = [string.encode() for string in strings]
    return (TEXT * len(encoded))(*encoded)


class Context:
    """A kdl_context; `warnings` collects the texts of its warnings."""

    def __init__(self, library, threads=1, deferred=False):
        self.library = library
        self.warnings = []
        self._callback = WARNING_CALLBACK(lambda _, text: self.warnings.append(text.decode()))
        options = Options(nbytes=ctypes.sizeof(Options), threads=threads, deferred=deferred)
        self.pointer = library.kdl_context_new(ctypes.byref(options))
        if not self.pointer:
            raise MemoryError("kdl_context_new")
        library.kdl_set_warning_callback(self.pointer, self._callback, None)

    def __del__(self):
        if getattr(self, "pointer", None):
            self.library.kdl_context_release(self.pointer)

    def call(self, name, *arguments):
        """Calls a function; a new tensor becomes a Tensor, an owned text a str."""
        result = getattr(self.library, name)(
            *(a.pointer if hasattr(a, "pointer") else a for a in arguments))
        status = self.library.kdl_error_status(self.pointer)
        if status:
            error = KindlingError(self.library.kdl_status_name(status).decode(),
                                  self.library.kdl_error_message(self.pointer).decode())
            self.library.kdl_error_clear(self.pointer)
            raise error
        kind = FUNCTIONS[name][0]
        if kind is NewTensor:
            return Tensor(self, result)
        if kind is NewGenerator:
            return Generator(self, result)
        if kind is NewModule:
            return Module(self, result)
        if kind is NewPlan:
            return Plan(self, result)
        if kind is NewStateDict:
            return StateDict(self, result)
        if kind is OwnedText:
            text = ctypes.string_at(result).decode()
            self.library.kdl_free(self.pointer, result)
            return text
        return None if kind is Status else result

    def options(self, dtype=torch.float32, generator=None, requires_grad=False):
        """kdl_tensor_options."""
        return TensorOptions(ctypes.sizeof(TensorOptions), DTYPES.index(dtype), requires_grad,
                             generator.pointer if generator else None)

    def create(self, name, *arguments, **options):
        """A creating function by its name in PyTorch, e.g. create("eye", 3, 4)."""
        return self.call(f"kdl_{name}_with", self, *arguments, self.options(**options))

    def empty(self, shape, dtype=torch.float32):
        return self.call("kdl_empty_with", self, list(shape), self.options(dtype))

    def generator(self):
        return self.call("kdl_generator_new", self)

    def default_generator(self):
        """The context's own."""
        generator = self.library.kdl_default_generator(self.pointer)
        return Generator(self, self.library.kdl_generator_retain(generator))

    def parse(self, what, name):
        """The enumerator of a name: what is "nonlinearity" or "fan_mode"."""
        value = INT()
        self.call(f"kdl_{what}_parse", self, name.encode(), ctypes.byref(value))
        return value.value

    def nn(self, call):
        """The module that a constructor's call in Python makes, e.g. nn("Linear(2, 3)")."""
        return self.call("kdl_nn_from_text", self, call.encode())

    def model(self, config, dtype=None, head=None):
        """kdl_model_from_config() of a config.json's text."""
        text = config.encode()
        options = ModelOptions(ctypes.sizeof(ModelOptions),
                               DTYPES.index(dtype) if dtype else len(DTYPES),
                               head.encode() if head else None)
        return self.call("kdl_model_from_config_with", self, text, len(text), options)

    def from_string(self, printed, dtype=torch.float32, assume=()):
        """kdl_module_from_string() of the text that print(module) writes."""
        text, assumed = printed.encode(), texts(assume)
        options = FromStringOptions(ctypes.sizeof(FromStringOptions), DTYPES.index(dtype), assumed,
                                    len(assumed), None, None)
        return self.call("kdl_module_from_string_with", self, text, len(text), options)

    def tensor(self, source):
        """A copy of a torch.Tensor."""
        source = source.detach().contiguous()
        return self.call("kdl_tensor_from_data", self, DTYPES.index(source.dtype),
                         list(source.shape), source.data_ptr() or 1)


class StateDict:
    """A kdl_state_dict."""

    def __init__(self, context, pointer):
        self.context, self.pointer = context, pointer

    def __del__(self):
        self.context.library.kdl_state_dict_release(self.pointer)

    def __str__(self):
        return self.context.call("kdl_state_dict_to_string", self)

    def keys(self):
        """As Python prints them."""
        return self.context.call("kdl_state_dict_keys_to_string", self)

    def items(self):
        """(key, Tensor) in order."""
        library = self.context.library
        for i in range(library.kdl_state_dict_count(self.pointer)):
            key = library.kdl_state_dict_key(self.pointer, i)
            tensor = self.context.call("kdl_state_dict_get", self, key)
            yield key.decode(), Tensor(self.context, library.kdl_tensor_retain(tensor))

    def set(self, key, value):
        """A copy of a torch.Tensor under `key`."""
        tensor = self.context.tensor(value)
        self.context.call("kdl_state_dict_set", self, key.encode(),
                          self.context.library.kdl_tensor_retain(tensor.pointer))


class Generator:
    """A kdl_generator. generator.name(...) calls kdl_generator_name(generator, ...)."""

    def __init__(self, context, pointer):
        self.context = context
        self.pointer = pointer

    def __del__(self):
        self.context.library.kdl_generator_release(self.pointer)

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *arguments: self.context.call("kdl_generator_" + name, self, *arguments)

    def state(self):
        """The bytes of torch.Generator.get_state()."""
        state = ctypes.create_string_buffer(5056)
        self.get_state(ctypes.addressof(state))
        return state.raw

    def load_state(self, state):
        """set_state() of bytes."""
        buffer = ctypes.create_string_buffer(state, max(len(state), 1))
        self.set_state(ctypes.addressof(buffer), len(state))


class Tensor:
    """A kdl_tensor. tensor.kdl_name(...) calls kdl_name(tensor, ...)."""

    def __init__(self, context, pointer):
        self.context = context
        self.pointer = pointer

    def __del__(self):
        self.context.library.kdl_tensor_release(self.pointer)

    def __getattr__(self, name):
        if not name.startswith("kdl_"):
            raise AttributeError(name)
        return lambda *arguments: self.context.call(name, self, *arguments)

    def __str__(self):
        return self.kdl_tensor_to_string()

    def _list(self, name):
        return getattr(self, name)()[:self.kdl_tensor_ndim()]

    @property
    def dtype(self):
        return DTYPES[self.kdl_tensor_dtype()]

    @property
    def shape(self):
        return self._list("kdl_tensor_sizes")

    @property
    def strides(self):
        return self._list("kdl_tensor_strides")

    def torch(self):
        """A copy of the elements as a torch.Tensor with the same strides."""
        sizes, strides = self.shape, self.strides
        if math.prod(sizes) == 0:
            return torch.empty(sizes, dtype=self.dtype)
        span = 1 + sum((size - 1) * stride for size, stride in zip(sizes, strides))
        data = ctypes.string_at(self.kdl_tensor_data(), span * self.dtype.itemsize)
        values = torch.frombuffer(bytearray(data), dtype=self.dtype)
        return values.as_strided(sizes, strides)

    def read(self, first, count):
        """Elements [first, first + count), row-major, computed alone if they are recorded."""
        values = torch.empty(count, dtype=self.dtype)
        self.kdl_tensor_read(first, count, values.data_ptr() or 1)
        return values

    def fill(self, name, *arguments, generator=None):
        """A random in-place function by its name in PyTorch, e.g. fill("normal_", 0.0, 1.0)."""
        if name == "random_" and arguments:
            name = "random_from_" if arguments[1] is None else "random_range_"
            arguments = [bound for bound in arguments if bound is not None]
        options = RandomOptions(ctypes.sizeof(RandomOptions),
                                generator.pointer if generator else None)
        getattr(self, f"kdl_{name}with_")(*arguments, options)

    def init(self, name, *arguments, generator=None, **named):
        """An initialiser by its name in PyTorch, e.g. init("normal_", std=0.02)."""
        if name not in INIT:  # constant_, ones_, zeros_, eye_
            return getattr(self, f"kdl_init_{name}")(*arguments, *named.values())
        struct, defaults = INIT[name]
        sparsity = (named.pop("sparsity"),) if name == "sparse_" else ()
        values = {**defaults, **named}
        for key, what in (("mode", "fan_mode"), ("nonlinearity", "nonlinearity")):
            if key in values:
                values[key] = self.context.parse(what, values[key])
        options = struct(nbytes=ctypes.sizeof(struct), **values)
        if generator:
            options.generator = generator.pointer
        return getattr(self, f"kdl_init_{name}with_")(*sparsity, options)

    def view(self, call):
        """Applies a view call (see tests/golden/tensor_cases.py)."""
        name, *arguments = call
        if name == "permute":
            dims = arguments[0]
            return self.kdl_permute(len(dims), (INT * len(dims))(*dims))
        return getattr(self, "kdl_" + name)(*arguments)


class Module:
    """A kdl_module."""

    def __init__(self, context, pointer):
        self.context = context
        self.pointer = pointer

    def __del__(self):
        self.context.library.kdl_module_release(self.pointer)

    def __str__(self):
        return self.context.call("kdl_module_to_string", self)

    def iterate(self, name, prefix="", recurse=True, remove_duplicate=True):
        """[(name, Tensor or None), ...] of "named_parameters", "state_dict", ..."""
        options = IterationOptions(ctypes.sizeof(IterationOptions), prefix.encode(), recurse,
                                   remove_duplicate)
        iterator = self.context.call(f"kdl_{name}_with", self, options)
        found = []
        while self.context.call("kdl_next", iterator):
            tensor = iterator.tensor and self.context.call("kdl_tensor_retain", iterator.tensor)
            found.append((iterator.name.decode(), tensor))
        return found


    def parametrize(self, function, **named):
        """A function of torch.nn.utils.parametrizations."""
        struct, defaults = PARAMETRIZATIONS[function]
        values = [NONE_INT if v is None else v.encode() or None if isinstance(v, str) else v
                  for v in {**defaults, **named}.values()]
        self.context.call(f"kdl_parametrizations_{function}_with", self,
                          struct(ctypes.sizeof(struct), *values))


class Plan:
    """A kdl_plan."""

    def __init__(self, context, pointer):
        self.context = context
        self.pointer = pointer

    def __del__(self):
        self.context.library.kdl_plan_release(self.pointer)

    def add_module(self, module):
        """Appends what a module's state_dict() has."""
        self.context.call("kdl_module_plan", module, self)

    def read(self, index, first=0, count=None):
        """(name, values): a whole tensor, or a range of its elements."""
        entry = self.context.call("kdl_plan_get", self, index).contents
        dtype, shape = DTYPES[entry.dtype], entry.shape.sizes[:entry.shape.ndim]
        values = torch.empty(entry.numel if count is None else count, dtype=dtype)
        request = PlanRequest(index, first, values.numel(), values.data_ptr() or 1)
        self.context.call("kdl_plan_read", self, ctypes.byref(request), 1)
        return entry.name.decode(), values if count is not None else values.reshape(shape)

    def tensors(self):
        """[(name, values), ...] of all tensors."""
        return [self.read(i) for i in range(self.context.call("kdl_plan_count", self))]
