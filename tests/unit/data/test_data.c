/* SPDX-License-Identifier: Apache-2.0 */
/* Batches: their rows, their order, what they draw; the orders are what PyTorch 2.13.0 gave. */
#include "support/contexts.h"

#include "kindling/train.h"
#include "support/counting_allocator.h"

static kdl_tensor *numbers(kdl_context *ctx, int64_t n)
{
    return kdl_arange(ctx, 0, (double)n, 1);
}

/*
 * Asserts that an epoch gives these rows of 0 .. n - 1 in batches, a -1 behind each, -2 at the end.
 */
static void check_epoch(kdl_data_loader *loader, const int64_t *expected)
{
    int64_t batches = 0;
    for (kdl_data_iterator it = kdl_data_iter(loader); kdl_data_next(&it); batches++) {
        const int64_t *rows = kdl_tensor_data(it.tensors[0]);
        assert_int_equal(it.index, batches);
        for (int64_t i = 0; i < kdl_tensor_numel(it.tensors[0]); i++)
            assert_int_equal(rows[i], *expected++);
        assert_int_equal(*expected++, -1);
    }
    assert_int_equal(*expected, -2);
    assert_int_equal(kdl_data_loader_length(loader), batches);
}

static void test_in_order(void **state)
{
    kdl_context *ctx = *state;
    kdl_tensor *rows = numbers(ctx, 7);
    kdl_data_loader *loader = kdl_data_loader_new(KDL_TENSOR_DATASET(rows), .batch_size = 3);
    kdl_manual_seed(ctx, 5);
    check_epoch(loader, (int64_t[]){ 0, 1, 2, -1, 3, 4, 5, -1, 6, -1, -2 });
    assert_int_equal(kdl_generator_tell(kdl_default_generator(ctx)), 2);
    kdl_data_loader_release(loader);
    loader = kdl_data_loader_new(KDL_TENSOR_DATASET(rows), .batch_size = 3, .drop_last = true);
    check_epoch(loader, (int64_t[]){ 0, 1, 2, -1, 3, 4, 5, -1, -2 });
    kdl_data_loader_release(loader);
    loader = kdl_data_loader_new(KDL_TENSOR_DATASET(rows), .batch_size = 9);
    check_epoch(loader, (int64_t[]){ 0, 1, 2, 3, 4, 5, 6, -1, -2 });
    kdl_data_loader_release(loader);
    kdl_tensor_release(rows);
}

/* torch.manual_seed(0); DataLoader(TensorDataset(torch.arange(8)), 3, shuffle=True), twice. */
static void test_shuffled(void **state)
{
    kdl_context *ctx = *state;
    kdl_tensor *rows = numbers(ctx, 8);
    kdl_data_loader *loader =
        kdl_data_loader_new(KDL_TENSOR_DATASET(rows), .batch_size = 3, .shuffle = true);
    kdl_manual_seed(ctx, 0);
    check_epoch(loader, (int64_t[]){ 2, 0, 5, -1, 3, 1, 4, -1, 7, 6, -1, -2 });
    check_epoch(loader, (int64_t[]){ 0, 3, 7, -1, 1, 6, 2, -1, 5, 4, -1, -2 });
    assert_int_equal(kdl_generator_tell(kdl_default_generator(ctx)), 8);
    kdl_data_loader_release(loader);
    kdl_tensor_release(rows);
}

/* A generator of the caller's gives the permutation itself, and one more at the end. */
static void test_generator(void **state)
{
    kdl_context *ctx = *state;
    kdl_tensor *rows = numbers(ctx, 8);
    kdl_generator *generator = kdl_generator_new(ctx);
    kdl_data_loader *loader = kdl_data_loader_new(KDL_TENSOR_DATASET(rows), .batch_size = 4,
                                                  .shuffle = true, .generator = generator);
    kdl_generator_manual_seed(generator, 0);
    kdl_data_iterator it = kdl_data_iter(loader);
    assert_int_equal(kdl_generator_tell(generator), 2);
    assert_true(kdl_data_next(&it) && kdl_data_next(&it));
    assert_int_equal(kdl_generator_tell(generator), 2 + 7);
    assert_false(kdl_data_next(&it));
    assert_int_equal(kdl_generator_tell(generator), 2 + 7 + 7);
    assert_false(kdl_data_next(&it));
    kdl_generator_manual_seed(generator, 0);
    check_epoch(loader, (int64_t[]){ 5, 3, 1, 7, -1, 2, 6, 4, 0, -1, -2 });
    kdl_data_loader_release(loader);
    kdl_generator_release(generator);
    kdl_tensor_release(rows);
}

/* Rows of several tensors, strided and of other dtypes, belong together. */
static void test_rows(void **state)
{
    kdl_context *ctx = *state;
    kdl_tensor *labels = numbers(ctx, 6), *ones = kdl_ones(ctx, KDL_SHAPE(4, 6));
    for (int64_t i = 0; i < 4 * 6; i++)
        kdl_tensor_set(ones, (int64_t[]){ i / 6, i % 6 }, (double)i);
    kdl_tensor *columns = kdl_t(ones), *half = kdl_to(columns, KDL_BF16);
    kdl_requires_grad_(columns, true);
    kdl_data_loader *loader = kdl_data_loader_new(KDL_TENSOR_DATASET(columns, labels, half),
                                                  .batch_size = 4, .shuffle = true);
    for (kdl_data_iterator it = kdl_data_iter(loader); kdl_data_next(&it);) {
        assert_true(kdl_tensor_is_contiguous(it.tensors[0]));
        assert_false(kdl_tensor_requires_grad(it.tensors[0]));
        assert_int_equal(kdl_tensor_dtype(it.tensors[2]), KDL_BF16);
        int64_t count = kdl_tensor_size(it.tensors[1], 0);
        assert_int_equal(count, it.index == 0 ? 4 : 2);
        for (int64_t i = 0; i < count * 4; i++) {
            double label = kdl_tensor_get(it.tensors[1], (int64_t[]){ i / 4 });
            int64_t at[] = { i / 4, i % 4 };
            assert_float_equal(kdl_tensor_get(it.tensors[0], at), label + (double)(6 * at[1]), 0);
            assert_float_equal(kdl_tensor_get(it.tensors[2], at), label + (double)(6 * at[1]), 0);
        }
    }
    kdl_data_loader_release(loader);
    kdl_tensor_release(half);
    kdl_tensor_release(columns);
    kdl_tensor_release(ones);
    kdl_tensor_release(labels);
}

