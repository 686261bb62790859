/* SPDX-License-Identifier: Apache-2.0 */
/* In-place functions' gradients by finite differences, and what they leave behind. */
#include "kindling/train.h"
#include "support/contexts.h"
#include "support/counting_allocator.h"
#include "support/gradients.h"
#include "support/tensors.h"

/* A row of a copy of a, times b's, with an element of its own; the copy then grows by itself. */
static kdl_tensor *row_written(kdl_tensor *a, kdl_tensor *b)
{
    kdl_tensor *copy = kdl_mul(a, 2), *row = kdl_select(copy, 0, 1), *other = kdl_select(b, 0, 2);
    kdl_tensor *turned = kdl_t(copy);
    kdl_mul_tensor_(row, other);
    if (copy)
        kdl_tensor_set(copy, (int64_t[]){ 0, 3 }, 0.125);
    kdl_tensor *sum = kdl_exp(turned), *back = kdl_t(sum);
    kdl_add_tensor_(copy, back);
    kdl_tensor *result = kdl_mul_tensor(copy, back);
    release_all(copy, row, other, turned, sum, back);
    return result;
}

/* Zeros that are filled in, column by column, from what was filled in before. */
static kdl_tensor *filled_in(kdl_tensor *a, kdl_tensor *b)
{
    (void)b;
    kdl_tensor *out =
        a ? kdl_zeros(kdl_tensor_context(a), KDL_SHAPE(3, 5), .dtype = KDL_F64) : NULL;
    for (int64_t i = 0; out && i < 4; i++) {
        kdl_tensor *before = kdl_select(out, 1, i), *now = kdl_select(out, 1, i + 1);
        kdl_tensor *input = kdl_select(a, 1, i), *kept = kdl_clone(before);
        kdl_tensor *sum = kdl_add_tensor(kept, input), *value = kdl_tanh(sum);
        kdl_copy_(now, value);
        release_all(before, now, input, kept, sum, value);
    }
    return out;
}

static kdl_tensor *magnitudes(kdl_tensor *a, kdl_tensor *b)
{
    kdl_tensor *difference = kdl_sub_tensor(a, b);
    kdl_abs_(difference);
    kdl_add_(difference, 1);
    kdl_mul_(difference, 3);
    kdl_mul_tensor_(difference, difference);
    return difference;
}

static gradient_body *const functions[] = { row_written, filled_in, magnitudes };

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
