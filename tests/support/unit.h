/* SPDX-License-Identifier: Apache-2.0 */
/* What every cmocka test includes, in the order that cmocka asks for. */
#ifndef KDL_TESTS_SUPPORT_UNIT_H
#define KDL_TESTS_SUPPORT_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kindling/base.h"

/*
 * How far to go from one case to the next in a long loop: an emulated processor takes every n-th.
 */
#ifdef KDL_TEST_EMULATED
#define CASE_STEP(n) (n)
#else
#define CASE_STEP(n) 1
#endif

/* Asserts the kept error's status and message, and clears it. */
#define assert_error(ctx, expected_status, expected_message)                                       \
    do {                                                                                           \
        assert_int_equal(kdl_error_status(ctx), expected_status);                                  \
        assert_string_equal(kdl_error_message(ctx), expected_message);                             \
        kdl_error_clear(ctx);                                                                      \
    } while (0)

#endif
