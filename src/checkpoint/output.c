/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that is written whole or not at all.
 *
 * It has no name while it is written (O_TMPFILE), so that nothing is left of it when the process is
 * killed; file systems that do not know this get a temporary name in the same directory. The disk
 * is asked for all the room at once (fallocate), and then the file is filled in place, through a
 * mapped window that is unmapped when full: its pages then belong to the system, not to us. Without
 * fallocate a full disk would be a SIGBUS, so file systems that lack it get plain writes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/checkpoint.h"

struct kdl__output {
    kdl_context *ctx; /* borrowed from the caller for the output's life */
    char *path;       /* with symbolic links at its end resolved */
    const char *base; /* the last part of `path` */
    bool force;
    bool anonymous;     /* the file has no name */
    bool mapped;        /* windows are the file itself, not a buffer */
    char temporary[64]; /* the name in `directory` while there is one, else "" */
    int directory, file;
    uint64_t offset; /* of the window */
    size_t nbytes;
    void *window; /* NULL: none */
};

kdl_status kdl__fail_errno(kdl_context *ctx, const char *where, const char *action,
                           const char *path, int error)
{
    char text[128];
    return kdl__fail_at(ctx, where, KDL_ERROR_IO, "cannot %s '%s': %s", action, path,
                        strerror_r(error, text, sizeof text));
}

/* The public function that outputs work for, as the place of their errors. */
static const char place[] = "kdl_plan_save";

static kdl_status fail_writing(kdl__output *output, int error)
{
    return kdl__fail_errno(output->ctx, place, "write", output->path, error);
}

/* Refuses what stands at `path` already, unless it is a file that may be replaced. */
static kdl_status check_existing(kdl_context *ctx, const char *path, bool force)
{
    struct stat status;
    if (stat(path, &status)) {
        if (errno == ENOENT && !lstat(path, &status))
            return kdl__fail_at(ctx, place, KDL_ERROR_IO,
                                "cannot write '%s': it is a symbolic link to nothing", path);
        return errno == ENOENT ? KDL_OK : kdl__fail_errno(ctx, place, "write", path, errno);
    }
    if (S_ISDIR(status.st_mode))
        return kdl__fail_at(ctx, place, KDL_ERROR_IO, "cannot write '%s': it is a directory", path);
    if (!S_ISREG(status.st_mode))
        return kdl__fail_at(ctx, place, KDL_ERROR_IO, "cannot write '%s': it is not a regular file",
                            path);
    if (!force)
        return kdl__fail_at(ctx, place, KDL_ERROR_IO, "cannot write '%s': the file exists", path);
    return KDL_OK;
}

/* Fills path and base: where a link leads, so that replacing a file keeps the link to it. */
static bool set_path(kdl__output *output, const char *path)
{
    struct stat status;
    char *target = NULL;
    if (!lstat(path, &status) && S_ISLNK(status.st_mode)) {
        target = realpath(path, NULL);
        if (!target) {
            kdl__fail_errno(output->ctx, place, "write", path, errno);
            return false;
        }
    }
    output->path = kdl__strdup(output->ctx, target ? target : path);
    free(target);
    if (!output->path)
        return false;
    const char *slash = strrchr(output->path, '/');
    output->base = slash ? slash + 1 : output->path;
    if (!*output->base)
        kdl__fail_at(output->ctx, place, KDL_ERROR_IO, "cannot write '%s': it names no file", path);
    return *output->base != '\0';
}

static kdl_status open_directory(kdl__output *output)
{
    size_t length = (size_t)(output->base - output->path);
    char *name =
        length ? kdl__strndup(output->ctx, output->path, length) : kdl__strdup(output->ctx, ".");
    if (!name)
        return kdl_error_status(output->ctx);
    output->directory = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (output->directory < 0 && errno == ENOENT)
        kdl__fail_at(output->ctx, place, KDL_ERROR_IO,
                     "cannot write '%s': there is no directory '%s'", output->path, name);
    else if (output->directory < 0)
        fail_writing(output, errno);
    kdl_free(output->ctx, name);
    return kdl_error_status(output->ctx);
}

/* Calls make(output, name) with names that are likely to be free until one is. */
static int with_temporary_name(kdl__output *output, int (*make)(kdl__output *output))
{
    int result = -1;
    for (int attempt = 0; attempt < 1000 && result < 0; attempt++) {
        snprintf(output->temporary, sizeof output->temporary, ".kindling-%ld-%d.tmp",
                 (long)getpid(), attempt);
        result = make(output);
        if (result < 0 && errno != EEXIST)
            break;
    }
    if (result < 0)
        output->temporary[0] = '\0';
    return result;
}

static int open_temporary(kdl__output *output)
{
    return openat(output->directory, output->temporary, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC,
                  0666);
}

/* The nameless file gets `name`. /proc is the way that needs no privilege. */
static int link_anonymous(kdl__output *output, const char *name)
{
    char self[64];
    snprintf(self, sizeof self, "/proc/self/fd/%d", output->file);
    return linkat(AT_FDCWD, self, output->directory, name, AT_SYMLINK_FOLLOW);
}

static int link_temporary(kdl__output *output)
{
    return link_anonymous(output, output->temporary);
}

