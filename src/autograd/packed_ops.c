/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packed and padded sequences. Each way from one to the other is a choice of rows by their numbers;
 * where there is padding, of one more row of it.
 */
#include <string.h>

#include "autograd/function.h"
#include "kindling/functional.h"

void kdl_packed_sequence_release(kdl_packed_sequence *packed)
{
    kdl_tensor_release(packed->data);
    kdl_tensor_release(packed->batch_sizes);
    kdl_tensor_release(packed->sorted_indices);
    kdl_tensor_release(packed->unsorted_indices);
    *packed = (kdl_packed_sequence){ 0 };
}

static kdl_tensor *new_numbers(kdl_context *ctx, int64_t count)
{
    return kdl__new_values(ctx, KDL_I64, 1, &count);
}

static int64_t *numbers_in(const kdl_tensor *tensor)
{
    return (int64_t *)tensor->storage->data + tensor->offset;
}

/* ---- orders ------------------------------------------------------------------------------ */

/* Whether it is a vector of i64; its row-major values, in memory, in *values (a reference). */
static bool read_numbers(kdl_tensor *tensor, const char *name, kdl_tensor **values)
{
    *values = NULL;
    if (tensor->ndim != 1 || tensor->storage->dtype != KDL_I64)
        kdl__fail_at(tensor->ctx, "torch.nn.utils.rnn", KDL_ERROR_RUNTIME,
                     "'%s' argument should be a 1D CPU int64 tensor, but got %dD cpu %s tensor",
                     name, tensor->ndim, kdl_dtype_scalar_name(tensor->storage->dtype));
    else
        *values = kdl__in_memory(kdl__in_rows(tensor));
    return *values;
}

kdl_tensor *kdl_invert_permutation(kdl_tensor *permutation)
{
    kdl_tensor *values;
    if (!kdl__usable(__func__, 1, &permutation) ||
        !read_numbers(permutation, "permutation", &values))
        return NULL;
    int64_t count = values->numel;
    const int64_t *from = numbers_in(values);
    kdl_tensor *inverse = new_numbers(values->ctx, count);
    for (int64_t i = 0; inverse && i < count; i++)
        numbers_in(inverse)[i] = -1;
    for (int64_t i = 0; inverse && i < count && !kdl__failed(values->ctx); i++) {
        if (from[i] < 0 || from[i] >= count || numbers_in(inverse)[from[i]] >= 0)
            kdl__fail(values->ctx, KDL_ERROR_RUNTIME,
                      "index %" PRId64 " is no element of a permutation of %" PRId64, from[i],
                      count);
        else
            numbers_in(inverse)[from[i]] = i;
    }
    kdl_tensor_release(values);
    if (inverse && kdl__failed(inverse->ctx)) {
        kdl_tensor_release(inverse);
        return NULL;
    }
    return inverse;
}

/* Fills `order` with the numbers of `count` lengths, the longest first, equal ones as they come. */
static void sort_lengths(const int64_t *lengths, int64_t *order, int64_t *space, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        order[i] = i;
    for (int64_t width = 1; width < count; width *= 2) { /* merges runs of that width */
        for (int64_t at = 0; at < count; at += 2 * width) {
            int64_t middle = at + width < count ? at + width : count;
            int64_t end = middle + width < count ? middle + width : count;
            for (int64_t i = at, left = at, right = middle; i < end; i++) {
                bool first = left < middle &&
                             (right >= end || lengths[order[left]] >= lengths[order[right]]);
                space[i] = first ? order[left++] : order[right++];
            }
        }
        memcpy(order, space, (size_t)count * sizeof *order);
    }
}

/* torch.sort(lengths, descending=True)[1]. */
static kdl_tensor *sorted_order(const kdl_tensor *lengths)
{
    kdl_tensor *order = new_numbers(lengths->ctx, lengths->numel);
    kdl_tensor *space = new_numbers(lengths->ctx, lengths->numel);
    if (order && space)
        sort_lengths(numbers_in(lengths), numbers_in(order), numbers_in(space), lengths->numel);
    kdl_tensor_release(space);
    return order;
}

/* ---- packing ----------------------------------------------------------------------------- */

/* Packed sequences on the way: lengths and order of the sequences; NULL: as they are. */
typedef struct packing {
    kdl_tensor *lengths, *order;
} packing;

static int64_t place_in_order(const packing *p, int64_t i)
{
    return p->order ? numbers_in(p->order)[i] : i;
}

static int64_t length_of(const packing *p, int64_t i)
{
    return numbers_in(p->lengths)[place_in_order(p, i)];
}

