/* SPDX-License-Identifier: Apache-2.0 */
/* Strings as Python's repr() writes them. */
#ifndef KDL_SRC_NN_KEY_LIST_H
#define KDL_SRC_NN_KEY_LIST_H

#include "base/base.h"
#include "kindling/module_state_dict.h"

/* repr(string): in single quotes, or double ones where only single ones occur in it. */
void kdl__text_quoted(kdl__text *text, const char *string);

/* Takes the key at an index out, also when an error stands. */
void kdl__key_list_take_out(kdl_key_list *list, size_t index);

#endif
