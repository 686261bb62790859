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

/* Strings in an order; they and the list are malloc's. */
typedef struct cli_list {
    char **items;
    int count;
} cli_list;

typedef struct cli_options {
    const char *input; /* the one argument that is no option */
    const char *output, *head, *cpu, *lapack, *expect;
    cli_list assume, rules; /* as given; files of rules are read where they stand */
    bool has_seed;
    uint64_t seed;
    kdl_dtype dtype; /* KDL_DTYPE_COUNT: not given */
    int threads;     /* 0: every processor */
    bool force, json, quiet, sync, list, help;
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

/*
 * Fills `options` from the arguments behind the command's name; false after saying what is wrong.
 */
bool cli_parse(const cli_command *command, int argc, char **argv, cli_options *options);
void cli_options_free(cli_options *options);

/* Appends a copy of `nbytes` bytes of text; false after complaining. */
bool cli_list_add(cli_list *list, const char *text, size_t nbytes);
void cli_list_free(cli_list *list);

/* ---- messages ------------------------------------------------------------------------------- */

/* "kindling: <message>" on stderr. */
void cli_complain(const char *format, ...) KDL_PRINTF(1, 2);

/*
 * Says what stands in the context, with the name of the input it is about before it unless that is
 * NULL. Returns CLI_FAILED or CLI_BAD_INPUT: `written` tells whether input is out of question.
 */
int cli_report(const kdl_context *ctx, const char *input, bool written);

/* ---- input ---------------------------------------------------------------------------------- */

/* The whole file, with a NUL behind it; NULL after complaining. To be freed. */
char *cli_read_file(const char *path, size_t *nbytes);

/* A context with the options' threads, whose warnings go to stderr. NULL after complaining. */
kdl_context *cli_context(const cli_options *options);

/*
 * The plan of the recipe, the configuration or the text of print(model) that the options name; NULL
 * with *status set after saying what is wrong. With `sign` the plan gets the input's digest as an
 * attribute.
 */
kdl_plan *cli_load(kdl_context *ctx, const cli_options *options, bool sign, int *status);

/*
 * Whether the plan holds just what the file at `path` lists, names, shapes and types: lines as
 * state_dict() gives them, or a safetensors file. Names that `model` (or NULL) has besides, for
 * tied tensors, may be listed, too. False with the status in *status after telling every
 * difference.
 */
bool cli_check_expected(kdl_plan *plan, kdl_module *model, const char *path, int *status);

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
/* What the text of a model left open, when the plan is of one. */
void cli_print_assumed(const kdl_plan *plan);
/* The schemes, families and layers that there are. */
void cli_print_list(void);
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
