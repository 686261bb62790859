/* SPDX-License-Identifier: Apache-2.0 */
/*
 * torch.nn's Parameter and Module: a tree of modules with named parameters and buffers.
 *
 * What is given to a module is consumed: kdl_parameter_new() takes over the caller's reference to
 * the tensor, kdl_register_parameter(), kdl_register_buffer(), kdl_add_module() and kdl_append()
 * take over what they register, also when they fail. So construction nests, and one check of the
 * context's error at the end is enough:
 *
 *     kdl_module *net = kdl_module_new(ctx, &net_class);
 *     kdl_add_module(net, "hidden", kdl_nn_linear(ctx, 784, 128));
 *     kdl_register_parameter(net, "scale", kdl_parameter_new(kdl_ones(ctx, KDL_SHAPE(128))));
 *
 * To register something twice (tying), or to use it afterwards, keep a reference of your own: give
 * kdl_module_retain(shared) each time, and release `shared` at the end. Look-ups borrow.
 *
 * A module argument may be NULL, as a constructor that failed returns it: the function then fails
 * or finds nothing. A module and all that is in it belong to one context, hence to one thread.
 */
#ifndef KINDLING_MODULE_H
#define KINDLING_MODULE_H

#include "kindling/options.h"
#include "kindling/plan.h"
#include "kindling/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/** None, for an optional argument that is an integer, a floating-point number. */
#define KDL_NONE_INT INT64_MIN
#define KDL_NONE_FLOAT (__builtin_nan(""))

/* ---- nn.Parameter ------------------------------------------------------------------------ */

/** Options of kdl_parameter_new(); start from KDL_PARAMETER_DEFAULTS. */
typedef struct kdl_parameter_options {
    size_t nbytes;      /**< sizeof(kdl_parameter_options), for the ABI */
    bool requires_grad; /**< default true */
} kdl_parameter_options;

#define KDL_PARAMETER_DEFAULTS                                                                     \
    {                                                                                              \
        sizeof(kdl_parameter_options), true                                                        \
    }

/**
 * nn.Parameter(data, requires_grad=True): a tensor on the same elements that a module takes as a
 * parameter. Consumes the caller's reference to `data`; gives one reference. RuntimeError for a
 * dtype that cannot require gradients, unless .requires_grad = false.
 */
#define kdl_parameter_new(data, ...)                                                               \
    KDL__WITH(kdl_parameter_options, KDL_PARAMETER_DEFAULTS, (__VA_ARGS__),                        \
              kdl_parameter_new_with, data)
KDL_API kdl_tensor *kdl_parameter_new_with(kdl_tensor *data, const kdl_parameter_options *options);

/* ---- classes ----------------------------------------------------------------------------- */

typedef struct kdl_module kdl_module;
typedef struct kdl_module_class kdl_module_class;

/**
 * What a class of modules is: a static table, the same for all its modules. Everything but the
 * name may be left zero; what is NULL is inherited from the parent.
 */
struct kdl_module_class {
    const char *name;               /**< as type(module).__name__, e.g. "Linear" */
    const kdl_module_class *parent; /**< NULL: nn.Module */
    /**
     * Bytes of the class's own data in each module (kdl_module_fields()), zeroed at first. It
     * begins with the parent's, as a struct's first member.
     */
    size_t fields_nbytes;
    /** reset_parameters(): initialises the module's own parameters and buffers anew. */
    kdl_status (*reset_parameters)(kdl_module *module);
    /** extra_repr(): what stands in the parentheses of the printed module; from kdl_format(). */
    char *(*extra_repr)(const kdl_module *module);
    /** forward(input): gives one reference. */
    kdl_tensor *(*forward)(kdl_module *module, kdl_tensor *input);
    /** Frees what the fields own. The parent's is called after it. */
    void (*destroy)(kdl_module *module);
    /**
     * For kdl_module_deep_copy(): fills in the class's own fields of `copy` (zeroed until now)
     * from those of `source`; the parent's have been before. A class that has `destroy` needs it;
     * the fields of others are copied as bytes.
     */
    void (*copy)(kdl_module *copy, const kdl_module *source);
    /** How torch.nn's classes are constructed and printed (private); inherited. */
    const struct kdl__arguments *arguments;
    /** As a parametrization (nn_parametrize.h), forward(*originals): gives one reference. */
    kdl_tensor *(*parametrize)(kdl_module *module, int count, kdl_tensor *const *originals);
    /**
     * right_inverse(value): puts new references into `originals` (room for KDL_MAX_ORIGINALS) and
     * returns how many; 0 when it fails. NotImplementedError: there is none.
     */
    int (*right_inverse)(kdl_module *module, kdl_tensor *value, kdl_tensor **originals);
    /**
     * forward(*inputs) of a class that takes or gives several (kdl_call_with()): puts a reference
     * to each output that is wanted into `outputs`, which are NULL.
     */
    kdl_status (*call)(kdl_module *module, kdl_tensor *const *inputs, int input_count,
                       kdl_tensor **outputs, int output_count);
    void (*reserved[3])(void); /**< NULL */
};

