/* SPDX-License-Identifier: Apache-2.0 */
/* Chooses the kernel table for this machine. */
#include "kernels/kernels.h"

const kdl__kernels *kdl__kernels_best(void)
{
    return &kdl__kernels_ref;
}
