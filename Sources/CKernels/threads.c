#define _GNU_SOURCE
#include "kernels.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

/* A pool of threads that wait spinning for a moment, then asleep: most kernels last well under a millisecond,
 * and waking a sleeping thread costs a good part of that. */

enum { MAX_THREADS = 64, SPINS = 4000 };

static pthread_mutex_t owner = PTHREAD_MUTEX_INITIALIZER; /* one user of the pool at a time */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work_ready = PTHREAD_COND_INITIALIZER;

static atomic_int threads;     /* wanted, the caller included; 0 = not decided yet */
static int started = 0;        /* pool threads running */
static atomic_ulong round_number;
static atomic_long next_chunk, chunks_left;
static atomic_int busy;        /* pool threads still inside the current round */
static long chunk_count;
static chunk_body current_body;
static void *current_context;
static __thread int inside = 0;

static void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static void run_chunks(void) {
    long chunk;
    while ((chunk = atomic_fetch_add(&next_chunk, 1)) < chunk_count) {
        current_body(current_context, chunk);
        atomic_fetch_sub(&chunks_left, 1);
    }
}

static void *worker(void *argument) {
    unsigned long seen = (unsigned long)(uintptr_t)argument;
    inside = 1;
    for (;;) {
        int spins = 0;
        while (atomic_load(&round_number) == seen && spins < SPINS) { relax(); spins++; }
        if (atomic_load(&round_number) == seen) {
            pthread_mutex_lock(&gate);
            while (atomic_load(&round_number) == seen) pthread_cond_wait(&work_ready, &gate);
            pthread_mutex_unlock(&gate);
        }
        seen = atomic_load(&round_number);
        run_chunks();
        atomic_fetch_sub(&busy, 1);
    }
    return NULL;
}

static void decide_thread_count(void) {
    if (threads > 0) return;
    const char *wanted = getenv("PROLOGUE_THREADS");
    long count = wanted ? strtol(wanted, NULL, 10) : 0;
    if (count <= 0) {
        cpu_set_t allowed;
        count = sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 1;
    }
    threads = (int)(count < 1 ? 1 : count > MAX_THREADS ? MAX_THREADS : count);
}

/* Chunk bodies ask too, and run while the owner's lock is held: it is only taken before any work was done. */
int parallel_thread_count(void) {
    if (threads == 0) {
        pthread_mutex_lock(&owner);
        decide_thread_count();
        pthread_mutex_unlock(&owner);
    }
    return threads;
}

void parallel_set_thread_count(int count) {
    pthread_mutex_lock(&owner);
    threads = count < 1 ? 1 : count > MAX_THREADS ? MAX_THREADS : count;
    pthread_mutex_unlock(&owner);
}

void parallel_chunks(long chunks, chunk_body body, void *context) {
    if (chunks <= 1 || inside || pthread_mutex_trylock(&owner) != 0) {
        for (long chunk = 0; chunk < chunks; chunk++) body(context, chunk);
        return;
    }
    decide_thread_count();
    while (started < threads - 1) {
        pthread_t thread;
        void *seen = (void *)(uintptr_t)atomic_load(&round_number);
        if (pthread_create(&thread, NULL, worker, seen) != 0) { threads = started + 1; break; }
        pthread_detach(thread);
        started++;
    }
    inside = 1;
    if (threads == 1) {
        for (long chunk = 0; chunk < chunks; chunk++) body(context, chunk);
    } else {
        current_body = body;
        current_context = context;
        chunk_count = chunks;
        atomic_store(&chunks_left, chunks);
        atomic_store(&busy, started);
        atomic_store(&next_chunk, 0);
        pthread_mutex_lock(&gate);
        atomic_fetch_add(&round_number, 1);
        pthread_cond_broadcast(&work_ready);
        pthread_mutex_unlock(&gate);
        run_chunks();
        /* Wait until every thread has left the round, so that none can read the next round's fields half set. */
        int spins = 0;
        while (atomic_load(&busy) > 0) {
            if (++spins < SPINS) relax(); else sched_yield();
        }
    }
    inside = 0;
    pthread_mutex_unlock(&owner);
}
