/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan: what is done to a storage's elements, recorded or run at once.
 *
 * Every function that writes a tensor makes one kdl__op and hands it to kdl__op_apply(). On a
 * storage in memory the op runs; on a deferred one it is appended to the storage's history. Both
 * ways end in the same class->range() call, which computes any range of the op's elements.
 */
#ifndef KDL_SRC_PLAN_OP_H
#define KDL_SRC_PLAN_OP_H

#include "random/fill.h"
#include "tensor/tape.h"

/* The elements of a storage that a view covers. */
typedef struct kdl__region {
    int64_t offset;
    int64_t numel;
    int ndim;
    int64_t sizes[KDL_MAX_DIMS];
    int64_t strides[KDL_MAX_DIMS];
} kdl__region;

typedef struct kdl__node kdl__node;

/*
 * The values of a view at one moment: a history that never changes any more, or memory. `node`
 * (retained) and `storage` (retained) are both NULL for zeros.
 */
typedef struct kdl__values {
    kdl_dtype dtype;
    kdl__node *node;
    kdl__storage *storage;
    kdl__region region;
    int64_t storage_numel; /* of the storage that the view belonged to */
    void *gathered;        /* by kdl__values_prepare(): a strided view of a history, row-major */
} kdl__values;

/*
 * What a thread computes with: an engine (borrowed, so that eager calls run on from where their
 * generator stands) and a context, of which only the allocator may be used, by kdl__alloc_quiet().
 */
typedef struct kdl__worker {
    kdl_context *ctx;
    kdl__cursor *cursor;
    bool parallel; /* whether kdl__parallel(ctx, ...) may be called: not from inside a task */
} kdl__worker;

typedef struct kdl__op kdl__op;

enum {
    /* The new values depend on the previous ones: `values` holds them on entry to range(). */
    KDL__OP_READS = 1,
    /* Elements are counted by descending stride (as random fills visit them), not row-major. */
    KDL__OP_STREAM_ORDER = 2,
    /* The op reads `source`, which has an element for each of its own. */
    KDL__OP_SOURCE = 4,
    /* The op reads `source`, of any number of elements, in its own way; check() looks at it. */
    KDL__OP_FREE_SOURCE = 8
};

#define KDL__OP_NUMBERS 4
#define KDL__OP_INTEGERS 4
/* draws(): the number depends on the data; prepare() tells it. */
#define KDL__DRAWS_UNKNOWN UINT64_MAX

/* What prepare() finds out about an op as a whole. */
typedef struct kdl__prepared {
    void *whole;    /* for range(); from kdl__alloc_quiet(), freed with kdl_free() */
    void *target;   /* given: where the elements lie, when they may be written at once; or NULL */
    bool in_place;  /* that was done: there is nothing left for range() */
    uint64_t draws; /* consumed, where draws() does not know */
    bool spare_present; /* where draws() does not know and the class goes through the spare: */
    double spare;       /* the spare that is left */
} kdl__prepared;

/* A kind of op. Classes are static tables; a recipe names them. */
typedef struct kdl__op_class {
    const char *name;
    unsigned flags;
    kdl__write_kind write; /* what becomes of gradients; its number is number[0] */
    /* Names of the op's arguments in a recipe, in the order of number[] and integer[]. */
    const char *number_names[KDL__OP_NUMBERS];
    const char *integer_names[KDL__OP_INTEGERS];
    /* How many draws the op consumes; NULL: none. */
    uint64_t (*draws)(const kdl__op *op);
    /*
     * For classes that go through the generator's spare normal, else NULL: whether the op leaves
     * one behind, and the offset of its four draws from the op's first.
     */
    bool (*leaves_spare)(const kdl__op *op, uint64_t *offset);
    /* What range() needs of the op as a whole. NULL when ranges stand for themselves. */
    kdl_status (*prepare)(const kdl__op *op, kdl__worker *worker, kdl__prepared *prepared);
    /*
     * Elements [first, first + count), contiguous, of op->dtype. Records no error. Called on
     * several threads at once, with a worker for each. KDL_ERROR_RUNTIME: the source has, recorded,
     * what check() would have refused in memory.
     */
    kdl_status (*range)(const kdl__op *op, const void *whole, kdl__worker *worker, uint64_t first,
                        uint64_t count, void *values);
    /*
     * Refuses wrong arguments as PyTorch does, and settles on a class where the region decides.
     * Called with dtype and region set, when the op is applied or read from a recipe. NULL when
     * nothing can be wrong.
     */
    kdl_status (*check)(kdl__op *op, kdl_context *ctx, const char *place);
} kdl__op_class;

struct kdl__op {
    const kdl__op_class *class;
    kdl_dtype dtype;
    double number[KDL__OP_NUMBERS];
    int64_t integer[KDL__OP_INTEGERS];
    kdl__position at;   /* where its draws begin; owned; no segment when it draws nothing */
    kdl__spare spare;   /* the spare normal that it starts from; owned */
    kdl__values source; /* what it reads besides its own elements; owned */
    kdl__region region; /* the elements that it writes; set by kdl__op_apply() */
};

/* Frees what the op owns, not the op. */
void kdl__op_free(kdl__op *op);

/*
 * Resolves what the op itself (not what lies under it) needs, and calls its class's prepare().
 * After a success, kdl__op_drop() frees what that found; `prepared` is empty before and behind.
 */
kdl_status kdl__op_prepare(kdl__op *op, kdl__worker *worker, kdl__prepared *prepared);
void kdl__op_drop(kdl__op *op, kdl_context *ctx, kdl__prepared *prepared);

/* The absolute position of the op's first draw; its segment must be resolved. */
static inline uint64_t kdl__op_start(const kdl__op *op)
{
    return op->at.segment->start + op->at.offset;
}

