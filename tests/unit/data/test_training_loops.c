/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loops that train: ten thousand steps hold as much memory as a hundred, and several contexts at
 * once learn what each learns alone.
 */
#include <pthread.h>

#include "support/unit.h"

#include "kindling/train.h"

/* Each block begins with its size, in as many bytes as alignment needs. */
typedef struct live_memory {
    size_t nbytes;
    long blocks;
} live_memory;

enum { HEADER = 64, ROWS = 320, BATCH = 32 };

static void *reallocate(void *user_data, void *pointer, size_t nbytes)
{
    live_memory *live = user_data;
    char *block = pointer ? (char *)pointer - HEADER : NULL;
    size_t before = block ? *(size_t *)(void *)block : 0;
    block = nbytes > SIZE_MAX - HEADER ? NULL : realloc(block, nbytes + HEADER);
    if (!block)
        return NULL;
    *(size_t *)(void *)block = nbytes;
    live->nbytes += nbytes - before;
    live->blocks += !pointer;
    return block + HEADER;
}

static void deallocate(void *user_data, void *pointer)
{
    live_memory *live = user_data;
    if (!pointer)
        return;
    char *block = (char *)pointer - HEADER;
    live->nbytes -= *(size_t *)(void *)block;
    live->blocks--;
    free(block);
}

/* The most memory that the process ever held, in KiB, as Linux says it. */
static long peak_kib(void)
{
    long peak = -1;
    char line[256];
    FILE *file = fopen("/proc/self/status", "r");
    assert_non_null(file);
    while (peak < 0 && fgets(line, sizeof line, file))
        if (!strncmp(line, "VmHWM:", 6))
            peak = strtol(line + 6, NULL, 10);
    fclose(file);
    assert_true(peak > 0);
    return peak;
}

/* A sanitizer keeps freed memory for a while, and an emulator has its own. */
static bool peak_counts(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(KDL_TEST_EMULATED)
    return false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    return false;
#else
    return true;
#endif
#else
    return true;
#endif
}

/* ---- a loop ------------------------------------------------------------------------------- */

typedef struct loop {
    kdl_tensor *inputs, *labels;
    kdl_module *net;
    kdl_optimizer *optimizer;
    kdl_data_loader *loader;
    double loss; /* of the last step */
} loop;

/* The steps up to `last`, in epochs of ROWS / BATCH; gives how many were done, -1 on failure. */
static int train(loop *l, int step, int last)
{
    while (step < last) {
        for (kdl_data_iterator it = kdl_data_iter(l->loader); kdl_data_next(&it); step++) {
            kdl_optimizer_zero_grad(l->optimizer);
            kdl_tensor *scores = kdl_forward(l->net, it.tensors[0]);
            kdl_tensor *loss = kdl_f_cross_entropy(scores, it.tensors[1]);
            kdl_backward(loss);
            kdl_optimizer_step(l->optimizer);
            l->loss = loss ? kdl_tensor_item(loss) : 0;
            kdl_tensor_release(loss);
            kdl_tensor_release(scores);
        }
        if (kdl_error_status(kdl_module_context(l->net)))
            return -1;
    }
    return step;
}

/* Networks of two classes whose inputs are (N, 2, 6), but for the first: (N, 2). */
static kdl_module *make_points(kdl_context *ctx)
{
    return kdl_nn_sequential(ctx, kdl_nn_linear(ctx, 2, 16), kdl_nn_relu(ctx),
                             kdl_nn_linear(ctx, 16, 2));
}

static kdl_module *make_convolutions(kdl_context *ctx)
{
    return kdl_nn_sequential(ctx, kdl_nn_conv1d(ctx, 2, 4, 3, .padding = 1),
                             kdl_nn_batch_norm1d(ctx, 4), kdl_nn_relu(ctx),
                             kdl_nn_max_pool1d(ctx, 2), kdl_nn_dropout(ctx, .p = 0.1),
                             kdl_nn_flatten(ctx), kdl_nn_linear(ctx, 12, 2));
}

static kdl_module *make_recurrence(kdl_context *ctx)
{
    return kdl_nn_sequential(ctx, kdl_nn_lstm(ctx, 6, 5, .batch_first = true, .num_layers = 2),
                             kdl_nn_flatten(ctx), kdl_nn_linear(ctx, 10, 2));
}

