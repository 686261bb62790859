/* SPDX-License-Identifier: Apache-2.0 */
/* The version, the profile and the names of the statuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "kindling/base.h"

static void version_is_its_parts(void **state)
{
    char text[64];
    (void)state;
    snprintf(text, sizeof text, "%d.%d.%d", KDL_VERSION_MAJOR, KDL_VERSION_MINOR,
             KDL_VERSION_PATCH);
    assert_string_equal(kdl_version(), text);
    assert_string_equal(KDL_VERSION_STRING, text);
}

static void profile_names_the_oracle(void **state)
{
    (void)state;
    assert_string_equal(kdl_profile(), "torch-2.13");
}

static void status_names_are_distinct(void **state)
{
    (void)state;
    assert_string_equal(kdl_status_name(KDL_ERROR_VALUE), "ValueError");
    for (int a = KDL_OK; a <= KDL_ERROR_INTERRUPTED; a++) {
        assert_string_not_equal(kdl_status_name((kdl_status)a), "unknown status");
        for (int b = KDL_OK; b < a; b++)
            assert_string_not_equal(kdl_status_name((kdl_status)a), kdl_status_name((kdl_status)b));
    }
    assert_string_equal(kdl_status_name((kdl_status)(KDL_ERROR_INTERRUPTED + 1)), "unknown status");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_is_its_parts),
        cmocka_unit_test(profile_names_the_oracle),
        cmocka_unit_test(status_names_are_distinct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
