/* SPDX-License-Identifier: Apache-2.0 */
/* Kindling: PyTorch's parameters and initialisation, bit for bit, in C. Includes every header. */
#ifndef KINDLING_KINDLING_H
#define KINDLING_KINDLING_H

#include "kindling/base.h"
#include "kindling/checkpoint.h"
#include "kindling/description.h"
#include "kindling/dtype.h"
#include "kindling/init.h"
#include "kindling/models.h"
#include "kindling/module.h"
#include "kindling/module_hooks.h"
#include "kindling/module_state_dict.h"
#include "kindling/nn.h"
#include "kindling/options.h"
#include "kindling/ops.h"
#include "kindling/plan.h"
#include "kindling/random.h"
#include "kindling/scheme.h"
#include "kindling/tensor.h"

#endif
