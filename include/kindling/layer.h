/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the classes of torch.nn are constructed. Each has a struct of its constructor's arguments,
 * with PyTorch's defaults, and a macro over kdl_nn_new() that fills it in (nn.h and the headers
 * that it includes):
 *
 *     kdl_module *conv = kdl_nn_conv2d(ctx, 3, 64, 7, .strides = KDL_SHAPE(2, 1), .padding = 3);
 *
 * - Arguments that Python asks for come first, in its order; the others are given by name.
 * - Where Python takes an int or a tuple of them, the argument has two names, of which one is
 *   given: `.stride = 2`, `.strides = KDL_SHAPE(2, 1)`. Those that come first take either.
 * - KDL_NONE_INT, KDL_NONE_FLOAT, KDL_NONE_BOOL and NULL are None, where PyTorch allows it.
 * - Tensors and modules that are given are consumed, also when the constructor fails.
 * - A number is printed as Python prints a float; kdl_int(2) is an int: `2`, not `2.0`.
 *
 * kdl_module_fields() of such a module is that struct: the arguments as the module keeps them. So
 * an int that PyTorch repeats is a tuple there, text lives as long as the context, and what was
 * registered is NULL. A class of your own, derived from one of these, is constructed as its parent.
 */
#ifndef KINDLING_LAYER_H
#define KINDLING_LAYER_H

#include <string.h>

#include "kindling/module.h"

/** None, for an optional bool (int8_t). */
#define KDL_NONE_BOOL (-1)

/** The `padding` that Python calls 'same' and 'valid'. */
#define KDL_PADDING_SAME (INT64_MIN + 1)
#define KDL_PADDING_VALID (INT64_MIN + 2)

/** As the only size of a KDL_SHAPE: the tuple () where an int could stand, too. */
#define KDL_EMPTY_TUPLE (INT64_MIN + 3)

/** Numbers or one number, as kdl_shape is for integers: KDL_RATIOS(2, 1.5). */
typedef struct kdl_ratios {
    double values[3];
    int count; /**< 0: one number, not a tuple */
} kdl_ratios;
#define KDL_RATIOS(...) (KDL__LITERAL(kdl_ratios){ { __VA_ARGS__ }, KDL__COUNT(__VA_ARGS__) })

/*
 * An argument under its two names. A tuple has ndim (count) above 0; an int, a number and None
 * are its first element.
 */
#define KDL_INT_OR_SHAPE(single, plural)                                                           \
    union {                                                                                        \
        kdl_shape plural;                                                                          \
        int64_t single;                                                                            \
    }
#define KDL_NUMBER_OR_RATIOS(single, plural)                                                       \
    union {                                                                                        \
        kdl_ratios plural;                                                                         \
        double single;                                                                             \
    }
#define KDL__DEFAULT_INT(value)                                                                    \
    {                                                                                              \
        {                                                                                          \
            { value }, 0                                                                           \
        }                                                                                          \
    }
#define KDL__DEFAULT_NUMBER(value)                                                                 \
    {                                                                                              \
        {                                                                                          \
            { value }, 0                                                                           \
        }                                                                                          \
    }

