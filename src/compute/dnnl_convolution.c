/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolutions by oneDNN's primitives. A primitive is made for one shape, which takes far longer
 * than running it, so those last used are kept. It chooses how its tensors lie in memory; what lies
 * otherwise here is reordered on the way in and out.
 *
 * A primitive that runs on several threads gives bits that depend on their number. So a batch falls
 * into parts, which the sizes alone decide, each of them a convolution on one of the context's
 * threads; the parts' gradients of a weight are added up in their order.
 */
#include "compute/dnnl_convolution.h"

/* Tensors as they are given, and in whatever order a primitive likes. */
typedef struct layouts {
    dnnl_memory_desc_t plain[KDL__DNNL_TENSORS], any[KDL__DNNL_TENSORS];
} layouts;

/* One of the tensors of a primitive. */
typedef struct operand {
    int argument;            /* as oneDNN names it; 0: not there */
    kdl__dnnl_layout chosen; /* how the primitive wants it */
    int64_t numel;           /* so laid out, with what is filled up */
    dnnl_primitive_t move;   /* from the plain layout, or to it where it is written; NULL: none */
} operand;

/* Which primitive it is; compared byte by byte. */
typedef struct conv_key {
    kdl__window window;
    int64_t samples, inputs, outputs, groups, kind, bias;
} conv_key;

typedef struct conv_entry {
    struct conv_entry *next; /* used less recently */
    conv_key key;
    bool usable; /* false: oneDNN has none */
    layouts layouts;
    dnnl_primitive_desc_t description; /* which the chosen layouts belong to */
    dnnl_primitive_t primitive;
    operand operands[KDL__DNNL_TENSORS];
    kdl__dnnl_layout scratch;
    int64_t scratch_numel;
} conv_entry;

/* The context's part: the primitives, those used last in front. */
typedef struct conv_cache {
    dnnl_engine_t engine;
    dnnl_primitive_attr_t attributes;
    conv_entry *first;
    int count;
} conv_cache;

enum { MOST_ENTRIES = 128 };

/* ---- lifetime ---------------------------------------------------------------------------- */

static void free_layouts(layouts *all)
{
    for (int i = 0; i < KDL__DNNL_TENSORS; i++) {
        kdl__dnnl_layout_free(&all->plain[i]);
        kdl__dnnl_layout_free(&all->any[i]);
    }
}

static void free_entry(kdl_context *ctx, conv_entry *entry)
{
    for (int i = 0; i < KDL__DNNL_TENSORS; i++)
        dnnl_primitive_destroy(entry->operands[i].move);
    dnnl_primitive_destroy(entry->primitive);
    dnnl_primitive_desc_destroy(entry->description);
    free_layouts(&entry->layouts);
    kdl_free(ctx, entry);
}

static void destroy_cache(kdl_context *ctx, void *value)
{
    conv_cache *cache = value;
    while (cache->first) {
        conv_entry *entry = cache->first;
        cache->first = entry->next;
        free_entry(ctx, entry);
    }
    dnnl_primitive_attr_destroy(cache->attributes);
    dnnl_engine_destroy(cache->engine);
    kdl_free(ctx, cache);
}

/* Records what oneDNN says; true for success. */
static bool succeeded(kdl_context *ctx, dnnl_status_t status)
{
    if (status == dnnl_out_of_memory)
        kdl__fail_memory(ctx);
    else if (status != dnnl_success)
        kdl__fail_at(ctx, "kdl_f_conv", KDL_ERROR_RUNTIME, "oneDNN failed with status %d",
                     (int)status);
    return status == dnnl_success;
}

/* Primitives whose scratchpads are given to them can run on several threads at once. */
static dnnl_status_t set_up(conv_cache *cache)
{
    dnnl_status_t status = dnnl_engine_create(&cache->engine, dnnl_cpu, 0);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_create(&cache->attributes);
    if (status == dnnl_success)
        status =
            dnnl_primitive_attr_set_scratchpad_mode(cache->attributes, dnnl_scratchpad_mode_user);
    return status;
}