/* PyTorch's errors for `count` sequences of at most `longest` steps. */
static bool check_lengths(const packing *p, int64_t count, int64_t longest)
{
    static const char place[] = "kdl_pack_padded_sequence";
    kdl_context *ctx = p->lengths->ctx;
    if (p->lengths->numel != count) {
        kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                     "Expected `len(lengths)` to be equal to batch_size, but got %" PRId64
                     " (batch_size=%" PRId64 ")",
                     p->lengths->numel, count);
        return false;
    }
    for (int64_t i = 1; i < count; i++) {
        if (length_of(p, i) > length_of(p, i - 1)) {
            kdl__fail_at(
                ctx, place, KDL_ERROR_RUNTIME,
                "`lengths` array must be sorted in decreasing order when `enforce_sorted` "
                "is True. You can pass `enforce_sorted=False` to pack_padded_sequence "
                "and/or pack_sequence to sidestep this requirement if you do not need ONNX "
                "exportability.");
            return false;
        }
    }
    if (length_of(p, count - 1) <= 0)
        kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                     "Length of all samples has to be greater than 0, but found an element in "
                     "'lengths' that is <= 0");
    else if (length_of(p, 0) > longest)
        kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                     "a length of %" PRId64 " is beyond the %" PRId64 " steps that there are",
                     length_of(p, 0), longest);
    return !kdl__failed(ctx);
}

/* How many of `count` sequences have each step. */
static kdl_tensor *count_steps(const packing *p, int64_t count)
{
    kdl_tensor *sizes = new_numbers(p->lengths->ctx, length_of(p, 0));
    for (int64_t t = 0, n = count; sizes && t < sizes->numel; t++) {
        while (length_of(p, n - 1) <= t)
            n--;
        numbers_in(sizes)[t] = n;
    }
    return sizes;
}

/* The rows of all steps: step t of sequence n is row t * step + n * sequence. */
static kdl_tensor *rows_of(const packing *p, const kdl_tensor *sizes, int64_t step,
                           int64_t sequence)
{
    int64_t total = 0, row = 0;
    for (int64_t t = 0; t < sizes->numel; t++)
        total += numbers_in(sizes)[t];
    kdl_tensor *rows = new_numbers(sizes->ctx, total);
    for (int64_t t = 0; rows && t < sizes->numel; t++)
        for (int64_t i = 0; i < numbers_in(sizes)[t]; i++)
            numbers_in(rows)[row++] = t * step + place_in_order(p, i) * sequence;
    return rows;
}

static void pack(kdl_tensor *input, packing *p, kdl_packed_sequence *packed,
                 const kdl_pack_sequence_options *o)
{
    kdl__scope scope = { 0 };
    int64_t steps = input->dims[o->batch_first], count = input->dims[!o->batch_first];
    if (!o->enforce_sorted)
        packed->sorted_indices = p->order = sorted_order(p->lengths);
    if (kdl__failed(input->ctx) || !check_lengths(p, count, steps))
        return;
    if (p->order)
        packed->unsorted_indices = kdl_invert_permutation(p->order);
    kdl_tensor *sizes = packed->batch_sizes = count_steps(p, count), *rows = NULL;
    if (sizes)
        rows = kdl__hold(&scope, o->batch_first ? rows_of(p, sizes, 1, steps)
                                                : rows_of(p, sizes, count, 1));
    kdl_tensor *flat = kdl__hold(&scope, kdl_flatten(input, 0, 1));
    packed->data = kdl_index_select(flat, 0, rows);
    kdl__close(&scope, NULL);
}

kdl_status kdl_pack_padded_sequence_with(kdl_tensor *input, kdl_tensor *lengths,
                                         kdl_packed_sequence *packed,
                                         const kdl_pack_sequence_options *given)
{
    static const char place[] = "kdl_pack_padded_sequence";
    kdl_pack_sequence_options options = KDL_PACK_SEQUENCE_DEFAULTS;
    kdl_tensor *both[] = { input, lengths };
    packing p = { NULL, NULL };
    *packed = (kdl_packed_sequence){ 0 };
    if (!kdl__usable(place, 2, both) ||
        !kdl__read_options(input->ctx, place, &options, sizeof options, given))
        return kdl__refusal(input);
    if (input->ndim < 2)
        kdl__fail_at(input->ctx, place, KDL_ERROR_INDEX,
                     "Dimension out of range (expected to be in range of [-1, 0], but got 1)");
    else if (input->numel == 0)
        kdl__fail_at(input->ctx, place, KDL_ERROR_RUNTIME, "Cannot pack empty tensors.");
    else if (read_numbers(lengths, "lengths", &p.lengths))
        pack(input, &p, packed, &options);
    kdl_tensor_release(p.lengths);
    if (kdl__failed(input->ctx))
        kdl_packed_sequence_release(packed);
    return input->ctx->status;
}