/** nn.Module, the parent of all. */
#define KDL_CLASS_MODULE (&kdl_class_module)
KDL_API extern const kdl_module_class kdl_class_module;

/** type(module); NULL for NULL. */
KDL_API const kdl_module_class *kdl_module_type(const kdl_module *module);
/** type(module) is class: exactly that class. */
KDL_API bool kdl_module_is(const kdl_module *module, const kdl_module_class *type);
/** isinstance(module, class): that class or one derived from it. */
KDL_API bool kdl_isinstance(const kdl_module *module, const kdl_module_class *type);

/* ---- lifetime ---------------------------------------------------------------------------- */

/** A module of a class, empty, with one reference. The class must outlive it. */
KDL_API kdl_module *kdl_module_new(kdl_context *ctx, const kdl_module_class *type);
/** Adds a reference; returns its argument. */
KDL_API kdl_module *kdl_module_retain(kdl_module *module);
/** Drops a reference; the last one releases all that is registered. NULL is ignored. */
KDL_API void kdl_module_release(kdl_module *module);

/** The context that the module belongs to (borrowed). */
KDL_API kdl_context *kdl_module_context(const kdl_module *module);
/** The class's own data, aligned for any type; NULL for NULL. */
KDL_API void *kdl_module_fields(const kdl_module *module);

/* ---- registering ------------------------------------------------------------------------- */

/**
 * Module.register_parameter(name, parameter): NULL keeps the name without a parameter. A parameter
 * of that name is replaced, and keeps its place. KeyError for a name that is empty, contains a dot
 * or belongs to a buffer or a module; TypeError for a tensor that is no Parameter.
 */
KDL_API kdl_status kdl_register_parameter(kdl_module *module, const char *name,
                                          kdl_tensor *parameter);

/** Options of kdl_register_buffer(); start from KDL_BUFFER_DEFAULTS. */
typedef struct kdl_buffer_options {
    size_t nbytes;   /**< sizeof(kdl_buffer_options), for the ABI */
    bool persistent; /**< whether state_dict has it; default true */
} kdl_buffer_options;

#define KDL_BUFFER_DEFAULTS                                                                        \
    {                                                                                              \
        sizeof(kdl_buffer_options), true                                                           \
    }

/** Module.register_buffer(name, tensor, persistent=True): otherwise as kdl_register_parameter(). */
#define kdl_register_buffer(module, name, tensor, ...)                                             \
    KDL__WITH(kdl_buffer_options, KDL_BUFFER_DEFAULTS, (__VA_ARGS__), kdl_register_buffer_with,    \
              module, name, tensor)
KDL_API kdl_status kdl_register_buffer_with(kdl_module *module, const char *name,
                                            kdl_tensor *tensor, const kdl_buffer_options *options);

/**
 * Module.add_module(name, child): NULL keeps the name without a module. KeyError as above;
 * ValueError for a module that contains `module`.
 */
KDL_API kdl_status kdl_add_module(kdl_module *module, const char *name, kdl_module *child);

/** Sequential.append(child), ModuleList.append(child): named by its index (see nn_container.h). */
KDL_API kdl_status kdl_append(kdl_module *container, kdl_module *child);

/**
 * module.name = tensor, as Python's assignment does (the tensor is consumed, NULL: None). A
 * Parameter becomes registered, in the place of whatever had the name. Another tensor replaces the
 * buffer of that name; under a name of its own it is a plain attribute, which no iteration and no
 * state_dict has. TypeError where the name is a parameter's or a module's, unless it is NULL.
 */
KDL_API kdl_status kdl_set_attribute(kdl_module *module, const char *name, kdl_tensor *tensor);
/** del module.name, whatever it is. KeyError with the text of Python's AttributeError. */
KDL_API kdl_status kdl_delete_attribute(kdl_module *module, const char *name);

/* ---- looking up: all results are borrowed ------------------------------------------------ */

/**
 * The parameter, buffer or module at a dotted path such as "0.weight", as
 * getattr(module, name, None): NULL when there is none, which is no error.
 */
KDL_API kdl_tensor *kdl_parameter(const kdl_module *module, const char *path);
KDL_API kdl_tensor *kdl_buffer(const kdl_module *module, const char *path);
KDL_API kdl_module *kdl_submodule(const kdl_module *module, const char *path);
/** The same for a parameter, a buffer or a plain attribute. */
KDL_API kdl_tensor *kdl_attribute(const kdl_module *module, const char *path);

