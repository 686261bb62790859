/* SPDX-License-Identifier: Apache-2.0 */
/*
 * torch.nn's containers, and what can be done with them as with Python's lists and dictionaries.
 *
 * What is put into a container is consumed, also when the call fails; what kdl_pop() and the like
 * take out is the caller's reference; all else that is returned is borrowed, but new containers.
 * A failing call changes nothing, unless its description says otherwise. As PyTorch's, an index
 * counts from the end when it is negative, and IndexError is out of range; start, stop and step of
 * a slice are Python's, with KDL_NONE_INT where it has none.
 */
#ifndef KINDLING_NN_CONTAINER_H
#define KINDLING_NN_CONTAINER_H

#include "kindling/each.h"
#include "kindling/layer.h"
#include "kindling/module_state_dict.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KDL_CLASS_SEQUENTIAL (&kdl_class_sequential)
#define KDL_CLASS_MODULE_LIST (&kdl_class_module_list)
#define KDL_CLASS_MODULE_DICT (&kdl_class_module_dict)
#define KDL_CLASS_PARAMETER_LIST (&kdl_class_parameter_list)
#define KDL_CLASS_PARAMETER_DICT (&kdl_class_parameter_dict)
KDL_API extern const kdl_module_class kdl_class_sequential, kdl_class_module_list,
    kdl_class_module_dict, kdl_class_parameter_list, kdl_class_parameter_dict;

/* ---- constructing ------------------------------------------------------------------------ */

/** A module and its name: see kdl_item(). */
typedef struct kdl_module_item {
    const char *name;
    kdl_module *module;
} kdl_module_item;

/** An entry of an OrderedDict of modules: kdl_item("conv", kdl_nn_conv2d(ctx, 3, 8, 3)). */
static inline kdl_module_item kdl_item(const char *name, kdl_module *module)
{
    kdl_module_item item;
    item.name = name;
    item.module = module;
    return item;
}

/** kdl_add_module() of a kdl_item(). */
KDL_API kdl_status kdl_add_item(kdl_module *module, kdl_module_item item);

#define KDL__APPEND_TO(container, child) kdl_append(container, child);
#define KDL__APPEND_PARAMETER_TO(list, value) kdl_parameter_list_append(list, value);
#define KDL__ADD_ITEM_TO(container, item) kdl_add_item(container, item);
#define KDL__CONTAINER(type, adding, container, ...)                                               \
    __extension__({                                                                                \
        kdl_module *container = kdl_nn_new(KDL__FIRST(__VA_ARGS__), type, NULL);                   \
        KDL__EACH_AFTER_FIRST(adding, container, __VA_ARGS__)                                      \
        container;                                                                                 \
    })
#define KDL__NAME_CONTAINER KDL__PASTE(kdl_container_, __COUNTER__)

/**
 * nn.Sequential(modules...): kdl_nn_sequential(ctx, module, module, ...), up to 64 modules, which
 * are constructed (and so draw) in this order. They are consumed. More, or none at first:
 * kdl_append().
 */
#define kdl_nn_sequential(...)                                                                     \
    KDL__CONTAINER(KDL_CLASS_SEQUENTIAL, KDL__APPEND_TO, KDL__NAME_CONTAINER, __VA_ARGS__)
/** nn.Sequential(OrderedDict([(name, module), ...])): (ctx, kdl_item(name, module), ...). */
#define kdl_nn_sequential_named(...)                                                               \
    KDL__CONTAINER(KDL_CLASS_SEQUENTIAL, KDL__ADD_ITEM_TO, KDL__NAME_CONTAINER, __VA_ARGS__)
/** nn.ModuleList([modules...]): likewise. */
#define kdl_nn_module_list(...)                                                                    \
    KDL__CONTAINER(KDL_CLASS_MODULE_LIST, KDL__APPEND_TO, KDL__NAME_CONTAINER, __VA_ARGS__)
/** nn.ModuleDict({name: module, ...}): (ctx, kdl_item(name, module), ...). */
#define kdl_nn_module_dict(...)                                                                    \
    KDL__CONTAINER(KDL_CLASS_MODULE_DICT, KDL__ADD_ITEM_TO, KDL__NAME_CONTAINER, __VA_ARGS__)
/** nn.ParameterList([values...]): (ctx, tensor, tensor, ...), as kdl_parameter_list_append(). */
#define kdl_nn_parameter_list(...)                                                                 \
    KDL__CONTAINER(KDL_CLASS_PARAMETER_LIST, KDL__APPEND_PARAMETER_TO, KDL__NAME_CONTAINER,        \
                   __VA_ARGS__)
/** nn.ParameterDict(), empty: fill it with kdl_parameter_dict_set(). */
#define kdl_nn_parameter_dict(ctx) kdl_nn_new(ctx, KDL_CLASS_PARAMETER_DICT, NULL)

/* ---- Sequential and ModuleList ----------------------------------------------------------- */
/* kdl_append(), kdl_child() and kdl_child_count(): see module.h. */

/** The name of container[index], which the container owns; a ModuleDict's keys are these, too. */
KDL_API const char *kdl_child_name(kdl_module *module, int64_t index);
/** container[index] = child: the name stays. */
KDL_API kdl_status kdl_set_child(kdl_module *container, int64_t index, kdl_module *child);
/**
 * container.insert(index, child): before the module at that index; those behind get the next
 * number. KeyError when a module that must move has no number for a name. A ModuleList counts no
 * index from the end here (KeyError), and gives a child far behind the end the index as a name.
 */