static void test_leaving_early(void **state)
{
    kdl_context *ctx = *state;
    kdl_tensor *rows = numbers(ctx, 5);
    kdl_data_loader *loader = kdl_data_loader_new(KDL_TENSOR_DATASET(rows));
    kdl_data_iterator first = kdl_data_iter(loader);
    assert_true(kdl_data_next(&first));
    kdl_data_iterator second = kdl_data_iter(loader);
    assert_true(kdl_data_next(&second));
    assert_int_equal(kdl_tensor_item(second.tensors[0]), 0);
    assert_false(kdl_data_next(&first));
    assert_error(ctx, KDL_ERROR_VALUE, "the loader is in another iteration");
    assert_true(kdl_data_next(&second));
    assert_int_equal(kdl_tensor_item(second.tensors[0]), 1);
    kdl_data_loader_release(loader);
    kdl_tensor_release(rows);
}

static void test_errors(void **state)
{
    kdl_context *ctx = *state;
    kdl_tensor *rows = numbers(ctx, 5), *none = numbers(ctx, 0);
    kdl_tensor *scalar = kdl_ones(ctx, KDL_SCALAR_SHAPE);
    assert_null(kdl_data_loader_new(KDL_TENSOR_DATASET(rows, none)));
    assert_error(ctx, KDL_ERROR_VALUE, "Size mismatch between tensors");
    assert_null(kdl_data_loader_new(KDL_TENSOR_DATASET(scalar)));
    assert_error(ctx, KDL_ERROR_INDEX, "Dimension specified as 0 but tensor has no dimensions");
    assert_null(kdl_data_loader_new(KDL_TENSOR_DATASET(rows), .batch_size = 0));
    assert_error(ctx, KDL_ERROR_VALUE,
                 "batch_size should be a positive integer value, but got batch_size=0");
    assert_null(kdl_data_loader_new(KDL_TENSOR_DATASET(none), .shuffle = true));
    assert_error(ctx, KDL_ERROR_VALUE,
                 "num_samples should be a positive integer value, but got num_samples=0");
    kdl_context *other = kdl_context_new(NULL);
    kdl_tensor *foreign = numbers(other, 5);
    kdl_generator *generator = kdl_generator_new(other);
    assert_null(kdl_data_loader_new(KDL_TENSOR_DATASET(rows, foreign)));
    assert_error(ctx, KDL_ERROR_VALUE, "the tensors are of different contexts");
    assert_null(kdl_data_loader_new(KDL_TENSOR_DATASET(rows), .generator = generator));
    assert_error(ctx, KDL_ERROR_VALUE, "the generator is of another context");
    kdl_generator_release(generator);
    kdl_tensor_release(foreign);
    kdl_context_release(other);
    assert_null(kdl_data_loader_new(KDL_TENSOR_DATASET(NULL, rows)));
    kdl_tensor_dataset many = { { rows }, KDL_MAX_DATASET_TENSORS + 1 };
    for (int i = 1; i < KDL_MAX_DATASET_TENSORS; i++)
        many.tensors[i] = rows;
    assert_null(kdl_data_loader_new(many));
    assert_error(ctx, KDL_ERROR_VALUE, "a dataset has at most 16 tensors, but 17 were given");
    kdl_data_iterator it = kdl_data_iter(NULL);
    assert_false(kdl_data_next(&it));
    assert_int_equal(kdl_data_loader_length(NULL), 0);
    kdl_data_loader *empty = kdl_data_loader_new(KDL_TENSOR_DATASET(none));
    it = kdl_data_iter(empty);
    assert_false(kdl_data_next(&it));
    kdl_data_loader_release(empty);
    kdl_data_loader_release(NULL);
    kdl_tensor_release(scalar);
    kdl_tensor_release(none);
    kdl_tensor_release(rows);
}

static kdl_status go_through(kdl_context *ctx, void *unused)
{
    (void)unused;
    kdl_tensor *rows = numbers(ctx, 5), *ones = kdl_ones(ctx, KDL_SHAPE(3, 5));
    kdl_tensor *columns = kdl_t(ones);
    kdl_data_loader *loader =
        kdl_data_loader_new(KDL_TENSOR_DATASET(rows, columns), .batch_size = 2, .shuffle = true);
    for (int epoch = 0; epoch < 2; epoch++)
        for (kdl_data_iterator it = kdl_data_iter(loader); kdl_data_next(&it);)
            continue;
    kdl_data_loader_release(loader);
    kdl_tensor_release(columns);
    kdl_tensor_release(ones);
    kdl_tensor_release(rows);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    check_allocation_failures(go_through, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRAINING_TEST(test_in_order),
        TRAINING_TEST(test_shuffled),
        TRAINING_TEST(test_generator),
        TRAINING_TEST(test_rows),
        TRAINING_TEST(test_leaving_early),
        TRAINING_TEST(test_errors),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
