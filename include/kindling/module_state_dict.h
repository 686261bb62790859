/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state_dict() as an object, and load_state_dict().
 *
 * kdl_state_dict(module) of module.h only goes through a module's entries. The object made here is
 * Python's OrderedDict: it can be kept, changed, printed, and loaded into another module. Its
 * tensors share their storage with the module's.
 */
#ifndef KINDLING_MODULE_STATE_DICT_H
#define KINDLING_MODULE_STATE_DICT_H

#include "kindling/module.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- lists of keys ----------------------------------------------------------------------- */

/** A list of strings, which it owns. */
typedef struct kdl_key_list kdl_key_list;

KDL_API kdl_key_list *kdl_key_list_new(kdl_context *ctx);
/** Frees it. NULL is ignored. */
KDL_API void kdl_key_list_release(kdl_key_list *list);
/** len(list); 0 for NULL. */
KDL_API size_t kdl_key_list_count(const kdl_key_list *list);
/** list[index] (owned by the list); NULL behind the end, which is no error. */
KDL_API const char *kdl_key_list_get(const kdl_key_list *list, size_t index);
/** key in list. */
KDL_API bool kdl_key_list_contains(const kdl_key_list *list, const char *key);
/** list.append(key): copied. */
KDL_API kdl_status kdl_key_list_append(kdl_key_list *list, const char *key);
/** list.remove(key): the first such; ValueError when there is none. */
KDL_API kdl_status kdl_key_list_remove(kdl_key_list *list, const char *key);
/** list.clear(). */
KDL_API void kdl_key_list_clear(kdl_key_list *list);
/** str(list): "['weight', 'bias']" (kdl_free). */
KDL_API char *kdl_key_list_to_string(kdl_key_list *list);

/* ---- the dictionary ---------------------------------------------------------------------- */

/** An ordered dictionary from names to tensors. */
typedef struct kdl_state_dict kdl_state_dict;

/** Options of kdl_module_state_dict(); start from KDL_STATE_DICT_DEFAULTS. */
typedef struct kdl_state_dict_options {
    size_t nbytes;      /**< sizeof(kdl_state_dict_options), for the ABI */
    const char *prefix; /**< put before each name as it is, without a dot; default "" */
    bool keep_vars;     /**< the Parameters themselves rather than their data; default false */
} kdl_state_dict_options;

#define KDL_STATE_DICT_DEFAULTS                                                                    \
    {                                                                                              \
        sizeof(kdl_state_dict_options), "", false                                                  \
    }

/**
 * Module.state_dict(prefix, keep_vars): parameters and persistent buffers, each under every name it
 * has, through the module's hooks. Nothing is copied or computed.
 */
#define kdl_module_state_dict(module, ...)                                                         \
    KDL__WITH(kdl_state_dict_options, KDL_STATE_DICT_DEFAULTS, (__VA_ARGS__),                      \
              kdl_module_state_dict_with, module)
KDL_API kdl_state_dict *kdl_module_state_dict_with(kdl_module *, const kdl_state_dict_options *);

/** An empty one. */
KDL_API kdl_state_dict *kdl_state_dict_new(kdl_context *ctx);
/** Frees it and its references to tensors. NULL is ignored. */
KDL_API void kdl_state_dict_release(kdl_state_dict *state_dict);
KDL_API kdl_context *kdl_state_dict_context(const kdl_state_dict *state_dict);

/** len(state_dict); 0 for NULL. */
KDL_API size_t kdl_state_dict_count(const kdl_state_dict *state_dict);
/** The index-th key, in order (owned by the dictionary); NULL behind the end, which is no error. */
KDL_API const char *kdl_state_dict_key(const kdl_state_dict *state_dict, size_t index);
/** key in state_dict. */
KDL_API bool kdl_state_dict_contains(const kdl_state_dict *state_dict, const char *key);
/**
 * state_dict[key] (borrowed); KeyError when there is none. A tensor of a file is read when it is
 * first asked for.
 */
KDL_API kdl_tensor *kdl_state_dict_get(kdl_state_dict *state_dict, const char *key);
/** state_dict[key] = tensor: consumed, also on failure; a new key comes last. */
KDL_API kdl_status kdl_state_dict_set(kdl_state_dict *state_dict, const char *key,
                                      kdl_tensor *tensor);
/** del state_dict[key]; KeyError when there is none. */
KDL_API kdl_status kdl_state_dict_remove(kdl_state_dict *state_dict, const char *key);
/** state_dict[new_key] = state_dict.pop(key): it comes last. Nothing is read. KeyError. */
KDL_API kdl_status kdl_state_dict_rename(kdl_state_dict *state_dict, const char *key,
                                         const char *new_key);
/**
 * OrderedDict((k[len(prefix):], v) for k, v in state_dict.items() if k.startswith(prefix)), for
 * loading a part of a model: give "encoder.", with its dot. Nothing is read.
 */
KDL_API kdl_state_dict *kdl_state_dict_part(kdl_state_dict *state_dict, const char *prefix);

/**
 * str(state_dict) in Python before 3.12: "OrderedDict([('weight', tensor(...)), ...])" (kdl_free).
 */
KDL_API char *kdl_state_dict_to_string(kdl_state_dict *state_dict);
/** str(state_dict.keys()): "odict_keys(['weight', 'bias'])" (kdl_free). */
KDL_API char *kdl_state_dict_keys_to_string(kdl_state_dict *state_dict);

/** Appends every entry to a plan, in order. */
KDL_API kdl_status kdl_state_dict_plan(kdl_state_dict *state_dict, kdl_plan *plan);

/* ---- loading ----------------------------------------------------------------------------- */

/** What load_state_dict() finds; its lists, and error_msgs, to which pre-hooks may add. */
typedef struct kdl_incompatible_keys {
    kdl_key_list *missing_keys, *unexpected_keys, *error_msgs;
} kdl_incompatible_keys;

/** Options of kdl_load_state_dict(); start from KDL_LOAD_DEFAULTS. */
typedef struct kdl_load_options {
    size_t nbytes;              /**< sizeof(kdl_load_options), for the ABI */
    bool strict;                /**< keys that do not match are an error; default true */
    bool assign;                /**< put the dictionary's tensors into the module; default false */
    kdl_key_list *missing_keys; /**< gets the module's keys that are not there; default NULL */
    kdl_key_list *unexpected_keys; /**< gets the keys that the module does not have; default NULL */
} kdl_load_options;

#define KDL_LOAD_DEFAULTS                                                                          \
    {                                                                                              \
        sizeof(kdl_load_options), true, false, NULL, NULL                                          \
    }

/**
 * Module.load_state_dict(state_dict, strict, assign): copies the values into the module's
 * parameters and buffers, converting them to their dtypes; with `assign` the dictionary's tensors
 * take their places, with the parameters' own requires_grad. The dictionary stays as it is.
 *
 * RuntimeError, with all that is wrong in PyTorch's text, for sizes that differ and, with `strict`,
 * for missing and unexpected keys. Unlike PyTorch, which by then has copied what fits, such a
 * failure leaves every value of the module as it was. (An error of memory, of reading a file or
 * that a hook sets ends the loading where it is.)
 */
#define kdl_load_state_dict(module, state_dict, ...)                                               \
    KDL__WITH(kdl_load_options, KDL_LOAD_DEFAULTS, (__VA_ARGS__), kdl_load_state_dict_with,        \
              module, state_dict)
KDL_API kdl_status kdl_load_state_dict_with(kdl_module *module, kdl_state_dict *state_dict,
                                            const kdl_load_options *options);

#ifdef __cplusplus
}
#endif
#endif
