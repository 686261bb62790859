/* SPDX-License-Identifier: Apache-2.0 */
/* Modules for tests. */
#include "support/modules.h"

#include "support/golden.h"
#include "support/unit.h"

uint64_t digest_values(kdl_module *module)
{
    size_t total = 0, nbytes = 0;
    for (kdl_iterator it = kdl_state_dict(module); kdl_next(&it);)
        total += kdl_tensor_nbytes(it.tensor);
    char *values = malloc(total + 1);
    assert_non_null(values);
    for (kdl_iterator it = kdl_state_dict(module); kdl_next(&it);) {
        memcpy(values + nbytes, kdl_tensor_data(it.tensor), kdl_tensor_nbytes(it.tensor));
        nbytes += kdl_tensor_nbytes(it.tensor);
    }
    uint64_t digest = golden_digest(values, nbytes);
    free(values);
    return digest;
}
