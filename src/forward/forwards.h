/* SPDX-License-Identifier: Apache-2.0 */
/* forward: what torch.nn's modules compute, by their class: a table for each family of them. */
#ifndef KDL_SRC_FORWARD_FORWARDS_H
#define KDL_SRC_FORWARD_FORWARDS_H

#include "nn/module_impl.h"

/* Entries: one tensor in, one out; or from `least` to `most` in, up to `outputs` out. */
#define KDL__ONE(class, function)                                                                  \
    {                                                                                              \
        class, function, NULL, 1, 1, 1                                                             \
    }
#define KDL__SEVERAL(class, function, least, most, outputs)                                        \
    {                                                                                              \
        class, NULL, function, least, most, outputs                                                \
    }
#define KDL__END_OF_FORWARDS                                                                       \
    {                                                                                              \
        NULL, NULL, NULL, 0, 0, 0                                                                  \
    }

extern const kdl__forward_entry kdl__layer_forwards[], kdl__element_forwards[];
extern const kdl__forward_entry kdl__norm_forwards[], kdl__window_forwards[];
extern const kdl__forward_entry kdl__loss_forwards[], kdl__adaptive_forwards[];
extern const kdl__forward_entry kdl__recurrent_forwards[], kdl__attention_forwards[];
extern const kdl__forward_entry kdl__transformer_forwards[];

/* The forward of one of torch.nn's classes, or NULL. */
const kdl__forward_entry *kdl__find_forward(const kdl_module_class *class);
/* How many spatial dimensions a module's class of torch.nn has. */
int kdl__spatial(const kdl_module *module);

#endif