static conv_cache *cache_of(kdl_context *ctx)
{
    conv_cache *cache = kdl__slot_get(ctx, KDL__SLOT_CONVOLUTIONS);
    if (cache)
        return cache;
    cache = kdl__alloc_zeroed(ctx, 1, sizeof *cache);
    if (!cache)
        return NULL;
    if (!succeeded(ctx, set_up(cache))) {
        destroy_cache(ctx, cache);
        return NULL;
    }
    kdl__slot_set(ctx, KDL__SLOT_CONVOLUTIONS, cache, destroy_cache);
    return cache;
}

/* ---- making one --------------------------------------------------------------------------- */

static dnnl_format_tag_t row_major_tag(int ndim)
{
    static const dnnl_format_tag_t tags[] = { dnnl_a,    dnnl_ab,    dnnl_abc,
                                              dnnl_abcd, dnnl_abcde, dnnl_abcdef };
    return tags[ndim - 1];
}

/* The first of the window's dimensions that counts: two spatial ones at least. */
static int first_dim(const kdl__window *w)
{
    bool flat = w->input[0] == 1 && w->output[0] == 1 && w->kernel[0] == 1 && w->padding[0] == 0;
    return flat ? 1 : 0;
}

static dnnl_status_t new_layouts(const conv_key *key, layouts *all)
{
    const kdl__window *w = &key->window;
    int first = first_dim(w), nd = 3 - first, grouped = key->groups > 1;
    dnnl_dims_t sizes[KDL__DNNL_TENSORS] = {
        [KDL__DNNL_SOURCE] = { key->samples, key->inputs },
        [KDL__DNNL_RESULT] = { key->samples, key->outputs },
        [KDL__DNNL_BIAS] = { key->outputs },
    };
    int ndims[] = { 2 + nd, 2 + nd + grouped, 2 + nd, 1 };
    int64_t *weight = sizes[KDL__DNNL_WEIGHT];
    if (grouped)
        *weight++ = key->groups;
    weight[0] = key->outputs / key->groups;
    weight[1] = key->inputs / key->groups;
    for (int d = 0; d < nd; d++) {
        sizes[KDL__DNNL_SOURCE][2 + d] = w->input[first + d];
        sizes[KDL__DNNL_RESULT][2 + d] = w->output[first + d];
        weight[2 + d] = w->kernel[first + d];
    }
    dnnl_status_t status = dnnl_success;
    for (int i = 0; i < KDL__DNNL_TENSORS && status == dnnl_success; i++) {
        dnnl_format_tag_t tag = row_major_tag(ndims[i]);
        status = kdl__dnnl_layout_new(&all->plain[i], ndims[i], sizes[i], tag);
        if (status == dnnl_success)
            status = kdl__dnnl_layout_new(&all->any[i], ndims[i], sizes[i],
                                          i == KDL__DNNL_BIAS ? tag : dnnl_format_tag_any);
    }
    return status;
}

static kdl__dnnl_steps steps_of(const kdl__window *w)
{
    kdl__dnnl_steps steps;
    memset(&steps, 0, sizeof steps);
    for (int at = first_dim(w), d = 0; at < 3; at++, d++) {
        int64_t reach = w->dilation[at] * (w->kernel[at] - 1) + 1;
        /* As much as the last window needs; the input may go on behind it. */
        int64_t behind =
            (w->output[at] - 1) * w->stride[at] + reach - w->input[at] - w->padding[at];
        steps.strides[d] = w->stride[at];
        steps.dilations[d] = w->dilation[at] - 1;
        steps.before[d] = w->padding[at];
        steps.behind[d] = behind > 0 ? behind : 0;
    }
    return steps;
}

/* oneDNN's names of the three tensors and the bias, by kind. */
static const int arguments[][KDL__DNNL_TENSORS] = {
    [KDL__DNNL_FORWARD] = { DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNNL_ARG_BIAS },
    [KDL__DNNL_INPUT_GRAD] = { DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST, 0 },
    [KDL__DNNL_WEIGHT_GRAD] = { DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST, 0 },
};
static const int written[] = { [KDL__DNNL_FORWARD] = KDL__DNNL_RESULT,
                               [KDL__DNNL_INPUT_GRAD] = KDL__DNNL_SOURCE,
                               [KDL__DNNL_WEIGHT_GRAD] = KDL__DNNL_WEIGHT };

