/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of constructors' arguments: from them the classes of torch.nn are constructed (by an
 * option struct or from text) and printed.
 */
#ifndef KDL_SRC_NN_ARGUMENTS_H
#define KDL_SRC_NN_ARGUMENTS_H

#include "kindling/nn.h"
#include "nn/module_impl.h"

typedef enum kdl__kind {
    KDL__KIND_BOOL,          /* bool */
    KDL__KIND_OPTIONAL_BOOL, /* int8_t */
    KDL__KIND_INT,           /* int64_t */
    KDL__KIND_NUMBER,        /* double, which may be a kdl_int() */
    KDL__KIND_STRING,        /* const char *, interned in the context */
    KDL__KIND_SHAPE,         /* kdl_shape: a tuple, or an int with ndim 0 */
    KDL__KIND_RATIOS,        /* kdl_ratios */
    KDL__KIND_DTYPE,         /* kdl_dtype */
    KDL__KIND_TENSOR,        /* kdl_tensor *: the module's until it is registered */
    KDL__KIND_MODULE,        /* kdl_module *: likewise */
    KDL__KIND_GROUP,         /* bool: whether the class's group of arguments is given, or None */
    KDL__KIND_IGNORED        /* nothing: an argument that must be None (a device may be 'cpu') */
} kdl__kind;

typedef struct kdl__argument {
    const char *name; /* as in Python */
    kdl__kind kind;
    bool optional; /* may be None */
    size_t offset; /* in the class's struct */
} kdl__argument;

/* An argument whose kind is told by its member's type. */
#define KDL__ARGUMENT(type, member) KDL__NAMED_ARGUMENT(type, #member, member, false)
#define KDL__OPTIONAL_ARGUMENT(type, member) KDL__NAMED_ARGUMENT(type, #member, member, true)
#define KDL__NAMED_ARGUMENT(type, title, member, optional)                                         \
    {                                                                                              \
        title, KDL__KIND_OF(&((type *)0)->member), optional, offsetof(type, member)                \
    }
#define KDL__KIND_OF(pointer)                                                                      \
    _Generic((pointer), bool *: KDL__KIND_BOOL, int8_t *: KDL__KIND_OPTIONAL_BOOL,                 \
             int64_t *: KDL__KIND_INT, double *: KDL__KIND_NUMBER,                                 \
             const char **: KDL__KIND_STRING, kdl_shape *: KDL__KIND_SHAPE,                        \
             kdl_ratios *: KDL__KIND_RATIOS, kdl_dtype *: KDL__KIND_DTYPE,                         \
             kdl_tensor **: KDL__KIND_TENSOR, kdl_module **: KDL__KIND_MODULE)
/* An int or a tuple (a number or a tuple of them), of the member with the plural name. */
#define KDL__PLURAL(type, single, plural) KDL__NAMED_ARGUMENT(type, #single, plural, false)
#define KDL__OPTIONAL_PLURAL(type, single, plural) KDL__NAMED_ARGUMENT(type, #single, plural, true)
#define KDL__IGNORED(title)                                                                        \
    {                                                                                              \
        title, KDL__KIND_IGNORED, true, 0                                                          \
    }
/* An object of arguments in the place of one: its bool. */
#define KDL__GROUP(type, title, member)                                                            \
    {                                                                                              \
        title, KDL__KIND_GROUP, true, offsetof(type, member)                                       \
    }
/* Device and dtype, with which the constructor of every class with parameters ends. */
#define KDL__FACTORY(type) KDL__IGNORED("device"), KDL__ARGUMENT(type, dtype)

/*
 * How a class is constructed and printed.
 *
 * `repr` is its extra_repr(): {name} stands for an argument, {name!r} for its repr(), {name?} for
 * whether the module has a parameter of that name. What is in [brackets] is left out when all
 * that stands in its braces has the constructor's default; [one|other] is then `other`.
 */
typedef struct kdl__arguments {
    /*
     * In the order of Python's constructor, but those hidden. Where Python takes a string or a
     * module, a second one of that name, at the end, is for modules.
     */
    const kdl__argument *list;
    int count;
    int hidden;           /* so many are no arguments of this class but printed: the first */
    int required;         /* so many have no default: the first behind those */
    int keyword_only;     /* so many must be given by name: the last */
    const void *defaults; /* the class's struct */
    size_t nbytes;        /* its size */
    int expand;           /* lengths of the tuples that ints become; 0: they stay ints */
    const char *repr;     /* NULL: "" */
    const char
        *group; /* the repr of an object, "Class(...)", whose arguments are the hidden ones */
    void (*build)(kdl_module *module); /* what the constructor does; NULL: nothing more */
    /* Of a Lazy class: what it is after kdl_initialize_parameters(), and how that is done. */
    const kdl_module_class *becomes;
    void (*initialize)(kdl_module *module, const kdl_shape *input);
} kdl__arguments;

