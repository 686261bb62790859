/* SPDX-License-Identifier: Apache-2.0 */
/* Plans written as safetensors files, and read back. */
#include <math.h>
#include <unistd.h>

#include "kindling/checkpoint.h"
#include "kindling/ops.h"
#include "support/counting_allocator.h"
#include "support/unit.h"

static const char path[] = "saved.safetensors";

static int remove_file(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

static kdl_context *deferred_context(int threads)
{
    kdl_context_options options = KDL_CONTEXT_DEFAULTS;
    options.deferred = true;
    options.threads = threads;
    return kdl_context_new(&options);
}

static void add(kdl_plan *plan, const char *name, kdl_tensor *tensor)
{
    if (tensor)
        kdl_plan_add(plan, name, tensor);
    kdl_tensor_release(tensor);
}

/* Tensors of every dtype, an empty one, a scalar, a tied pair; names that need escapes. */
static kdl_plan *every_kind(kdl_context *ctx)
{
    kdl_plan *plan = kdl_plan_new(ctx);
    if (!plan)
        return NULL;
    kdl_manual_seed(ctx, 5);
    kdl_tensor *tied = kdl_randn(ctx, KDL_SHAPE(3, 5));
    add(plan, "b.f32", tied ? kdl_tensor_retain(tied) : NULL);
    add(plan, "a.f64", kdl_rand(ctx, KDL_SHAPE(7), .dtype = KDL_F64));
    add(plan, "bool", kdl_ones(ctx, KDL_SHAPE(3), .dtype = KDL_BOOL));
    add(plan, "u8", kdl_full(ctx, KDL_SHAPE(1), 200, .dtype = KDL_U8));
    add(plan, "f16", kdl_rand(ctx, KDL_SHAPE(2, 2), .dtype = KDL_F16));
    add(plan, "bf16", kdl_rand(ctx, KDL_SHAPE(3), .dtype = KDL_BF16));
    add(plan, "i32", kdl_full(ctx, KDL_SHAPE(2), -7, .dtype = KDL_I32));
    add(plan, "i64", kdl_arange(ctx, 0, 4, 1));
    add(plan, "a.scalar", kdl_full(ctx, KDL_SCALAR_SHAPE, 1.5));
    add(plan, "a.empty", kdl_zeros(ctx, KDL_SHAPE(0, 3)));
    add(plan, "a.\"quoted\"\n", kdl_zeros(ctx, KDL_SHAPE(1)));
    add(plan, "a.tied", tied);
    kdl_plan_set_end(plan, kdl_default_generator(ctx));
    kdl_plan_set_attribute(plan, "model", "every \"kind\"");
    return plan;
}

static void the_header_is_as_python_writes_it(void **state)
{
    (void)state;
    static const char expected[] =
        "{\"__metadata__\":{\"format\":\"pt\",\"kindling.version\":\"" KDL_VERSION_STRING "\","
        "\"kindling.profile\":\"torch-2.13\",\"kindling.seed\":\"5\","
        "\"kindling.model\":\"every \\\"kind\\\"\"},"
        "\"i64\":{\"dtype\":\"I64\",\"shape\":[4],\"data_offsets\":[0,32]},"
        "\"a.f64\":{\"dtype\":\"F64\",\"shape\":[7],\"data_offsets\":[32,88]},"
        "\"a.\\\"quoted\\\"\\n\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[88,92]},"
        "\"a.empty\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[92,92]},"
        "\"a.scalar\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[92,96]},"
        "\"b.f32\":{\"dtype\":\"F32\",\"shape\":[3,5],\"data_offsets\":[96,156]},"
        "\"i32\":{\"dtype\":\"I32\",\"shape\":[2],\"data_offsets\":[156,164]},"
        "\"bf16\":{\"dtype\":\"BF16\",\"shape\":[3],\"data_offsets\":[164,170]},"
        "\"f16\":{\"dtype\":\"F16\",\"shape\":[2,2],\"data_offsets\":[170,178]},"
        "\"u8\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[178,179]},"
        "\"bool\":{\"dtype\":\"BOOL\",\"shape\":[3],\"data_offsets\":[179,182]}}";
    kdl_context *ctx = deferred_context(1);
    kdl_plan *plan = every_kind(ctx);
    assert_int_equal(kdl_plan_save(plan, path), KDL_OK);
    kdl_plan_release(plan);
    kdl_context_release(ctx);

    char bytes[4096];
    FILE *file = fopen(path, "rb");
    size_t nbytes = fread(bytes, 1, sizeof bytes, file), padded = (sizeof expected - 1 + 7) / 8 * 8;
    fclose(file);
    assert_int_equal(nbytes, 8 + padded + 182);
    const uint64_t length = padded;
    assert_memory_equal(bytes, &length, 8);
    assert_memory_equal(bytes + 8, expected, sizeof expected - 1);
    for (size_t i = sizeof expected - 1; i < padded; i++)
        assert_int_equal(bytes[8 + i], ' ');
}

/* Each entry of the file against the plan's tensor of that name. */
static void check_file(kdl_plan *plan)
{
    kdl_safetensors *file = kdl_safetensors_open(kdl_plan_context(plan), path);
    assert_non_null(file);
    for (int i = 0; i < kdl_safetensors_count(file); i++) {
        const kdl_safetensors_entry *entry = kdl_safetensors_get(file, i);
        int index = kdl_plan_find(plan, entry->name);
        const kdl_plan_tensor *tensor = kdl_plan_get(plan, index);
        assert_int_equal(kdl_safetensors_find(file, entry->name), i);
        assert_int_equal(entry->dtype, tensor->dtype);
        assert_int_equal(entry->numel, tensor->numel);
        assert_int_equal(entry->shape.ndim, tensor->shape.ndim);
        for (int d = 0; d < tensor->shape.ndim; d++)
            assert_int_equal(entry->shape.sizes[d], tensor->shape.sizes[d]);
        char *expected = malloc(entry->nbytes + 1), *found = malloc(entry->nbytes + 1);
        kdl_plan_request request = { index, 0, tensor->numel, expected };
        assert_int_equal(kdl_plan_read(plan, &request, 1), KDL_OK);
        assert_int_equal(kdl_safetensors_read(file, i, 0, entry->numel, found), KDL_OK);
        assert_memory_equal(found, expected, entry->nbytes);
        free(expected);
        free(found);
    }
    kdl_safetensors_close(file);
}

static void files_hold_what_the_plan_gives(void **state)
{
    (void)state;
    kdl_context *ctx = deferred_context(1);
    kdl_plan *plan = every_kind(ctx);
    assert_int_equal(kdl_plan_save(plan, path), KDL_OK);
    check_file(plan);
    kdl_plan_release(plan);
    kdl_context_release(ctx);
}

static void metadata_is_read_back(void **state)
{
    (void)state;
    static const char *const expected[][2] = { { "format", "pt" },
                                               { "kindling.version", KDL_VERSION_STRING },
                                               { "kindling.profile", "torch-2.13" },
                                               { "kindling.seed", "5" },
                                               { "kindling.model", "every \"kind\"" } };
    kdl_context *ctx = deferred_context(1);
    kdl_plan *plan = every_kind(ctx);
    assert_int_equal(kdl_plan_save(plan, path), KDL_OK);
    kdl_plan_release(plan);
    kdl_safetensors *file = kdl_safetensors_open(ctx, path);
    assert_int_equal(kdl_safetensors_metadata_count(file), 5);
    for (int i = 0; i < 5; i++) {
        const char *key, *value;
        assert_int_equal(kdl_safetensors_metadata(file, i, &key, &value), KDL_OK);
        assert_string_equal(key, expected[i][0]);
        assert_string_equal(value, expected[i][1]);
    }
    const char *key, *value;
    assert_int_equal(kdl_safetensors_metadata(file, 5, &key, &value), KDL_ERROR_INDEX);
    assert_error(ctx, KDL_ERROR_INDEX, "there is no metadata 5 among 5");
    kdl_safetensors_close(file);
    kdl_context_release(ctx);
}

/* Tensors across window borders, and many in one window; several threads. */
static void large_and_many_tensors(void **state)
{
    (void)state;
    kdl_context *ctx = deferred_context(3);
    kdl_plan *plan = kdl_plan_new(ctx);
    kdl_manual_seed(ctx, 42);
    add(plan, "large", kdl_rand(ctx, KDL_SHAPE(2500, 1801)));
    add(plan, "double", kdl_rand(ctx, KDL_SHAPE(300001), .dtype = KDL_F64));
    add(plan, "half", kdl_randn(ctx, KDL_SHAPE(300003), .dtype = KDL_BF16));
    for (int i = 0; i < 500; i++) {
        char name[32];
        snprintf(name, sizeof name, "small.%d", i);
        add(plan, name, kdl_randn(ctx, KDL_SHAPE(i)));
    }
    assert_int_equal(kdl_plan_save(plan, path), KDL_OK);
    check_file(plan);
    kdl_plan_release(plan);
    kdl_context_release(ctx);
}

static void an_empty_plan_is_a_file(void **state)
{
    (void)state;
    kdl_context *ctx = deferred_context(1);
    kdl_plan *plan = kdl_plan_new(ctx);
    assert_int_equal(kdl_plan_save(plan, path), KDL_OK);
    kdl_safetensors *file = kdl_safetensors_open(ctx, path);
    assert_non_null(file);
    assert_int_equal(kdl_safetensors_count(file), 0);
    assert_int_equal(kdl_safetensors_metadata_count(file), 3);
    kdl_safetensors_close(file);
    kdl_plan_release(plan);
    kdl_context_release(ctx);
}

typedef struct seen {
    uint64_t calls, last, total, stop_at;
} seen;

static bool watch(void *user_data, uint64_t done, uint64_t total)
{
    seen *s = user_data;
    assert_true(s->calls == 0 ? done == 0 : done > s->last);
    s->calls++;
    s->last = done;
    s->total = total;
    return s->calls != s->stop_at;
}

static void progress_is_told_and_may_stop(void **state)
{
    (void)state;
    kdl_context *ctx = deferred_context(1);
    kdl_plan *plan = kdl_plan_new(ctx);
    add(plan, "large", kdl_ones(ctx, KDL_SHAPE(9000000)));
    seen all = { 0 }, some = { .stop_at = 2 };
    assert_int_equal(kdl_plan_save(plan, path, .progress = watch, .progress_user_data = &all),
                     KDL_OK);
    assert_int_equal(all.calls, 4); /* 0, 16, 32 MiB and the end */
    assert_int_equal(all.last, all.total);
    unlink(path);
    assert_int_equal(kdl_plan_save(plan, path, .progress = watch, .progress_user_data = &some),
                     KDL_ERROR_INTERRUPTED);
    assert_error(ctx, KDL_ERROR_INTERRUPTED, "interrupted");
    assert_int_equal(some.calls, 2);
    assert_int_equal(access(path, F_OK), -1);
    kdl_plan_release(plan);
    kdl_context_release(ctx);
}

static void expect_refusal(kdl_context *ctx, kdl_plan *plan, const char *where, bool force,
                           kdl_status status, const char *message)
{
    assert_int_equal(kdl_plan_save(plan, where, .force = force), status);
    assert_error(ctx, status, message);
    if (status == KDL_ERROR_IO) {
        assert_int_equal(kdl_save_check(ctx, where, force), status);
        assert_error(ctx, status, message);
    }
}

static void bad_outputs_are_refused(void **state)
{
    (void)state;
    kdl_context *ctx = deferred_context(1);
    kdl_plan *plan = kdl_plan_new(ctx);
    add(plan, "w", kdl_ones(ctx, KDL_SHAPE(3)));
    assert_int_equal(kdl_save_check(ctx, path, false), KDL_OK);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(kdl_plan_save(plan, path), KDL_OK);
    expect_refusal(ctx, plan, path, false, KDL_ERROR_IO,
                   "cannot write 'saved.safetensors': the file exists");
    assert_int_equal(kdl_plan_save(plan, path, .force = true), KDL_OK);
    expect_refusal(ctx, plan, ".", true, KDL_ERROR_IO, "cannot write '.': it is a directory");
    expect_refusal(ctx, plan, "/dev/full", true, KDL_ERROR_IO,
                   "cannot write '/dev/full': it is not a regular file");
    expect_refusal(ctx, plan, "absent/file", false, KDL_ERROR_IO,
                   "cannot write 'absent/file': there is no directory 'absent/'");
    expect_refusal(ctx, plan, "saved.safetensors/file", false, KDL_ERROR_IO,
                   "cannot write 'saved.safetensors/file': Not a directory");
    expect_refusal(ctx, plan, "", false, KDL_ERROR_IO, "cannot write '': it names no file");
    kdl_plan_release(plan);
    kdl_context_release(ctx);
}

static void symbolic_links_are_followed(void **state)
{
    (void)state;
    kdl_context *ctx = deferred_context(1);
    kdl_plan *plan = kdl_plan_new(ctx);
    add(plan, "w", kdl_ones(ctx, KDL_SHAPE(3)));
    unlink("link");
    assert_int_equal(symlink(path, "link"), 0);
    expect_refusal(ctx, plan, "link", true, KDL_ERROR_IO,
                   "cannot write 'link': it is a symbolic link to nothing");
    assert_int_equal(kdl_plan_save(plan, path), KDL_OK);
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(kdl_plan_save(plan, "link", .force = true), KDL_OK);
    char target[64];
    assert_int_equal(readlink("link", target, sizeof target), sizeof path - 1);
    check_file(plan);
    unlink("link");
    kdl_plan_release(plan);
    kdl_context_release(ctx);
}

static void bad_names_are_refused(void **state)
{
    (void)state;
    kdl_context *ctx = deferred_context(1);
    kdl_plan *plan = kdl_plan_new(ctx);
    add(plan, "\xff", kdl_ones(ctx, KDL_SHAPE(3)));
    expect_refusal(ctx, plan, path, false, KDL_ERROR_VALUE, "the tensor name '\xff' is not UTF-8");
    kdl_plan_release(plan);
    plan = kdl_plan_new(ctx);
    add(plan, "__metadata__", kdl_ones(ctx, KDL_SHAPE(3)));
    expect_refusal(ctx, plan, path, false, KDL_ERROR_VALUE,
                   "'__metadata__' cannot be a tensor's name in a safetensors file");
    kdl_plan_release(plan);
    kdl_context_release(ctx);
}

static kdl_status save_and_read(kdl_context *ctx, void *unused)
{
    (void)unused;
    kdl_set_deferred(ctx, true);
    kdl_plan *plan = every_kind(ctx);
    if (plan)
        kdl_plan_save(plan, path, .force = true);
    kdl_safetensors *file = kdl_safetensors_open(ctx, path);
    kdl_summary summary;
    if (file)
        kdl_safetensors_summarize(file, 0, &summary);
    kdl_safetensors_close(file);
    kdl_plan_release(plan);
    return kdl_error_status(ctx);
}

static void allocation_failures_are_survived(void **state)
{
    (void)state;
    check_allocation_failures(save_and_read, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_header_is_as_python_writes_it, remove_file),
        cmocka_unit_test_setup(files_hold_what_the_plan_gives, remove_file),
        cmocka_unit_test_setup(metadata_is_read_back, remove_file),
        cmocka_unit_test_setup(large_and_many_tensors, remove_file),
        cmocka_unit_test_setup(an_empty_plan_is_a_file, remove_file),
        cmocka_unit_test_setup(progress_is_told_and_may_stop, remove_file),
        cmocka_unit_test_setup(bad_outputs_are_refused, remove_file),
        cmocka_unit_test_setup(symbolic_links_are_followed, remove_file),
        cmocka_unit_test_setup(bad_names_are_refused, remove_file),
        cmocka_unit_test_setup(allocation_failures_are_survived, remove_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