KDL_API kdl_status kdl_insert(kdl_module *container, int64_t index, kdl_module *child);
/** container.pop(index): the caller's reference. All modules that stay are numbered anew. */
KDL_API kdl_module *kdl_pop(kdl_module *container, int64_t index);
/** del container[index], del container[start:stop:step]: likewise. */
KDL_API kdl_status kdl_delete_child(kdl_module *container, int64_t index);
KDL_API kdl_status kdl_delete_children(kdl_module *container, int64_t start, int64_t stop,
                                       int64_t step);
/**
 * container[start:stop:step]: a new container of the same class with the same modules. A
 * Sequential's keep their names, a ModuleList's are numbered.
 */
KDL_API kdl_module *kdl_children_slice(kdl_module *container, int64_t start, int64_t stop,
                                       int64_t step);
/**
 * container.extend(from), container += from: appends the modules of another list, now shared. Of
 * itself: those that it has at first (where PyTorch fails halfway).
 */
KDL_API kdl_status kdl_extend(kdl_module *container, kdl_module *from);
/** first + second: a new Sequential or ModuleList of both's modules, numbered. */
KDL_API kdl_module *kdl_concatenate(kdl_module *first, kdl_module *second);
/** sequential * times: a new Sequential with the same modules so many times. */
KDL_API kdl_module *kdl_repeat(kdl_module *sequential, int64_t times);

/* ---- ModuleDict -------------------------------------------------------------------------- */
/* dict[key] = module: kdl_add_module(). Its keys and values: kdl_child_name(), kdl_child(). */

/** key in dict; false for NULL. */
KDL_API bool kdl_module_dict_contains(const kdl_module *dict, const char *key);
/** dict[key]; KeyError. */
KDL_API kdl_module *kdl_module_dict_get(kdl_module *dict, const char *key);
/** dict.pop(key): the caller's reference; KeyError. */
KDL_API kdl_module *kdl_module_dict_pop(kdl_module *dict, const char *key);
/** dict.clear(). */
KDL_API kdl_status kdl_module_dict_clear(kdl_module *dict);
/** dict.update(from): the entries of another ModuleDict, whose modules are shared then. */
KDL_API kdl_status kdl_module_dict_update(kdl_module *dict, const kdl_module *from);

/* ---- ParameterList ----------------------------------------------------------------------- */

/** len() of a ParameterList or ParameterDict; 0 for NULL. */
KDL_API int64_t kdl_parameter_count(const kdl_module *container);
/**
 * list.append(value): named by its index. A tensor that is no Parameter becomes one, as by
 * kdl_parameter_new(); NULL is None, which is no parameter of the module.
 */
KDL_API kdl_status kdl_parameter_list_append(kdl_module *list, kdl_tensor *value);
/** list[index]; NULL, without an error, for None. */
KDL_API kdl_tensor *kdl_parameter_list_get(kdl_module *list, int64_t index);
/** list[index] = value. */
KDL_API kdl_status kdl_parameter_list_set(kdl_module *list, int64_t index, kdl_tensor *value);
/** list.extend(from): appends the same Parameters as in another ParameterList. */
KDL_API kdl_status kdl_parameter_list_extend(kdl_module *list, kdl_module *from);
/** list[start:stop:step]: a new list of the same Parameters. */
KDL_API kdl_module *kdl_parameter_list_slice(kdl_module *list, int64_t start, int64_t stop,
                                             int64_t step);

/* ---- ParameterDict ----------------------------------------------------------------------- */
/* dict.get(key): kdl_parameter(). dict | other: kdl_parameter_dict_copy(), then _update(). */

/** list(dict.keys()), in the order of insertion; the dictionary's own, valid until it changes. */
KDL_API const kdl_key_list *kdl_parameter_dict_keys(kdl_module *dict);
/** key in dict; false for NULL. */
KDL_API bool kdl_parameter_dict_contains(const kdl_module *dict, const char *key);
/** dict[key] = value: made a Parameter as by kdl_parameter_list_append(). */
KDL_API kdl_status kdl_parameter_dict_set(kdl_module *dict, const char *key, kdl_tensor *value);
/** dict[key]; NULL, without an error, for None. KeyError with the text of the AttributeError. */
KDL_API kdl_tensor *kdl_parameter_dict_get(kdl_module *dict, const char *key);
/** dict.setdefault(key, value): dict[key], which is `value` if it was not there. */
KDL_API kdl_tensor *kdl_parameter_dict_setdefault(kdl_module *dict, const char *key,
                                                  kdl_tensor *value);
/** dict.pop(key): the caller's reference. */
KDL_API kdl_tensor *kdl_parameter_dict_pop(kdl_module *dict, const char *key);
/** dict.popitem(): the last, the caller's; *key is to be freed (kdl_free), NULL on failure. */
KDL_API kdl_tensor *kdl_parameter_dict_popitem(kdl_module *dict, char **key);
/** dict.clear(). */
KDL_API kdl_status kdl_parameter_dict_clear(kdl_module *dict);
/** dict.update(from): the entries of another ParameterDict, the same Parameters. */
KDL_API kdl_status kdl_parameter_dict_update(kdl_module *dict, kdl_module *from);
/** dict.copy(): a new ParameterDict of the same Parameters. */
KDL_API kdl_module *kdl_parameter_dict_copy(kdl_module *dict);

#ifdef __cplusplus
}
#endif
#endif
