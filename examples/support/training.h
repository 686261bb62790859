/* SPDX-License-Identifier: Apache-2.0 */
/* What the examples that train share: their arguments, the curve of the loss, how much is right. */
#ifndef KINDLING_EXAMPLES_TRAINING_H
#define KINDLING_EXAMPLES_TRAINING_H

#include <kindling/train.h>

enum { MAX_STEPS = 1000 };

typedef struct training {
    const char *save; /* where the network goes; NULL: nowhere */
    const char *svg;  /* where the curve goes as a picture, */
    const char *log;  /* and as numbers */
    const char *text; /* the file to learn from */
    kdl_dtype dtype;
    int steps;
    double losses[MAX_STEPS], right;
} training;

/* Reads [--save FILE] [--svg FILE] [--log FILE] [--f64] [TEXT]; others end the program. */
training training_begin(int argc, char **argv, const char *text);
/* Keeps the loss of a step. */
void training_add(training *run, kdl_tensor *loss);
/*
 * Trains `net`, which gives scores, on batches of inputs and labels as train_classifier.c shows it,
 * through as many epochs as the steps need.
 */
void fit(training *run, kdl_module *net, kdl_data_loader *loader, kdl_optimizer *optimizer,
         int steps);
/*
 * Prints the curve and how much was right at last, and writes the files that were asked for. Gives
 * the program's exit status.
 */
int training_end(training *run, kdl_module *net, double right);

/* Of scores (N, C, ...), the part whose highest one is the label's. */
double accuracy(kdl_tensor *scores, kdl_tensor *labels);

#endif
