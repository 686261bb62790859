/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts for cmocka tests: made before a test, and clean when it ends. */
#ifndef KDL_TESTS_SUPPORT_CONTEXTS_H
#define KDL_TESTS_SUPPORT_CONTEXTS_H

#include "support/unit.h"

/*
 * *state is a new context, seeded with 1; that of a recorded test defers, of a training test
 * trains.
 */
int context_set_up(void **state);
int deferred_set_up(void **state);
int training_set_up(void **state);

/* Releases the context; no error may stand in it. */
int context_tear_down(void **state);

/* For kdl_set_warning_callback(): keeps the last warning in an array of MAX_WARNING characters. */
enum { MAX_WARNING = 512 };
void keep_warning(void *last, const char *message);

#define CONTEXT_TEST(function)                                                                     \
    cmocka_unit_test_setup_teardown(function, context_set_up, context_tear_down)
#define RECORDED_TEST(function)                                                                    \
    {                                                                                              \
#function "_recorded", function, deferred_set_up, context_tear_down, NULL                  \
    }
#define TRAINING_TEST(function)                                                                    \
    cmocka_unit_test_setup_teardown(function, training_set_up, context_tear_down)

#endif
