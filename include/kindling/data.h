/* SPDX-License-Identifier: Apache-2.0 */
/*
 * torch.utils.data, as much of it as a training loop needs: batches of rows of tensors, in
 * libkindling_train.
 *
 *     kdl_data_loader *loader = kdl_data_loader_new(KDL_TENSOR_DATASET(images, labels),
 *                                                   .batch_size = 64, .shuffle = true);
 *     for (int epoch = 0; epoch < 10; epoch++) {
 *         for (kdl_data_iterator it = kdl_data_iter(loader); kdl_data_next(&it);) {
 *             kdl_tensor *scores = kdl_forward(net, it.tensors[0]);
 *             kdl_tensor *loss = kdl_f_cross_entropy(scores, it.tensors[1]);
 *             ...
 *         }
 *     }
 *     kdl_data_loader_release(loader);
 *
 * The order of the rows, and what an iteration draws from which generator and when, are those of
 * PyTorch's DataLoader without workers, so that training goes on from the same state.
 */
#ifndef KINDLING_DATA_H
#define KINDLING_DATA_H

#include "kindling/ops.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The most tensors of a dataset. */
#define KDL_MAX_DATASET_TENSORS 16

/** Tensors (borrowed) whose first sizes are equal, by value: write KDL_TENSOR_DATASET(x, y). */
typedef struct kdl_tensor_dataset {
    kdl_tensor *tensors[KDL_MAX_DATASET_TENSORS];
    int count;
} kdl_tensor_dataset;

/** torch.utils.data.TensorDataset(*tensors): row i of it is row i of each tensor. */
#define KDL_TENSOR_DATASET(...)                                                                    \
    (KDL__LITERAL(kdl_tensor_dataset){ { __VA_ARGS__ }, KDL__COUNT(__VA_ARGS__) })

typedef struct kdl_data_loader kdl_data_loader;

/** Options of kdl_data_loader_new(); start from KDL_DATA_LOADER_DEFAULTS. */
typedef struct kdl_data_loader_options {
    size_t nbytes;            /**< sizeof(kdl_data_loader_options), for the ABI */
    int64_t batch_size;       /**< rows of a batch; default 1 */
    bool shuffle;             /**< a new order of the rows in each iteration; default false */
    bool drop_last;           /**< leave out a last batch that would be smaller; default false */
    kdl_generator *generator; /**< what is drawn from (the loader retains it); default NULL: the
                                   context's, which then only gives a seed */
} kdl_data_loader_options;

#define KDL_DATA_LOADER_DEFAULTS                                                                   \
    {                                                                                              \
        sizeof(kdl_data_loader_options), 1, false, false, NULL                                     \
    }

/**
 * torch.utils.data.DataLoader(dataset, batch_size, shuffle, drop_last=..., generator=...): it keeps
 * references to the dataset's tensors, of any dtype, and reads them when a batch is made. Gives a
 * loader for kdl_data_loader_release(), NULL on failure. ValueError for tensors whose first sizes
 * differ (PyTorch's AssertionError), a batch size below 1, and shuffling no rows; IndexError for a
 * tensor without dimensions.
 */
#define kdl_data_loader_new(dataset, ...)                                                          \
    KDL__WITH(kdl_data_loader_options, KDL_DATA_LOADER_DEFAULTS, (__VA_ARGS__),                    \
              kdl_data_loader_new_with, dataset)
KDL_API kdl_data_loader *kdl_data_loader_new_with(kdl_tensor_dataset dataset,
                                                  const kdl_data_loader_options *options);
/** Frees the loader with its batch. NULL is ignored. */
KDL_API void kdl_data_loader_release(kdl_data_loader *loader);

/** len(loader): how many batches an iteration gives; 0 for NULL. */
KDL_API int64_t kdl_data_loader_length(const kdl_data_loader *loader);

/** Where an iteration over a loader stands. It needs no freeing, and may be left early. */
typedef struct kdl_data_iterator {
    /** The batch: of each tensor of the dataset its rows (borrowed until the next step). */
    kdl_tensor *const *tensors;
    int64_t index; /**< the batch's number, from 0 */
    /* The rest is private. */
    kdl_data_loader *loader_;
    uint64_t iteration_;
} kdl_data_iterator;

/**
 * iter(loader): begins an iteration, and ends the loader's one before it. Draws a 64-bit number, as
 * PyTorch does for the seed of its workers.
 */
KDL_API kdl_data_iterator kdl_data_iter(kdl_data_loader *loader);

/**
 * next(iterator): makes the next batch, row-major copies that require no gradients; false at the
 * end, and when an error stands. The order is drawn by the first call. ValueError once the loader
 * is in another iteration.
 */
KDL_API bool kdl_data_next(kdl_data_iterator *iterator);

#ifdef __cplusplus
}
#endif
#endif
