/* SPDX-License-Identifier: Apache-2.0 */
/* What the examples that train share. */
#include "training.h"

#include <stdlib.h>
#include <string.h>

training training_begin(int argc, char **argv, const char *text)
{
    training run = { .text = text, .dtype = KDL_F32 };
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        const char **file = !strcmp(word, "--save")  ? &run.save
                            : !strcmp(word, "--svg") ? &run.svg
                            : !strcmp(word, "--log") ? &run.log
                                                     : NULL;
        if (file && i + 1 < argc) {
            *file = argv[++i];
        } else if (!strcmp(word, "--f64")) {
            run.dtype = KDL_F64;
        } else if (word[0] != '-' && text) {
            run.text = word;
        } else {
            fprintf(stderr, "usage: %s [--save FILE] [--svg FILE] [--log FILE] [--f64]%s\n",
                    argv[0], text ? " [TEXT]" : "");
            exit(2);
        }
    }
    return run;
}

void training_add(training *run, kdl_tensor *loss)
{
    if (loss && run->steps < MAX_STEPS)
        run->losses[run->steps++] = kdl_tensor_item(loss);
}

void fit(training *run, kdl_module *net, kdl_data_loader *loader, kdl_optimizer *optimizer,
         int steps)
{
    kdl_context *ctx = kdl_module_context(net);
    while (run->steps < steps && kdl_data_loader_length(loader) > 0 && !kdl_error_status(ctx)) {
        kdl_data_iterator it = kdl_data_iter(loader);
        while (run->steps < steps && kdl_data_next(&it)) {
            kdl_optimizer_zero_grad(optimizer);
            kdl_tensor *scores = kdl_forward(net, it.tensors[0]);
            kdl_tensor *loss = kdl_f_cross_entropy(scores, it.tensors[1]);
            kdl_backward(loss);
            kdl_optimizer_step(optimizer);
            training_add(run, loss);
            kdl_tensor_release(loss);
            kdl_tensor_release(scores);
        }
    }
}

static double highest(const training *run)
{
    double top = 0;
    for (int i = 0; i < run->steps; i++)
        top = run->losses[i] > top ? run->losses[i] : top;
    return top;
}

/* Ten rows, each the mean of as many steps. */
static void print_curve(const training *run)
{
    int length = (run->steps + 9) / 10;
    double top = highest(run);
    for (int first = 0, step; first < run->steps; first = step) {
        double sum = 0;
        for (step = first; step < run->steps && step < first + length; step++)
            sum += run->losses[step];
        double mean = sum / (step - first);
        printf("%4d %6.2f %.*s\n", first, mean, (int)(mean / top * 60 + 0.5),
               "############################################################");
    }
}

static void write_log(const training *run, FILE *file)
{
    for (int i = 0; i < run->steps; i++)
        fprintf(file, "loss %.17g\n", run->losses[i]);
    fprintf(file, "right %.17g\n", run->right);
}

static void write_svg(const training *run, FILE *file)
{
    double top = highest(run);
    fprintf(file, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 320\" fill=\"none\" "
                  "font-family=\"sans-serif\" font-size=\"12\">\n"
                  "<rect width=\"640\" height=\"320\" fill=\"white\"/>\n"
                  "<path d=\"M50 20V280H620\" stroke=\"gray\"/>\n"
                  "<g fill=\"black\" text-anchor=\"end\">\n");
    fprintf(file, "<text x=\"44\" y=\"24\">%.3g</text><text x=\"44\" y=\"284\">0</text>\n", top);
    fprintf(file, "<text x=\"620\" y=\"298\">step %d</text>\n</g>\n", run->steps - 1);
    fprintf(file, "<polyline stroke=\"#c33\" stroke-width=\"1.5\" points=\"");
    for (int i = 0; i < run->steps; i++)
        fprintf(file, "%.1f,%.1f ", 50 + 570.0 * i / (run->steps - 1),
                280 - 260 * run->losses[i] / top);
    fprintf(file, "\"/>\n</svg>\n");
}

static bool write_file(const training *run, const char *path,
                       void (*write)(const training *run, FILE *file))
{
    FILE *file = path ? fopen(path, "w") : NULL;
    if (file)
        write(run, file);
    bool failed = path && (!file || ferror(file));
    if ((file && fclose(file)) || failed)
        perror(path);
    return !failed;
}

int training_end(training *run, kdl_module *net, double right)
{
    kdl_context *ctx = kdl_module_context(net);
    if (run->save)
        kdl_save(net, run->save, .force = true);
    if (kdl_error_status(ctx)) {
        fprintf(stderr, "%s: %s\n", kdl_error_place(ctx), kdl_error_message(ctx));
        return 1;
    }
    run->right = right;
    print_curve(run);
    printf("%.0f %% right\n", 100 * right);
    bool written = write_file(run, run->svg, write_svg);
    return write_file(run, run->log, write_log) && written ? 0 : 1;
}

double accuracy(kdl_tensor *scores, kdl_tensor *labels)
{
    kdl_tensor *best = kdl_argmax(scores, 1, false), *right = kdl_eq_tensor(best, labels);
    kdl_tensor *numbers = right ? kdl_to(right, KDL_F64) : NULL, *mean = kdl_mean(numbers);
    double part = mean ? kdl_tensor_item(mean) : 0;
    kdl_tensor_release(best);
    kdl_tensor_release(right);
    kdl_tensor_release(numbers);
    kdl_tensor_release(mean);
    return part;
}
