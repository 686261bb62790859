/* SPDX-License-Identifier: Apache-2.0 */
/* Creating and writing functions against PyTorch's golden answers; layouts, overlaps, errors. */
#include "kindling/kindling.h"
#include "support/contexts.h"
#include "support/golden.h"
#include "support/tensors.h"

/* What a line of creation.txt says; `result` is the rest of it. */
typedef struct golden_case {
    char op[16], a[32], b[32], c[32];
    kdl_dtype dtype;
    const char *result;
} golden_case;

static golden_case read_case(const char *line)
{
    golden_case read;
    char dtype[8];
    int length;
    assert_int_equal(
        sscanf(line, "%15s %7s %31s %31s %31s %n", read.op, dtype, read.a, read.b, read.c, &length),
        5);
    assert_true(kdl_dtype_parse(dtype, &read.dtype));
    read.result = line + length;
    return read;
}

static bool is_integer(const char *number)
{
    return strspn(number, "-0123456789") == strlen(number);
}

static kdl_tensor *filled(kdl_context *ctx, const golden_case *read)
{
    kdl_tensor *tensor =
        kdl_zeros(ctx, KDL_SHAPE(strtoll(read->b, NULL, 10)), .dtype = read->dtype);
    if (is_integer(read->a))
        kdl_fill_int_(tensor, strtoll(read->a, NULL, 10));
    else
        kdl_fill_(tensor, strtod(read->a, NULL));
    return tensor;
}

static kdl_tensor *multiplied(kdl_context *ctx, const golden_case *read)
{
    kdl_tensor *numbers = kdl_linspace(ctx, 0, 100, strtoll(read->b, NULL, 10));
    kdl_tensor *tensor = kdl_to(numbers, read->dtype);
    kdl_mul_(tensor, strtod(read->a, NULL));
    kdl_tensor_release(numbers);
    return tensor;
}

/* The tensor that the line's call gives, or one with an error. */
static kdl_tensor *call(kdl_context *ctx, const golden_case *read)
{
    const double a = strtod(read->a, NULL), b = strtod(read->b, NULL);
    if (!strcmp(read->op, "fill_"))
        return filled(ctx, read);
    if (!strcmp(read->op, "mul_"))
        return multiplied(ctx, read);
    if (!strcmp(read->op, "linspace"))
        return kdl_linspace(ctx, a, b, strtoll(read->c, NULL, 10), .dtype = read->dtype);
    assert_string_equal(read->op, "arange");
    return kdl_arange(ctx, a, b, strtod(read->c, NULL), .dtype = read->dtype);
}

/* Each range alone gives what the whole has there. */
static void check_ranges(kdl_tensor *tensor, const char *values)
{
    const int64_t numel = kdl_tensor_numel(tensor);
    const size_t size = kdl_dtype_nbytes(kdl_tensor_dtype(tensor));
    char part[3 * sizeof(double)];
    for (int64_t first = 0; first + 3 <= numel && first < 100; first++) {
        assert_int_equal(kdl_tensor_read(tensor, first, 3, part), KDL_OK);
        assert_memory_equal(part, values + (size_t)first * size, 3 * size);
    }
}

static void check_case(kdl_context *ctx, const char *line)
{
    golden_case read = read_case(line);
    kdl_tensor *tensor = call(ctx, &read);
    char result[256];
    if (kdl_error_status(ctx)) {
        snprintf(result, sizeof result, "%s %s", kdl_status_name(kdl_error_status(ctx)),
                 kdl_error_message(ctx));
        kdl_error_clear(ctx);
    } else {
        kdl_tensor *copy = kdl_clone(tensor); /* shares what is recorded, so stays recorded */
        const void *values = kdl_tensor_data(copy);
        check_ranges(tensor, values);
        snprintf(result, sizeof result, "%lld %016llx", (long long)kdl_tensor_numel(tensor),
                 (unsigned long long)golden_digest(values, kdl_tensor_nbytes(tensor)));
        kdl_tensor_release(copy);
    }
    if (strcmp(result, read.result) != 0)
        fail_msg("%s: %s", line, result);
    kdl_tensor_release(tensor);
}

static void test_golden(void **state)
{
    kdl_context *ctx = *state;
    FILE *file = golden_open("creation.txt");
    int lines = 0;
    for (char line[256]; golden_line(file, line, sizeof line); lines++)
        check_case(ctx, line);
    fclose(file);
    assert_true(lines > 500);
}

static void assert_strides(kdl_tensor *tensor, int64_t a, int64_t b, int64_t c)
{
    assert_non_null(tensor);
    assert_int_equal(kdl_tensor_strides(tensor)[0], a);
    assert_int_equal(kdl_tensor_strides(tensor)[1], b);
    assert_int_equal(kdl_tensor_strides(tensor)[2], c);
    kdl_tensor_release(tensor);
}

