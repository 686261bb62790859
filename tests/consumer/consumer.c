/* SPDX-License-Identifier: Apache-2.0 */
/* A program outside the tree, in the part of C that is C++ too: consumer.cpp includes it. */
#include <kindling/base.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    kdl_context *ctx = kdl_context_new(NULL);
    if (!ctx || strcmp(kdl_version(), KDL_VERSION_STRING) != 0)
        return 1;
    /* A failing call must leave its message, so that more than linking is tried. */
    if (kdl_set_num_threads(ctx, -1) != KDL_ERROR_VALUE || !kdl_error_message(ctx)[0])
        return 1;
    kdl_error_clear(ctx);
    printf("%s %s %d\n", kdl_version(), kdl_profile(), kdl_get_num_threads(ctx));
    kdl_context_release(ctx);
    return 0;
}
