/* SPDX-License-Identifier: Apache-2.0 */
/* torch.nn's containers. */
#ifndef KINDLING_NN_CONTAINER_H
#define KINDLING_NN_CONTAINER_H

#include "kindling/each.h"
#include "kindling/layer.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KDL_CLASS_SEQUENTIAL (&kdl_class_sequential)
#define KDL_CLASS_MODULE_LIST (&kdl_class_module_list)
#define KDL_CLASS_MODULE_DICT (&kdl_class_module_dict)
KDL_API extern const kdl_module_class kdl_class_sequential, kdl_class_module_list,
    kdl_class_module_dict;

#define KDL__APPEND_TO(container, child) kdl_append(container, child);
#define KDL__CONTAINER(type, container, ...)                                                       \
    __extension__({                                                                                \
        kdl_module *container = kdl_nn_new(KDL__FIRST(__VA_ARGS__), type, NULL);                   \
        KDL__EACH_AFTER_FIRST(KDL__APPEND_TO, container, __VA_ARGS__)                              \
        container;                                                                                 \
    })

/**
 * nn.Sequential(modules...): kdl_nn_sequential(ctx, module, module, ...), up to 64 modules, which
 * are constructed (and so draw) in this order. They are consumed. More, or none at first:
 * kdl_append(); with names: kdl_add_module().
 */
#define kdl_nn_sequential(...)                                                                     \
    KDL__CONTAINER(KDL_CLASS_SEQUENTIAL, KDL__PASTE(kdl_container_, __COUNTER__), __VA_ARGS__)
/** nn.ModuleList([modules...]): likewise. */
#define kdl_nn_module_list(...)                                                                    \
    KDL__CONTAINER(KDL_CLASS_MODULE_LIST, KDL__PASTE(kdl_container_, __COUNTER__), __VA_ARGS__)

/** nn.ModuleDict(), empty: fill it with kdl_add_module(). */
#define kdl_nn_module_dict(ctx) kdl_nn_new(ctx, KDL_CLASS_MODULE_DICT, NULL)

/*
 * ---- what Sequential and ModuleList can do as lists -----------------------------------------
 *
 * kdl_append(), kdl_child_count() and kdl_child() are in module.h. A child that is given is consumed,
 * also on failure; an index may be negative, from the end (IndexError). KeyError for other modules.
 */

/** container.insert(index, child): before that one; those behind move to the next names. */
KDL_API kdl_status kdl_insert(kdl_module *container, int64_t index, kdl_module *child);
/** container.extend(other): appends the children of another module (borrowed). */
KDL_API kdl_status kdl_extend(kdl_module *container, kdl_module *other);
/** container[index] = child. */
KDL_API kdl_status kdl_set_child(kdl_module *container, int64_t index, kdl_module *child);
/** container.pop(index): gives its reference; the others are numbered anew. */
KDL_API kdl_module *kdl_pop(kdl_module *container, int64_t index);
/** del container[index]: the others are numbered anew. */
KDL_API kdl_status kdl_delete_child(kdl_module *container, int64_t index);
/**
 * container[start:end:step]: another container of the same class that holds those modules too; of a
 * Sequential they keep their names. INT64_MAX as end: to the end. ValueError for a step below 1.
 */
KDL_API kdl_module *kdl_children_slice(kdl_module *container, int64_t start, int64_t end,
                                       int64_t step);
/** a + b: a new Sequential or ModuleList of the modules of both. ValueError for other classes. */
KDL_API kdl_module *kdl_concatenate(kdl_module *a, kdl_module *b);
/** sequential * times: the same modules over and over. ValueError below 1. */
KDL_API kdl_module *kdl_repeat(kdl_module *sequential, int64_t times);

/* ---- ModuleDict: dict[key] is kdl_submodule(), dict[key] = kdl_add_module() ---------------- */

/** dict.pop(key): gives its reference. KeyError. */
KDL_API kdl_module *kdl_module_dict_pop(kdl_module *dict, const char *key);
/** dict.update(other), of another ModuleDict. */
KDL_API kdl_status kdl_module_dict_update(kdl_module *dict, kdl_module *other);
/** dict.clear(). */
KDL_API kdl_status kdl_module_dict_clear(kdl_module *dict);

/* ---- parameters alone -------------------------------------------------------------------- */

#define KDL_CLASS_PARAMETER_LIST (&kdl_class_parameter_list)
#define KDL_CLASS_PARAMETER_DICT (&kdl_class_parameter_dict)
KDL_API extern const kdl_module_class kdl_class_parameter_list, kdl_class_parameter_dict;

/** nn.ParameterList(), nn.ParameterDict(), empty. A tensor put into them becomes a Parameter. */
#define kdl_nn_parameter_list(ctx) kdl_nn_new(ctx, KDL_CLASS_PARAMETER_LIST, NULL)
#define kdl_nn_parameter_dict(ctx) kdl_nn_new(ctx, KDL_CLASS_PARAMETER_DICT, NULL)

/** len() of either; 0 for NULL. */
KDL_API int64_t kdl_parameter_count(const kdl_module *container);

/** list.append(tensor), list[index] = tensor: consumed, also on failure. IndexError. */
KDL_API kdl_status kdl_parameter_list_append(kdl_module *list, kdl_tensor *tensor);
KDL_API kdl_status kdl_parameter_list_set(kdl_module *list, int64_t index, kdl_tensor *tensor);
/** list[index] (borrowed), negative from the end. IndexError. */
KDL_API kdl_tensor *kdl_parameter_list_get(kdl_module *list, int64_t index);
/** list.extend(other), of another ParameterList. */
KDL_API kdl_status kdl_parameter_list_extend(kdl_module *list, kdl_module *other);

/** dict[key] = tensor: consumed, also on failure. kdl_parameter(dict, key) tells if it is there. */
KDL_API kdl_status kdl_parameter_dict_set(kdl_module *dict, const char *key, kdl_tensor *tensor);
/** dict[key] (borrowed). KeyError with the text of PyTorch's AttributeError. */
KDL_API kdl_tensor *kdl_parameter_dict_get(kdl_module *dict, const char *key);
/** dict.pop(key): gives its reference. KeyError as above. */
KDL_API kdl_tensor *kdl_parameter_dict_pop(kdl_module *dict, const char *key);
/** dict.update(other), of another ParameterDict. */
KDL_API kdl_status kdl_parameter_dict_update(kdl_module *dict, kdl_module *other);
/** dict.clear(). */
KDL_API kdl_status kdl_parameter_dict_clear(kdl_module *dict);

#ifdef __cplusplus
}
#endif
#endif