/**
 * Module.get_parameter(target), get_buffer, get_submodule ("" is the module itself): as above, but
 * a KeyError with the text of PyTorch's AttributeError when there is none.
 */
KDL_API kdl_tensor *kdl_get_parameter(kdl_module *module, const char *target);
KDL_API kdl_tensor *kdl_get_buffer(kdl_module *module, const char *target);
KDL_API kdl_module *kdl_get_submodule(kdl_module *module, const char *target);

/** len(container): how many names of modules it has; 0 for NULL. */
KDL_API int64_t kdl_child_count(const kdl_module *module);
/** container[index], negative from the end; IndexError and NULL out of range. */
KDL_API kdl_module *kdl_child(kdl_module *module, int64_t index);

/* ---- iterating --------------------------------------------------------------------------- */

/** How deep modules may nest, and the bytes of a dotted name with its NUL, to be iterated over. */
#define KDL_MAX_MODULE_DEPTH 64
#define KDL_MAX_MODULE_PATH 1024

/**
 * Where an iteration stands. It allocates nothing and needs no freeing. Do not register anything
 * in the tree between its steps.
 *
 *     for (kdl_iterator it = kdl_named_parameters(net); kdl_next(&it);)
 *         printf("%s %" PRId64 "\n", it.name, kdl_tensor_numel(it.tensor));
 */
typedef struct kdl_iterator {
    const char *name;   /**< dotted; valid until the next step */
    kdl_tensor *tensor; /**< borrowed; NULL when iterating over modules */
    kdl_module *module; /**< borrowed; when iterating over tensors, the one that holds it */
    /* The rest is private: what is left to visit, innermost last. */
    kdl_module *root_;
    unsigned kinds_, flags_;
    int depth_;
    size_t length_;
    struct kdl_iterator_frame_ {
        kdl_module *module;
        size_t next, length;
        unsigned pass;
    } stack_[KDL_MAX_MODULE_DEPTH];
    char path_[KDL_MAX_MODULE_PATH];
} kdl_iterator;

/** Options of the iterations; start from KDL_ITERATION_DEFAULTS. */
typedef struct kdl_iteration_options {
    size_t nbytes;         /**< sizeof(kdl_iteration_options), for the ABI */
    const char *prefix;    /**< put before each name, with a dot; default "": nothing */
    bool recurse;          /**< default true: descend into modules */
    bool remove_duplicate; /**< default true: give what has several names once, by the first */
} kdl_iteration_options;

#define KDL_ITERATION_DEFAULTS                                                                     \
    {                                                                                              \
        sizeof(kdl_iteration_options), "", true, true                                              \
    }
#define KDL__ITERATE(named, function, module)                                                      \
    KDL__WITH(kdl_iteration_options, KDL_ITERATION_DEFAULTS, named, function, module)

/** Module.named_parameters(prefix, recurse, remove_duplicate). Without names: Module.parameters. */
#define kdl_named_parameters(module, ...)                                                          \
    KDL__ITERATE((__VA_ARGS__), kdl_named_parameters_with, module)
/** Module.named_buffers(prefix, recurse, remove_duplicate): persistent or not. */
#define kdl_named_buffers(module, ...) KDL__ITERATE((__VA_ARGS__), kdl_named_buffers_with, module)
/** Module.named_modules(prefix, remove_duplicate): the module itself first, then its children. */
#define kdl_named_modules(module, ...) KDL__ITERATE((__VA_ARGS__), kdl_named_modules_with, module)
/** Module.named_children(): one level; a module that is there twice is given once. */
#define kdl_named_children(module, ...) KDL__ITERATE((__VA_ARGS__), kdl_named_children_with, module)
/**
 * Module.state_dict(prefix): parameters and persistent buffers, those of a module before those of
 * its children, each under every name it has. Values are shared, not copied.
 */
#define kdl_state_dict(module, ...) KDL__ITERATE((__VA_ARGS__), kdl_state_dict_with, module)

KDL_API kdl_iterator kdl_named_parameters_with(kdl_module *, const kdl_iteration_options *);
KDL_API kdl_iterator kdl_named_buffers_with(kdl_module *, const kdl_iteration_options *);
KDL_API kdl_iterator kdl_named_modules_with(kdl_module *, const kdl_iteration_options *);
KDL_API kdl_iterator kdl_named_children_with(kdl_module *, const kdl_iteration_options *);
KDL_API kdl_iterator kdl_state_dict_with(kdl_module *, const kdl_iteration_options *);

/**
 * Goes to the next one, filling in name, tensor and module; false at the end, and when an error
 * stands. ValueError when modules nest too deeply or a name is too long.
 */
KDL_API bool kdl_next(kdl_iterator *iterator);

