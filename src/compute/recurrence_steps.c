/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of recurrent layers, by sets of loops. */
#include "compute/recurrence_steps.h"

#include <string.h>

#define KDL__LOOPS "compute/recurrence_loops.h"
#include "compute/loop_sets.h"

static const kdl__recurrent_steps *const step_sets[] = KDL__LOOP_SET(&steps);

const kdl__recurrent_steps *kdl__recurrent_steps_of(const kdl_tensor *tensor)
{
    return step_sets[kdl__loops_of(tensor)];
}
