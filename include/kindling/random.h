/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generators: torch.Generator on the CPU, an MT19937 stream with a position.
 *
 * A position counts 32-bit draws since the last manual_seed or set_state.
 */
#ifndef KINDLING_RANDOM_H
#define KINDLING_RANDOM_H

#include "kindling/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kdl_generator kdl_generator;

/** Bytes of a generator's state, as torch.Generator.get_state() returns it. */
#define KDL_GENERATOR_STATE_NBYTES 5056
/** The seed that a new generator starts from. */
#define KDL_DEFAULT_SEED UINT64_C(67280421310721)

/** torch.Generator(): a new generator, seeded with KDL_DEFAULT_SEED. One reference. */
KDL_API kdl_generator *kdl_generator_new(kdl_context *ctx);
KDL_API kdl_generator *kdl_generator_retain(kdl_generator *generator);
KDL_API void kdl_generator_release(kdl_generator *generator);
/** torch.default_generator of this context (borrowed); used where no generator is given. */
KDL_API kdl_generator *kdl_default_generator(kdl_context *ctx);
/** Generator.clone_state(): an independent generator in the same state. */
KDL_API kdl_generator *kdl_generator_clone(kdl_generator *generator);

/** torch.manual_seed(seed) of the default generator. Cast a negative seed to uint64_t. */
KDL_API kdl_status kdl_manual_seed(kdl_context *ctx, uint64_t seed);
/** Generator.manual_seed(seed): only the low 32 bits choose the stream. */
KDL_API kdl_status kdl_generator_manual_seed(kdl_generator *generator, uint64_t seed);
/** Generator.initial_seed(): the whole 64-bit seed. */
KDL_API uint64_t kdl_generator_initial_seed(const kdl_generator *generator);

/** Generator.get_state(): writes KDL_GENERATOR_STATE_NBYTES bytes, equal to PyTorch's. */
KDL_API kdl_status kdl_generator_get_state(kdl_generator *generator, void *state);
/** Generator.set_state(): RuntimeError for a state that PyTorch refuses. The position becomes 0. */
KDL_API kdl_status kdl_generator_set_state(kdl_generator *generator, const void *state,
                                           size_t nbytes);

/** The position, in draws; -1 on failure (it may depend on data that cannot be computed). */
KDL_API int64_t kdl_generator_tell(kdl_generator *generator);
/** Moves to a position in draws, forwards or backwards; drops the spare normal. */
KDL_API kdl_status kdl_generator_seek(kdl_generator *generator, int64_t position);
/** Generator.random(): the next 32-bit draw; 0 on failure. */
KDL_API uint32_t kdl_generator_random(kdl_generator *generator);
/** Generator.random64(): the next two draws, the first one high. */
KDL_API uint64_t kdl_generator_random64(kdl_generator *generator);

#ifdef __cplusplus
}
#endif
#endif