/* ---- padding ----------------------------------------------------------------------------- */

/* Rows by their numbers, of `data` and, behind them, one of padding; as (first, second, *). */
static kdl_tensor *choose(kdl_tensor *data, kdl_tensor *rows, double padding, int64_t first,
                          int64_t second)
{
    kdl__scope scope = { 0 };
    if (!data || !rows)
        return NULL;
    kdl_shape one = kdl_tensor_shape(data), shape = { { first, second }, data->ndim + 1 };
    one.sizes[0] = 1;
    memcpy(shape.sizes + 2, data->dims + 1, (size_t)(data->ndim - 1) * sizeof *shape.sizes);
    kdl_tensor *row = kdl__hold(
        &scope, kdl__in_memory(kdl_full(data->ctx, one, padding, .dtype = kdl_tensor_dtype(data))));
    kdl_tensor *both[] = { data, row };
    kdl_tensor *all = row ? kdl__hold(&scope, kdl_cat(both, 2, 0)) : NULL;
    kdl_tensor *chosen = kdl__hold(&scope, kdl_index_select(all, 0, rows));
    return kdl__close(&scope, kdl_reshape(chosen, shape));
}

/* Where padded tensors (T, N, *) or (N, T, *) have step t of sequence n. */
static int64_t *padded_place(kdl_tensor *rows, const kdl_pad_sequence_options *o, int64_t steps,
                             int64_t count, int64_t t, int64_t n)
{
    return numbers_in(rows) + (o->batch_first ? n * steps + t : t * count + n);
}

static kdl_tensor *new_padding(kdl_context *ctx, int64_t steps, int64_t count, int64_t padding)
{
    int64_t numel;
    if (!kdl__shape_numel(ctx, 2, (int64_t[]){ steps, count }, &numel))
        return NULL;
    kdl_tensor *rows = new_numbers(ctx, numel);
    for (int64_t i = 0; rows && i < numel; i++)
        numbers_in(rows)[i] = padding;
    return rows;
}

/* Whether these can be packed sequences of data's rows; what they have of numbers, in memory. */
static bool read_packed(const kdl_packed_sequence *packed, kdl_tensor **sizes, kdl_tensor **order)
{
    *sizes = *order = NULL;
    kdl_tensor *data = packed->data;
    if (!read_numbers(packed->batch_sizes, "batch_sizes", sizes) ||
        (packed->sorted_indices && !read_numbers(packed->sorted_indices, "sorted_indices", order)))
        return false;
    const int64_t *n = numbers_in(*sizes);
    int64_t total = 0, before = INT64_MAX;
    bool fits = (*sizes)->numel > 0 && data->ndim > 0 && data->ndim < KDL_MAX_DIMS;
    for (int64_t t = 0; fits && t < (*sizes)->numel; before = n[t++]) {
        fits = n[t] > 0 && n[t] <= before && n[t] <= data->dims[0] - total;
        total += fits ? n[t] : 0;
    }
    fits = fits && total == data->dims[0] && (!*order || (*order)->numel == n[0]);
    for (int64_t i = 0; fits && *order && i < n[0]; i++)
        fits = numbers_in(*order)[i] >= 0 && numbers_in(*order)[i] < n[0];
    if (!fits)
        kdl__fail_at(data->ctx, "kdl_pad_packed_sequence", KDL_ERROR_RUNTIME,
                     "this is no PackedSequence: its batch_sizes or sorted_indices do not fit");
    return fits;
}

/* The lengths of sequences in the order that they had. */
static kdl_tensor *lengths_of(const kdl_tensor *sizes, const packing *p)
{
    int64_t count = numbers_in(sizes)[0];
    kdl_tensor *lengths = new_numbers(sizes->ctx, count);
    for (int64_t t = 0; lengths && t < sizes->numel; t++)
        for (int64_t i = 0; i < numbers_in(sizes)[t]; i++)
            numbers_in(lengths)[place_in_order(p, i)] = t + 1;
    return lengths;
}

