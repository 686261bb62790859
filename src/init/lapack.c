/* SPDX-License-Identifier: Apache-2.0 */
/* Loads MKL's single dynamic library when a context asks for it, and calls its QR. */
#include "init/lapack.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "kindling/init.h"

/*
 * Fortran's conventions. Integers are passed as 64 bits holding a non-negative 32-bit value, which
 * a little-endian library reads rightly whichever of the two widths it was set up for.
 */
typedef void geqrf_function(const int64_t *m, const int64_t *n, void *a, const int64_t *lda,
                            void *tau, void *work, const int64_t *lwork, int64_t *info);
typedef void orgqr_function(const int64_t *m, const int64_t *n, const int64_t *k, void *a,
                            const int64_t *lda, const void *tau, void *work, const int64_t *lwork,
                            int64_t *info);

struct kdl__lapack {
    geqrf_function *sgeqrf, *dgeqrf;
    orgqr_function *sorgqr, *dorgqr;
    int (*set_num_threads_local)(int threads); /* of the calling thread; returns what it was */
};

/* What MKL's mkl_get_version() fills in (mkl_types.h). */
typedef struct mkl_version {
    int major, minor, update;
    char *status, *build, *processor, *platform;
} mkl_version;

#define MKL_LIBRARY "libmkl_rt.so.2"
/* The version inside PyTorch 2.13.0's wheels. */
#define MKL_MAJOR 2024
#define MKL_UPDATE 2

/* The function `name` of `library`; NULL, with an error, when it has none. */
static void *find(kdl_context *ctx, const char *place, void *library, const char *name)
{
    void *symbol = dlsym(library, name);
    if (!symbol)
        kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME, "the library given as MKL has no function %s",
                     name);
    return symbol;
}

/* The file to load: `path`, or MKL's library in the folder `path`. From the context's memory. */
static char *library_path(kdl_context *ctx, const char *path)
{
    struct stat status;
    bool folder = stat(path, &status) == 0 && S_ISDIR(status.st_mode);
    return kdl__asprintf(ctx, "%s%s", path, folder ? "/" MKL_LIBRARY : "");
}

static void *load(kdl_context *ctx, const char *place, const char *path)
{
    char *file = library_path(ctx, path);
    if (!file)
        return NULL;
    /* MKL and its OpenMP keep threads, so that the library can never be unloaded. */
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library)
        kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME, "MKL cannot be loaded: %s", dlerror());
    kdl_free(ctx, file);
    return library;
}

static void check_version(kdl_context *ctx, void (*get_version)(mkl_version *version))
{
    mkl_version version = { 0 };
    get_version(&version);
    if (version.major != MKL_MAJOR || version.update != MKL_UPDATE)
        kdl__warn(ctx,
                  "MKL %d.%d was loaded, PyTorch 2.13.0 carries %d.%d: orthogonal_ may differ in "
                  "rounding",
                  version.major, version.update, MKL_MAJOR, MKL_UPDATE);
}

static void destroy_lapack(kdl_context *ctx, void *lapack)
{
    kdl_free(ctx, lapack);
}

/* Puts MKL into the context. The status in force afterwards. */
static kdl_status use_mkl(kdl_context *ctx, const char *place, const char *path)
{
    kdl__lapack found;
    void *library = load(ctx, place, path);
    if (!library)
        return kdl_error_status(ctx);
    found.sgeqrf = find(ctx, place, library, "sgeqrf_");
    found.dgeqrf = find(ctx, place, library, "dgeqrf_");
    found.sorgqr = find(ctx, place, library, "sorgqr_");
    found.dorgqr = find(ctx, place, library, "dorgqr_");
    found.set_num_threads_local = find(ctx, place, library, "MKL_Set_Num_Threads_Local");
    void (*set_dynamic)(int on) = find(ctx, place, library, "MKL_Set_Dynamic");
    void (*get_version)(mkl_version * version) = find(ctx, place, library, "MKL_Get_Version");
    if (kdl__failed(ctx))
        return kdl_error_status(ctx);
    kdl__lapack *lapack = kdl__alloc(ctx, 1, sizeof *lapack);
    if (!lapack)
        return kdl_error_status(ctx);
    *lapack = found;
    set_dynamic(0); /* or it may use fewer threads than told, and give other bits */
    check_version(ctx, get_version);
    kdl__slot_set(ctx, KDL__SLOT_LAPACK, lapack, destroy_lapack);
    return KDL_OK;
}

