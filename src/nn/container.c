/* SPDX-License-Identifier: Apache-2.0 */
/* Sequential, ModuleList, ModuleDict: modules that only hold others. */
#include "nn/arguments.h"

KDL__LAYER(sequential, "Sequential", NULL, size_t, kdl__no_arguments)
KDL__LAYER(module_list, "ModuleList", NULL, size_t, kdl__no_arguments)
KDL__LAYER(module_dict, "ModuleDict", NULL, size_t, kdl__no_arguments)
