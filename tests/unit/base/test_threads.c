/* SPDX-License-Identifier: Apache-2.0 */
/* kdl__parallel: every task once, its errors, nesting, fork. */
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "support/counting_allocator.h"
#include "support/unit.h"

#define MAX_TASKS 1000

static const int thread_counts[] = { 1, 2, 7 };

typedef struct tally {
    atomic_int runs[MAX_TASKS];
    atomic_int total;
    int threads;
    atomic_bool bad_worker;
} tally;

static kdl_status count_run(void *user_data, size_t index, int worker)
{
    tally *counts = user_data;
    atomic_fetch_add(&counts->runs[index], 1);
    atomic_fetch_add(&counts->total, 1);
    if (worker < 0 || worker >= counts->threads)
        atomic_store(&counts->bad_worker, true);
    return KDL_OK;
}

static void test_each_task_runs_once(void **state)
{
    (void)state;
    static const size_t task_counts[] = { 0, 1, 2, 6, 7, 8, MAX_TASKS };
    kdl_context *ctx = kdl_context_new(NULL);
    for (int repeat = 0; repeat < 20; repeat++) {
        for (size_t t = 0; t < 3; t++) {
            kdl_set_num_threads(ctx, thread_counts[t]); /* grows and shrinks in one context */
            for (size_t n = 0; n < sizeof task_counts / sizeof *task_counts; n++) {
                tally counts = { .threads = thread_counts[t] };
                assert_int_equal(kdl__parallel(ctx, task_counts[n], count_run, &counts), KDL_OK);
                assert_int_equal(counts.total, task_counts[n]);
                for (size_t i = 0; i < task_counts[n]; i++)
                    assert_int_equal(counts.runs[i], 1);
                assert_false(counts.bad_worker);
            }
        }
    }
    kdl_context_release(ctx);
}

/* Tasks that all wait for each other end only when each has a thread of its own. */
static kdl_status meet(void *user_data, size_t index, int worker)
{
    (void)index, (void)worker;
    pthread_barrier_wait(user_data);
    return KDL_OK;
}

static void meet_all(kdl_context *ctx)
{
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, 7);
    kdl_status status = kdl__parallel(ctx, 7, meet, &barrier);
    pthread_barrier_destroy(&barrier);
    assert_int_equal(status, KDL_OK);
}

static kdl_context *context_with_threads(int threads)
{
    kdl_context_options options = KDL_CONTEXT_DEFAULTS;
    options.threads = threads;
    return kdl_context_new(&options);
}

static void test_seven_threads_at_once(void **state)
{
    (void)state;
    kdl_context *ctx = context_with_threads(7);
    for (int repeat = 0; repeat < 50; repeat++)
        meet_all(ctx);
    kdl_context_release(ctx);
}

static kdl_status fail_above_ten(void *user_data, size_t index, int worker)
{
    (void)worker;
    atomic_fetch_add((atomic_int *)user_data, 1);
    if (index == 10)
        usleep(300); /* so that others fail before it does */
    return index == 10 ? KDL_ERROR_VALUE : index > 10 ? KDL_ERROR_TYPE : KDL_OK;
}

static void test_lowest_index_wins(void **state)
{
    (void)state;
    for (size_t t = 0; t < 3; t++) {
        kdl_context *ctx = context_with_threads(thread_counts[t]);
        for (int repeat = 0; repeat < 100; repeat++) {
            atomic_int runs = 0;
            assert_int_equal(kdl__parallel(ctx, MAX_TASKS, fail_above_ten, &runs), KDL_ERROR_VALUE);
            assert_in_range(runs, 11, 11 + thread_counts[t] - 1);
        }
        assert_int_equal(kdl_error_status(ctx), KDL_OK);
        tally counts = { .threads = thread_counts[t] };
        assert_int_equal(kdl__parallel(ctx, 100, count_run, &counts), KDL_OK);
        assert_int_equal(counts.total, 100);
        kdl_context_release(ctx);
    }
}

typedef struct nest {
    kdl_context *ctx;
    atomic_int inner_runs;
    atomic_bool moved;
} nest;

typedef struct inner {
    nest *outer;
    pthread_t thread;
} inner;

static kdl_status run_inner(void *user_data, size_t index, int worker)
{
    inner *self = user_data;
    (void)index;
    if (worker != 0 || !pthread_equal(self->thread, pthread_self()))
        atomic_store(&self->outer->moved, true);
    atomic_fetch_add(&self->outer->inner_runs, 1);
    return KDL_OK;
}

