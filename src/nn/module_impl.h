/* SPDX-License-Identifier: Apache-2.0 */
/* nn: Parameter, Module, containers, and a file for each family of layers. */
#ifndef KDL_SRC_NN_MODULE_IMPL_H
#define KDL_SRC_NN_MODULE_IMPL_H

#include <stdalign.h>

#include "kindling/nn.h"
#include "tensor/tape.h"

enum {
    KDL__PARAMETER = 1,
    KDL__BUFFER = 2,
    KDL__MODULE = 4,
    KDL__PLAIN = 8, /* a tensor that is an attribute and not registered: no iteration gives it */
};

/* A name in a module and what it stands for, which may be nothing (None). */
typedef struct kdl__member {
    char *name; /* owned */
    unsigned char kind;
    bool persistent; /* buffers */
    union {
        kdl_tensor *tensor; /* owned, as is the module */
        kdl_module *module;
    };
} kdl__member;

typedef enum kdl__hook_kind {
    KDL__HOOK_STATE_DICT_PRE,
    KDL__HOOK_STATE_DICT_POST,
    KDL__HOOK_LOAD_PRE,
    KDL__HOOK_LOAD_POST,
    KDL__HOOK_FORWARD_PRE,
    KDL__HOOK_FORWARD,
    KDL__HOOK_BACKWARD_PRE,
    KDL__HOOK_BACKWARD,
} kdl__hook_kind;

typedef struct kdl__hook {
    struct kdl__hook *next;
    uint64_t id; /* 0: removed while hooks were being called */
    kdl__hook_kind kind;
    void (*function)(void); /* of the type that belongs to the kind */
    void *user_data;
} kdl__hook;

/*
 * PyTorch keeps parameters, buffers and modules in three dictionaries; here they are one array in
 * the order of registration, in which each kind has the order of its dictionary.
 */
struct kdl_module {
    atomic_long references;
    kdl_context *ctx; /* retained */
    const kdl_module_class *class;
    kdl__member *members;
    size_t count, capacity;
    int owners;          /* under how many names modules hold this one */
    bool evaluates;      /* not Module.training */
    bool hf_initialized; /* transformers' pass over the tree has been here */
    kdl__hook *hooks;    /* in the order in which they are called */
    uint64_t last_hook_id;
    int hooks_running;              /* how many calls are going through them */
    struct kdl__computed *computed; /* during forward: what its parametrized tensors are */
    kdl_module *doomed;             /* the next module to free, while a tree is freed */
    alignas(max_align_t) unsigned char fields[];
};

/* forward() of a class, of one tensor or of several, as in kdl_module_class. */
typedef kdl_tensor *kdl__forward(kdl_module *module, kdl_tensor *input);
typedef kdl_status kdl__call(kdl_module *module, kdl_tensor *const *inputs, int input_count,
                             kdl_tensor **outputs, int output_count);
/*
 * One of the two, and how many tensors the second takes and gives; the first takes and gives one.
 */
typedef struct kdl__forward_entry {
    const kdl_module_class *class;
    kdl__forward *forward;
    kdl__call *call; /* what was not given is NULL in `inputs`, up to KDL__MAX_CALL */
    int least, most, outputs;
} kdl__forward_entry;
/* What the training library puts into a context: which forward torch.nn's classes have, or NULL. */
typedef struct kdl__forwards {
    const kdl__forward_entry *(*find)(const kdl_module_class *class);
} kdl__forwards;
#define KDL__MAX_CALL 8

/* The hooks of a kind in turn; kdl__hooks_begin() before, kdl__hooks_end() after. */
KDL__SHARED kdl__hook *kdl__hooks_begin(kdl_module *module, kdl__hook_kind kind);
KDL__SHARED kdl__hook *kdl__hooks_next(const kdl__hook *hook);
KDL__SHARED void kdl__hooks_end(kdl_module *module);
void kdl__hooks_free(kdl_module *module);
kdl_status kdl__hooks_copy(kdl_module *copy, const kdl_module *source);

/* True when an error stands or `module` is NULL: the caller then returns kdl__module_refusal(). */
static inline bool kdl__module_refuses(const kdl_module *module)
{
    return !module || kdl__failed(module->ctx);
}
static inline kdl_status kdl__module_refusal(const kdl_module *module)
{
    return module ? module->ctx->status : KDL_ERROR_VALUE;
}

/* What a constructor returns: the module, or NULL (and it is released) when an error stands. */
kdl_module *kdl__module_finish(kdl_module *module);

/* The member of a name (not a path), of any kind, or NULL. */
kdl__member *kdl__module_find(const kdl_module *module, const char *name, size_t length);

/* Takes a member out of its module; what it stands for loses a name. */
void kdl__module_take_out(kdl_module *module, kdl__member *member);

/*
 * The distinct children that are not None, in order: start with *index = 0; NULL at the end. As
 * Module.children() does, it gives a module with two names here once.
 */
kdl_module *kdl__module_next_child(const kdl_module *module, size_t *index);

/* Records that modules nest deeper than the library follows them. */
kdl_status kdl__fail_depth(kdl_context *ctx, const char *place);

/* Whether LinearCrossEntropyOptions can be constructed so: ValueError at `place`. */
KDL__SHARED kdl_status kdl__check_chunking(kdl_context *ctx, const char *place,
                                           const kdl_linear_cross_entropy_options *options);

/* "(3, 5)", "(3,)": a tuple as Python prints it. */
KDL__SHARED void kdl__text_tuple(kdl__text *text, int count, const int64_t *values);
/* "True" or "False". */
const char *kdl__bool_name(bool value);

/*
 * reset_parameters() of Linear and the convolutions: the weight by kaiming_uniform_ with
 * a = sqrt(5), then the bias by U(-k, k) with k = 1/sqrt(fan_in).
 */
kdl_status kdl__reset_by_fan_in(kdl_module *module);

/*
 * An UninitializedParameter or UninitializedBuffer: without elements, with room for the sizes that
 * it will get.
 */
kdl_tensor *kdl__uninitialized_new(kdl_context *ctx, kdl_dtype dtype, bool parameter);

/* reset_parameters() of the norms: the weight 1, the bias 0. */
kdl_status kdl__reset_affine(kdl_module *module);
/* Registers the weight and bias of a norm, or None. */
void kdl__add_affine(kdl_module *module, kdl_shape shape, kdl_dtype dtype, bool affine, bool bias);

/* Zeroes the row padding_idx of an Embedding's weight, if it has one. */
void kdl__embedding_zero_padding(kdl_module *module);

/*
 * registers nn.Parameter(torch.empty(shape, dtype)) under `name`, or None when `present` is false.
 */
void kdl__add_empty_parameter(kdl_module *module, const char *name, kdl_shape shape,
                              kdl_dtype dtype, bool present);

/*
 * The tensor of a module that a parametrization is made for, parametrized already or not: a
 * reference, or PyTorch's ValueError when there is none.
 */
kdl_tensor *kdl__tensor_to_parametrize(kdl_module *module, const char *name, const char *place);

/* A parametrized tensor's value during a forward, which finds it under the name of a parameter. */
typedef struct kdl__computed {
    struct kdl__computed *next;
    const char *name;   /* borrowed */
    kdl_tensor *tensor; /* owned */
} kdl__computed;

/*
 * Computes all parametrized tensors of a module itself, for kdl_parameter() and the like to find;
 * gives what was there before, for kdl__end_computed(), which must follow in any case.
 */
kdl__computed *kdl__begin_computed(kdl_module *module);
void kdl__end_computed(kdl_module *module, kdl__computed *before);

#endif