/* What torch.empty_like, clone and to keep of the strides. */
static void test_strides(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_tensor *base = kdl_arange(ctx, 0, 24, 1), *cube = kdl_view(base, KDL_SHAPE(2, 3, 4));
    kdl_tensor *turned = kdl_permute(cube, 3, (int[]){ 2, 0, 1 });
    kdl_tensor *stepped = kdl_slice(turned, 0, 0, 4, 2);
    kdl_tensor *row = kdl_narrow(cube, 1, 0, 1), *wide = kdl_expand(row, KDL_SHAPE(2, 5, 4));

    assert_strides(kdl_empty_like(turned), 1, 12, 4);
    assert_strides(kdl_to(turned, KDL_F32), 1, 12, 4);
    assert_strides(kdl_clone(stepped), 1, 6, 2);
    assert_strides(kdl_zeros_like(wide), 20, 4, 1);
    assert_strides(kdl_contiguous(turned), 6, 3, 1);
    assert_strides(kdl_reshape(turned, KDL_SHAPE(2, 6, 2)), 12, 2, 1);

    kdl_tensor *clone = kdl_clone(stepped);
    for (int64_t i = 0; i < 2; i++)
        for (int64_t j = 0; j < 2; j++)
            for (int64_t k = 0; k < 3; k++) {
                const int64_t index[] = { i, j, k };
                assert_true(kdl_tensor_get(clone, index) == (double)(12 * j + 4 * k + 2 * i));
            }
    release_all(base, cube, turned, stepped, row, wide, clone);
    kdl_context_release(ctx);
}

static void test_copy_errors(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_tensor *three = kdl_zeros(ctx, KDL_SHAPE(3)), *two = kdl_zeros(ctx, KDL_SHAPE(2));
    kdl_tensor *matrix = kdl_zeros(ctx, KDL_SHAPE(3, 3)), *turned = kdl_t(matrix);
    kdl_tensor *low = kdl_narrow(three, 0, 0, 2), *high = kdl_narrow(three, 0, 1, 2);
    kdl_tensor *one = kdl_narrow(three, 0, 0, 1), *wide = kdl_expand(one, KDL_SHAPE(4));

    kdl_copy_(three, two);
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "The size of tensor a (3) must match the size of tensor b (2) at non-singleton "
                 "dimension 0");
    kdl_copy_(three, matrix);
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "output with shape [3] doesn't match the broadcast shape [3, 3]");
    kdl_copy_(low, high);
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "unsupported operation: some elements of the input tensor and the written-to "
                 "tensor refer to a single memory location. Please clone() the tensor before "
                 "performing the operation.");
    kdl_copy_(matrix, turned);
    assert_int_equal(kdl_error_status(ctx), KDL_ERROR_RUNTIME);
    kdl_error_clear(ctx);
    kdl_copy_(wide, one);
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "unsupported operation: more than one element of the written-to tensor refers to "
                 "a single memory location. Please clone() the tensor before performing the "
                 "operation.");
    assert_int_equal(kdl_copy_(three, three), KDL_OK);
    assert_int_equal(kdl_copy_(low, low), KDL_OK);
    assert_int_equal(kdl_copy_(matrix, three), KDL_OK);

    release_all(three, two, matrix, turned, low, high, one, wide);
    kdl_context_release(ctx);
}

static void test_creation_errors(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    assert_null(kdl_zeros(ctx, KDL_SHAPE(2, -3)));
    assert_error(ctx, KDL_ERROR_RUNTIME, "zeros: Dimension size must be non-negative.");
    assert_null(kdl_ones(ctx, KDL_SHAPE(2, -3)));
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "Trying to create tensor with negative dimension -3: [2, -3]");
    assert_null(kdl_eye(ctx, 3, -1));
    assert_error(ctx, KDL_ERROR_RUNTIME, "m must be greater or equal to 0, got -1");
    assert_null(kdl_eye(ctx, INT64_C(1) << 32, INT64_C(1) << 32));
    assert_error(ctx, KDL_ERROR_RUNTIME, "numel: integer multiplication overflow");
    assert_null(kdl_ones(ctx, KDL_SHAPE(3), .dtype = KDL_I32, .requires_grad = true));
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "Only Tensors of floating point and complex dtype can require gradients");
    kdl_tensor *tensor = kdl_ones(ctx, KDL_SHAPE(3), .requires_grad = true);
    assert_true(kdl_tensor_requires_grad(tensor));
    kdl_tensor_set(tensor, (int64_t[]){ 3 }, 1e300);
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "value cannot be converted to type float without overflow");
    kdl_tensor_set(tensor, (int64_t[]){ 3 }, 1);
    assert_error(ctx, KDL_ERROR_INDEX, "index 3 is out of bounds for dimension 0 with size 3");
    kdl_tensor_release(tensor);
    kdl_context_release(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTEXT_TEST(test_golden),
        RECORDED_TEST(test_golden),
        cmocka_unit_test(test_strides),
        cmocka_unit_test(test_copy_errors),
        cmocka_unit_test(test_creation_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