kdl_status kdl_set_lapack(kdl_context *ctx, const char *name)
{
    if (kdl__failed(ctx))
        return ctx->status;
    if (!name)
        return kdl__fail(ctx, KDL_ERROR_VALUE, "no name of a LAPACK was given");
    if (strcmp(name, "mkl") == 0)
        return use_mkl(ctx, __func__, MKL_LIBRARY);
    if (strncmp(name, "mkl:", 4) == 0 && name[4])
        return use_mkl(ctx, __func__, name + 4);
    if (strcmp(name, "builtin") != 0)
        return kdl__fail(ctx, KDL_ERROR_VALUE,
                         "unknown LAPACK '%s', it is one of builtin, mkl, mkl:PATH", name);
    kdl__slot_set(ctx, KDL__SLOT_LAPACK, NULL, NULL);
    return KDL_OK;
}

const kdl__lapack *kdl__lapack_of(const kdl_context *ctx)
{
    return kdl__slot_get(ctx, KDL__SLOT_LAPACK);
}

const char *kdl_get_lapack(const kdl_context *ctx)
{
    return kdl__lapack_of(ctx) ? "mkl" : "builtin";
}

/* The workspace that a query call left in *work, in elements. */
static int64_t workspace_size(kdl_dtype dtype, const void *work)
{
    double size;
    if (dtype == KDL_F32) {
        float value;
        memcpy(&value, work, sizeof value);
        size = value;
    } else {
        memcpy(&size, work, sizeof size);
    }
    return size < 1 ? 1 : (int64_t)size;
}

/* One of LAPACK's two calls; info stays 0 unless it refuses an argument. */
static int64_t call(const kdl__lapack *lapack, bool generate, kdl_dtype dtype, int64_t m, int64_t n,
                    void *a, void *tau, void *work, int64_t lwork)
{
    int64_t info = 0;
    bool single = dtype == KDL_F32;
    if (generate)
        (single ? lapack->sorgqr : lapack->dorgqr)(&m, &n, &n, a, &m, tau, work, &lwork, &info);
    else
        (single ? lapack->sgeqrf : lapack->dgeqrf)(&m, &n, a, &m, tau, work, &lwork, &info);
    return info;
}

/* Asks for the workspace first (lwork = -1), and takes as much as is named. */
static kdl_status step(const kdl__lapack *lapack, kdl_context *ctx, bool generate, kdl_dtype dtype,
                       int64_t m, int64_t n, void *a, void *tau)
{
    double size = 0;
    if (call(lapack, generate, dtype, m, n, a, tau, &size, -1))
        return KDL_ERROR_RUNTIME;
    int64_t lwork = workspace_size(dtype, &size);
    void *work = kdl__alloc_quiet(ctx, (size_t)lwork, kdl_dtype_nbytes(dtype));
    if (!work)
        return KDL_ERROR_MEMORY;
    int64_t info = call(lapack, generate, dtype, m, n, a, tau, work, lwork);
    kdl_free(ctx, work);
    return info ? KDL_ERROR_RUNTIME : KDL_OK;
}

kdl_status kdl__lapack_qr(const kdl__lapack *lapack, kdl_context *ctx, kdl_dtype dtype, size_t m,
                          size_t n, void *a, void *diagonal)
{
    if (m > INT32_MAX || n > INT32_MAX)
        return KDL_ERROR_RUNTIME;
    size_t size = kdl_dtype_nbytes(dtype);
    void *tau = kdl__alloc_quiet(ctx, n, size);
    if (!tau)
        return KDL_ERROR_MEMORY;
    int threads = lapack->set_num_threads_local(ctx->threads);
    kdl_status status = step(lapack, ctx, false, dtype, (int64_t)m, (int64_t)n, a, tau);
    for (size_t j = 0; j < n && status == KDL_OK; j++)
        memcpy((char *)diagonal + j * size, (char *)a + (j * m + j) * size, size);
    if (status == KDL_OK)
        status = step(lapack, ctx, true, dtype, (int64_t)m, (int64_t)n, a, tau);
    lapack->set_num_threads_local(threads);
    kdl_free(ctx, tau);
    return status;
}
