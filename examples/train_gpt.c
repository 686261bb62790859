/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small GPT learns the text of a file (README.md unless another one is given) character by
 * character, then writes on from its beginning. Its twin is train_gpt.py.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "training.h"

enum { CONTEXT = 32, WIDTH = 64, HEADS = 4, LAYERS = 2, BATCH = 16, STEPS = 200 };
enum { WRITTEN = 72 };

/* What a function makes on its way; it is released when the function is through. */
typedef struct scratch {
    kdl_tensor *made[24];
    int count;
} scratch;

static kdl_tensor *keep(scratch *s, kdl_tensor *tensor)
{
    return s->made[s->count++] = tensor;
}

static kdl_tensor *clean(scratch *s, kdl_tensor *result)
{
    while (s->count > 0)
        kdl_tensor_release(s->made[--s->count]);
    return result;
}

static kdl_tensor *pass(scratch *s, kdl_module *net, const char *child, kdl_tensor *input)
{
    return keep(s, kdl_forward(kdl_submodule(net, child), input));
}

/* Part `index` of query, key and value (N, T, 3 WIDTH), by heads: (N, HEADS, T, WIDTH / HEADS). */
static kdl_tensor *head_part(scratch *s, kdl_tensor *all, int index)
{
    kdl_tensor *part = keep(s, kdl_narrow(all, 2, (int64_t)index * WIDTH, WIDTH));
    kdl_tensor *view = keep(s, kdl_reshape(part, KDL_SHAPE(-1, CONTEXT, HEADS, WIDTH / HEADS)));
    return keep(s, kdl_transpose(view, 1, 2));
}

/* What a layer adds to each character: what it sees before it, then what it makes of that. */
static kdl_tensor *block_forward(kdl_module *block, kdl_tensor *x)
{
    scratch s = { .count = 0 };
    kdl_tensor *all = pass(&s, block, "attn", pass(&s, block, "ln_1", x));
    kdl_tensor *query = head_part(&s, all, 0), *key = head_part(&s, all, 1);
    kdl_tensor *value = head_part(&s, all, 2);
    kdl_tensor *seen =
        keep(&s, kdl_f_scaled_dot_product_attention(query, key, value, .is_causal = true));
    kdl_tensor *rows = keep(&s, kdl_transpose(seen, 1, 2));
    rows = keep(&s, kdl_reshape(rows, KDL_SHAPE(-1, CONTEXT, WIDTH)));
    x = keep(&s, kdl_add_tensor(x, pass(&s, block, "proj", rows)));
    kdl_tensor *made = pass(&s, block, "mlp", pass(&s, block, "ln_2", x));
    return clean(&s, kdl_add_tensor(x, made));
}

/* Characters (N, T) to scores for the next one (N, V, T); the embedding is the head, too. */
static kdl_tensor *gpt_forward(kdl_module *gpt, kdl_tensor *ids)
{
    scratch s = { .count = 0 };
    kdl_tensor *x = pass(&s, gpt, "wte", ids);
    x = keep(&s, kdl_add_tensor(x, kdl_parameter(gpt, "wpe.weight")));
    x = pass(&s, gpt, "ln_f", pass(&s, gpt, "blocks", x));
    x = keep(&s, kdl_f_linear(x, kdl_parameter(gpt, "wte.weight"), NULL));
    return clean(&s, kdl_transpose(x, 1, 2));
}

static const kdl_module_class block_class = { .name = "Block", .forward = block_forward };
static const kdl_module_class gpt_class = { .name = "GPT", .forward = gpt_forward };

static kdl_module *block_new(kdl_context *ctx)
{
    kdl_module *block = kdl_module_new(ctx, &block_class);
    kdl_add_module(block, "ln_1", kdl_nn_layer_norm(ctx, WIDTH));
    kdl_add_module(block, "attn", kdl_nn_linear(ctx, WIDTH, 3 * WIDTH));
    kdl_add_module(block, "proj", kdl_nn_linear(ctx, WIDTH, WIDTH));
    kdl_add_module(block, "ln_2", kdl_nn_layer_norm(ctx, WIDTH));
    kdl_add_module(block, "mlp",
                   kdl_nn_sequential(ctx, kdl_nn_linear(ctx, WIDTH, 4 * WIDTH), kdl_nn_gelu(ctx),
                                     kdl_nn_linear(ctx, 4 * WIDTH, WIDTH)));
    return block;
}