static kdl_status open_file(kdl__output *output)
{
    output->file = openat(output->directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
    output->anonymous = output->file >= 0 && !access("/proc/self/fd", X_OK);
    if (output->file >= 0 && !output->anonymous) {
        close(output->file);
        output->file = -1;
    }
    if (output->file < 0)
        output->file = with_temporary_name(output, open_temporary);
    return output->file < 0 ? fail_writing(output, errno) : KDL_OK;
}

static kdl__output *open_output(kdl_context *ctx, const char *path, bool force)
{
    if (check_existing(ctx, path, force))
        return NULL;
    kdl__output *output = kdl__alloc_zeroed(ctx, 1, sizeof *output);
    if (!output)
        return NULL;
    output->ctx = ctx;
    output->force = force;
    output->directory = output->file = -1;
    if (set_path(output, path) && !open_directory(output) && !open_file(output))
        return output;
    kdl__output_close(output);
    return NULL;
}

/* Asks for all the room now. False with no error: this file system cannot promise it. */
static bool reserve_room(kdl__output *output, uint64_t nbytes)
{
    int result;
    if (nbytes > INT64_MAX) {
        fail_writing(output, EFBIG);
        return false;
    }
    do
        result = fallocate(output->file, 0, 0, (off_t)nbytes);
    while (result && errno == EINTR);
    if (result && errno != EOPNOTSUPP && errno != ENOSYS)
        fail_writing(output, errno);
    return !result;
}

kdl__output *kdl__output_open(kdl_context *ctx, const char *path, bool force, uint64_t nbytes)
{
    kdl__output *output = open_output(ctx, path, force);
    if (!output)
        return NULL;
    output->mapped = reserve_room(output, nbytes);
    if (kdl__failed(ctx)) {
        kdl__output_close(output);
        return NULL;
    }
    return output;
}

kdl_status kdl_save_check(kdl_context *ctx, const char *path, bool force)
{
    if (kdl__failed(ctx))
        return kdl_error_status(ctx);
    kdl__output_close(open_output(ctx, path, force));
    return kdl_error_status(ctx);
}

void *kdl__output_window(kdl__output *output, uint64_t offset, size_t nbytes)
{
    output->offset = offset;
    output->nbytes = nbytes;
    if (output->mapped) {
        void *window =
            mmap(NULL, nbytes, PROT_READ | PROT_WRITE, MAP_SHARED, output->file, (off_t)offset);
        output->window = window == MAP_FAILED ? NULL : window;
        if (!output->window)
            output->mapped = false; /* some file systems have the room but no shared mappings */
    }
    if (!output->mapped && !output->window)
        output->window = kdl__alloc(output->ctx, KDL__OUTPUT_WINDOW, 1);
    return output->window;
}

kdl_status kdl__output_store(kdl__output *output)
{
    if (output->mapped) {
        munmap(output->window, output->nbytes);
        output->window = NULL;
        return KDL_OK;
    }
    for (size_t done = 0; done < output->nbytes;) {
        ssize_t n = pwrite(output->file, (char *)output->window + done, output->nbytes - done,
                           (off_t)(output->offset + done));
        if (n < 0 && errno != EINTR)
            return fail_writing(output, errno);
        done += n > 0 ? (size_t)n : 0;
    }
    return KDL_OK;
}

/* Renames the temporary name to the final one, which without `force` must not be taken. */
static int rename_temporary(kdl__output *output)
{
    int result = -1;
    errno = EINVAL;
    if (!output->force)
        result = renameat2(output->directory, output->temporary, output->directory, output->base,
                           RENAME_NOREPLACE);
    /* A file system without RENAME_NOREPLACE: what is there was looked for when we began. */
    if (result && (errno == EINVAL || errno == ENOSYS))
        result = renameat(output->directory, output->temporary, output->directory, output->base);
    if (!result)
        output->temporary[0] = '\0';
    return result;
}

/* Gives the file its final name; a nameless one can have it without a detour if it is free. */
static int set_name(kdl__output *output)
{
    if (output->anonymous && !output->force)
        return link_anonymous(output, output->base);
    if (output->anonymous && with_temporary_name(output, link_temporary))
        return -1;
    return rename_temporary(output);
}

/* The name is in the directory, which is to be on the disk too. */
static int sync_directory(kdl__output *output)
{
    int directory = openat(output->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = directory < 0 ? -1 : fsync(directory);
    if (directory >= 0)
        close(directory);
    return result;
}

kdl_status kdl__output_publish(kdl__output *output, bool sync)
{
    if ((sync && fsync(output->file)) || set_name(output) || (sync && sync_directory(output)))
        return fail_writing(output, errno);
    return KDL_OK;
}

void kdl__output_close(kdl__output *output)
{
    if (!output)
        return;
    if (output->window && output->mapped)
        munmap(output->window, output->nbytes);
    else
        kdl_free(output->ctx, output->window);
    if (output->temporary[0])
        unlinkat(output->directory, output->temporary, 0);
    if (output->file >= 0)
        close(output->file);
    if (output->directory >= 0)
        close(output->directory);
    kdl_free(output->ctx, output->path);
    kdl_free(output->ctx, output);
}
