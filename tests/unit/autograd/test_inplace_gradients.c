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

/* A view that is added to itself and used afterwards; one that repeats what is written. */
static kdl_tensor *views_written(kdl_tensor *a, kdl_tensor *b)
{
    kdl_tensor *copy = kdl_mul(a, 2), *turned = kdl_t(copy), *row = kdl_select(copy, 0, 0);
    kdl_tensor *wide = kdl_expand(row, KDL_SHAPE(3, 4));
    kdl_add_tensor_(turned, turned);
    kdl_tensor *product = kdl_mul_tensor(wide, b), *back = kdl_t(turned);
    kdl_tensor *result = kdl_mul_tensor(product, back);
    release_all(copy, turned, row, wide, product, back);
    return result;
}

static gradient_body *const functions[] = { row_written, filled_in, magnitudes, views_written };

static void test_finite_differences(void **state)
{
    check_gradients(*state, GRADIENT_BODIES(functions));
}

/* What saves nothing may be gone through again: a view that is made once, outside of a loop. */
static void test_graphs_that_save_nothing(void **state)
{
    kdl_context *ctx = *state;
    kdl_tensor *x = kdl_ones(ctx, KDL_SHAPE(2, 3), .requires_grad = true), *turned = kdl_t(x);
    for (int step = 0; step < 3; step++) {
        kdl_tensor *value = kdl_exp(turned), *sum = kdl_sum(value);
        assert_int_equal(kdl_backward(sum), KDL_OK);
        release_all(value, sum);
    }
    assert_float_equal(kdl_tensor_get(kdl_tensor_grad(x), (const int64_t[]){ 1, 2 }), 3 * 2.7182818,
                       1e-5);
    release_all(x, turned);
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
        TRAINING_TEST(test_graphs_that_save_nothing),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
