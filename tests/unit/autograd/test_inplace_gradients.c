/* SPDX-License-Identifier: Apache-2.0 */
/* In-place functions' gradients by finite differences, and what they leave behind. */
#include "kindling/train.h"
#include "support/counting_allocator.h"
#include "support/gradients.h"
#include "support/unit.h"

static int set_up(void **state)
{
    *state = kdl_context_new(NULL);
    if (!*state)
        return 1;
    kdl_manual_seed(*state, 1);
    return kdl_train_enable(*state) != KDL_OK;
}

static int tear_down(void **state)
{
    int failed = kdl_error_status(*state) != KDL_OK;
    kdl_context_release(*state);
    return failed;
}

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
    kdl_tensor *all[] = { copy, row, other, turned, sum, back };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        kdl_tensor_release(all[i]);
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
        kdl_tensor *all[] = { before, now, input, kept, sum, value };
        for (size_t k = 0; k < sizeof all / sizeof *all; k++)
            kdl_tensor_release(all[k]);
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
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        check_gradients(*state, functions[i]);
}

/* Forward only, so that nothing frees the graphs but the tensors that go; then backward too. */
static kdl_status compute(kdl_context *ctx, void *unused)
{
    (void)unused;
    kdl_train_enable(ctx);
    for (size_t i = 0; i < 2 * (sizeof functions / sizeof *functions); i++) {
        kdl_tensor *a =
            kdl_full(ctx, KDL_SHAPE(3, 4), 0.5, .dtype = KDL_F64, .requires_grad = true);
        kdl_tensor *b = kdl_full(ctx, KDL_SHAPE(3, 4), 1, .dtype = KDL_F64, .requires_grad = true);
        kdl_tensor *value = a && b ? functions[i / 2](a, b) : NULL, *sum = kdl_sum(value);
        if (i % 2)
            kdl_backward(sum);
        kdl_tensor *all[] = { a, b, value, sum };
        for (int k = 0; k < 4; k++)
            kdl_tensor_release(all[k]);
        if (kdl_error_status(ctx))
            break;
    }
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    check_allocation_failures(compute, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_finite_differences, set_up, tear_down),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
