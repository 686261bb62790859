/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors and storages: lifetime, properties, deferred values, elements, failures. */
#include <math.h>

#include "support/counting_allocator.h"
#include "support/tensors.h"
#include "support/unit.h"
#include "tensor/tensor_impl.h"

static const float ramp[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };

static kdl_tensor *make_ramp(kdl_context *ctx, kdl_shape shape)
{
    return make_tensor(ctx, KDL_F32, shape, ramp, sizeof ramp);
}

static void test_properties(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_tensor *tensor = make_ramp(ctx, KDL_SHAPE(2, 3));
    kdl_tensor *transposed = kdl_t(tensor);
    kdl_tensor *tail = kdl_narrow(transposed, 0, 1, 2);
    assert_ptr_equal(kdl_tensor_context(tail), ctx);
    assert_int_equal(kdl_tensor_dtype(tail), KDL_F32);
    assert_int_equal(kdl_tensor_ndim(tail), 2);
    assert_int_equal(kdl_tensor_size(tail, 0), 2);
    assert_int_equal(kdl_tensor_size(tail, -2), 2);
    assert_int_equal(kdl_tensor_strides(tail)[0], 1);
    assert_int_equal(kdl_tensor_strides(tail)[1], 3);
    assert_int_equal(kdl_tensor_numel(tail), 4);
    assert_int_equal(kdl_tensor_nbytes(tail), 16);
    assert_int_equal(kdl_tensor_storage_offset(tail), 1);
    assert_false(kdl_tensor_is_contiguous(tail));
    assert_true(kdl_tensor_is_contiguous(tensor));
    assert_true(kdl_tensor_shares_storage(tail, tensor));
    assert_ptr_equal(kdl_tensor_data(tail), (float *)kdl_tensor_data(tensor) + 1);
    assert_int_equal((uintptr_t)kdl_tensor_data(tensor) % 64, 0);
    kdl_shape shape = kdl_tensor_shape(transposed);
    assert_int_equal(shape.ndim, 2);
    assert_int_equal(shape.sizes[0], 3);
    assert_int_equal(shape.sizes[1], 2);

    assert_int_equal(kdl_tensor_size(tail, 2), -1);
    assert_error(ctx, KDL_ERROR_INDEX,
                 "Dimension out of range (expected to be in range of [-2, 1], but got 2)");
    kdl_tensor *scalar = make_ramp(ctx, KDL_SCALAR_SHAPE);
    assert_int_equal(kdl_tensor_size(scalar, -1), -1);
    assert_error(ctx, KDL_ERROR_INDEX, "Dimension specified as -1 but tensor has no dimensions");

    kdl_context_release(ctx); /* the tensors keep it */
    kdl_tensor_release(tensor);
    assert_true(((float *)kdl_tensor_data(tail))[3] == 4);
    kdl_tensor_release(transposed);
    kdl_tensor_release(tail);
    kdl_tensor_release(scalar);
    kdl_tensor_release(NULL);
}

static void test_impossible_shapes(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    assert_null(make_ramp(ctx, KDL_SHAPE(2, -3)));
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "Trying to create tensor with negative dimension -3: [2, -3]");
    int64_t large = INT64_C(1) << 40;
    assert_null(make_ramp(ctx, KDL_SHAPE(large, large)));
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "Storage size calculation overflowed with sizes=[1099511627776, 1099511627776]");
    assert_null(make_ramp(ctx, KDL_SHAPE(0, large, large)));
    assert_error(ctx, KDL_ERROR_RUNTIME, "Stride calculation overflowed");
    assert_null(make_ramp(ctx, KDL_SHAPE(INT64_C(1) << 62)));
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "Storage size calculation overflowed with sizes=[4611686018427387904]");
    assert_null(make_ramp(ctx, KDL_SHAPE(INT64_C(1) << 60)));
    assert_int_equal(kdl_error_status(ctx), KDL_ERROR_MEMORY);
    kdl_error_clear(ctx);
    kdl_shape shape = { .ndim = KDL_MAX_DIMS + 1 };
    assert_null(make_ramp(ctx, shape));
    assert_error(ctx, KDL_ERROR_VALUE, "a tensor has from 0 to 16 dimensions, got 17");
    kdl_context_release(ctx);
}

