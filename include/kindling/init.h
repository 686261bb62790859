/* SPDX-License-Identifier: Apache-2.0 */
/* torch.nn.init: fill tensors as PyTorch's initialisers do. */
#ifndef KINDLING_INIT_H
#define KINDLING_INIT_H

#include "kindling/random.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Chooses what computes the QR factorisations of kdl_init_orthogonal_() in this context.
 *
 * "builtin" (the default): Kindling's own, in f64, with the same bits on every machine and for any
 *     number of threads. They are as good as PyTorch's but differ from them by rounding.
 * "mkl" or "mkl:PATH": Intel's MKL, loaded now: PATH is libmkl_rt.so.2 or the folder that holds it;
 *     without PATH the dynamic linker's search finds it. PyTorch's own bits, which depend on its
 *     number of threads: set this context's to the same (kdl_set_num_threads()). PyTorch 2.13.0
 *     carries MKL 2024.2; another version is accepted with a warning. x86-64 only.
 *
 * Errors: ValueError for another name; RuntimeError when the library cannot be loaded or lacks a
 * function, with the dynamic linker's words. The choice then stays what it was.
 * A library that was loaded stays loaded until the process ends.
 */
KDL_API kdl_status kdl_set_lapack(kdl_context *ctx, const char *name);

/** The choice in force: "builtin" or "mkl" (a static string). */
KDL_API const char *kdl_get_lapack(const kdl_context *ctx);

#ifdef __cplusplus
}
#endif
#endif
