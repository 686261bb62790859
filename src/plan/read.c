/* SPDX-License-Identifier: Apache-2.0 */
/* Computing ranges of recorded tensors, on every thread. */
#include "plan/plan_impl.h"

bool kdl_is_deferred(const kdl_context *ctx)
{
    return ctx->deferred;
}

kdl_status kdl_set_deferred(kdl_context *ctx, bool deferred)
{
    if (kdl__failed(ctx))
        return ctx->status;
    ctx->deferred = deferred;
    return KDL_OK;
}

/* Values to be computed for one caller's buffer. */
typedef struct job {
    kdl__values *values;
    uint64_t first, count;
    char *out;
} job;

typedef struct batch {
    kdl_context *ctx;
    const job *jobs;
    size_t count;
    uint64_t numel; /* of all jobs together */
    size_t shares;
} batch;

/* The part of the batch that share `index` computes: consecutive elements, across jobs. */
static kdl_status run_share(void *user_data, size_t index, int worker_index)
{
    (void)worker_index;
    const batch *all = user_data;
    uint64_t low = kdl__share_begin(all->numel, all->shares, index);
    uint64_t high = kdl__share_begin(all->numel, all->shares, index + 1);
    kdl__cursor cursor;
    kdl__cursor_init(&cursor, kdl__kernels_of(all->ctx));
    kdl__worker worker = { all->ctx, &cursor, all->shares == 1 };
    kdl_status status = KDL_OK;
    uint64_t begin = 0;
    for (size_t i = 0; i < all->count && begin < high && !status; i++) {
        const job *one = &all->jobs[i];
        uint64_t end = begin + one->count;
        uint64_t from = low > begin ? low : begin, to = high < end ? high : end;
        if (from < to)
            status =
                kdl__values_range(one->values, &worker, one->first + (from - begin), to - from,
                                  one->out + (from - begin) * kdl_dtype_nbytes(one->values->dtype));
        begin = end;
    }
    kdl__cursor_free(&cursor);
    return status;
}

static kdl_status run_jobs(kdl_context *ctx, const job *jobs, size_t count, const char *place)
{
    kdl__cursor cursor;
    kdl__cursor_init(&cursor, kdl__kernels_of(ctx));
    kdl__worker worker = { ctx, &cursor, true };
    batch all = { ctx, jobs, count, 0, 1 };
    kdl_status status = KDL_OK;
    for (size_t i = 0; i < count && !status; i++) {
        status = kdl__values_prepare(jobs[i].values, &worker);
        all.numel += jobs[i].count;
    }
    kdl__cursor_free(&cursor);
    if (!status) {
        all.shares = kdl__share_count(ctx, all.numel);
        status = kdl__parallel(ctx, all.shares, run_share, &all);
    }
    if (status && !kdl__failed(ctx))
        kdl__fail_worker(ctx, place, status);
    return status;
}

/* ---- one storage ------------------------------------------------------------------------- */

static kdl_status materialize(kdl_context *ctx, void *history, kdl_dtype dtype, int64_t numel,
                              void *out)
{
    kdl__values all = {
        .dtype = dtype,
        .node = history,
        .region = { .numel = numel, .ndim = 1, .sizes = { numel }, .strides = { 1 } },
    };
    job one = { &all, 0, (uint64_t)numel, out };
    kdl_status status = run_jobs(ctx, &one, 1, "kdl_materialize");
    kdl__values_drop(&all);
    return status;
}

static void release_history(void *history)
{
    kdl__node_release(history);
}

const kdl__deferred kdl__deferred_by_history = { materialize, release_history };

kdl_status kdl_materialize(kdl_tensor *tensor)
{
    if (kdl__refuses(tensor))
        return kdl__refusal(tensor);
    return kdl__storage_materialize(tensor->storage);
}

/* ---- ranges ------------------------------------------------------------------------------ */

static bool range_is_valid(int64_t first, int64_t count, int64_t numel)
{
    return first >= 0 && count >= 0 && first <= numel && count <= numel - first;
}

kdl_status kdl_tensor_read(kdl_tensor *tensor, int64_t first, int64_t count, void *out)
{
    if (kdl__refuses(tensor))
        return kdl__refusal(tensor);
    kdl_context *ctx = tensor->ctx;
    if (!range_is_valid(first, count, tensor->numel))
        return kdl__fail(ctx, KDL_ERROR_INDEX, "elements [%lld, %lld + %lld) of a tensor of %lld",
                         (long long)first, (long long)first, (long long)count,
                         (long long)tensor->numel);
    kdl__values values;
    if (kdl__values_of(tensor, false, &values))
        return ctx->status;
    job one = { &values, (uint64_t)first, (uint64_t)count, out };
    kdl_status status = run_jobs(ctx, &one, 1, __func__);
    kdl__values_free(&values);
    return status;
}

kdl_status kdl_plan_read(kdl_plan *plan, const kdl_plan_request *requests, int count)
{
    if (!plan || kdl__failed(plan->ctx))
        return plan ? plan->ctx->status : KDL_ERROR_VALUE;
    kdl_context *ctx = plan->ctx;
    job few[16], *jobs = few;
    if (count > (int)(sizeof few / sizeof *few)) {
        jobs = kdl__alloc(ctx, (size_t)count, sizeof *jobs);
        if (!jobs)
            return ctx->status;
    }
    for (int i = 0; i < count && !kdl__failed(ctx); i++) {
        const kdl_plan_request *request = &requests[i];
        const kdl_plan_tensor *tensor = kdl_plan_get(plan, request->tensor);
        if (tensor && !range_is_valid(request->first, request->count, tensor->numel))
            kdl__fail(ctx, KDL_ERROR_INDEX, "elements [%lld, %lld + %lld) of '%s', which has %lld",
                      (long long)request->first, (long long)request->first,
                      (long long)request->count, tensor->name, (long long)tensor->numel);
        if (!kdl__failed(ctx))
            jobs[i] = (job){ &plan->entries[request->tensor].values, (uint64_t)request->first,
                             (uint64_t)request->count, request->values };
    }
    if (!kdl__failed(ctx))
        run_jobs(ctx, jobs, (size_t)count, __func__);
    if (jobs != few)
        kdl_free(ctx, jobs);
    return ctx->status;
}

void kdl_plan_drop(kdl_plan *plan, int index)
{
    if (index >= 0 && (size_t)index < plan->count)
        kdl__values_drop(&plan->entries[index].values);
}
