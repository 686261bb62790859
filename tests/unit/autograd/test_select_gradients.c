/* SPDX-License-Identifier: Apache-2.0 */
/* Indexing's gradients by finite differences, and what it does without memory. */
#include "kindling/train.h"
#include "support/contexts.h"
#include "support/gradients.h"

static kdl_tensor *indices(kdl_tensor *a, kdl_shape shape)
{
    return kdl_tensor_from_data(kdl_tensor_context(a), KDL_I64, shape,
                                (int64_t[]){ 2, 0, 2, 1, 1, 1 });
}

/* Consumes `index`. */
static kdl_tensor *by(kdl_tensor *(*function)(kdl_tensor *, int, kdl_tensor *), kdl_tensor *a,
                      int dim, kdl_tensor *index)
{
    kdl_tensor *result = function(a, dim, index);
    kdl_tensor_release(index);
    return result;
}

static kdl_tensor *selected_rows(kdl_tensor *a, kdl_tensor *b)
{
    (void)b;
    return by(kdl_index_select, a, 0, indices(a, KDL_SHAPE(6)));
}

static kdl_tensor *selected_columns(kdl_tensor *a, kdl_tensor *b)
{
    (void)b;
    return by(kdl_index_select, a, -1, indices(a, KDL_SHAPE(6)));
}

static kdl_tensor *gathered(kdl_tensor *a, kdl_tensor *b)
{
    (void)b;
    return by(kdl_gather, a, 1, indices(a, KDL_SHAPE(3, 2)));
}

/* Where b is above its middle. */
static kdl_tensor *masked(kdl_tensor *a, kdl_tensor *b)
{
    kdl_tensor *mask = kdl_gt(b, 0.9), *filled = kdl_masked_fill(a, mask, 2);
    kdl_tensor *all = kdl_masked_select(filled, mask);
    kdl_tensor *others = kdl_logical_not(mask), *rest = kdl_masked_select(filled, others);
    kdl_tensor *result = all && rest ? kdl_cat((kdl_tensor *[]){ rest, all }, 2, 0) : NULL;
    kdl_tensor *temporary[] = { mask, filled, all, others, rest };
    for (size_t i = 0; i < sizeof temporary / sizeof *temporary; i++)
        kdl_tensor_release(temporary[i]);
    return result;
}

static kdl_tensor *parts(kdl_tensor *a, kdl_tensor *b)
{
    (void)b;
    kdl_tensor *part[4] = { NULL };
    int count = kdl_chunk(a, 2, 1, part, 4);
    kdl_tensor *result = count == 2 ? kdl_mul_tensor(part[0], part[1]) : NULL;
    for (int i = 0; i < count; i++)
        kdl_tensor_release(part[i]);
    return result;
}

static gradient_body *const functions[] = { selected_rows, selected_columns, gathered, masked,
                                            parts };

static void test_finite_differences(void **state)
{
    check_gradients(*state, GRADIENT_BODIES(functions));
}

static void test_allocation_failures(void **state)
{
    (void)state;
    check_gradient_allocations(GRADIENT_BODIES(functions));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRAINING_TEST(test_finite_differences),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