static int64_t floats_in(kdl__dnnl_layout layout)
{
    return (int64_t)((dnnl_memory_desc_get_size(layout) + sizeof(float) - 1) / sizeof(float));
}

/* The way between layouts; dnnl_unimplemented where it would need a scratchpad. */
static dnnl_status_t new_move(operand *o, bool is_written, const conv_cache *cache,
                              kdl__dnnl_layout plain)
{
    dnnl_primitive_desc_t description = NULL;
    dnnl_status_t status = dnnl_reorder_primitive_desc_create(
        &description, is_written ? o->chosen : plain, cache->engine, is_written ? plain : o->chosen,
        cache->engine, cache->attributes);
    if (status == dnnl_success &&
        floats_in(dnnl_primitive_desc_query_md(description, dnnl_query_scratchpad_md, 0)) > 0)
        status = dnnl_unimplemented;
    if (status == dnnl_success)
        status = dnnl_primitive_create(&o->move, description);
    dnnl_primitive_desc_destroy(description);
    return status;
}

static dnnl_status_t describe(const conv_key *key, const conv_cache *cache, const layouts *all,
                              dnnl_primitive_desc_t *description)
{
    kdl__dnnl_steps steps = steps_of(&key->window);
    dnnl_primitive_desc_t forward = NULL;
    dnnl_status_t status = kdl__dnnl_describe(&forward, cache->engine, KDL__DNNL_FORWARD, all->any,
                                              key->bias, &steps, NULL, cache->attributes);
    if (status != dnnl_success || key->kind == KDL__DNNL_FORWARD) {
        *description = forward;
        return status;
    }
    status = kdl__dnnl_describe(description, cache->engine, (kdl__dnnl_kind)key->kind, all->any,
                                false, &steps, forward, cache->attributes);
    dnnl_primitive_desc_destroy(forward);
    return status;
}

static dnnl_status_t set_operands(conv_entry *entry, const conv_cache *cache)
{
    dnnl_status_t status = dnnl_success;
    for (int i = 0; i < KDL__DNNL_TENSORS && status == dnnl_success; i++) {
        operand *o = &entry->operands[i];
        if (i == KDL__DNNL_BIAS && !entry->key.bias)
            continue;
        o->argument = arguments[entry->key.kind][i];
        o->chosen =
            dnnl_primitive_desc_query_md(entry->description, dnnl_query_exec_arg_md, o->argument);
        o->numel = floats_in(o->chosen);
        kdl__dnnl_layout plain = KDL__DNNL_LAYOUT(entry->layouts.plain[i]);
        if (!dnnl_memory_desc_equal(plain, o->chosen))
            status = new_move(o, written[entry->key.kind] == i, cache, plain);
    }
    return status;
}

static dnnl_status_t fill_entry(conv_entry *entry, const conv_cache *cache)
{
    dnnl_status_t status = new_layouts(&entry->key, &entry->layouts);
    if (status == dnnl_success)
        status = describe(&entry->key, cache, &entry->layouts, &entry->description);
    if (status == dnnl_success)
        status = set_operands(entry, cache);
    if (status == dnnl_success)
        status = dnnl_primitive_create(&entry->primitive, entry->description);
    if (status == dnnl_success) {
        entry->scratch =
            dnnl_primitive_desc_query_md(entry->description, dnnl_query_scratchpad_md, 0);
        entry->scratch_numel = floats_in(entry->scratch);
    }
    return status;
}

/* ---- keeping them ------------------------------------------------------------------------- */

/* Drops the one that was used longest ago. */
static void drop_last(kdl_context *ctx, conv_cache *cache)
{
    conv_entry **at = &cache->first;
    while ((*at)->next)
        at = &(*at)->next;
    free_entry(ctx, *at);
    *at = NULL;
    cache->count--;
}

