/* SPDX-License-Identifier: Apache-2.0 */
#include "support/contexts.h"

#include "kindling/random.h"

static int set_up(void **state, bool deferred)
{
    kdl_context_options options = KDL_CONTEXT_DEFAULTS;
    options.deferred = deferred;
    *state = kdl_context_new(&options);
    kdl_manual_seed(*state, 1);
    return *state == NULL;
}

int context_set_up(void **state)
{
    return set_up(state, false);
}

int deferred_set_up(void **state)
{
    return set_up(state, true);
}

int context_tear_down(void **state)
{
    int failed = kdl_error_status(*state) != KDL_OK;
    kdl_context_release(*state);
    return failed;
}

void keep_warning(void *last, const char *message)
{
    snprintf(last, MAX_WARNING, "%s", message);
}
