/* SPDX-License-Identifier: Apache-2.0 */
/* Modules for tests. */
#ifndef KDL_TESTS_SUPPORT_MODULES_H
#define KDL_TESTS_SUPPORT_MODULES_H

#include "kindling/module.h"

/* The golden_digest() of the state_dict's values, one tensor after the other. */
uint64_t digest_values(kdl_module *module);

#endif
