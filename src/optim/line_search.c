/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line search for the strong Wolfe conditions (Nocedal and Wright, Numerical Optimization, 3.5),
 * as torch/optim/lbfgs.py does it.
 */
#include <math.h>

#include "optim/lbfgs.h"

static const double sufficient = 1e-4, curvature = 0.9, shortest = 1e-9; /* c1, c2, the bracket */

typedef struct line_search {
    const kdl__objective *objective;
    const kdl__line_point *start;
    kdl_tensor *x, *d;
    kdl__line_point now, ends[2];
    bool is_f32;
} line_search;

/* Makes one point another: a copy. */
static void assign(kdl__line_point *point, const kdl__line_point *other)
{
    kdl_tensor *old = point->grad;
    *point = *other;
    kdl_tensor_retain(point->grad);
    kdl_tensor_release(old);
}

/* Sets `now` to the point at t. */
static kdl_status look(line_search *s, double t, int64_t *evals)
{
    kdl_optimizer *optimizer = s->objective->optimizer;
    kdl__line_point point = { .t = t };
    kdl__move_params(optimizer, s->x, t, s->d);
    kdl_tensor_release(kdl__evaluate(s->objective, &point.f));
    point.grad = kdl__flat_grad(optimizer);
    kdl__move_params(optimizer, s->x, 0, s->d);
    if (point.grad)
        kdl__dot(point.grad, s->d, &point.slope);
    assign(&s->now, &point);
    kdl_tensor_release(point.grad);
    ++*evals;
    return optimizer->ctx->status;
}

/* The minimum, between bounds, of the cubic with the values and slopes of two points. */
static double interpolate(const kdl__line_point *a, const kdl__line_point *b, double least,
                          double most)
{
    double d1 = a->slope + b->slope - 3 * (a->f - b->f) / (a->t - b->t);
    double square = d1 * d1 - a->slope * b->slope;
    if (!(square >= 0))
        return (least + most) / 2;
    double d2 = sqrt(square);
    const kdl__line_point *left = a->t <= b->t ? a : b, *right = a->t <= b->t ? b : a;
    double place = right->t - (right->t - left->t) * ((right->slope + d2 - d1) /
                                                      (right->slope - left->slope + 2 * d2));
    place = least > place ? least : place;
    return most < place ? most : place;
}

/* Whether the loss has not fallen enough; in PyTorch what is compared has the parameters' dtype. */
static bool is_too_high(const line_search *s)
{
    double f = s->start->f, change = sufficient * s->now.t;
    if (s->is_f32)
        return (float)s->now.f > (float)f + (float)change * (float)s->start->slope;
    return s->now.f > f + change * s->start->slope;
}

static bool is_flat(const line_search *s)
{
    return fabs(s->now.slope) <= -curvature * s->start->slope;
}

/*
 * Goes on until a good point lies between two ends, which it sets, or is found (true: ends[0]).
 * Counts its steps.
 */
static bool bracket(line_search *s, int64_t max_ls, int64_t *steps, int64_t *evals)
{
    kdl_context *ctx = s->d->ctx;
    kdl__line_point before = { 0 };
    bool is_found = false, is_bracketed = false;
    assign(&before, s->start);
    while (*steps < max_ls && !kdl__failed(ctx)) {
        is_bracketed = is_too_high(s) || (*steps > 1 && s->now.f >= before.f);
        is_found = !is_bracketed && is_flat(s);
        if (is_bracketed || is_found || s->now.slope >= 0)
            break;
        double t =
            interpolate(&before, &s->now, s->now.t + 0.01 * (s->now.t - before.t), s->now.t * 10);
        assign(&before, &s->now);
        look(s, t, evals);
        ++*steps;
    }
    assign(&s->ends[0], is_found ? &s->now : *steps >= max_ls ? s->start : &before);
    assign(&s->ends[1], &s->now);
    kdl_tensor_release(before.grad);
    return is_found;
}

/* Where to look next between the ends; not twice in a row next to one of them. */
static double choose(const line_search *s, bool *was_close)
{
    double a = s->ends[0].t, b = s->ends[1].t;
    double least = a < b ? a : b, most = a < b ? b : a, margin = 0.1 * (most - least);
    double t = interpolate(&s->ends[0], &s->ends[1], least, most);
    bool is_close = (most - t < t - least ? most - t : t - least) < margin;
    if (is_close && (*was_close || t >= most || t <= least)) {
        t = fabs(t - most) < fabs(t - least) ? most - margin : least + margin;
        is_close = false;
    }
    *was_close = is_close;
    return t;
}

/* Narrows the bracket; gives the end with less loss. */
static int zoom(line_search *s, int64_t steps, int64_t max_ls, int64_t *evals)
{
    int low = s->ends[0].f <= s->ends[1].f ? 0 : 1;
    bool was_close = false, is_done = false;
    double longest = 0;
    kdl__norm(s->d, INFINITY, &longest);
    for (; steps < max_ls && !is_done && !kdl__failed(s->d->ctx); steps++) {
        if (fabs(s->ends[1].t - s->ends[0].t) * longest < shortest)
            break;
        look(s, choose(s, &was_close), evals);
        if (is_too_high(s) || s->now.f >= s->ends[low].f) {
            assign(&s->ends[1 - low], &s->now);
            low = s->ends[0].f <= s->ends[1].f ? 0 : 1;
            continue;
        }
        is_done = is_flat(s);
        if (!is_done && s->now.slope * (s->ends[1 - low].t - s->ends[low].t) >= 0)
            assign(&s->ends[1 - low], &s->ends[low]);
        assign(&s->ends[low], &s->now);
    }
    return low;
}

kdl_status kdl__strong_wolfe(const kdl__objective *objective, const kdl__line_point *start,
                             kdl_tensor *d, double t, int64_t max_ls, kdl__line_point *found,
                             int64_t *evals)
{
    line_search s = { .objective = objective,
                      .start = start,
                      .x = kdl__flat_params(objective->optimizer),
                      .d = d,
                      .is_f32 = !kdl__float_index(d) };
    int64_t steps = 0;
    int best = 0;
    *evals = 0;
    if (s.x && !look(&s, t, evals) && !bracket(&s, max_ls, &steps, evals))
        best = zoom(&s, steps, max_ls, evals);
    assign(found, &s.ends[best]);
    kdl_tensor_release(s.ends[0].grad);
    kdl_tensor_release(s.ends[1].grad);
    kdl_tensor_release(s.now.grad);
    kdl_tensor_release(s.x);
    return d->ctx->status;
}
