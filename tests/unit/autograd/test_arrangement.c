/* SPDX-License-Identifier: Apache-2.0 */
/* What orders, puts, draws and arranges elements: finite differences, and without memory. */
#include "kindling/train.h"
#include "support/contexts.h"
#include "support/counting_allocator.h"
#include "support/gradients.h"
#include "support/tensors.h"

static kdl_tensor *sorted(kdl_tensor *a, kdl_tensor *b)
{
    (void)b;
    kdl_tensor *order = kdl_sort(a, -1, true, NULL), *result = kdl_square(order);
    kdl_tensor_release(order);
    return result;
}

static kdl_tensor *largest(kdl_tensor *a, kdl_tensor *b)
{
    (void)b;
    kdl_tensor *indices = NULL, *result = kdl_topk(a, 2, 0, true, &indices);
    kdl_tensor_release(indices);
    return result;
}

static kdl_tensor *places(kdl_tensor *a)
{
    return kdl_tensor_from_data(kdl_tensor_context(a), KDL_I64, KDL_SHAPE(2, 2),
                                (int64_t[]){ 2, 0, 0, 1 });
}

static kdl_tensor *scattered(kdl_tensor *a, kdl_tensor *b)
{
    kdl_tensor *index = places(a), *over = kdl_scatter(a, 0, index, b);
    kdl_tensor *result = kdl_scatter_add(over, 1, index, b);
    release_all(index, over);
    return result;
}

static kdl_tensor *added_rows(kdl_tensor *a, kdl_tensor *b)
{
    kdl_tensor *index =
        kdl_tensor_from_data(kdl_tensor_context(a), KDL_I64, KDL_SHAPE(3), (int64_t[]){ 1, 1, 0 });
    kdl_tensor *result = kdl_index_add(a, 0, index, b, -0.5);
    kdl_tensor_release(index);
    return result;
}

static kdl_tensor *arranged(kdl_tensor *a, kdl_tensor *b)
{
    kdl_tensor *flipped = kdl_flip(a, 1, (int[]){ -1 }), *rolled = kdl_roll(flipped, 1, 0);
    kdl_tensor *lower = kdl_tril(rolled, 0), *upper = kdl_triu(b, 1);
    kdl_tensor *sum = kdl_add_tensor(lower, upper), *result = kdl_tile(sum, KDL_SHAPE(2, 1, 2));
    release_all(flipped, rolled, lower, upper, sum);
    return result;
}

static kdl_tensor *reduced(kdl_tensor *a, kdl_tensor *b)
{
    kdl_tensor *sums = kdl_sum_dims(a, 2, (int[]){ 0, 1 }, true), *most = kdl_max(b);
    kdl_tensor *spread = kdl_std(a, 1), *product = kdl_mul_tensor(sums, most);
    kdl_tensor *result = kdl_mul_tensor(product, spread);
    release_all(sums, most, spread, product);
    return result;
}

static kdl_tensor *sum_of_product(kdl_tensor *a, kdl_tensor *b)
{
    kdl_tensor *turned = kdl_t(b), *one = a ? kdl_select(a, 0, 0) : NULL;
    kdl_tensor *row = one ? kdl_narrow(one, 0, 0, 1) : NULL;
    kdl_tensor *result = kdl_addmm(row, a, turned, 0.5, -2);
    release_all(turned, one, row);
    return result;
}

static gradient_body *const functions[] = { sorted,   largest, scattered,     added_rows,
                                            arranged, reduced, sum_of_product };

static void test_finite_differences(void **state)
{
    check_gradients(*state, GRADIENT_BODIES(functions));
}

static kdl_status draw(kdl_context *ctx, void *unused)
{
    (void)unused;
    kdl_train_enable(ctx);
    kdl_tensor *weights = kdl_ones(ctx, KDL_SHAPE(3, 5));
    for (int samples = 1; samples <= 3; samples += 2) {
        kdl_tensor_release(kdl_multinomial(weights, samples, true));
        kdl_tensor_release(kdl_multinomial(weights, samples, false));
    }
    kdl_tensor *parts[3];
    int count = kdl_unbind(weights, 0, parts, 3);
    for (int i = 0; i < count; i++)
        kdl_tensor_release(parts[i]);
    kdl_tensor_release(weights);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    check_allocation_failures(draw, NULL);
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
