/* SPDX-License-Identifier: Apache-2.0 */
/* Apart from contexts.c, so that only what tests libkindling_train has to link it. */
#include "kindling/train.h"
#include "support/contexts.h"

int training_set_up(void **state)
{
    return context_set_up(state) || kdl_train_enable(*state) != KDL_OK;
}
