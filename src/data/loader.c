/* SPDX-License-Identifier: Apache-2.0 */
/*
 * data: batches of rows for a training loop. Draws are made where torch/utils/data/sampler.py and
 * dataloader.py make them.
 */
#include <string.h>

#include "compute/compute.h"
#include "kindling/data.h"
#include "random/stream.h"
#include "tensor/tape.h"

struct kdl_data_loader {
    kdl_context *ctx;                /* retained */
    kdl_data_loader_options options; /* its generator retained */
    kdl_tensor_dataset dataset;      /* its tensors retained */
    int64_t rows;
    /* The iteration that is under way; the first is 1. */
    uint64_t iteration;
    int64_t given;     /* rows given so far; -1: the sampler has not been asked yet */
    kdl_tensor *order; /* the rows' numbers when they are shuffled */
    bool exhausted;    /* the sampler has been asked for more rows than there are */
    kdl_tensor *batch[KDL_MAX_DATASET_TENSORS];
};

/* ---- lifetime ---------------------------------------------------------------------------- */

static void free_batch(kdl_data_loader *loader)
{
    for (int i = 0; i < loader->dataset.count; i++) {
        kdl_tensor_release(loader->batch[i]);
        loader->batch[i] = NULL;
    }
}

static void end_iteration(kdl_data_loader *loader)
{
    free_batch(loader);
    kdl_tensor_release(loader->order);
    loader->order = NULL;
}

void kdl_data_loader_release(kdl_data_loader *loader)
{
    if (!loader)
        return;
    kdl_context *ctx = loader->ctx;
    end_iteration(loader);
    for (int i = 0; i < loader->dataset.count; i++)
        kdl_tensor_release(loader->dataset.tensors[i]);
    kdl_generator_release(loader->options.generator);
    kdl_free(ctx, loader);
    kdl_context_release(ctx);
}

/* What PyTorch's constructors check, in their order: the dataset's, the samplers'. */
static kdl_status check_arguments(const kdl_tensor_dataset *dataset,
                                  const kdl_data_loader_options *options)
{
    static const char place[] = "kdl_data_loader_new";
    static const char positive[] = "%s should be a positive integer value, but got %s=%" PRId64;
    kdl_context *ctx = dataset->tensors[0]->ctx;
    int64_t rows = kdl_tensor_size(dataset->tensors[0], 0);
    for (int i = 0; i < dataset->count && !kdl__failed(ctx); i++)
        if (kdl_tensor_size(dataset->tensors[i], 0) != rows)
            kdl__fail_at(ctx, place, KDL_ERROR_VALUE, "Size mismatch between tensors");
    if (options->shuffle && rows == 0)
        kdl__fail_at(ctx, place, KDL_ERROR_VALUE, positive, "num_samples", "num_samples", rows);
    if (options->batch_size < 1)
        kdl__fail_at(ctx, place, KDL_ERROR_VALUE, positive, "batch_size", "batch_size",
                     options->batch_size);
    if (options->generator)
        kdl__generator_or_default(ctx, options->generator);
    return ctx->status;
}

static bool is_usable(const kdl_tensor_dataset *dataset)
{
    if (dataset->count < 1 || kdl__refuses(dataset->tensors[0]))
        return false;
    if (dataset->count > KDL_MAX_DATASET_TENSORS)
        return !kdl__fail_at(dataset->tensors[0]->ctx, "kdl_data_loader_new", KDL_ERROR_VALUE,
                             "a dataset has at most %d tensors, but %d were given",
                             KDL_MAX_DATASET_TENSORS, dataset->count);
    for (int i = 0; i < dataset->count; i++)
        if (kdl__refuses(dataset->tensors[i]) ||
            kdl__check_contexts(dataset->tensors[0], dataset->tensors[i], "kdl_data_loader_new"))
            return false;
    return true;
}

kdl_data_loader *kdl_data_loader_new_with(kdl_tensor_dataset dataset,
                                          const kdl_data_loader_options *given)
{
    kdl_data_loader_options options = KDL_DATA_LOADER_DEFAULTS;
    if (!is_usable(&dataset))
        return NULL;
    kdl_context *ctx = dataset.tensors[0]->ctx;
    if (!kdl__read_options(ctx, "kdl_data_loader_new", &options, sizeof options, given) ||
        check_arguments(&dataset, &options))
        return NULL;
    kdl_data_loader *loader = kdl__alloc_zeroed(ctx, 1, sizeof *loader);
    if (!loader)
        return NULL;
    loader->ctx = kdl_context_retain(ctx);
    loader->options = options;
    kdl_generator_retain(options.generator);
    loader->dataset = dataset;
    for (int i = 0; i < dataset.count; i++)
        kdl_tensor_retain(dataset.tensors[i]);
    loader->rows = dataset.tensors[0]->dims[0];
    return loader;
}

int64_t kdl_data_loader_length(const kdl_data_loader *loader)
{
    if (!loader)
        return 0;
    int64_t size = loader->options.batch_size, whole = loader->rows / size;
    return whole + (!loader->options.drop_last && loader->rows % size > 0);
}

/* ---- the sampler: which rows ------------------------------------------------------------- */

/* torch.empty((), dtype=torch.int64).random_(generator=generator).item(). */
static uint64_t draw_seed(kdl_generator *generator)
{
    return kdl_generator_random64(generator) & INT64_MAX;
}