static conv_entry *find_entry(conv_cache *cache, const conv_key *key)
{
    for (conv_entry **at = &cache->first; *at; at = &(*at)->next) {
        conv_entry *entry = *at;
        if (memcmp(&entry->key, key, sizeof *key) == 0) {
            *at = entry->next;
            entry->next = cache->first;
            return cache->first = entry;
        }
    }
    return NULL;
}

/* The primitive for a key, in front of the others; NULL: an error stands. */
static conv_entry *entry_for(kdl_context *ctx, conv_cache *cache, const conv_key *key)
{
    conv_entry *entry = find_entry(cache, key);
    if (entry)
        return entry;
    entry = kdl__alloc_zeroed(ctx, 1, sizeof *entry);
    if (!entry)
        return NULL;
    entry->key = *key;
    int threads = kdl__one_library_thread(); /* which a primitive is made for */
    dnnl_status_t status = fill_entry(entry, cache);
    kdl__restore_library_threads(threads);
    if (status == dnnl_out_of_memory) {
        succeeded(ctx, status);
        free_entry(ctx, entry);
        return NULL;
    }
    entry->usable = status == dnnl_success;
    if (cache->count == MOST_ENTRIES)
        drop_last(ctx, cache);
    cache->count++;
    entry->next = cache->first;
    return cache->first = entry;
}

/* ---- parts ------------------------------------------------------------------------------- */

/* A whole convolution, of which each thread takes part after part. */
typedef struct conv_run {
    const conv_entry *entry;
    dnnl_engine_t engine;
    int64_t parts, workers;
    float *data[KDL__DNNL_TENSORS];  /* of all parts, in the plain layouts */
    int64_t step[KDL__DNNL_TENSORS]; /* from one part's to the next; 0: all have the same */
    kdl_tensor *rooms;               /* of each worker: what lies otherwise, and the scratchpad */
    int64_t room[KDL__DNNL_TENSORS]; /* where a worker's begin; -1: no room of its own */
    int64_t scratch, each;           /* where its scratchpad begins; all of a worker's */
    kdl_tensor *weight;              /* the weight in the chosen layout, or the parts' gradients */
} conv_run;

/* The largest count of parts, alike all, that is worth it: a divisor of the batch. */
static int64_t count_parts(const kdl__window *w, int64_t samples, int64_t outputs, int64_t window,
                           int64_t most)
{
    enum { WORK = 1 << 20, MOST = 32 };
    double work =
        (double)samples * (double)outputs * (double)window * (double)kdl__volume(w->output);
    double worth = work / WORK;
    int64_t wanted = worth < MOST ? (int64_t)worth : MOST;
    wanted = wanted < most ? wanted : most;
    int64_t count = 1;
    for (int64_t n = 2; n <= wanted && n <= samples; n++)
        if (samples % n == 0)
            count = n;
    return count;
}

/* Between a plain layout and a chosen one. */
static dnnl_status_t move_operand(const conv_run *run, int i, float *plain, float *chosen,
                                  dnnl_stream_t stream)
{
    const conv_entry *entry = run->entry;
    const operand *o = &entry->operands[i];
    bool out = written[entry->key.kind] == i;
    dnnl_memory_t outer = NULL, inner = NULL;
    dnnl_status_t status =
        dnnl_memory_create(&outer, KDL__DNNL_LAYOUT(entry->layouts.plain[i]), run->engine, plain);
    if (status == dnnl_success)
        status = dnnl_memory_create(&inner, o->chosen, run->engine, chosen);
    if (status == dnnl_success) {
        dnnl_exec_arg_t both[] = { { DNNL_ARG_FROM, out ? inner : outer },
                                   { DNNL_ARG_TO, out ? outer : inner } };
        status = dnnl_primitive_execute(o->move, stream, 2, both);
    }
    dnnl_memory_destroy(outer);
    dnnl_memory_destroy(inner);
    return status;
}

/* Where a part's operand lies for the primitive. */
static float *chosen_data(const conv_run *run, int i, int64_t part, int worker)
{
    const operand *o = &run->entry->operands[i];
    if (i == KDL__DNNL_WEIGHT && run->weight)
        return (float *)run->weight->storage->data +
               (run->entry->key.kind == KDL__DNNL_WEIGHT_GRAD ? part * o->numel : 0);
    if (run->room[i] >= 0)
        return (float *)run->rooms->storage->data + worker * run->each + run->room[i];
    return run->data[i] + part * run->step[i];
}