static kdl_status run_outer(void *user_data, size_t index, int worker)
{
    nest *outer = user_data;
    inner self = { outer, pthread_self() };
    (void)index, (void)worker;
    return kdl__parallel(outer->ctx, 10, run_inner, &self);
}

static void test_nested_calls_run_inline(void **state)
{
    (void)state;
    for (size_t t = 0; t < 3; t++) {
        nest outer = { .ctx = context_with_threads(thread_counts[t]) };
        assert_int_equal(kdl__parallel(outer.ctx, 50, run_outer, &outer), KDL_OK);
        assert_int_equal(outer.inner_runs, 500);
        assert_false(outer.moved);
        kdl_context_release(outer.ctx);
    }
}

/*
 * ThreadSanitizer cannot follow threads that are started after a fork; QEMU, which has them too,
 * stops at an assertion of its own.
 */
#if defined(__SANITIZE_THREAD__) || defined(KDL_TEST_EMULATED)
#define CHILD_MAY_START_THREADS 0
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CHILD_MAY_START_THREADS 0
#endif
#endif
#ifndef CHILD_MAY_START_THREADS
#define CHILD_MAY_START_THREADS 1
#endif

/* In the child: the same context works again, with as many threads, and ends. */
static void use_in_child(kdl_context *ctx)
{
    alarm(30);
    if (CHILD_MAY_START_THREADS)
        meet_all(ctx);
    kdl_context_release(ctx);
    _exit(0);
}

static void expect_child_exits(pid_t child)
{
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_fork_between_calls(void **state)
{
    (void)state;
    kdl_context *ctx = context_with_threads(7);
    meet_all(ctx);
    for (int repeat = 0; repeat < 5; repeat++) {
        pid_t child = fork();
        if (child == 0)
            use_in_child(ctx);
        expect_child_exits(child);
        meet_all(ctx);
    }
    kdl_context_release(ctx);
}

static kdl_status fork_and_wait(void *user_data, size_t index, int worker)
{
    kdl_context *other = user_data;
    (void)worker;
    if (index != 3)
        return KDL_OK;
    pid_t child = fork();
    if (child == 0) {
        kdl_context_release(other); /* its threads are not here to be joined */
        _exit(0);
    }
    int status = -1;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && !WEXITSTATUS(status)
               ? KDL_OK
               : KDL_ERROR_RUNTIME;
}

static void test_fork_during_a_call(void **state)
{
    (void)state;
    kdl_context *ctx = context_with_threads(7), *other = context_with_threads(7);
    meet_all(other);
    for (int repeat = 0; repeat < 5; repeat++)
        assert_int_equal(kdl__parallel(ctx, 20, fork_and_wait, other), KDL_OK);
    meet_all(other);
    kdl_context_release(other);
    kdl_context_release(ctx);
}

static void *use_own_context(void *argument)
{
    (void)argument;
    kdl_context *ctx = context_with_threads(3);
    tally counts = { .threads = 3 };
    for (int repeat = 0; repeat < 100; repeat++)
        kdl__parallel(ctx, 100, count_run, &counts);
    kdl_context_release(ctx);
    return counts.total == 10000 ? NULL : (void *)1;
}

static void test_contexts_are_independent(void **state)
{
    (void)state;
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_own_context, NULL), 0);
    for (int i = 0; i < 3; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

static void test_processors(void **state)
{
    (void)state;
    cpu_set_t before, one;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    assert_int_equal(kdl__processors(), CPU_COUNT(&before));
    kdl_context *ctx = context_with_threads(0);
    assert_int_equal(kdl_get_num_threads(ctx), CPU_COUNT(&before));
    CPU_ZERO(&one);
    int first = 0;
    while (!CPU_ISSET(first, &before))
        first++;
    CPU_SET(first, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(kdl_set_num_threads(ctx, 0), KDL_OK);
    assert_int_equal(kdl_get_num_threads(ctx), 1);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
    kdl_context_release(ctx);
}

/* Without memory for its threads a call still runs everything. */
static kdl_status run_without_memory(kdl_context *ctx, void *unused)
{
    (void)unused;
    kdl_set_num_threads(ctx, 3);
    tally counts = { .threads = 3 };
    kdl__parallel(ctx, 20, count_run, &counts);
    assert_int_equal(counts.total, 20);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    check_allocation_failures(run_without_memory, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_task_runs_once),
        cmocka_unit_test(test_seven_threads_at_once),
        cmocka_unit_test(test_lowest_index_wins),
        cmocka_unit_test(test_nested_calls_run_inline),
        cmocka_unit_test(test_fork_between_calls),
        cmocka_unit_test(test_fork_during_a_call),
        cmocka_unit_test(test_contexts_are_independent),
        cmocka_unit_test(test_processors),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