/*
 * Without a generator the permutation is drawn from a fresh one, with a seed of the default one's.
 */
static kdl_tensor *draw_order(const kdl_data_loader *loader)
{
    kdl_context *ctx = loader->ctx;
    if (loader->options.generator)
        return kdl_randperm(ctx, loader->rows, .generator = loader->options.generator);
    uint64_t seed = draw_seed(kdl_default_generator(ctx));
    kdl_generator *fresh = kdl_generator_new(ctx);
    kdl_generator_manual_seed(fresh, seed);
    kdl_tensor *order = kdl_randperm(ctx, loader->rows, .generator = fresh);
    kdl_generator_release(fresh);
    return order;
}

/*
 * How many rows the sampler has for the next batch. RandomSampler draws its order when it is asked
 * for the first row, and another one, of which it takes nothing, when it is asked for one too many;
 * that is seen only in a generator that was given.
 */
static int64_t sample(kdl_data_loader *loader)
{
    int64_t size = loader->options.batch_size;
    if (loader->given < 0) {
        loader->given = 0;
        loader->order = loader->options.shuffle ? draw_order(loader) : NULL;
    }
    int64_t left = loader->rows - loader->given, count = left < size ? left : size;
    if (count < size && !loader->exhausted) {
        loader->exhausted = true;
        if (loader->options.shuffle && loader->options.generator)
            kdl_tensor_release(draw_order(loader));
    }
    return count < size && loader->options.drop_last ? 0 : count;
}

/* ---- batches ----------------------------------------------------------------------------- */

static kdl_status copy_row(kdl_tensor *batch, int64_t to, kdl_tensor *source, int64_t from)
{
    kdl_tensor *target = kdl_select(batch, 0, to), *row = kdl_select(source, 0, from);
    kdl_copy_(target, row);
    kdl_tensor_release(target);
    kdl_tensor_release(row);
    return batch->ctx->status;
}

/* Copies the rows `order` (NULL: those from `first` on) of the source into the batch. */
static kdl_status copy_rows(kdl_tensor *batch, kdl_tensor *source, const int64_t *order,
                            int64_t first)
{
    const char *values = kdl_tensor_data(source);
    char *to = kdl_tensor_data(batch);
    size_t nbytes = kdl_dtype_nbytes(source->storage->dtype);
    int64_t stride = source->strides[0] * (int64_t)nbytes, count = batch->dims[0];
    bool dense = kdl__shape_is_contiguous(source->ndim - 1, source->dims + 1, source->strides + 1);
    nbytes *= (size_t)(batch->numel / count);
    for (int64_t i = 0; i < count && !kdl__failed(batch->ctx); i++) {
        int64_t row = order ? order[i] : first + i;
        if (dense)
            memcpy(to + (size_t)i * nbytes, values + row * stride, nbytes);
        else
            copy_row(batch, i, source, row);
    }
    return batch->ctx->status;
}

static kdl_status make_batch(kdl_data_loader *loader, int64_t count)
{
    kdl_context *ctx = loader->ctx;
    const int64_t *order = loader->order ? kdl_tensor_data(loader->order) : NULL;
    for (int i = 0; i < loader->dataset.count && !kdl__failed(ctx); i++) {
        kdl_tensor *source = loader->dataset.tensors[i];
        kdl_shape shape = kdl_tensor_shape(source);
        shape.sizes[0] = count;
        kdl_tensor *batch = kdl__new_values(ctx, source->storage->dtype, shape.ndim, shape.sizes);
        loader->batch[i] = batch;
        if (batch)
            copy_rows(batch, source, order ? order + loader->given : NULL, loader->given);
    }
    loader->given += count;
    return ctx->status;
}

/* ---- iterating --------------------------------------------------------------------------- */

kdl_data_iterator kdl_data_iter(kdl_data_loader *loader)
{
    kdl_data_iterator iterator = { .index = -1 };
    if (!loader || kdl__failed(loader->ctx))
        return iterator;
    end_iteration(loader);
    loader->given = -1;
    loader->exhausted = false;
    iterator.loader_ = loader;
    iterator.iteration_ = ++loader->iteration;
    draw_seed(kdl__generator_or_default(loader->ctx, loader->options.generator));
    return iterator;
}

/* The next batch, while nothing is recorded; false at the end and on failure. */
static bool advance(kdl_data_loader *loader)
{
    const kdl__tape *tape = kdl__no_grad(loader->ctx);
    free_batch(loader);
    int64_t count = sample(loader);
    bool more = !kdl__failed(loader->ctx) && count > 0 && !make_batch(loader, count);
    if (!more)
        end_iteration(loader);
    loader->ctx->tape = tape;
    return more;
}

bool kdl_data_next(kdl_data_iterator *iterator)
{
    kdl_data_loader *loader = iterator->loader_;
    iterator->tensors = NULL;
    if (!loader || kdl__failed(loader->ctx))
        return false;
    if (iterator->iteration_ != loader->iteration) {
        kdl__fail(loader->ctx, KDL_ERROR_VALUE, "the loader is in another iteration");
        return false;
    }
    if (!advance(loader)) {
        iterator->loader_ = NULL;
        return false;
    }
    iterator->tensors = loader->batch;
    iterator->index++;
    return true;
}