static kdl_tensor *pad_packed(const kdl_packed_sequence *packed, const kdl_tensor *sizes,
                              const packing *p, const kdl_pad_sequence_options *o)
{
    kdl_context *ctx = packed->data->ctx;
    int64_t steps = sizes->numel, count = numbers_in(sizes)[0], row = 0;
    if (o->total_length != KDL_NONE_INT) {
        if (o->total_length < steps) {
            kdl__fail_at(ctx, "kdl_pad_packed_sequence", KDL_ERROR_VALUE,
                         "Expected total_length to be at least the length of the longest sequence "
                         "in input, but got total_length=%" PRId64
                         " and max sequence length being %" PRId64,
                         o->total_length, steps);
            return NULL;
        }
        steps = o->total_length;
    }
    kdl_tensor *rows = new_padding(ctx, steps, count, packed->data->dims[0]);
    for (int64_t t = 0; rows && t < sizes->numel; t++)
        for (int64_t i = 0; i < numbers_in(sizes)[t]; i++)
            *padded_place(rows, o, steps, count, t, place_in_order(p, i)) = row++;
    kdl_tensor *result = choose(packed->data, rows, o->padding_value,
                                o->batch_first ? count : steps, o->batch_first ? steps : count);
    kdl_tensor_release(rows);
    return result;
}

kdl_tensor *kdl_pad_packed_sequence_with(const kdl_packed_sequence *packed, kdl_tensor **lengths,
                                         const kdl_pad_sequence_options *given)
{
    static const char place[] = "kdl_pad_packed_sequence";
    kdl_pad_sequence_options options = KDL_PAD_SEQUENCE_DEFAULTS;
    kdl_tensor *all[] = { packed->data, packed->batch_sizes, packed->sorted_indices };
    if (lengths)
        *lengths = NULL;
    if (!kdl__usable(place, all[2] ? 3 : 2, all) ||
        !kdl__read_options(all[0]->ctx, place, &options, sizeof options, given))
        return NULL;
    packing p = { NULL, NULL };
    kdl_tensor *sizes, *result = NULL;
    if (read_packed(packed, &sizes, &p.order))
        result = pad_packed(packed, sizes, &p, &options);
    if (result && lengths)
        *lengths = lengths_of(sizes, &p);
    kdl_tensor_release(sizes);
    kdl_tensor_release(p.order);
    return result;
}

/* ---- lists of sequences ------------------------------------------------------------------ */

/* Whether all have the first one's sizes, but for the first size; *longest gets the most of it. */
static bool check_sequences(kdl_tensor *const *sequences, int count, int64_t *longest)
{
    kdl_tensor *first = sequences[0];
    *longest = 0;
    if (first->ndim == 0 || first->ndim == KDL_MAX_DIMS) {
        kdl__fail_at(first->ctx, "kdl_pad_sequence", KDL_ERROR_RUNTIME,
                     "sequences of 1 to %d dimensions are needed, not of %d", KDL_MAX_DIMS - 1,
                     first->ndim);
        return false;
    }
    for (int i = 0; i < count; i++) {
        const kdl_tensor *other = sequences[i];
        for (int d = 1; d < first->ndim; d++) {
            int64_t size = other->ndim == first->ndim ? other->dims[d] : 1;
            if (size == first->dims[d] && other->ndim == first->ndim)
                continue;
            kdl__fail_at(first->ctx, "kdl_pad_sequence", KDL_ERROR_RUNTIME,
                         "The size of tensor a (%" PRId64 ") must match the size of tensor b "
                         "(%" PRId64 ") at non-singleton dimension %d",
                         first->dims[d], size, d);
            return false;
        }
        *longest = other->dims[0] > *longest ? other->dims[0] : *longest;
    }
    return true;
}

static kdl_tensor *pad_list(kdl_tensor *const *sequences, int count,
                            const kdl_pad_sequence_options *o)
{
    kdl_context *ctx = sequences[0]->ctx;
    int64_t steps, total = 0, row = 0;
    bool left = strcmp(o->padding_side, "left") == 0;
    if (!check_sequences(sequences, count, &steps))
        return NULL;
    for (int i = 0; i < count; i++)
        total += sequences[i]->dims[0];
    kdl_tensor *data = kdl_cat(sequences, count, 0), *rows = new_padding(ctx, steps, count, total);
    for (int n = 0; rows && n < count; n++) {
        int64_t length = sequences[n]->dims[0], first = left ? steps - length : 0;
        for (int64_t t = 0; t < length; t++)
            *padded_place(rows, o, steps, count, first + t, n) = row++;
    }
    kdl_tensor *result = choose(data, rows, o->padding_value, o->batch_first ? count : steps,
                                o->batch_first ? steps : count);
    kdl_tensor_release(data);
    kdl_tensor_release(rows);
    return result;
}

/* Whether there are sequences that can be used together; without one there is no context either. */
static bool check_list(kdl_tensor *const *sequences, int count, const char *place)
{
    return count > 0 && kdl__usable(place, count, sequences);
}