#ifdef __cplusplus
extern "C" {
#endif

/* ---- ints among floats ------------------------------------------------------------------- */

/**
 * A Python int for an argument that is a double; only printing tells it from the float. (It is
 * kept in the bits of a NaN; one of 48 bits or more becomes a float.)
 */
static inline double kdl_int(int64_t value)
{
    double number = (double)value;
    if (value >= -((int64_t)1 << 47) && value < (int64_t)1 << 47) {
        uint64_t bits = 0x7ffdULL << 48 | ((uint64_t)value & 0xffffffffffffULL);
        memcpy(&number, &bits, sizeof number);
    }
    return number;
}

/* kdl_int(1), as a constant. */
#define KDL__INT_ONE (__builtin_nan("0x5000000000001"))

/** Whether a number is a Python int from kdl_int(). */
static inline bool kdl_is_int(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits >> 48 == 0x7ffd;
}

/** The value of a number that may be a Python int. */
static inline double kdl_number(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return kdl_is_int(number) ? (double)((int64_t)(bits << 16) >> 16) : number;
}

/* ---- constructing ------------------------------------------------------------------------ */

/**
 * Constructs a module of one of torch.nn's classes, or of a class derived from one: registers its
 * parameters and buffers and initialises them from the context's default generator, as PyTorch's
 * constructor does. `options` is the class's struct, or NULL for the defaults. Gives one
 * reference. Errors are PyTorch's; TypeError for a class that is not constructed in this way, and
 * for NULL where Python asks for arguments.
 */
KDL_API kdl_module *kdl_nn_new(kdl_context *ctx, const kdl_module_class *type, const void *options);

/**
 * Constructs a module from the call that makes it in Python: "Conv2d(3, 64, kernel_size=7)". It
 * takes what print(module) writes for one without children, too. The name may begin with "nn." or
 * "torch.nn."; arguments are numbers, tuples (a list is taken for one), strings (with or without
 * quotes), True, False, None, dtypes ("torch.float64") and modules.
 *
 * Errors: KDL_ERROR_FORMAT for text that is no such call, KeyError for a class that is not known,
 * TypeError, in Python's words, for arguments that the class does not take.
 */
KDL_API kdl_module *kdl_nn_from_text(kdl_context *ctx, const char *text);

/**
 * What the first forward of a Lazy module does: initialize_parameters(input), of which only the
 * shape matters, gives its parameters and buffers their shapes and initialises them; then the
 * module is of the class that it stood for (LazyLinear becomes Linear). The tensors stay the same.
 * Errors are PyTorch's; KeyError for a module that is not Lazy (any more).
 */
KDL_API kdl_status kdl_initialize_parameters(kdl_module *module, kdl_shape input);
/** module.has_uninitialized_params(): whether its own ones await their shapes. */
KDL_API bool kdl_has_uninitialized_params(const kdl_module *module);

/** torch.nn's class of that name, or NULL (no error). */
KDL_API const kdl_module_class *kdl_nn_class(const char *name);
/** Those that it knows; NULL behind the last. */
KDL_API const kdl_module_class *kdl_nn_class_at(size_t index);

/* KDL__NN(struct, its defaults' macro, class, ctx, named...), in the body of a class's macro. */
#define KDL__NN(options, defaults, type, ctx, ...)                                                 \
    KDL__WITH_(KDL__PASTE(kdl_options_, __COUNTER__), options, (defaults), (__VA_ARGS__),          \
               kdl_nn_new, ctx, type)

/* What a macro makes of an argument that is an int or a KDL_SHAPE(...), an int or a float. */
static inline kdl_shape kdl__int_shape(int64_t size)
{
    kdl_shape shape = KDL_SCALAR_SHAPE;
    shape.sizes[0] = size;
    return shape;
}
static inline kdl_shape kdl__same_shape(kdl_shape shape)
{
    return shape;
}
static inline double kdl__same_number(double number)
{
    return number;
}
#ifdef __cplusplus
}
static inline kdl_shape kdl__as_shape(int64_t size)
{
    return kdl__int_shape(size);
}
static inline kdl_shape kdl__as_shape(int size)
{
    return kdl__int_shape(size);
}
static inline kdl_shape kdl__as_shape(kdl_shape shape)
{
    return shape;
}
static inline double kdl__as_number(float number)
{
    return number;
}
static inline double kdl__as_number(double number)
{
    return number;
}
template <class T> static inline double kdl__as_number(T number)
{
    return kdl_int(number);
}
#define KDL__AS_SHAPE(value) kdl__as_shape(value)
#define KDL__AS_NUMBER(value) kdl__as_number(value)
#else
#define KDL__AS_SHAPE(value)                                                                       \
    _Generic((value), kdl_shape : kdl__same_shape, default : kdl__int_shape)(value)
#define KDL__AS_NUMBER(value)                                                                      \
    _Generic((value), float : kdl__same_number, double : kdl__same_number, default : kdl_int)(value)
#endif

#endif