static dnnl_status_t run_primitive(const conv_run *run, int64_t part, int worker,
                                   dnnl_stream_t stream)
{
    const conv_entry *entry = run->entry;
    dnnl_exec_arg_t given[KDL__DNNL_TENSORS + 1];
    dnnl_status_t status = dnnl_success;
    int count = 0;
    for (int i = 0; i < KDL__DNNL_TENSORS && status == dnnl_success; i++) {
        const operand *o = &entry->operands[i];
        if (!o->argument)
            continue;
        given[count].arg = o->argument;
        status = dnnl_memory_create(&given[count].memory, o->chosen, run->engine,
                                    chosen_data(run, i, part, worker));
        count += status == dnnl_success;
    }
    if (status == dnnl_success && entry->scratch_numel > 0) {
        float *scratch = (float *)run->rooms->storage->data + worker * run->each + run->scratch;
        given[count].arg = DNNL_ARG_SCRATCHPAD;
        status = dnnl_memory_create(&given[count].memory, entry->scratch, run->engine, scratch);
        count += status == dnnl_success;
    }
    if (status == dnnl_success)
        status = dnnl_primitive_execute(entry->primitive, stream, count, given);
    while (count > 0)
        dnnl_memory_destroy(given[--count].memory);
    return status;
}

/* One part: what lies otherwise is moved in, or out afterwards; the weight is no part's matter. */
static dnnl_status_t run_part(const conv_run *run, int64_t part, int worker, dnnl_stream_t stream)
{
    int out = written[run->entry->key.kind];
    dnnl_status_t status = dnnl_success;
    for (int i = 0; i < KDL__DNNL_TENSORS && status == dnnl_success; i++)
        if (run->room[i] >= 0 && i != out)
            status = move_operand(run, i, run->data[i] + part * run->step[i],
                                  chosen_data(run, i, part, worker), stream);
    if (status == dnnl_success)
        status = run_primitive(run, part, worker, stream);
    if (status == dnnl_success && run->room[out] >= 0)
        status = move_operand(run, out, run->data[out] + part * run->step[out],
                              chosen_data(run, out, part, worker), stream);
    return status;
}

static kdl_status to_status(dnnl_status_t status)
{
    return status == dnnl_success         ? KDL_OK
           : status == dnnl_out_of_memory ? KDL_ERROR_MEMORY
                                          : KDL_ERROR_RUNTIME;
}

static kdl_status run_task(void *user_data, size_t part, int worker)
{
    const conv_run *run = user_data;
    int threads = kdl__one_library_thread();
    dnnl_stream_t stream = NULL;
    dnnl_status_t status = dnnl_stream_create(&stream, run->engine, dnnl_stream_default_flags);
    if (status == dnnl_success)
        status = run_part(run, (int64_t)part, worker, stream);
    if (status == dnnl_success)
        status = dnnl_stream_wait(stream);
    dnnl_stream_destroy(stream);
    kdl__restore_library_threads(threads);
    return to_status(status);
}

/* ---- a whole one -------------------------------------------------------------------------- */

/* Room for what the workers and the weight need; false: an error stands. */
static bool make_room(kdl_context *ctx, conv_run *run)
{
    const conv_entry *entry = run->entry;
    bool of_weight = entry->key.kind == KDL__DNNL_WEIGHT_GRAD;
    const operand *weight = &entry->operands[KDL__DNNL_WEIGHT];
    for (int i = 0; i < KDL__DNNL_TENSORS; i++) {
        run->room[i] = -1;
        if (i != KDL__DNNL_WEIGHT && entry->operands[i].move) {
            run->room[i] = run->each;
            run->each += (entry->operands[i].numel + 15) / 16 * 16;
        }
    }
    run->scratch = run->each;
    run->each += (entry->scratch_numel + 15) / 16 * 16;
    int64_t rooms = run->workers * run->each;
    int64_t weights = weight->numel * (of_weight ? run->parts : 1);
    if (rooms > 0 && !(run->rooms = kdl__new_values(ctx, KDL_F32, 1, &rooms)))
        return false;
    if (weight->move || (of_weight && run->parts > 1))
        run->weight = kdl__new_values(ctx, KDL_F32, 1, &weights);
    return !kdl__failed(ctx);
}

