/* SPDX-License-Identifier: Apache-2.0 */
/* What all learning-rate schedules share. Each embeds kdl_lr_scheduler as its first member. */
#ifndef KDL_SRC_OPTIM_SCHEDULE_H
#define KDL_SRC_OPTIM_SCHEDULE_H

#include "kindling/lr_scheduler.h"
#include "optim/optimizer.h"

/* An attribute of PyTorch's scheduler: its name, where the struct has it. */
typedef enum kdl__lr_kind {
    KDL__LR_INT,     /* int64_t */
    KDL__LR_DIVISOR, /* int64_t, not 0 */
    KDL__LR_NUMBER,  /* double */
    KDL__LR_COUNT,   /* double, which holds an integer */
    KDL__LR_LIST     /* double *, one a group */
} kdl__lr_kind;
typedef struct kdl__lr_field {
    const char *key;
    kdl__lr_kind kind;
    size_t offset;
} kdl__lr_field;
#define KDL__LR_FIELD(type, key, kind, field)                                                      \
    {                                                                                              \
        key, kind, offsetof(type, field)                                                           \
    }
#define KDL__LR_FIELDS(table)                                                                      \
    .fields = (table), .field_count = (int)(sizeof(table) / sizeof *(table))

typedef struct kdl__lr_class {
    const char *name; /* PyTorch's */
    const char *place;
    size_t nbytes; /* of the whole struct */
    /*
     * get_lr() and _get_closed_form_lr() for one group, whose rate is `lr`; the latter may be NULL.
     */
    double (*next)(kdl_lr_scheduler *scheduler, size_t group, double lr);
    double (*closed_form)(kdl_lr_scheduler *scheduler, size_t group);
    /*
     * step(), where it is not the usual one (NULL): of an epoch, or NULL for the next; of metrics.
     */
    kdl_status (*step)(kdl_lr_scheduler *scheduler, const double *given);
    void (*destroy)(kdl_lr_scheduler *scheduler); /* frees what the struct owns; may be NULL */
    bool is_composite, takes_metrics;
    const kdl__lr_field *fields; /* of its own, for the state_dict */
    int field_count;
    const char *fixed; /* further entries in JSON, which PyTorch's load_state_dict() asks for */
} kdl__lr_class;
/* A class by its struct, PyTorch's name and our function's; the rest are fields. */
#define KDL__LR_CLASS(type, title, function, ...)                                                  \
    {                                                                                              \
        .name = title, .place = function, .nbytes = sizeof(type), __VA_ARGS__                      \
    }

struct kdl_lr_scheduler {
    const kdl__lr_class *class;
    kdl_optimizer *optimizer; /* retained */
    size_t group_count;       /* of the optimiser when this was made */
    double *base_lrs, *last_lrs, *next_lrs;
    int64_t last_epoch, step_count;
    bool initial; /* during the constructor's step */
};

/* Schedules that consist of schedules. */
typedef struct kdl__several_lr {
    kdl_lr_scheduler base;
    kdl_lr_scheduler **parts; /* owned */
    size_t count;
    int64_t *milestones; /* owned; NULL when chained */
} kdl__several_lr;

/*
 * An empty one of a class, before its arguments are set; reads the caller's options (NULL: none)
 * over the defaults in `options`. NULL when an error stands.
 */
void *kdl__lr_new(const kdl__lr_class *class, kdl_optimizer *optimizer, void *options,
                  size_t nbytes, const void *given);
/*
 * Reads "initial_lr" of the groups, or writes it at the beginning, and takes the first step. Gives
 * the scheduler, or frees it when an error stands. NULL for NULL.
 */
kdl_lr_scheduler *kdl__lr_start(void *scheduler, int64_t last_epoch);
/* Frees it when an error stands, then NULL. */
kdl_lr_scheduler *kdl__lr_finish(void *scheduler);

/* _initial_step(), _update_lr(epoch) (NULL: the next), and the rates as they are now. */
kdl_status kdl__lr_initial_step(kdl_lr_scheduler *scheduler);
kdl_status kdl__lr_update(kdl_lr_scheduler *scheduler, const double *epoch);
void kdl__lr_remember(kdl_lr_scheduler *scheduler);
/* step(), whatever its class. */
kdl_status kdl__lr_step_any(kdl_lr_scheduler *scheduler, const double *given);

/* a / b, with Python's ZeroDivisionError where b is 0. */
double kdl__lr_divide(kdl_lr_scheduler *scheduler, double a, double b);
/* a ** b, likewise where it divides by 0. */
double kdl__lr_power(kdl_lr_scheduler *scheduler, double a, double b);
/*
 * One number a group: a list's, whose length is checked (ValueError with its name), or the same for
 * all. NULL when an error stands.
 */
double *kdl__lr_values(kdl_lr_scheduler *scheduler, const char *name, kdl_lr_values list,
                       double same);

/* A copy, to be freed; NULL when an error stands. */
int64_t *kdl__lr_copy_milestones(kdl_lr_scheduler *scheduler, kdl_milestones milestones);

static inline kdl_context *kdl__lr_context(const kdl_lr_scheduler *scheduler)
{
    return scheduler->optimizer->ctx;
}
static inline double *kdl__lr_of(kdl_lr_scheduler *scheduler, size_t group)
{
    return kdl__group_number(scheduler->optimizer, group, "lr");
}

#endif
