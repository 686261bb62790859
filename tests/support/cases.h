/* SPDX-License-Identifier: Apache-2.0 */
/* Golden cases about tensors, which tests/golden/tensor_cases.py describes. */
#ifndef KDL_TESTS_SUPPORT_CASES_H
#define KDL_TESTS_SUPPORT_CASES_H

#include <jansson.h>

#include "kindling/tensor.h"

/* The array of cases in a file of the golden folder; aborts when it cannot be read. */
json_t *load_cases(const char *name);

/*
 * The tensor of a case: its dtype, its shape filled with its pattern, then its view calls. NULL
 * when a call failed, with the error in the context.
 */
kdl_tensor *case_tensor(kdl_context *ctx, const json_t *given);

const char *case_text(const json_t *given, const char *key);

#endif
