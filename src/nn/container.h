/* SPDX-License-Identifier: Apache-2.0 */
/* What torch.nn's containers of modules and of parameters share. */
#ifndef KDL_SRC_NN_CONTAINER_H
#define KDL_SRC_NN_CONTAINER_H

#include "nn/arguments.h"

/* Which of a list's elements a slice is: start, start + step, ..., so many. */
typedef struct kdl__slice {
    int64_t start, step, count;
} kdl__slice;

/* slice(start, stop, step).indices(length), KDL_NONE_INT for None; ValueError for step 0. */
bool kdl__slice_indices(kdl_context *ctx, int64_t length, int64_t start, int64_t stop, int64_t step,
                        kdl__slice *slice);

/* A list's index, negative from the end, as one from the start; -1 and IndexError out of range. */
int64_t kdl__list_index(kdl_context *ctx, int64_t length, int64_t index, const char *place);

/* KeyError(key), whose text is repr(key). */
kdl_status kdl__fail_key(kdl_context *ctx, const char *place, const char *key);

/*
 * container.name = value for a list or dict of parameters: a tensor that is no Parameter becomes
 * one. Consumes the value.
 */
kdl_status kdl__set_element(kdl_module *container, const char *name, kdl_tensor *value);

/* getattr(container, name), borrowed; KeyError with the text of the AttributeError. */
kdl_tensor *kdl__get_element(kdl_module *container, const char *name, const char *place);

/*
 * "  (name): Parameter containing: [torch.TYPE of size 2x3]", on a line of its own; TYPE is made of
 * two parts.
 */
void kdl__text_element(kdl__text *text, const char *name, kdl_tensor *element, const char *type,
                       const char *type_end);

/* How many keys a ParameterDict has; 0 for another module. */
int64_t kdl__parameter_dict_count(const kdl_module *dict);

#endif
