/* SPDX-License-Identifier: Apache-2.0 */
/* An allocator for tests: it counts, fails where it is told to, and knows what was not freed. */
#ifndef KDL_TESTS_SUPPORT_COUNTING_ALLOCATOR_H
#define KDL_TESTS_SUPPORT_COUNTING_ALLOCATOR_H

#include <stdatomic.h>

#include "kindling/base.h"

typedef struct counting_allocator {
    atomic_long calls; /* of reallocate so far */
    atomic_long live;  /* blocks not freed */
    long fail_from;    /* the call that fails, counted from 1; 0: none */
    bool fail_on;      /* whether those after it fail too */
} counting_allocator;

/* A context of one thread on a zeroed allocator; NULL when told to fail at once. */
kdl_context *counting_context_new(counting_allocator *allocator);

/* Releases the context and asserts that nothing is left of it. */
void counting_context_release(counting_allocator *allocator, kdl_context *ctx);

/*
 * Runs `body` with the n-th allocation failing, for n = 1, 2, ... until none is reached any more;
 * once with that one failing alone and once with all after it failing too. Asserts that the body
 * (which frees what it makes, asserts nothing that a failure may change, and returns the context's
 * status) ends with KDL_ERROR_MEMORY or KDL_OK, leaks nothing, and works in the same context when
 * memory is back. `body_data` goes to the body.
 */
void check_allocation_failures(kdl_status (*body)(kdl_context *ctx, void *body_data),
                               void *body_data);

#endif
