/* SPDX-License-Identifier: Apache-2.0 */
/* ParameterList (torch/nn/modules/container.py), and the elements that ParameterDict has, too. */
#include <string.h>

#include "nn/container.h"

typedef struct parameter_list {
    size_t nbytes;
    int64_t count; /* of elements: other attributes are not in the list */
} parameter_list;

/* ---- elements ---------------------------------------------------------------------------- */

kdl_status kdl__set_element(kdl_module *container, const char *name, kdl_tensor *value)
{
    if (value && !kdl__module_refuses(container) && !kdl_tensor_is_parameter(value)) {
        value = kdl_parameter_new(value);
        if (!value)
            return kdl__module_refusal(container);
    }
    return kdl_set_attribute(container, name, value);
}

kdl_tensor *kdl__get_element(kdl_module *container, const char *name, const char *place)
{
    const kdl__member *member = kdl__module_find(container, name, strlen(name));
    if (member && member->kind != KDL__MODULE)
        return member->tensor;
    kdl__fail_at(container->ctx, place, KDL_ERROR_KEY, "'%s' object has no attribute '%s'",
                 container->class->name, name);
    return NULL;
}

void kdl__text_element(kdl__text *text, const char *name, kdl_tensor *element, const char *type,
                       const char *type_end)
{
    kdl__text_printf(text, "%s  (%s): ", text->length > 0 ? "\n" : "", name);
    if (!element) {
        kdl__text_puts(text, "Object of type: NoneType");
        return;
    }
    if (kdl__refuses(element))
        return;
    kdl__text_printf(text, "%s containing: [torch.%s%s of size ",
                     kdl_tensor_is_parameter(element) ? "Parameter" : "Tensor", type, type_end);
    for (int i = 0; i < element->ndim; i++)
        kdl__text_printf(text, "%s%lld", i > 0 ? "x" : "", (long long)element->dims[i]);
    kdl__text_puts(text, "]");
}

/* ---- the class --------------------------------------------------------------------------- */

static char *list_repr(const kdl_module *module)
{
    const parameter_list *list = kdl_module_fields(module);
    kdl__text text;
    kdl__text_init(&text, module->ctx);
    for (int64_t i = 0; i < list->count && !kdl__failed(module->ctx); i++) {
        char name[24];
        snprintf(name, sizeof name, "%lld", (long long)i);
        const kdl__member *member = kdl__module_find(module, name, strlen(name));
        kdl_tensor *element = member && member->kind != KDL__MODULE ? member->tensor : NULL;
        kdl__text_element(&text, name, element,
                          element ? kdl_dtype_name(kdl_tensor_dtype(element)) : "", "");
    }
    return kdl__text_take(&text);
}

static kdl_tensor *list_forward(kdl_module *module, kdl_tensor *input)
{
    (void)input;
    kdl__fail(module->ctx, KDL_ERROR_RUNTIME, "ParameterList should not be called.");
    return NULL;
}

KDL__LAYER(parameter_list, "ParameterList", NULL, parameter_list, kdl__no_arguments,
           .extra_repr = list_repr, .forward = list_forward)

/* ---- a list's operations ----------------------------------------------------------------- */

static int64_t count_of(const kdl_module *list)
{
    const parameter_list *fields = kdl_module_fields(list);
    return fields->count;
}

int64_t kdl_parameter_count(const kdl_module *container)
{
    if (kdl_isinstance(container, KDL_CLASS_PARAMETER_LIST))
        return count_of(container);
    return kdl__parameter_dict_count(container);
}

kdl_status kdl_parameter_list_append(kdl_module *list, kdl_tensor *value)
{
    char name[24];
    if (kdl__refuses_type(list, KDL_CLASS_PARAMETER_LIST, __func__)) {
        kdl_tensor_release(value);
        return kdl__module_refusal(list);
    }
    parameter_list *fields = kdl_module_fields(list);
    snprintf(name, sizeof name, "%lld", (long long)fields->count);
    if (kdl__set_element(list, name, value) == KDL_OK)
        fields->count++;
    return list->ctx->status;
}

/* The name of an element, or false: an error. */
static bool element_name(kdl_module *list, int64_t index, char name[24], const char *place)
{
    if (kdl__refuses_type(list, KDL_CLASS_PARAMETER_LIST, place))
        return false;
    index = kdl__list_index(list->ctx, count_of(list), index, place);
    snprintf(name, 24, "%lld", (long long)index);
    return index >= 0;
}

kdl_tensor *kdl_parameter_list_get(kdl_module *list, int64_t index)
{
    char name[24];
    bool found = element_name(list, index, name, __func__);
    return found ? kdl__get_element(list, name, __func__) : NULL;
}

kdl_status kdl_parameter_list_set(kdl_module *list, int64_t index, kdl_tensor *value)
{
    char name[24];
    if (element_name(list, index, name, __func__))
        return kdl__set_element(list, name, value);
    kdl_tensor_release(value);
    return kdl__module_refusal(list);
}

/* Appends the elements of a slice of `from`: the same Parameters. */
static void append_slice(kdl_module *list, kdl_module *from, kdl__slice slice)
{
    for (int64_t i = 0; i < slice.count && !kdl__module_refuses(list); i++) {
        kdl_tensor *element = kdl_parameter_list_get(from, slice.start + i * slice.step);
        if (!kdl__failed(list->ctx))
            kdl_parameter_list_append(list, kdl_tensor_retain(element));
    }
}

kdl_status kdl_parameter_list_extend(kdl_module *list, kdl_module *from)
{
    if (kdl__refuses_type(list, KDL_CLASS_PARAMETER_LIST, __func__))
        return kdl__module_refusal(list);
    if (!kdl_isinstance(from, KDL_CLASS_PARAMETER_LIST))
        return kdl__fail(list->ctx, KDL_ERROR_TYPE,
                         "ParameterList.extend should be called with an iterable, but got %s",
                         from ? from->class->name : "NoneType");
    append_slice(list, from, (kdl__slice){ 0, 1, count_of(from) });
    return list->ctx->status;
}

kdl_module *kdl_parameter_list_slice(kdl_module *list, int64_t start, int64_t stop, int64_t step)
{
    kdl__slice slice;
    if (kdl__refuses_type(list, KDL_CLASS_PARAMETER_LIST, __func__) ||
        !kdl__slice_indices(list->ctx, count_of(list), start, stop, step, &slice))
        return NULL;
    kdl_module *part = kdl_nn_new(list->ctx, list->class, NULL);
    append_slice(part, list, slice);
    return kdl__module_finish(part);
}
