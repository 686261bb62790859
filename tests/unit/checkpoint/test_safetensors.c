/* SPDX-License-Identifier: Apache-2.0 */
/* Reading safetensors files that are broken, hostile or merely unusual; summaries. */
#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kindling/checkpoint.h"
#include "support/unit.h"

static const char path[] = "read.safetensors";
static kdl_context *ctx;

static int make_context(void **state)
{
    (void)state;
    ctx = kdl_context_new(NULL);
    return ctx ? 0 : -1;
}

static int release_context(void **state)
{
    (void)state;
    kdl_context_release(ctx);
    return 0;
}

static void write_bytes(const void *bytes, size_t nbytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, nbytes, file), nbytes);
    assert_int_equal(fclose(file), 0);
}

/* A file of the header and `data` bytes behind it. */
static void write_file(const char *header, const void *data, size_t nbytes)
{
    char bytes[65536];
    uint64_t length = strlen(header);
    assert_true(8 + length + nbytes <= sizeof bytes);
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, header, length);
    memcpy(bytes + 8 + length, data, nbytes);
    write_bytes(bytes, 8 + length + nbytes);
}

static void refuse(const char *message)
{
    char whole[512];
    snprintf(whole, sizeof whole, "'read.safetensors' is not a safetensors file: %s", message);
    assert_null(kdl_safetensors_open(ctx, path));
    assert_error(ctx, KDL_ERROR_FORMAT, whole);
}

static void refuse_header(const char *header, const char *message)
{
    static const char data[16];
    write_file(header, data, sizeof data);
    refuse(message);
}

static void refuse_length(uint64_t length, size_t nbytes, const char *message)
{
    char bytes[64] = { 0 };
    memcpy(bytes, &length, 8);
    write_bytes(bytes, nbytes);
    refuse(message);
}

static void truncated_files(void **state)
{
    (void)state;
    write_bytes("", 0);
    refuse("it has only 0 bytes");
    write_bytes("1234567", 7);
    refuse("it has only 7 bytes");
    refuse_length(3, 10, "its header should have 3 bytes, and the file has 10");
    refuse_length(UINT64_MAX, 64,
                  "its header should have 18446744073709551615 bytes, and the file has 64");
    refuse_length(0, 8, "line 1, column 0 of its header: '[' or '{' expected near end of file");
}

static void headers_that_are_no_json(void **state)
{
    (void)state;
    refuse_header("", "line 1, column 0 of its header: '[' or '{' expected near end of file");
    refuse_header("{\"a\":", "line 1, column 5 of its header: unexpected token near end of file");
    refuse_header("{\n\"a\" 1}", "line 2, column 5 of its header: ':' expected near '1'");
    refuse_header("[]", "its header is no JSON object");
    refuse_header("{\"a\":1,\"a\":1}",
                  "line 1, column 10 of its header: duplicate object key near '\"a\"'");
    refuse_header("{\"\xff\":1}",
                  "line 1, column 2 of its header: unable to decode byte 0xff near '\"'");
}

static void headers_of_something_else(void **state)
{
    (void)state;
    refuse_header("{\"__metadata__\":3}", "its __metadata__ is no object");
    refuse_header("{\"__metadata__\":{\"a\":3}}", "'a' in its __metadata__ is no string");
    refuse_header("{\"w\":3}", "'w' is described by no object");
    refuse_header("{\"w\":{}}", "'w' has no dtype");
    refuse_header("{\"w\":{\"dtype\":\"F31\"}}", "'w' has the unknown dtype 'F31'");
    refuse_header("{\"w\":{\"dtype\":\"F32\"}}", "'w' has no shape");
    refuse_header("{\"w\":{\"dtype\":\"F32\",\"shape\":[-1]}}", "'w' has a size that is no count");
    refuse_header("{\"w\":{\"dtype\":\"F32\",\"shape\":[1.5]}}", "'w' has a size that is no count");
    refuse_header("{\"w\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}}",
                  "'w' has 17 dimensions, more than 16");
    refuse_header("{\"w\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296]}}",
                  "'w' has more elements than can be counted");
    refuse_header("{\"w\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904]}}",
                  "'w' has an impossible number of elements");
    refuse_header("{\"w\":{\"dtype\":\"F4\",\"shape\":[3]}}",
                  "'w' has an impossible number of elements");
    refuse_header("{\"w\":{\"dtype\":\"F32\",\"shape\":[4]}}", "'w' has no data_offsets");
    refuse_header("{\"w\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0]}}",
                  "'w' has no data_offsets");
}

