/* SPDX-License-Identifier: Apache-2.0 */
/* Embeddings, bags and bilinear forms by themselves: finite differences, and failing memory. */
#include "kindling/train.h"
#include "support/contexts.h"
#include "support/counting_allocator.h"
#include "support/gradients.h"
#include "support/tensors.h"

/* ---- finite differences ------------------------------------------------------------------ */

static kdl_tensor *some_indices(kdl_context *ctx)
{
    return kdl_tensor_from_data(ctx, KDL_I64, KDL_SHAPE(4), (int64_t[]){ 2, 0, 2, 1 });
}

static kdl_tensor *looked_up(kdl_tensor *table, kdl_tensor *unused)
{
    (void)unused;
    kdl_tensor *indices = some_indices(kdl_tensor_context(table));
    kdl_tensor *rows = kdl_f_embedding(indices, table);
    kdl_tensor_release(indices);
    return rows;
}

static kdl_tensor *bags(kdl_tensor *table, kdl_tensor *factors, const char *mode)
{
    kdl_context *ctx = kdl_tensor_context(table);
    kdl_tensor *indices = some_indices(ctx);
    kdl_tensor *offsets = kdl_tensor_from_data(ctx, KDL_I64, KDL_SHAPE(2), (int64_t[]){ 0, 2 });
    kdl_tensor *values = kdl_f_embedding_bag(indices, table, offsets, .mode = mode,
                                             .per_sample_weights = factors, .padding_idx = 1);
    kdl_tensor_release(indices);
    kdl_tensor_release(offsets);
    return values;
}

/* Factors from the first row of b. */
static kdl_tensor *weighted(kdl_tensor *table, kdl_tensor *b)
{
    kdl_tensor *factors = kdl_select(b, 0, 0), *sums = bags(table, factors, "sum");
    kdl_tensor_release(factors);
    return sums;
}

static kdl_tensor *mean(kdl_tensor *table, kdl_tensor *unused)
{
    (void)unused;
    return bags(table, NULL, "mean");
}

static kdl_tensor *largest(kdl_tensor *table, kdl_tensor *unused)
{
    (void)unused;
    return bags(table, NULL, "max");
}

/* Of the first columns and the last ones of a (3, 4), with b as a weight (2, 2, 3). */
static kdl_tensor *bilinear(kdl_tensor *a, kdl_tensor *b)
{
    kdl_tensor *left = kdl_narrow(a, 1, 0, 2), *right = kdl_narrow(a, 1, 1, 3);
    kdl_tensor *weight = kdl_reshape(b, KDL_SHAPE(2, 2, 3));
    kdl_tensor *result = kdl_f_bilinear(left, right, weight, NULL);
    kdl_tensor_release(left);
    kdl_tensor_release(right);
    kdl_tensor_release(weight);
    return result;
}

static gradient_body *const functions[] = { looked_up, weighted, mean, largest, bilinear };

static void test_finite_differences(void **state)
{
    check_gradients(*state, GRADIENT_BODIES(functions));
}

static void test_null(void **state)
{
    kdl_context *ctx = *state;
    kdl_tensor *indices = some_indices(ctx), *table = kdl_ones(ctx, KDL_SHAPE(3, 2));
    assert_null(kdl_f_embedding(indices, NULL));
    assert_null(kdl_f_embedding(NULL, table));
    assert_null(kdl_f_embedding_bag(NULL, table, indices));
    assert_null(kdl_f_bilinear(table, NULL, table, NULL));
    kdl_tensor_release(indices);
    kdl_tensor_release(table);
}

/* ---- failing memory ---------------------------------------------------------------------- */

static kdl_status run(kdl_context *ctx, void *unused)
{
    (void)unused;
    kdl_train_enable(ctx);
    kdl_tensor *table = kdl_rand(ctx, KDL_SHAPE(3, 4), .requires_grad = true);
    kdl_tensor *indices = some_indices(ctx);
    kdl_tensor *short_rows =
        kdl_f_embedding(indices, table, .max_norm = 0.1, .scale_grad_by_freq = true);
    kdl_tensor *sum = kdl_sum(short_rows);
    kdl_backward(sum);
    kdl_tensor *offsets = kdl_zeros(ctx, KDL_SHAPE(1), .dtype = KDL_I64);
    kdl_tensor *sparse = kdl_f_embedding_bag(indices, table, offsets, .sparse = true);
    kdl_tensor *other = kdl_sum(sparse);
    kdl_backward(other);
    release_all(table, indices, short_rows, sum, offsets, sparse, other);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    check_gradient_allocations(GRADIENT_BODIES(functions));
    check_allocation_failures(run, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRAINING_TEST(test_finite_differences),
        TRAINING_TEST(test_null),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
