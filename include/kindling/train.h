/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that libkindling_train adds to kindling.h. */
#ifndef KINDLING_TRAIN_H
#define KINDLING_TRAIN_H

#include "kindling/autograd.h"
#include "kindling/data.h"
#include "kindling/functional.h"
#include "kindling/indexing.h"
#include "kindling/kindling.h"
#include "kindling/lr_scheduler.h"
#include "kindling/math.h"
#include "kindling/optim.h"

#endif