/**
 * What Python's str() of a list of them writes: str(list(module.parameters())) for
 * kdl_named_parameters(module); names are left out. The caller frees it (kdl_free). Materialises.
 */
KDL_API char *kdl_iterator_to_string(kdl_iterator iterator);
/** print(list(module.parameters())): writes it and a newline to `file`. */
KDL_API kdl_status kdl_iterator_print(kdl_iterator iterator, FILE *file);

/* ---- all of a tree ----------------------------------------------------------------------- */

/** What kdl_apply() calls; an error in the module's context ends the walk. */
typedef void kdl_apply_function(kdl_module *module, void *user_data);

/** Module.apply(function): for each child (recursively), then for the module itself. */
KDL_API kdl_status kdl_apply(kdl_module *module, kdl_apply_function *function, void *user_data);

/** Module.requires_grad_(requires_grad): of all parameters. */
KDL_API kdl_status kdl_module_requires_grad_(kdl_module *module, bool requires_grad);

/**
 * Module.train(mode): sets `training` of the module and of all in it (true at first). Printing does
 * not show it.
 */
KDL_API kdl_status kdl_module_train(kdl_module *module, bool mode);
/** Module.eval(): kdl_module_train(module, false). */
KDL_API kdl_status kdl_module_eval(kdl_module *module);
/** Module.training; false for NULL. */
KDL_API bool kdl_module_training(const kdl_module *module);

/**
 * Module.zero_grad(set_to_none): forgets every parameter's gradient, or else fills it with zeros.
 */
KDL_API kdl_status kdl_module_zero_grad(kdl_module *module, bool set_to_none);

/**
 * Module.to(dtype): converts all parameters and buffers of floating point, and the parameters'
 * gradients. Parameters stay the same objects, so ties are kept; buffers are replaced. TypeError
 * for a dtype that is not of floating point.
 */
KDL_API kdl_status kdl_module_to(kdl_module *module, kdl_dtype dtype);

/** sum(p.numel() for p in module.parameters()): tied ones once; -1 on failure. */
KDL_API int64_t kdl_module_numel(kdl_module *module);

/** Appends every entry of the module's state_dict() to a plan, in its order. */
KDL_API kdl_status kdl_module_plan(kdl_module *module, kdl_plan *plan);

/* ---- one module -------------------------------------------------------------------------- */

/**
 * copy.deepcopy(module): a tree of the same classes, fields, names and values that shares no
 * storage with `module`. What has several names in the tree has them in the copy, and buffers on
 * one storage stay so. Recorded values are shared, not computed. Gives one reference. TypeError
 * for a class that has `destroy` but no `copy`.
 */
KDL_API kdl_module *kdl_module_deep_copy(kdl_module *module);

/** module.reset_parameters(); KeyError when the class has none. */
KDL_API kdl_status kdl_reset_parameters(kdl_module *module);

/**
 * module(input): forward, between the hooks registered for it (module_hooks.h). Gives one
 * reference. NotImplementedError when the class has no forward; those of torch.nn's classes come
 * with the training library.
 */
KDL_API kdl_tensor *kdl_forward(kdl_module *module, kdl_tensor *input);

/**
 * module(*inputs), for those that take or give several: inputs in the order of forward()'s
 * arguments, NULL for one that is left out; `outputs` gets one reference to each of the first
 * `output_count` that the module gives, NULL on failure and for one that it has not. The hooks see
 * the first of each. NotImplementedError as above, TypeError for more inputs or outputs than there
 * are, or too few inputs. Which inputs and outputs a class of torch.nn has is said where its header
 * says what it computes.
 */
KDL_API kdl_status kdl_call_with(kdl_module *module, kdl_tensor *const *inputs, int input_count,
                                 kdl_tensor **outputs, int output_count);
/** The first output (one reference) of module(input, ...): kdl_call(criterion, output, target). */
#define kdl_call(module, ...) KDL__CALL(KDL__PASTE(kdl_call_, __COUNTER__), module, __VA_ARGS__)
#define KDL__CALL(name, module, ...)                                                               \
    __extension__({                                                                                \
        kdl_tensor *name[] = { NULL, __VA_ARGS__ };                                                \
        kdl_call_with(module, name + 1, (int)(sizeof name / sizeof *name) - 1, name, 1);           \
        name[0];                                                                                   \
    })

/** What Python's print(module) writes, without the newline; the caller frees it (kdl_free). */
KDL_API char *kdl_module_to_string(kdl_module *module);
/** Writes it and a newline to `file`. */
KDL_API kdl_status kdl_module_print(kdl_module *module, FILE *file);

/** printf into memory of the context (kdl_free), as extra_repr needs it; NULL on failure. */
KDL_API char *kdl_format(kdl_context *ctx, const char *format, ...) KDL_PRINTF(2, 3);

#ifdef __cplusplus
}
#endif
#endif
