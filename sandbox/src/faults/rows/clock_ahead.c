/* The wall clock of one process, ahead by CLOCK_AHEAD_SECONDS. The clock that cannot be set stays as it is. */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
    long failed = syscall(SYS_clock_gettime, clock, now);
    if (failed == 0 && clock == CLOCK_REALTIME) {
        now->tv_sec += CLOCK_AHEAD_SECONDS;
    }
    return (int)failed;
}