/*
 * Does `op` to the elements of `tensor`: at once, or by recording it. Sets dtype and region, takes
 * the draws (and the spare) from `generator`, which is NULL for ops that draw nothing. The class's
 * check() comes first, for empty tensors too. The op's owned parts are consumed, also on failure.
 * Errors are recorded at `place`.
 */
kdl_status kdl__op_apply(kdl_tensor *tensor, kdl__op *op, kdl_generator *generator,
                         const char *place);

/*
 * Whether the tensor's elements have a place each, and the same or quite other places than those of
 * `source` (if any); PyTorch's RuntimeError if not.
 */
KDL__SHARED kdl_status kdl__check_written(const kdl_tensor *tensor, const kdl_tensor *source,
                                          const char *place);

/* Records the error that a worker's status stands for. */
void kdl__fail_worker(kdl_context *ctx, const char *place, kdl_status status);

/* A storage for `numel` elements: deferred when the context is, else uninitialised memory. */
kdl__storage *kdl__storage_new_empty(kdl_context *ctx, kdl_dtype dtype, int64_t numel);

/* ---- values ------------------------------------------------------------------------------ */

void kdl__region_of(const kdl_tensor *tensor, kdl__region *region);
bool kdl__region_is_contiguous(const kdl__region *region);

/*
 * The values of `tensor` now. With `copy`, memory is copied, so that later writes do not show;
 * without, a tensor in memory is referred to. Histories are shared either way.
 */
kdl_status kdl__values_of(kdl_tensor *tensor, bool copy, kdl__values *values);
void kdl__values_free(kdl__values *values);

/*
 * Resolves segments and computes whole-tensor parts that the values need, so that
 * kdl__values_range() can then be called from several threads. One thread at a time.
 */
kdl_status kdl__values_prepare(kdl__values *values, kdl__worker *worker);
/* Drops what kdl__values_prepare() computed for whole tensors. */
void kdl__values_drop(kdl__values *values);

/*
 * Element `first` in memory, with those behind it in row-major order; NULL if they lie otherwise.
 */
const void *kdl__values_memory(const kdl__values *values, uint64_t first);
/* Elements [first, first + count), row-major, contiguous, into `out`. */
kdl_status kdl__values_range(const kdl__values *values, kdl__worker *worker, uint64_t first,
                             uint64_t count, void *out);

/* How deep copies of copies nest at most, as each level computes on the stack. */
#define KDL__MAX_COPY_DEPTH 64

/* ---- histories --------------------------------------------------------------------------- */

/* One op on top of `previous` (retained; NULL: zeros). Immutable but for the prepared part. */
struct kdl__node {
    atomic_long references;
    kdl_context *ctx; /* borrowed */
    kdl__node *previous;
    kdl__op op;
    int copy_depth; /* how deep its values nest through copies */
    bool is_prepared;
    kdl__prepared prepared;
    kdl__node *next_dead; /* while it waits to be freed */
    int mark;             /* for whoever walks histories, one at a time; 0 outside of that */
};

/* Takes over what `op` owns, also on failure. */
kdl__node *kdl__node_new(kdl_context *ctx, kdl__node *previous, kdl__op *op);
/*
 * The history of a storage of `numel` elements after an op with dtype and region set (taken over),
 * which takes its draws and the spare normal from `generator` (NULL: it draws nothing) and leaves
 * the generator behind it. `previous` is forgotten when nothing of it shows. Errors at `place`.
 */
kdl__node *kdl__node_record(kdl_context *ctx, kdl__node *previous, int64_t numel, kdl__op *op,
                            kdl_generator *generator, const char *place);
kdl__node *kdl__node_retain(kdl__node *node);
void kdl__node_release(kdl__node *node);
/* kdl__op_prepare() once, for all who read the node. */
kdl_status kdl__node_prepare(kdl__node *node, kdl__worker *worker);
void kdl__node_drop(kdl__node *node);

/*
 * Elements [low, high) of the storage whose history ends in `head`. Prepare first; drop when what
 * was prepared is no longer needed.
 */
kdl_status kdl__history_prepare(kdl__node *head, int64_t low, int64_t high, kdl__worker *worker);
kdl_status kdl__history_range(kdl__node *head, kdl_dtype dtype, kdl__worker *worker, int64_t low,
                              int64_t high, void *out);
void kdl__history_drop(kdl__node *head);

extern const kdl__deferred kdl__deferred_by_history;

/*
 * Does `op` to those of its elements that lie in [low, high) of its storage; `window` holds just
 * these, and `whole` what prepare() gave.
 */
kdl_status kdl__op_run(const kdl__op *op, const void *whole, kdl__worker *worker, int64_t low,
                       int64_t high, void *window);

/* Does `op` to all of its elements in `storage` of `numel` elements, on the context's threads. */
kdl_status kdl__op_run_all(const kdl__op *op, const void *whole, kdl__worker *worker, int64_t numel,
                           void *storage);

/* ---- sharing work between threads -------------------------------------------------------- */

/* How many threads should compute `numel` elements: one where another costs more than it saves. */
size_t kdl__share_count(const kdl_context *ctx, uint64_t numel);
/* Where share `index` of `count` begins; share `count` begins at the end. */
KDL__SHARED uint64_t kdl__share_begin(uint64_t numel, size_t count, size_t index);

/* ---- the classes that plan itself knows; others stand where their functions are --------- */

extern const kdl__op_class kdl__op_constant;         /* number[0], converted to the dtype */
extern const kdl__op_class kdl__op_constant_integer; /* integer[0], likewise */
extern const kdl__op_class kdl__op_copy;             /* the values of `source`, converted */

#endif
