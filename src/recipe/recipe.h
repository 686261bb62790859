/* SPDX-License-Identifier: Apache-2.0 */
/* recipe: plans as JSON text and back (docs/recipe.md). */
#ifndef KDL_SRC_RECIPE_RECIPE_H
#define KDL_SRC_RECIPE_RECIPE_H

#include "plan/plan_impl.h"

/* The version of the schema that is written, and the only one that is read. */
#define KDL__RECIPE_VERSION 1

/* The class that recipes call `name`, or NULL. */
const kdl__op_class *kdl__recipe_class(const char *name);

/* Row-major from the storage's first element: how an op's region is unless it says otherwise. */
void kdl__recipe_plain_region(kdl__region *region, int ndim, const int64_t *sizes, int64_t numel);

#endif
