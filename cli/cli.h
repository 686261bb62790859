/* SPDX-License-Identifier: Apache-2.0 */
/* cli: the program, over libkindling's public interface. */
#ifndef KDL_CLI_CLI_H
#define KDL_CLI_CLI_H

#include <signal.h>
#include <stdio.h>

#include "kindling/kindling.h"

/* What the program's exit status says; kindling(1) lists them. */
enum {
    CLI_DONE = 0,
    CLI_FAILED = 1,    /* good input, but the machine could not: a full disk, no memory */
    CLI_BAD_INPUT = 2, /* nothing was written: options, a configuration, a file that is not there */
    CLI_INTERRUPTED = 128 /* plus the signal's number */
};

/* ---- options -------------------------------------------------------------------------------- */

typedef struct cli_options {
    const char *input; /* the one argument that is no option */
    const char *output, *head, *lapack;
    bool has_seed;
    uint64_t seed;
    kdl_dtype dtype; /* KDL_DTYPE_COUNT: not given */
    int threads;     /* 0: every processor */
    bool force, json, quiet, sync, help;
} cli_options;

/* One of the program's commands. */
typedef struct cli_command {
    const char *name;
    const char *options; /* the letters of those that it takes, see options.c */
    const char *input;   /* what its argument is called */
    const char *usage;   /* the text of its help */
    int (*run)(const cli_options *options);
} cli_command;

extern const cli_command cli_init, cli_plan, cli_inspect;

/* Fills `options` from the arguments behind the command's name; false after saying what is wrong. */
bool cli_parse(const cli_command *command, int argc, char **argv, cli_options *options);

/* ---- messages ------------------------------------------------------------------------------- */

/* "kindling: <message>" on stderr. */
void cli_complain(const char *format, ...) KDL_PRINTF(1, 2);

/*
 * Says what stands in the context, with the name of the input it is about before it unless that is
 * NULL. Returns CLI_FAILED or CLI_BAD_INPUT: `written` tells whether input is out of question.
 */
int cli_report(const kdl_context *ctx, const char *input, bool written);

/* ---- input ---------------------------------------------------------------------------------- */

/* A context with the options' threads, whose warnings go to stderr. NULL after complaining. */
kdl_context *cli_context(const cli_options *options);

/*
 * The plan of the recipe or the configuration that the options name; NULL with *status set after
 * saying what is wrong. With `sign` the plan gets the input's digest as an attribute.
 */
kdl_plan *cli_load(kdl_context *ctx, const cli_options *options, bool sign, int *status);

/* ---- output --------------------------------------------------------------------------------- */

/* "1,234,567" into `text`, which is returned. */
#define CLI_COUNT_NBYTES 32
char *cli_count(int64_t value, char text[CLI_COUNT_NBYTES]);
/* "474.7 MiB". */
char *cli_nbytes(uint64_t nbytes, char text[CLI_COUNT_NBYTES]);
/* "1.9 GB/s". */
char *cli_rate(uint64_t nbytes, double seconds, char text[CLI_COUNT_NBYTES]);
/* "[50257, 768]". */
#define CLI_SHAPE_NBYTES (KDL_MAX_DIMS * 22 + 3)
char *cli_shape(const kdl_shape *shape, char text[CLI_SHAPE_NBYTES]);
/* "f32" and so on. */
const char *cli_dtype(kdl_dtype dtype);

/* ---- progress and interruption -------------------------------------------------------------- */

/* The signal that asked to stop, or 0. */
extern volatile sig_atomic_t cli_signal;
/*
 * From now on the first SIGINT, SIGTERM or SIGHUP only sets cli_signal, the second one kills. A
 * file that outgrows the limit on sizes is an error and no signal.
 */
void cli_catch_signals(void);

typedef struct cli_progress {
    bool shown; /* on a terminal */
    double start, last;
    uint64_t total;
} cli_progress;

/* Seconds on a clock that nobody sets. */
double cli_now(void);
void cli_progress_begin(cli_progress *progress, bool quiet);
/* A kdl_progress_callback: draws the bar, and stops on a signal. */
bool cli_progress_step(void *progress, uint64_t done, uint64_t total);
/* Removes the bar. */
void cli_progress_end(cli_progress *progress);

#endif
