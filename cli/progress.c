/* SPDX-License-Identifier: Apache-2.0 */
/* The bar that shows how far a file is, and the signals that stop it. */
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

volatile sig_atomic_t cli_signal;

static void note_signal(int number)
{
    cli_signal = number;
}

void cli_catch_signals(void)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction action = { .sa_handler = note_signal,
                                .sa_flags = (int)(SA_RESETHAND | SA_RESTART) };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction old;
        sigaction(numbers[i], NULL, &old);
        if (old.sa_handler != SIG_IGN) /* nohup asked for that */
            sigaction(numbers[i], &action, NULL);
    }
    signal(SIGXFSZ, SIG_IGN);
}

double cli_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void cli_progress_begin(cli_progress *progress, bool quiet)
{
    *progress = (cli_progress){ .shown = !quiet && isatty(STDERR_FILENO), .start = cli_now() };
}

static void draw_bar(const cli_progress *progress, uint64_t done, double now)
{
    enum { WIDTH = 30 };
    char bar[WIDTH + 1], done_text[CLI_COUNT_NBYTES], total_text[CLI_COUNT_NBYTES];
    char rate_text[CLI_COUNT_NBYTES];
    double part = progress->total ? (double)done / (double)progress->total : 1;
    double seconds = now - progress->start;
    double left = done ? seconds / (double)done * (double)(progress->total - done) : 0;
    for (int i = 0; i < WIDTH; i++)
        bar[i] = i < part * WIDTH ? '#' : '-';
    bar[WIDTH] = '\0';
    fprintf(stderr, "\r[%s] %3.0f %%  %s of %s  %s  %d:%02d left\033[K", bar, 100 * part,
            cli_nbytes(done, done_text), cli_nbytes(progress->total, total_text),
            cli_rate(done, seconds, rate_text), (int)left / 60, (int)left % 60);
}

bool cli_progress_step(void *user_data, uint64_t done, uint64_t total)
{
    cli_progress *progress = user_data;
    double now = cli_now();
    progress->total = total;
    if (progress->shown && (now - progress->last > 0.1 || done == total)) {
        progress->last = now;
        draw_bar(progress, done, now);
    }
    return !cli_signal;
}

void cli_progress_end(cli_progress *progress)
{
    if (progress->shown)
        fputs("\r\033[K", stderr);
}
