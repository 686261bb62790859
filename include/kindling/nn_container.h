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

#ifdef __cplusplus
}
#endif
#endif