static kdl_module *make_attention(kdl_context *ctx)
{
    return kdl_nn_sequential(
        ctx, kdl_nn_transformer_encoder_layer(ctx, 6, 2, .dim_feedforward = 8, .batch_first = true),
        kdl_nn_layer_norm(ctx, 6), kdl_nn_flatten(ctx), kdl_nn_linear(ctx, 12, 2));
}

typedef struct network {
    kdl_module *(*make)(kdl_context *ctx);
    int input_ndim, steps;
} network;

static const network networks[] = { { make_points, 2, 10000 },
                                    { make_convolutions, 3, 1000 },
                                    { make_recurrence, 3, 1000 },
                                    { make_attention, 3, 1000 } };
enum { NETWORKS = sizeof networks / sizeof *networks };

static loop loop_begin(kdl_context *ctx, const network *n)
{
    kdl_shape shape = KDL_SHAPE(ROWS, 2, 6);
    shape.ndim = n->input_ndim;
    kdl_train_enable(ctx);
    kdl_manual_seed(ctx, 7);
    loop l = { .inputs = kdl_randn(ctx, shape), .net = n->make(ctx) };
    l.labels = kdl_randint(ctx, 0, 2, KDL_SHAPE(ROWS));
    l.optimizer = kdl_optim_adam(kdl_named_parameters(l.net), 0.01);
    l.loader = kdl_data_loader_new(KDL_TENSOR_DATASET(l.inputs, l.labels), .batch_size = BATCH,
                                   .shuffle = true);
    return l;
}

static void loop_end(loop *l)
{
    kdl_data_loader_release(l->loader);
    kdl_optimizer_release(l->optimizer);
    kdl_module_release(l->net);
    kdl_tensor_release(l->labels);
    kdl_tensor_release(l->inputs);
}

/* ---- memory ------------------------------------------------------------------------------- */

/* Asserts that as much is held after all steps as after 100, and nothing at last. */
static void check_constant_memory(const network *n)
{
    live_memory live = { 0 }, early;
    kdl_context_options options = KDL_CONTEXT_DEFAULTS;
    options.allocator = (kdl_allocator){ reallocate, deallocate, &live };
    kdl_context *ctx = kdl_context_new(&options);
    loop l = loop_begin(ctx, n);
    assert_int_equal(kdl_error_status(ctx), KDL_OK);

    assert_int_equal(train(&l, 0, 100), 100);
    early = live;
    int step = train(&l, 100, n->steps / 10);
    long peak = peak_kib();
    assert_int_equal(train(&l, step, n->steps), n->steps);
    assert_int_equal(live.nbytes, early.nbytes);
    assert_int_equal(live.blocks, early.blocks);
    if (peak_counts()) /* what other libraries hold too; Linux counts up to 64 pages late */
        assert_in_range(peak_kib() - peak, 0, 256);

    loop_end(&l);
    kdl_context_release(ctx);
    assert_int_equal(live.nbytes, 0);
    assert_int_equal(live.blocks, 0);
}

static void test_constant_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < NETWORKS; i++)
        check_constant_memory(&networks[i]);
}

/* ---- several contexts ------------------------------------------------------------------------ */

/* One thread's work: a context of its own, on two threads; gives the last loss. */
typedef struct alone {
    const network *network;
    double loss;
    int steps;
} alone;

static void *train_alone(void *argument)
{
    alone *work = argument;
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_set_num_threads(ctx, 2);
    loop l = loop_begin(ctx, work->network);
    work->steps = train(&l, 0, 30);
    work->loss = l.loss;
    loop_end(&l);
    kdl_context_release(ctx);
    return NULL;
}

/* Each of several at once learns what it learns alone, to the last bit. */
static void test_contexts_at_once(void **state)
{
    (void)state;
    pthread_t threads[NETWORKS];
    alone once[NETWORKS], together[NETWORKS];
    for (size_t i = 0; i < NETWORKS; i++) {
        once[i] = together[i] = (alone){ .network = &networks[i] };
        train_alone(&once[i]);
    }
    for (size_t i = 0; i < NETWORKS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, train_alone, &together[i]), 0);
    for (size_t i = 0; i < NETWORKS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(together[i].steps, 30);
        assert_true(once[i].loss == together[i].loss);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_contexts_at_once),
                                        cmocka_unit_test(test_constant_memory) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