kdl_tensor *kdl_pad_sequence_with(kdl_tensor *const *sequences, int count,
                                  const kdl_pad_sequence_options *given)
{
    static const char place[] = "kdl_pad_sequence";
    kdl_pad_sequence_options options = KDL_PAD_SEQUENCE_DEFAULTS;
    if (!check_list(sequences, count, place) ||
        !kdl__read_options(sequences[0]->ctx, place, &options, sizeof options, given))
        return NULL;
    const char *side = options.padding_side ? options.padding_side : "None";
    if (strcmp(side, "left") != 0 && strcmp(side, "right") != 0) {
        kdl__fail_at(sequences[0]->ctx, place, KDL_ERROR_RUNTIME,
                     "Expected padding_side to be one of left or right, but got %s.", side);
        return NULL;
    }
    return pad_list(sequences, count, &options);
}

kdl_status kdl_pack_sequence_with(kdl_tensor *const *sequences, int count,
                                  kdl_packed_sequence *packed,
                                  const kdl_pack_sequence_options *given)
{
    static const char place[] = "kdl_pack_sequence";
    *packed = (kdl_packed_sequence){ 0 };
    if (!check_list(sequences, count, place))
        return kdl__refusal(count > 0 ? sequences[0] : NULL);
    kdl_context *ctx = sequences[0]->ctx;
    kdl_pack_sequence_options options = KDL_PACK_SEQUENCE_DEFAULTS;
    if (!kdl__read_options(ctx, place, &options, sizeof options, given))
        return ctx->status;
    options.batch_first = false;
    kdl_tensor *padded = kdl_pad_sequence(sequences, count), *lengths = NULL;
    if (padded)
        lengths = new_numbers(ctx, count);
    for (int i = 0; lengths && i < count; i++)
        numbers_in(lengths)[i] = sequences[i]->dims[0];
    kdl_pack_padded_sequence_with(padded, lengths, packed, &options);
    kdl_tensor_release(padded);
    kdl_tensor_release(lengths);
    return ctx->status;
}

/* The first `length` steps (none for a negative one, and no more than there are) of sequence n. */
static kdl_tensor *unpadded(kdl_tensor *padded, int64_t n, int64_t length, bool batch_first)
{
    kdl_tensor *sequence = kdl_select(padded, batch_first ? 0 : 1, n);
    int64_t steps = padded->dims[batch_first];
    length = length < 0 ? 0 : length < steps ? length : steps;
    kdl_tensor *part = sequence ? kdl_narrow(sequence, 0, 0, length) : NULL;
    kdl_tensor_release(sequence);
    return part;
}

int kdl_unpad_sequence(kdl_tensor *padded, kdl_tensor *lengths, bool batch_first,
                       kdl_tensor **sequences, int room)
{
    kdl_tensor *both[] = { padded, lengths }, *numbers = NULL;
    if (!kdl__usable(__func__, 2, both))
        return 0;
    kdl_context *ctx = padded->ctx;
    int64_t count = padded->ndim >= 2 ? padded->dims[!batch_first] : 0;
    int done = 0;
    if (padded->ndim < 2)
        kdl__fail(ctx, KDL_ERROR_INDEX,
                  "Dimension out of range (expected to be in range of [-1, 0], but got 1)");
    else if (lengths->ndim == 1 && lengths->dims[0] != count)
        kdl__fail(ctx, KDL_ERROR_VALUE, "zip() argument 2 is %s than argument 1",
                  lengths->dims[0] > count ? "longer" : "shorter");
    else if (count > room)
        kdl__fail(ctx, KDL_ERROR_VALUE, "there are %" PRId64 " sequences, and room for %d", count,
                  room);
    else if (read_numbers(lengths, "lengths", &numbers))
        for (; done < count && !kdl__failed(ctx); done++)
            sequences[done] = unpadded(padded, done, numbers_in(numbers)[done], batch_first);
    kdl_tensor_release(numbers);
    for (; done > 0 && kdl__failed(ctx); done--)
        kdl_tensor_release(sequences[done - 1]);
    return done;
}

int kdl_unpack_sequence(const kdl_packed_sequence *packed, kdl_tensor **sequences, int room)
{
    kdl_tensor *lengths = NULL;
    kdl_tensor *padded = kdl_pad_packed_sequence(packed, &lengths, .batch_first = true);
    int count = kdl_unpad_sequence(padded, lengths, true, sequences, room);
    kdl_tensor_release(padded);
    kdl_tensor_release(lengths);
    return count;
}
