/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An LSTM learns to remember: to say of each symbol of a sequence which one came three before. Its
 * twin is train_lstm.py.
 */
#include <stdio.h>
#include "training.h"

enum { SEQUENCES = 640, TESTS = 160, LENGTH = 16, BATCH = 32, STEPS = 200 };
enum { SYMBOLS = 6, DELAY = 3, WIDTH = 16, HIDDEN = 32 };

/* Symbols (N, LENGTH) by an embedding through an LSTM to a score for each symbol (N, S, LENGTH). */
static kdl_tensor *forward(kdl_module *net, kdl_tensor *symbols)
{
    kdl_tensor *vectors = kdl_forward(kdl_submodule(net, "embedding"), symbols);
    kdl_tensor *states = kdl_forward(kdl_submodule(net, "lstm"), vectors);
    kdl_tensor *scores = kdl_forward(kdl_submodule(net, "head"), states);
    kdl_tensor *result = kdl_transpose(scores, 1, 2);
    kdl_tensor_release(vectors);
    kdl_tensor_release(states);
    kdl_tensor_release(scores);
    return result;
}

static const kdl_module_class echo_class = { .name = "Echo", .forward = forward };

/* Draws sequences; `echo` gets a reference to the same ones DELAY later, behind zeros. */
static kdl_tensor *make_sequences(kdl_context *ctx, int64_t count, kdl_tensor **echo)
{
    kdl_tensor *symbols = kdl_randint(ctx, 0, SYMBOLS, KDL_SHAPE(count, LENGTH));
    *echo = kdl_zeros(ctx, KDL_SHAPE(count, LENGTH), .dtype = KDL_I64);
    kdl_tensor *later = kdl_narrow(*echo, 1, DELAY, LENGTH - DELAY);
    kdl_tensor *sooner = kdl_narrow(symbols, 1, 0, LENGTH - DELAY);
    kdl_copy_(later, sooner);
    kdl_tensor_release(later);
    kdl_tensor_release(sooner);
    return symbols;
}

int main(int argc, char **argv)
{
    training run = training_begin(argc, argv, NULL);
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_train_enable(ctx);
    kdl_manual_seed(ctx, 3);
    kdl_module *net = kdl_module_new(ctx, &echo_class);
    kdl_add_module(net, "embedding", kdl_nn_embedding(ctx, SYMBOLS, WIDTH));
    kdl_add_module(net, "lstm", kdl_nn_lstm(ctx, WIDTH, HIDDEN, .batch_first = true));
    kdl_add_module(net, "head", kdl_nn_linear(ctx, HIDDEN, SYMBOLS));
    kdl_module_to(net, run.dtype);
    kdl_tensor *echo, *symbols = make_sequences(ctx, SEQUENCES, &echo);
    kdl_tensor *test_echo, *tests = make_sequences(ctx, TESTS, &test_echo);
    kdl_data_loader *loader = kdl_data_loader_new(KDL_TENSOR_DATASET(symbols, echo),
                                                  .batch_size = BATCH, .shuffle = true);
    kdl_optimizer *optimizer = kdl_optim_adam(kdl_named_parameters(net), 0.02);
    fit(&run, net, loader, optimizer, STEPS);
    kdl_tensor *scores = kdl_forward(net, tests);
    int status = training_end(&run, net, accuracy(scores, test_echo));

    kdl_tensor *made[] = { symbols, echo, tests, test_echo, scores };
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++)
        kdl_tensor_release(made[i]);
    kdl_optimizer_release(optimizer);
    kdl_data_loader_release(loader);
    kdl_module_release(net);
    kdl_context_release(ctx);
    return status;
}
