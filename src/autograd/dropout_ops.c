/* SPDX-License-Identifier: Apache-2.0 */
/* Dropout. */
#include "autograd/function.h"
#include "kindling/functional.h"
#include "kindling/ops.h"

/* PyTorch's at::dropout: a mask of bernoulli_(1 - p), scaled, times the input. */
kdl_tensor *kdl_f_dropout(kdl_tensor *input, double p, bool training)
{
    if (kdl__refuses(input))
        return NULL;
    if (!(p >= 0 && p <= 1)) {
        kdl__fail(input->ctx, KDL_ERROR_VALUE,
                  "dropout probability has to be between 0 and 1, but got %g", p);
        return NULL;
    }
    if (p == 0 || !training || input->numel == 0)
        return kdl_tensor_retain(input);
    if (p == 1)
        return kdl_mul(input, 0);
    kdl_tensor *mask = kdl_empty_like(input), *scaled = NULL, *result = NULL;
    if (mask && !kdl_bernoulli_(mask, 1 - p))
        scaled = kdl_div(mask, 1 - p);
    if (scaled)
        result = kdl_mul_tensor(input, scaled);
    kdl_tensor_release(mask);
    kdl_tensor_release(scaled);
    return result;
}
