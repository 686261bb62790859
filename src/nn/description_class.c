/* SPDX-License-Identifier: Apache-2.0 */
/* Classes that a text names and torch.nn does not have. They live as long as their context. */
#include "nn/description_build.h"

typedef struct named_class {
    struct named_class *next;
    kdl_module_class class;
    char name[];
} named_class;

static void destroy_all(kdl_context *ctx, void *value)
{
    for (named_class *known = value, *next; known; known = next) {
        next = known->next;
        kdl_free(ctx, known);
    }
}

const kdl_module_class *kdl__class_named(kdl_context *ctx, kdl__span name,
                                         const kdl_module_class *parent)
{
    named_class *first = kdl__slot_get(ctx, KDL__SLOT_CLASSES), *known = first;
    while (known && !(kdl__span_is(name, known->name) && known->class.parent == parent))
        known = known->next;
    if (known)
        return &known->class;
    named_class *fresh = kdl__alloc_zeroed(ctx, 1, sizeof *fresh + name.length + 1);
    if (!fresh)
        return NULL;
    memcpy(fresh->name, name.at, name.length);
    fresh->class = (kdl_module_class){ .name = fresh->name, .parent = parent };
    /* Setting a slot destroys what it held, so the newer ones stand behind the first. */
    fresh->next = first ? first->next : NULL;
    if (first)
        first->next = fresh;
    else
        kdl__slot_set(ctx, KDL__SLOT_CLASSES, fresh, destroy_all);
    return &fresh->class;
}