/* The weight's way in, or out once the parts' gradients are added up. */
static dnnl_status_t move_weight(const conv_run *run, bool out)
{
    const operand *o = &run->entry->operands[KDL__DNNL_WEIGHT];
    float *chosen = run->weight->storage->data, *plain = run->data[KDL__DNNL_WEIGHT];
    for (int64_t part = 1; out && part < run->parts; part++)
        for (int64_t i = 0; i < o->numel; i++)
            chosen[i] += chosen[part * o->numel + i];
    if (!o->move) {
        memcpy(plain, chosen, (size_t)o->numel * sizeof *plain);
        return dnnl_success;
    }
    int threads = kdl__one_library_thread();
    dnnl_stream_t stream = NULL;
    dnnl_status_t status = dnnl_stream_create(&stream, run->engine, dnnl_stream_default_flags);
    if (status == dnnl_success)
        status = move_operand(run, KDL__DNNL_WEIGHT, plain, chosen, stream);
    if (status == dnnl_success)
        status = dnnl_stream_wait(stream);
    dnnl_stream_destroy(stream);
    kdl__restore_library_threads(threads);
    return status;
}

static void run_all(kdl_context *ctx, conv_run *run)
{
    bool of_weight = run->entry->key.kind == KDL__DNNL_WEIGHT_GRAD;
    if (make_room(ctx, run) &&
        (of_weight || !run->weight || succeeded(ctx, move_weight(run, false)))) {
        kdl_status status = kdl__parallel(ctx, (size_t)run->parts, run_task, run);
        if (status == KDL_ERROR_MEMORY)
            succeeded(ctx, dnnl_out_of_memory);
        else if (status)
            succeeded(ctx, dnnl_runtime_error);
        else if (of_weight && run->weight)
            succeeded(ctx, move_weight(run, true));
    }
    kdl_tensor_release(run->rooms);
    kdl_tensor_release(run->weight);
}

bool kdl__dnnl_convolve(kdl__dnnl_kind kind, kdl_tensor *source, kdl_tensor *weight,
                        kdl_tensor *result, kdl_tensor *bias, const kdl__window *window,
                        int64_t groups)
{
    kdl_context *ctx = source->ctx;
    conv_cache *cache = cache_of(ctx);
    if (!cache)
        return false;
    int64_t samples = source->dims[0], outputs = result->dims[1];
    /* The gradients of the parts should not need more memory than what they are of. */
    int64_t most =
        kind == KDL__DNNL_WEIGHT_GRAD ? (source->numel + result->numel) / weight->numel : samples;
    int64_t parts =
        count_parts(window, samples, outputs, weight->numel / weight->dims[0], most < 4 ? 4 : most);
    conv_key key;
    memset(&key, 0, sizeof key);
    key.window = *window;
    key.samples = samples / parts;
    key.inputs = source->dims[1];
    key.outputs = outputs;
    key.groups = groups;
    key.kind = kind;
    key.bias = bias != NULL;
    conv_entry *entry = entry_for(ctx, cache, &key);
    if (!entry || !entry->usable)
        return false;
    kdl_tensor *const tensors[] = { source, weight, result, bias };
    conv_run run = { .entry = entry, .engine = cache->engine, .parts = parts };
    run.workers = parts < ctx->threads ? parts : ctx->threads;
    for (int i = 0; i < KDL__DNNL_TENSORS; i++) {
        run.data[i] = tensors[i] ? kdl_tensor_data(tensors[i]) : NULL;
        if (i == KDL__DNNL_SOURCE || i == KDL__DNNL_RESULT)
            run.step[i] = tensors[i]->numel / parts;
    }
    run_all(ctx, &run);
    return !kdl__failed(ctx);
}