static void test_contiguity(void **state)
{
    (void)state;
    static const struct {
        int ndim;
        int64_t sizes[3], strides[3];
        bool contiguous;
    } cases[] = {
        { 0, { 0 }, { 0 }, true },
        { 2, { 2, 3 }, { 3, 1 }, true },
        { 2, { 3, 2 }, { 1, 3 }, false },
        { 2, { 3, 1 }, { 1, 3 }, true }, /* the stride of a dimension of 1 is never taken */
        { 2, { 1, 3 }, { 17, 1 }, true },
        { 2, { 2, 1 }, { 3, 1 }, false },
        { 3, { 2, 0, 3 }, { 1, 7, 5 }, true }, /* no elements */
        { 3, { 0, 2, 3 }, { 1, 7, 5 }, true },
        { 1, { 5 }, { 0 }, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(kdl__shape_is_contiguous(cases[i].ndim, cases[i].sizes, cases[i].strides),
                         cases[i].contiguous);
}

static void test_overlaps(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_tensor *row = make_ramp(ctx, KDL_SHAPE(1, 3));
    kdl_tensor *same = kdl_expand(row, KDL_SHAPE(1, 3));
    kdl_tensor *rows = kdl_expand(row, KDL_SHAPE(2, 3));
    kdl_tensor *part = kdl_narrow(rows, 1, 1, 1);
    kdl_tensor *none = kdl_narrow(rows, 1, 1, 0);
    assert_false(kdl__tensor_overlaps(row));
    assert_false(kdl__tensor_overlaps(same));
    assert_true(kdl__tensor_overlaps(rows));
    assert_true(kdl__tensor_overlaps(part));
    assert_false(kdl__tensor_overlaps(none));
    kdl_tensor_release(row);
    kdl_tensor_release(same);
    kdl_tensor_release(rows);
    kdl_tensor_release(part);
    kdl_tensor_release(none);
    kdl_context_release(ctx);
}

static void test_requires_grad(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_tensor *real = make_ramp(ctx, KDL_SHAPE(2));
    kdl_tensor *integers = make_tensor(ctx, KDL_I64, KDL_SHAPE(2), NULL, 0);
    assert_false(kdl_tensor_requires_grad(real));
    assert_int_equal(kdl_requires_grad_(real, true), KDL_OK);
    assert_true(kdl_tensor_requires_grad(real));
    kdl_tensor *detached = kdl_detach(real);
    assert_false(kdl_tensor_requires_grad(detached));
    assert_true(kdl_tensor_shares_storage(detached, real));
    assert_int_equal(kdl_requires_grad_(integers, false), KDL_OK);
    assert_int_equal(kdl_requires_grad_(integers, true), KDL_ERROR_RUNTIME);
    assert_false(kdl_tensor_requires_grad(integers));
    assert_int_equal(kdl_requires_grad_(real, false), KDL_ERROR_RUNTIME); /* the error stands */
    assert_true(kdl_tensor_requires_grad(real));
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "only Tensors of floating point dtype can require gradients");
    kdl_tensor_release(real);
    kdl_tensor_release(detached);
    kdl_tensor_release(integers);
    kdl_context_release(ctx);
}

static void test_elements(void **state)
{
    (void)state;
    static const struct {
        kdl_dtype dtype;
        unsigned char bytes[8];
        double value;
        int64_t integer;
    } cases[] = {
        { KDL_F32, { 0, 0, 0xc0, 0xbf }, -1.5, -1 },
        { KDL_F64, { 0, 0, 0, 0, 0, 0, 0x14, 0x40 }, 5, 5 },
        { KDL_F16, { 1, 0 }, 0x1p-24, 0 },
        { KDL_F16, { 0, 0x7c }, INFINITY, 0 },
        { KDL_BF16, { 0x80, 0x3f }, 1, 1 },
        { KDL_I64, { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, -2, -2 },
        { KDL_I32, { 0, 0, 0, 0x80 }, -2147483648.0, INT32_MIN },
        { KDL_U8, { 0xff }, 255, 255 },
        { KDL_BOOL, { 1 }, 1, 1 },
    };
    kdl_context *ctx = kdl_context_new(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        kdl_tensor *tensor = make_tensor(ctx, cases[i].dtype, KDL_SHAPE(1, 1), cases[i].bytes,
                                         kdl_dtype_nbytes(cases[i].dtype));
        assert_true(kdl_tensor_item(tensor) == cases[i].value);
        assert_true(kdl_tensor_get(tensor, (const int64_t[]){ 0, -1 }) == cases[i].value);
        if (isfinite(cases[i].value))
            assert_int_equal(kdl__load_int(cases[i].dtype, kdl_tensor_data(tensor), 0),
                             cases[i].integer);
        kdl_tensor_release(tensor);
    }
    kdl_tensor *tensor = make_ramp(ctx, KDL_SHAPE(3, 4)), *transposed = kdl_t(tensor);
    assert_true(kdl_tensor_get(transposed, (const int64_t[]){ 3, 1 }) == 7);
    assert_true(kdl_tensor_get(transposed, (const int64_t[]){ -4, -1 }) == 8);
    assert_true(kdl_tensor_get(transposed, (const int64_t[]){ 3, 3 }) == 0);
    assert_error(ctx, KDL_ERROR_INDEX, "index 3 is out of bounds for dimension 1 with size 3");
    assert_true(kdl_tensor_item(tensor) == 0);
    assert_error(ctx, KDL_ERROR_RUNTIME, "a Tensor with 12 elements cannot be converted to Scalar");
    kdl_tensor_release(tensor);
    kdl_tensor_release(transposed);
    kdl_context_release(ctx);
}

/* A history that counts upwards, or fails. */
typedef struct history {
    kdl_status status;
    int materialized, released;
} history;

static kdl_status count_upwards(kdl_context *ctx, void *given, kdl_dtype dtype, int64_t numel,
                                void *values)
{
    history *self = given;
    assert_int_equal(dtype, KDL_I32);
    self->materialized++;
    if (self->status != KDL_OK)
        return kdl__fail(ctx, self->status, "as told");
    for (int64_t i = 0; i < numel; i++)
        ((int32_t *)values)[i] = (int32_t)i;
    return KDL_OK;
}

static void release_history(void *given)
{
    ((history *)given)->released++;
}

static const kdl__deferred counting = { count_upwards, release_history };

static kdl_tensor *make_deferred(kdl_context *ctx, history *values)
{
    const int64_t size = 6;
    kdl__storage *storage = kdl__storage_new_deferred(ctx, KDL_I32, size, &counting, values);
    if (!storage)
        return NULL;
    kdl_tensor *tensor = kdl__tensor_new(ctx, storage, 0, 1, &size, NULL);
    kdl__storage_release(storage);
    return tensor;
}

static void test_deferred(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    history values = { .status = KDL_OK };
    kdl_tensor *tensor = make_deferred(ctx, &values), *tail = kdl_narrow(tensor, 0, 4, 2);
    assert_false(kdl_tensor_is_materialized(tail));
    assert_int_equal(values.materialized, 0);
    assert_true(kdl_tensor_get(tail, (const int64_t[]){ 1 }) == 5);
    assert_true(kdl_tensor_is_materialized(tensor));
    assert_true(kdl_tensor_get(tensor, (const int64_t[]){ 2 }) == 2);
    assert_int_equal(values.materialized, 1);
    assert_int_equal(values.released, 1);
    kdl_tensor_release(tensor);
    kdl_tensor_release(tail);
    assert_int_equal(values.released, 1);

    history unread = { .status = KDL_OK };
    kdl_tensor_release(make_deferred(ctx, &unread));
    assert_int_equal(unread.materialized, 0);
    assert_int_equal(unread.released, 1);

    history failing = { .status = KDL_ERROR_RUNTIME };
    tensor = make_deferred(ctx, &failing);
    assert_null(kdl_tensor_data(tensor));
    assert_false(kdl_tensor_is_materialized(tensor));
    assert_null(kdl_tensor_data(tensor)); /* not even tried while the error stands */
    assert_int_equal(failing.materialized, 1);
    assert_error(ctx, KDL_ERROR_RUNTIME, "as told");
    failing.status = KDL_OK;
    assert_non_null(kdl_tensor_data(tensor));
    kdl_tensor_release(tensor);
    assert_int_equal(failing.released, 1);

    tensor = make_deferred(ctx, NULL); /* zeros */
    for (int64_t i = 0; i < 6; i++)
        assert_int_equal(kdl__load_int(KDL_I32, kdl_tensor_data(tensor), i), 0);
    kdl_tensor_release(tensor);
    kdl_context_release(ctx);
}

static void test_null_tensors(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_tensor *tensor = make_ramp(ctx, KDL_SHAPE(3));
    assert_null(
        kdl_tensor_data(kdl_view(kdl_unsqueeze(kdl_select(tensor, 0, 5), 0), KDL_SCALAR_SHAPE)));
    assert_null(kdl_alias(tensor)); /* the error stands */
    assert_error(ctx, KDL_ERROR_INDEX,
                 "select(): index 5 out of range for tensor of size [3] at dimension 0");
    assert_null(kdl_t(NULL));
    assert_null(kdl_expand(NULL, KDL_SHAPE(1)));
    assert_null(kdl_tensor_to_string(NULL));
    assert_int_equal(kdl_tensor_print(NULL, stdout), KDL_ERROR_VALUE);
    assert_int_equal(kdl_requires_grad_(NULL, true), KDL_ERROR_VALUE);
    assert_true(kdl_tensor_item(NULL) == 0);
    kdl_tensor_release(tensor);
    kdl_context_release(ctx);
}

static kdl_status use_tensors(kdl_context *ctx, void *unused)
{
    (void)unused;
    history values = { .status = KDL_OK };
    kdl_tensor *tensor = make_ramp(ctx, KDL_SHAPE(3, 4)), *transposed = kdl_t(tensor);
    kdl_tensor *deferred = make_deferred(ctx, &values);
    char *text = kdl_tensor_to_string(transposed), *numbers = kdl_tensor_to_string(deferred);
    if (kdl_error_status(ctx) == KDL_OK)
        assert_string_equal(numbers, "tensor([0, 1, 2, 3, 4, 5], dtype=torch.int32)");
    kdl_free(ctx, text);
    kdl_free(ctx, numbers);
    kdl_tensor_release(deferred);
    kdl_tensor_release(transposed);
    kdl_tensor_release(tensor);
    assert_int_equal(values.released, 1);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    check_allocation_failures(use_tensors, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_properties),
        cmocka_unit_test(test_impossible_shapes),
        cmocka_unit_test(test_contiguity),
        cmocka_unit_test(test_overlaps),
        cmocka_unit_test(test_requires_grad),
        cmocka_unit_test(test_elements),
        cmocka_unit_test(test_deferred),
        cmocka_unit_test(test_null_tensors),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
