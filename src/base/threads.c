/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small pool of threads per context: started when a call first runs in parallel, parked on a
 * condition between calls, joined when the context goes. Before it parks a thread looks out for the
 * next call for some microseconds: calls often follow each other closely, and waking takes longer.
 *
 * After fork() the child has none of them. A counter that only the child's fork handler advances
 * tells a pool that its threads are gone; the child then forgets the pool and starts another.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

#include "base.h"

/* One call of kdl__parallel; it lives on the caller's stack. */
typedef struct job {
    kdl__task *task;
    void *user_data;
    size_t tasks;
    atomic_size_t next; /* the next index to begin; `tasks` or more when there is none */
    int workers;        /* workers 1 to this one take part */
} job;

typedef struct worker {
    struct worker *next;
    struct kdl__pool *pool;
    int index;
    pthread_t thread;
} worker;

struct kdl__pool {
    unsigned fork_generation;
    pthread_mutex_t mutex; /* guards all that follows; some is looked at without it, too */
    pthread_cond_t work, done;
    worker *workers; /* the last started first */
    int started;
    bool stop;
    atomic_ulong round; /* how many jobs were posted */
    job *current;
    atomic_int running; /* workers that are taking part in it */
    size_t failed_index;
    kdl_status failed_status;
};

static atomic_uint fork_generation;
static _Thread_local bool in_task; /* so that a nested call runs inline */

static void forked_child(void)
{
    atomic_fetch_add_explicit(&fork_generation, 1, memory_order_relaxed);
}

static bool fork_handler_registered;

static void register_fork_handler(void)
{
    fork_handler_registered = pthread_atfork(NULL, NULL, forked_child) == 0;
}

int kdl__processors(void)
{
    /* The call fails while the set is smaller than the kernel's. */
    for (int capacity = 1024; capacity <= 1 << 20; capacity *= 2) {
        cpu_set_t *set = CPU_ALLOC((size_t)capacity);
        if (!set)
            break;
        size_t nbytes = CPU_ALLOC_SIZE((size_t)capacity);
        int count = sched_getaffinity(0, nbytes, set) ? 0 : CPU_COUNT_S(nbytes, set);
        CPU_FREE(set);
        if (count > 0)
            return count;
    }
    return 1;
}

/* Begins one task after the other until none is left; reports the first that fails. */
static kdl_status run_tasks(job *work, int worker_index, size_t *failed_index)
{
    kdl_status status = KDL_OK;
    bool nested = in_task;
    in_task = true;
    for (;;) {
        size_t index = atomic_fetch_add_explicit(&work->next, 1, memory_order_relaxed);
        if (index >= work->tasks)
            break;
        status = work->task(work->user_data, index, worker_index);
        if (status != KDL_OK) {
            *failed_index = index;
            atomic_store_explicit(&work->next, work->tasks, memory_order_relaxed);
            break;
        }
    }
    in_task = nested;
    return status;
}

/* A thread's share of a job. The pool's mutex is held on entry and on return. */
static void take_part(struct kdl__pool *pool, job *work, int worker_index)
{
    size_t index = 0;
    pthread_mutex_unlock(&pool->mutex);
    kdl_status status = run_tasks(work, worker_index, &index);
    pthread_mutex_lock(&pool->mutex);
    if (status != KDL_OK && (pool->failed_status == KDL_OK || index < pool->failed_index)) {
        pool->failed_index = index;
        pool->failed_status = status;
    }
}

/* A moment of waiting that leaves the core to its other thread. */
static void relax(void)
{
#if defined __x86_64__
    __builtin_ia32_pause();
#elif defined __aarch64__
    __asm__ volatile("yield");
#endif
}

enum { MOMENTS = 4000 }; /* some tens of microseconds */

