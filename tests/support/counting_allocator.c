/* SPDX-License-Identifier: Apache-2.0 */
/* The tests' allocator. */
#include "support/counting_allocator.h"

#include "support/unit.h"

static void *counting_reallocate(void *user_data, void *pointer, size_t nbytes)
{
    counting_allocator *allocator = user_data;
    long call = atomic_fetch_add(&allocator->calls, 1) + 1;
    if (allocator->fail_from &&
        (allocator->fail_on ? call >= allocator->fail_from : call == allocator->fail_from))
        return NULL;
    void *result = realloc(pointer, nbytes);
    if (result && !pointer)
        atomic_fetch_add(&allocator->live, 1);
    return result;
}

static void counting_deallocate(void *user_data, void *pointer)
{
    counting_allocator *allocator = user_data;
    if (pointer)
        atomic_fetch_sub(&allocator->live, 1);
    free(pointer);
}

kdl_context *counting_context_new(counting_allocator *allocator)
{
    kdl_context_options options = KDL_CONTEXT_DEFAULTS;
    options.allocator = (kdl_allocator){ counting_reallocate, counting_deallocate, allocator };
    return kdl_context_new(&options);
}

void counting_context_release(counting_allocator *allocator, kdl_context *ctx)
{
    kdl_context_release(ctx);
    assert_int_equal(atomic_load(&allocator->live), 0);
}

/* One run with one setting of the failures; false when none was reached. */
static bool run_failing(kdl_status (*body)(kdl_context *ctx, void *body_data), void *body_data,
                        long fail_from, bool fail_on)
{
    counting_allocator allocator = { .fail_from = fail_from, .fail_on = fail_on };
    kdl_context *ctx = counting_context_new(&allocator);
    if (!ctx) {
        assert_int_equal(fail_from, 1);
        assert_int_equal(atomic_load(&allocator.live), 0);
        return true;
    }
    kdl_status status = body(ctx, body_data);
    bool reached = atomic_load(&allocator.calls) >= fail_from;
    assert_int_equal(status, kdl_error_status(ctx));
    if (status != KDL_OK) {
        assert_true(reached);
        assert_int_equal(status, KDL_ERROR_MEMORY);
        assert_string_not_equal(kdl_error_message(ctx), "");
        allocator.fail_from = 0;
        kdl_error_clear(ctx);
        assert_int_equal(body(ctx, body_data), KDL_OK);
    }
    counting_context_release(&allocator, ctx);
    return reached;
}

void check_allocation_failures(kdl_status (*body)(kdl_context *ctx, void *body_data),
                               void *body_data)
{
    for (int fail_on = 0; fail_on < 2; fail_on++) {
        long fail_from = 1;
        while (run_failing(body, body_data, fail_from, fail_on))
            fail_from++;
        assert_true(fail_from > 1);
    }
}