static void init_weights(kdl_module *module, void *unused)
{
    (void)unused;
    if (kdl_isinstance(module, KDL_CLASS_LINEAR) || kdl_isinstance(module, KDL_CLASS_EMBEDDING))
        kdl_init_normal_(kdl_parameter(module, "weight"), .std = 0.1);
    if (kdl_isinstance(module, KDL_CLASS_LINEAR))
        kdl_init_zeros_(kdl_parameter(module, "bias"));
}

static kdl_module *gpt_new(kdl_context *ctx, int64_t characters)
{
    kdl_module *gpt = kdl_module_new(ctx, &gpt_class), *blocks;
    kdl_add_module(gpt, "wte", kdl_nn_embedding(ctx, characters, WIDTH));
    kdl_add_module(gpt, "wpe", kdl_nn_embedding(ctx, CONTEXT, WIDTH));
    kdl_add_module(gpt, "blocks", blocks = kdl_nn_sequential(ctx));
    for (int i = 0; i < LAYERS; i++)
        kdl_append(blocks, block_new(ctx));
    kdl_add_module(gpt, "ln_f", kdl_nn_layer_norm(ctx, WIDTH));
    kdl_apply(gpt, init_weights, NULL);
    return gpt;
}

/* A text's characters (bytes) as numbers in the order of those that occur, and these. */
typedef struct text {
    int64_t count, characters;
    unsigned char character[256];
    int64_t ids[1 << 20];
} text;

static bool read_text(text *t, const char *path)
{
    int64_t number[256] = { 0 };
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    for (int byte; t->count < 1 << 20 && (byte = getc(file)) != EOF; number[byte] = 1)
        t->ids[t->count++] = byte;
    for (int byte = 0; byte < 256; byte++) {
        if (number[byte])
            t->character[t->characters] = (unsigned char)byte;
        number[byte] = number[byte] ? t->characters++ : -1;
    }
    for (int64_t i = 0; i < t->count; i++)
        t->ids[i] = number[t->ids[i]];
    return fclose(file) == 0 && t->count > CONTEXT;
}

/* Prints what the network writes behind the text's beginning: always the likeliest character. */
static void write_on(kdl_module *gpt, const text *t)
{
    int64_t window[CONTEXT];
    memcpy(window, t->ids, sizeof window);
    for (int i = 0; i < WRITTEN; i++) {
        kdl_tensor *ids =
            kdl_tensor_from_data(kdl_module_context(gpt), KDL_I64, KDL_SHAPE(1, CONTEXT), window);
        kdl_tensor *scores = kdl_forward(gpt, ids), *best = kdl_argmax(scores, 1, false);
        memmove(window, window + 1, sizeof window - sizeof *window);
        window[CONTEXT - 1] = best ? (int64_t)kdl_tensor_get(best, (int64_t[]){ 0, -1 }) : 0;
        putchar(t->character[window[CONTEXT - 1]]);
        kdl_tensor_release(best);
        kdl_tensor_release(scores);
        kdl_tensor_release(ids);
    }
    putchar('\n');
}

int main(int argc, char **argv)
{
    static text t;
    training run = training_begin(argc, argv, "README.md");
    if (!read_text(&t, run.text)) {
        fprintf(stderr, "%s: no text of more than %d characters\n", run.text, CONTEXT);
        return EXIT_FAILURE;
    }
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_train_enable(ctx);
    kdl_manual_seed(ctx, 4);
    kdl_module *net = gpt_new(ctx, t.characters);
    kdl_module_to(net, run.dtype);
    kdl_shape rows = KDL_SHAPE((t.count - 1) / CONTEXT, CONTEXT);
    kdl_tensor *inputs = kdl_tensor_from_data(ctx, KDL_I64, rows, t.ids);
    kdl_tensor *labels = kdl_tensor_from_data(ctx, KDL_I64, rows, t.ids + 1);
    kdl_data_loader *loader = kdl_data_loader_new(KDL_TENSOR_DATASET(inputs, labels),
                                                  .batch_size = BATCH, .shuffle = true);
    kdl_optimizer *optimizer = kdl_optim_adamw(kdl_named_parameters(net), 3e-3);
    fit(&run, net, loader, optimizer, STEPS);
    kdl_set_grad_enabled(ctx, false);
    kdl_tensor *scores = kdl_forward(net, inputs);
    int status = training_end(&run, net, accuracy(scores, labels));
    write_on(net, &t);
    kdl_tensor_release(scores);
    kdl_tensor_release(inputs);
    kdl_tensor_release(labels);
    kdl_optimizer_release(optimizer);
    kdl_data_loader_release(loader);
    kdl_module_release(net);
    kdl_context_release(ctx);
    return status;
}