static void *worker_main(void *argument)
{
    worker *self = argument;
    struct kdl__pool *pool = self->pool;
    unsigned long seen = 0;
    pthread_mutex_lock(&pool->mutex);
    while (!pool->stop) {
        if (pool->round == seen || !pool->current || self->index > pool->current->workers) {
            pthread_cond_wait(&pool->work, &pool->mutex);
            continue;
        }
        seen = pool->round;
        pool->running++;
        take_part(pool, pool->current, self->index);
        if (--pool->running == 0)
            pthread_cond_signal(&pool->done);
        pthread_mutex_unlock(&pool->mutex);
        for (int i = 0; i < MOMENTS && atomic_load(&pool->round) == seen; i++)
            relax();
        pthread_mutex_lock(&pool->mutex);
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

/* Signals are for the program's own threads. */
static bool start_thread(worker *self)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&self->thread, NULL, worker_main, self) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

/* Starts workers until there are `wanted`, or as many as the system grants; returns how many. */
static int start_workers(kdl_context *ctx, struct kdl__pool *pool, int wanted)
{
    while (pool->started < wanted) {
        worker *self = kdl__alloc_quiet(ctx, 1, sizeof *self);
        if (!self)
            break;
        *self = (worker){ .next = pool->workers, .pool = pool, .index = pool->started + 1 };
        if (!start_thread(self)) {
            kdl_free(ctx, self);
            break;
        }
        pool->workers = self;
        pool->started++;
    }
    return pool->started < wanted ? pool->started : wanted;
}

/* Frees what the pool holds; its threads have ended, or never were in this process. */
static void free_pool(kdl_context *ctx, struct kdl__pool *pool)
{
    while (pool->workers) {
        worker *next = pool->workers->next;
        kdl_free(ctx, pool->workers);
        pool->workers = next;
    }
    kdl_free(ctx, pool);
    ctx->pool = NULL;
}

/* The context's pool, new when there is none in this process; NULL when there can be none. */
static struct kdl__pool *get_pool(kdl_context *ctx)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (pthread_once(&once, register_fork_handler) || !fork_handler_registered)
        return NULL;
    unsigned generation = atomic_load_explicit(&fork_generation, memory_order_relaxed);
    if (ctx->pool && ctx->pool->fork_generation == generation)
        return ctx->pool;
    if (ctx->pool)
        free_pool(ctx, ctx->pool);
    struct kdl__pool *pool = kdl__alloc_quiet(ctx, 1, sizeof *pool);
    if (!pool)
        return NULL;
    memset(pool, 0, sizeof *pool);
    pool->fork_generation = generation;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->done, NULL);
    return ctx->pool = pool;
}

void kdl__pool_release(kdl_context *ctx)
{
    struct kdl__pool *pool = ctx->pool;
    if (!pool)
        return;
    if (pool->fork_generation == atomic_load_explicit(&fork_generation, memory_order_relaxed)) {
        pthread_mutex_lock(&pool->mutex);
        pool->stop = true;
        pthread_cond_broadcast(&pool->work);
        pthread_mutex_unlock(&pool->mutex);
        for (worker *each = pool->workers; each; each = each->next)
            pthread_join(each->thread, NULL);
        pthread_cond_destroy(&pool->done);
        pthread_cond_destroy(&pool->work);
        pthread_mutex_destroy(&pool->mutex);
    }
    free_pool(ctx, pool);
}

/*
 * Posts the job, takes part in it as worker 0, and waits for the workers that took part: those
 * that have not woken by the time that nothing is left to begin are not waited for.
 */
static kdl_status run_in_pool(struct kdl__pool *pool, job *work)
{
    pthread_mutex_lock(&pool->mutex);
    pool->current = work;
    pool->round++;
    pool->failed_status = KDL_OK;
    pthread_cond_broadcast(&pool->work);
    take_part(pool, work, 0);
    pool->current = NULL;
    pthread_mutex_unlock(&pool->mutex);
    for (int i = 0; i < MOMENTS && atomic_load(&pool->running) > 0; i++)
        relax();
    pthread_mutex_lock(&pool->mutex);
    while (pool->running > 0)
        pthread_cond_wait(&pool->done, &pool->mutex);
    kdl_status status = pool->failed_status;
    pthread_mutex_unlock(&pool->mutex);
    return status;
}

kdl_status kdl__parallel(kdl_context *ctx, size_t tasks, kdl__task *task, void *user_data)
{
    job work = { .task = task, .user_data = user_data, .tasks = tasks };
    atomic_init(&work.next, 0);
    if (ctx->threads > 1 && tasks > 1 && !in_task) {
        struct kdl__pool *pool = get_pool(ctx);
        int wanted = tasks < (size_t)ctx->threads ? (int)tasks - 1 : ctx->threads - 1;
        work.workers = pool ? start_workers(ctx, pool, wanted) : 0;
        if (work.workers > 0)
            return run_in_pool(pool, &work);
    }
    size_t failed_index;
    return run_tasks(&work, 0, &failed_index);
}

int kdl_get_num_threads(const kdl_context *ctx)
{
    return ctx->threads;
}

kdl_status kdl_set_num_threads(kdl_context *ctx, int threads)
{
    if (kdl__failed(ctx))
        return ctx->status;
    if (threads < 0)
        return kdl__fail(ctx, KDL_ERROR_VALUE,
                         "the number of threads must be 0 (all processors) or more, got %d",
                         threads);
    ctx->threads = threads ? threads : kdl__processors();
    return KDL_OK;
}
