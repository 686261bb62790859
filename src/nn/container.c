/* SPDX-License-Identifier: Apache-2.0 */
/* Sequential, ModuleList, ModuleDict: modules that only hold others. */
#include "nn/module_impl.h"

const kdl_module_class kdl_class_sequential = { .name = "Sequential" };
const kdl_module_class kdl_class_module_list = { .name = "ModuleList" };
const kdl_module_class kdl_class_module_dict = { .name = "ModuleDict" };

kdl_module *kdl_nn_sequential_new(kdl_context *ctx)
{
    return kdl_module_new(ctx, KDL_CLASS_SEQUENTIAL);
}

kdl_module *kdl_nn_module_list_new(kdl_context *ctx)
{
    return kdl_module_new(ctx, KDL_CLASS_MODULE_LIST);
}

kdl_module *kdl_nn_module_dict(kdl_context *ctx)
{
    return kdl_module_new(ctx, KDL_CLASS_MODULE_DICT);
}
