/* SPDX-License-Identifier: Apache-2.0 */
/* A generator's state as the 5056 bytes of torch.Generator.get_state(). */
#include <stddef.h>
#include <string.h>

#include "random/stream.h"

/* CPUGeneratorImplState of ATen, on a little-endian machine. */
typedef struct state_bytes {
    uint64_t seed;
    int32_t left;
    int32_t seeded;
    uint64_t next;
    uint64_t words[KDL__MT_WORDS];
    double normal_x;
    double normal_y; /* the spare */
    double normal_rho;
    int32_t normal_is_valid;
    int32_t padding;
    float next_float;
    uint8_t next_float_valid;
    uint8_t more_padding[3];
} state_bytes;

_Static_assert(sizeof(state_bytes) == KDL_GENERATOR_STATE_NBYTES, "the layout of PyTorch's state");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the state's bytes are little-endian");

kdl_status kdl_generator_get_state(kdl_generator *generator, void *out)
{
    kdl__cursor *cursor = kdl__generator_engine(generator, __func__);
    if (!cursor)
        return generator ? generator->ctx->status : KDL_ERROR_VALUE;
    state_bytes state;
    memset(&state, 0, sizeof state);
    state.seed = cursor->stream->seed;
    state.seeded = 1;
    state.next = cursor->draw == 0 ? cursor->stream->next : cursor->mt.next;
    state.left = (int32_t)(KDL__MT_WORDS + 1 - cursor->mt.next);
    for (int i = 0; i < KDL__MT_WORDS; i++)
        state.words[i] = cursor->mt.words[i];
    state.next_float = generator->next_float;
    state.next_float_valid = generator->next_float_valid;
    const kdl__spare *spare = &generator->spare;
    if (spare->present) {
        if (spare->origin.segment && kdl__segment_resolve(spare->origin.segment, cursor))
            return kdl__fail(generator->ctx, KDL_ERROR_RUNTIME,
                             "the spare normal could not be computed");
        state.normal_is_valid = 1;
        state.normal_y = kdl__spare_value(spare, cursor);
    }
    memcpy(out, &state, sizeof state);
    return KDL_OK;
}

/* Whether an engine can go on from there: PyTorch's checks, and that its two counters agree. */
static bool is_valid(const state_bytes *state)
{
    return state->seeded && state->left > 0 && state->left <= KDL__MT_WORDS &&
           state->next <= KDL__MT_WORDS &&
           (state->left == 1 || (uint64_t)state->left + state->next == KDL__MT_WORDS + 1);
}

kdl_status kdl_generator_set_state(kdl_generator *generator, const void *bytes, size_t nbytes)
{
    if (!generator)
        return KDL_ERROR_VALUE;
    kdl_context *ctx = generator->ctx;
    if (kdl__failed(ctx))
        return ctx->status;
    if (nbytes != KDL_GENERATOR_STATE_NBYTES)
        return kdl__fail(
            ctx, KDL_ERROR_RUNTIME,
            "Expected a CPUGeneratorImplState of size %d but found the input RNG state "
            "size to be %zu",
            KDL_GENERATOR_STATE_NBYTES, nbytes);
    state_bytes state;
    memcpy(&state, bytes, sizeof state);
    if (!is_valid(&state))
        return kdl__fail(ctx, KDL_ERROR_RUNTIME, "Invalid mt19937 state");
    kdl__mt origin = { .next = (uint32_t)(KDL__MT_WORDS + 1 - state.left) };
    for (int i = 0; i < KDL__MT_WORDS; i++)
        origin.words[i] = (uint32_t)state.words[i];
    if (kdl__generator_restart(generator,
                               kdl__stream_from_state(ctx, state.seed, &origin, state.next)))
        return ctx->status;
    generator->next_float_valid = state.next_float_valid != 0;
    generator->next_float = generator->next_float_valid ? state.next_float : 0;
    if (state.normal_is_valid)
        generator->spare = (kdl__spare){ .present = true, .known = true, .value = state.normal_y };
    return KDL_OK;
}