static void tensors_that_do_not_fit(void **state)
{
    (void)state;
    refuse_header("{\"w\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,17]}}",
                  "'w' lies outside the file");
    refuse_header("{\"w\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[8,0]}}",
                  "'w' lies outside the file");
    refuse_header("{\"w\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,15]}}",
                  "'w' has 15 bytes where its shape needs 16");
    refuse_header("{\"w\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]}}",
                  "it has 4 bytes behind its tensors");
    refuse_header("{\"w\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[4,16]}}",
                  "'w' does not begin where the tensor before it ends");
    refuse_header("{\"v\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]},"
                  "\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]}}",
                  "'w' does not begin where the tensor before it ends");
}

static void files_that_cannot_be_read(void **state)
{
    (void)state;
    assert_null(kdl_safetensors_open(ctx, "absent"));
    assert_error(ctx, KDL_ERROR_IO, "cannot read 'absent': No such file or directory");
    assert_null(kdl_safetensors_open(ctx, "."));
    assert_error(ctx, KDL_ERROR_IO, "cannot read '.': it is a directory");
    assert_null(kdl_safetensors_open(ctx, "/dev/zero"));
    assert_error(ctx, KDL_ERROR_IO, "cannot read '/dev/zero': it is not a regular file");
}

/* Types that Kindling has no arithmetic for, tensors out of order, empty ones among them. */
static void unusual_files_are_read(void **state)
{
    (void)state;
    write_file("{\"late\":{\"dtype\":\"F8_E4M3\",\"shape\":[4],\"data_offsets\":[12,16],\"x\":1},"
               "\"none\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[12,12]},"
               "\"early\":{\"dtype\":\"I32\",\"shape\":[3,1],\"data_offsets\":[0,12]}}   ",
               "\1\0\0\0\2\0\0\0\3\0\0\0abcd", 16);
    kdl_safetensors *file = kdl_safetensors_open(ctx, path);
    assert_non_null(file);
    assert_int_equal(kdl_safetensors_count(file), 3);
    assert_string_equal(kdl_safetensors_get(file, 0)->name, "early");
    assert_string_equal(kdl_safetensors_get(file, 1)->name, "none");
    const kdl_safetensors_entry *late = kdl_safetensors_get(file, 2);
    assert_string_equal(late->name, "late");
    assert_string_equal(late->dtype_name, "F8_E4M3");
    assert_int_equal(late->dtype, KDL_DTYPE_COUNT);
    assert_int_equal(kdl_safetensors_find(file, "none"), 1);
    assert_int_equal(kdl_safetensors_find(file, "nobody"), -1);

    int32_t values[3] = { 0 };
    assert_int_equal(kdl_safetensors_read(file, 0, 1, 2, values), KDL_OK);
    assert_int_equal(values[0], 2);
    assert_int_equal(values[1], 3);
    assert_int_equal(kdl_safetensors_read(file, 0, 2, 2, values), KDL_ERROR_INDEX);
    assert_error(ctx, KDL_ERROR_INDEX, "elements [2, 2 + 2) of 'early' are out of range: it has 3");
    assert_int_equal(kdl_safetensors_read(file, 2, 0, 1, values), KDL_ERROR_NOT_IMPLEMENTED);
    assert_error(ctx, KDL_ERROR_NOT_IMPLEMENTED,
                 "'late' is of dtype F8_E4M3, which Kindling does not have");
    assert_null(kdl_safetensors_get(file, 3));
    assert_error(ctx, KDL_ERROR_INDEX, "there is no tensor 3 in a file of 3");
    kdl_safetensors_close(file);
}