/*
 * Defines NAME_arguments, with its list and its defaults: the class's struct, the defaults of it,
 * how many arguments are required, (the other members of the table), and the list.
 */
#define KDL__TABLE(name, type, struct_defaults, required_count, others, ...)                       \
    static const type name##_defaults = struct_defaults;                                           \
    static const kdl__argument name##_list[] = { __VA_ARGS__ };                                    \
    static const kdl__arguments name##_arguments = { .list = name##_list,                          \
                                                     .count = KDL__LENGTH(name##_list),            \
                                                     .required = required_count,                   \
                                                     .defaults = &name##_defaults,                 \
                                                     .nbytes = sizeof(type),                       \
                                                     KDL__UNPAREN others };
#define KDL__LENGTH(array) (int)(sizeof(array) / sizeof *(array))

/* The table of a class whose constructor takes none. */
extern const kdl__arguments kdl__no_arguments;

/* Defines kdl_class_NAME: its title in Python, its parent, its struct, its table, and the rest. */
#define KDL__LAYER(lower, title, parent_class, type, table, ...)                                   \
    const kdl_module_class kdl_class_##lower = { .name = title,                                    \
                                                 .parent = parent_class,                           \
                                                 .fields_nbytes = sizeof(type),                    \
                                                 .arguments = &(table),                            \
                                                 __VA_ARGS__ };

/* The table of a class, its own or inherited; NULL when there is none. */
const kdl__arguments *kdl__class_arguments(const kdl_module_class *class);

/*
 * kdl_nn_new() in two steps: a module that holds the class's defaults, then (when its fields are
 * filled in) the rest, which gives NULL and releases the module when an error stands. A module
 * that is not to be finished is abandoned.
 */
kdl_module *kdl__nn_begin(kdl_context *ctx, const kdl_module_class *class);
kdl_module *kdl__nn_finish(kdl_module *module);
void kdl__nn_abandon(kdl_module *module);

/* Where an argument of a module lies. */
static inline void *kdl__argument_at(const kdl_module *module, const kdl__argument *argument)
{
    return (unsigned char *)kdl_module_fields(module) + argument->offset;
}

/* Takes a tensor or a module out of a module's fields, to register it. */
kdl_tensor *kdl__take(kdl_tensor **field);
kdl_module *kdl__take_module(kdl_module **field);

/* True when an error stands, or when `module` is not of that class: a TypeError, or NULL. */
bool kdl__refuses_type(const kdl_module *module, const kdl_module_class *class, const char *place);

/* Registers an UninitializedParameter or UninitializedBuffer, or None unless `present`. */
void kdl__add_uninitialized_parameter(kdl_module *module, const char *name, kdl_dtype dtype,
                                      bool present);
void kdl__add_uninitialized_buffer(kdl_module *module, const char *name, kdl_dtype dtype,
                                   bool present);
/* Gives such a tensor its shape, with zeros; NULL and one that has a shape are left alone. */
void kdl__initialize_tensor(kdl_tensor *tensor, kdl_shape shape);

/* An int made a tuple of `count`; None and tuples stay. */
void kdl__expand(kdl_shape *shape, int count);
/* A number made a tuple of `count`; likewise. */
void kdl__expand_ratios(kdl_ratios *ratios, int count);

/* extra_repr() by a table; from kdl__text_take(). */
char *kdl__arguments_repr(const kdl_module *module, const kdl__arguments *arguments);
/* One argument as Python's str() or repr() writes it. */
void kdl__text_argument(kdl__text *text, const kdl_module *module, const kdl__argument *argument,
                        bool repr);
/* The argument of that name, or NULL. */
const kdl__argument *kdl__find_argument(const kdl__arguments *arguments, const char *name,
                                        size_t length);

/* Records an error whose place is the module's class; {name} and {name!r} stand for arguments. */
kdl_status kdl__fail_in(const kdl_module *module, kdl_status status, const char *message);
/* Warns; likewise. */
void kdl__warn_in(const kdl_module *module, const char *message);

/* a * b as a size; RuntimeError (false) when it is beyond int64_t. */
bool kdl__size_product(const kdl_module *module, int64_t a, int64_t b, int64_t *product);

#endif
