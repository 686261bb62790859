/* SPDX-License-Identifier: Apache-2.0 */
/* Paddings (torch/nn/modules/padding.py). */
#include "nn/arguments.h"

static const kdl_pad_options pad_defaults = KDL_PAD_DEFAULTS;
static const kdl__argument pad_list[] = {
    KDL__ARGUMENT(kdl_pad_options, padding),
    KDL__ARGUMENT(kdl_pad_options, value),
};

/* A class for `n` dimensions: an int becomes a width at both ends of each. */
#define PAD(lower, title, parent, n, arguments_, template)                                         \
    static const kdl__arguments lower##_arguments = { .list = pad_list,                            \
                                                      .count = (arguments_),                       \
                                                      .required = (arguments_),                    \
                                                      .defaults = &pad_defaults,                   \
                                                      .nbytes = sizeof pad_defaults,               \
                                                      .expand = 2 * (n),                           \
                                                      .repr = (template) };                        \
    KDL__LAYER(lower, title, parent, kdl_pad_options, lower##_arguments)

#define PADS(n)                                                                                    \
    PAD(circular_pad##n##d, "CircularPad" #n "d", KDL_CLASS_CIRCULAR_PAD_ND, n, 1, "{padding}")    \
    PAD(constant_pad##n##d, "ConstantPad" #n "d", KDL_CLASS_CONSTANT_PAD_ND, n, 2,                 \
        "padding={padding}, value={value}")                                                        \
    PAD(reflection_pad##n##d, "ReflectionPad" #n "d", KDL_CLASS_REFLECTION_PAD_ND, n, 1,           \
        "{padding}")                                                                               \
    PAD(replication_pad##n##d, "ReplicationPad" #n "d", KDL_CLASS_REPLICATION_PAD_ND, n, 1,        \
        "{padding}")                                                                               \
    PAD(zero_pad##n##d, "ZeroPad" #n "d", KDL_CLASS_CONSTANT_PAD##n##D, n, 1, "{padding}")

const kdl_module_class kdl_class_circular_pad_nd = { .name = "_CircularPadNd" };
const kdl_module_class kdl_class_constant_pad_nd = { .name = "_ConstantPadNd" };
const kdl_module_class kdl_class_reflection_pad_nd = { .name = "_ReflectionPadNd" };
const kdl_module_class kdl_class_replication_pad_nd = { .name = "_ReplicationPadNd" };
PADS(1)
PADS(2)
PADS(3)