static void a_file_that_shrinks_is_an_error(void **state)
{
    (void)state;
    static const char data[16];
    write_file("{\"w\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}", data, 16);
    kdl_safetensors *file = kdl_safetensors_open(ctx, path);
    const kdl_safetensors_entry *entry = kdl_safetensors_get(file, 0);
    assert_int_equal(truncate(path, (off_t)entry->offset + 8), 0);
    float values[4];
    kdl_summary summary;
    static const char message[] =
        "cannot read 'read.safetensors': the file has become shorter since it was opened";
    assert_int_equal(kdl_safetensors_read(file, 0, 0, 2, values), KDL_OK);
    assert_int_equal(kdl_safetensors_read(file, 0, 0, 4, values), KDL_ERROR_IO);
    assert_error(ctx, KDL_ERROR_IO, message);
    assert_int_equal(kdl_safetensors_summarize(file, 0, &summary), KDL_ERROR_IO);
    assert_error(ctx, KDL_ERROR_IO, message);
    kdl_safetensors_close(file);
}

/* ---- summaries ------------------------------------------------------------------------------ */

static kdl_summary summarize(const char *dtype, size_t size, const void *values, size_t count)
{
    char header[128];
    kdl_summary summary;
    snprintf(header, sizeof header,
             "{\"w\":{\"dtype\":\"%s\",\"shape\":[%zu],\"data_offsets\":[0,%zu]}}", dtype, count,
             size * count);
    uint64_t length = strlen(header);
    FILE *out = fopen(path, "wb");
    fwrite(&length, 8, 1, out);
    fwrite(header, 1, length, out);
    fwrite(values, size, count, out);
    fclose(out);
    kdl_safetensors *file = kdl_safetensors_open(ctx, path);
    assert_non_null(file);
    assert_int_equal(kdl_safetensors_summarize(file, 0, &summary), KDL_OK);
    assert_int_equal(summary.numel, count);
    kdl_safetensors_close(file);
    return summary;
}

static void summaries_of_few_elements(void **state)
{
    (void)state;
    const float floats[] = { 1, 2, 4, -3 };
    kdl_summary s = summarize("F32", 4, floats, 4);
    assert_true(s.mean == 1 && s.min == -3 && s.max == 4);
    assert_true(fabs(s.std - 2.943920288775949) < 1e-15);
    s = summarize("F32", 4, floats, 1);
    assert_true(s.mean == 1 && s.min == 1 && s.max == 1 && isnan(s.std));
    s = summarize("F32", 4, floats, 0);
    assert_true(isnan(s.mean) && isnan(s.std) && isnan(s.min) && isnan(s.max));
    const float odd[] = { 1, NAN, 3 };
    s = summarize("F32", 4, odd, 3);
    assert_true(isnan(s.mean) && isnan(s.std) && isnan(s.min) && isnan(s.max));
    const float infinite[] = { 1, INFINITY, 3 };
    s = summarize("F32", 4, infinite, 3);
    assert_true(isinf(s.mean) && isnan(s.std) && s.min == 1 && isinf(s.max));
    const uint8_t bools[] = { 1, 0, 1, 1 };
    s = summarize("BOOL", 1, bools, 4);
    assert_true(s.mean == 0.75 && s.min == 0 && s.max == 1);
}

/* An offset that would cancel in a sum of squares, and the same bits from any number of threads. */
static void summaries_of_many_elements(void **state)
{
    (void)state;
    const size_t count = 1000003;
    double *values = malloc(count * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++)
        values[i] = 1e9 + (double)(i % 2);
    kdl_summary one = summarize("F64", 8, values, count);
    assert_true(fabs(one.std - 0.5) < 1e-6);
    assert_true(one.min == 1e9 && one.max == 1e9 + 1);
    kdl_set_num_threads(ctx, 7);
    kdl_summary seven = summarize("F64", 8, values, count);
    kdl_set_num_threads(ctx, 1);
    assert_memory_equal(&one, &seven, sizeof one);
    free(values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(truncated_files),
        cmocka_unit_test(headers_that_are_no_json),
        cmocka_unit_test(headers_of_something_else),
        cmocka_unit_test(tensors_that_do_not_fit),
        cmocka_unit_test(files_that_cannot_be_read),
        cmocka_unit_test(unusual_files_are_read),
        cmocka_unit_test(a_file_that_shrinks_is_an_error),
        cmocka_unit_test(summaries_of_few_elements),
        cmocka_unit_test(summaries_of_many_elements),
    };
    return cmocka_run_group_tests(tests, make_context, release_context);
}
