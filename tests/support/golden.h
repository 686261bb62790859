/* SPDX-License-Identifier: Apache-2.0 */
/* What tests need to compare with the golden files, which tests/golden/regenerate.py writes. */
#ifndef KDL_TESTS_SUPPORT_GOLDEN_H
#define KDL_TESTS_SUPPORT_GOLDEN_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* 64-bit FNV-1a. */
uint64_t golden_digest(const void *data, size_t nbytes);

/* Opens a file of the golden folder; aborts when it is not there. */
FILE *golden_open(const char *name);

/*
 * Reads the next line that is not a comment into `line`, without its newline; false at the end.
 * Aborts when a line is longer than `nbytes` - 1.
 */
_Bool golden_line(FILE *file, char *line, size_t nbytes);

/* Turns hexadecimal digits into at most `nbytes` bytes; returns how many. */
size_t golden_hex(const char *digits, void *bytes, size_t nbytes);

#endif
