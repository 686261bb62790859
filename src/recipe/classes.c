/* SPDX-License-Identifier: Apache-2.0 */
/* Every kind of op that a recipe can name. */
#include <string.h>

#include "init/init.h"
#include "recipe/recipe.h"

static const kdl__op_class *const classes[] = {
    &kdl__op_constant,
    &kdl__op_constant_integer,
    &kdl__op_copy,
    &kdl__op_eye,
    &kdl__op_arange,
    &kdl__op_linspace,
    &kdl__op_randperm,
    &kdl__op_bernoulli_tensor,
    &kdl__op_abs,
    &kdl__op_add,
    &kdl__op_mul,
    &kdl__op_add_tensor,
    &kdl__op_mul_tensor,
    &kdl__op_dirac,
    &kdl__op_sparse,
    &kdl__op_orthogonal,
    &kdl__op_orthogonal_serial,
    &kdl__op_trunc_normal,
    &kdl__op_trunc_normal_serial,
    &kdl__op_trunc_normal_rejection,
    &kdl__op_norm_except_dim,
    &kdl__op_weight_norm,
    &kdl__op_power_u,
    &kdl__op_power_v,
    &kdl__op_spectral_norm,
    &kdl__op_orthogonal_base,
    &kdl__op_reflectors,
    &kdl__op_orthogonal_map,
};

const kdl__op_class *kdl__recipe_class(const char *name)
{
    for (size_t i = 0; i < KDL__DISTRIBUTION_COUNT; i++)
        if (strcmp(kdl__op_fills[i].name, name) == 0)
            return &kdl__op_fills[i];
    for (size_t i = 0; i < KDL__COMPARISON_COUNT; i++)
        if (strcmp(kdl__op_comparisons[i].name, name) == 0)
            return &kdl__op_comparisons[i];
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strcmp(classes[i]->name, name) == 0)
            return classes[i];
    return NULL;
}

void kdl__recipe_plain_region(kdl__region *region, int ndim, const int64_t *sizes, int64_t numel)
{
    *region = (kdl__region){ .numel = numel, .ndim = ndim };
    memcpy(region->sizes, sizes, (size_t)ndim * sizeof *sizes);
    kdl__shape_strides(ndim, sizes, region->strides);
}
