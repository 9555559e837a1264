#include <libpq-fe.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/// One field of an error, by its PG_DIAG_* code; NULL when absent. The codes are character macros, which Swift can't see.
static inline const char *edgetick_error_sqlstate(const PGresult *result) {
    return PQresultErrorField(result, PG_DIAG_SQLSTATE);
}
static inline const char *edgetick_error_message(const PGresult *result) {
    return PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
}
static inline const char *edgetick_error_detail(const PGresult *result) {
    return PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
}
static inline const char *edgetick_error_table(const PGresult *result) {
    return PQresultErrorField(result, PG_DIAG_TABLE_NAME);
}
static inline const char *edgetick_error_column(const PGresult *result) {
    return PQresultErrorField(result, PG_DIAG_COLUMN_NAME);
}
static inline const char *edgetick_error_constraint(const PGresult *result) {
    return PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
}

/// Takes server notices and drops them: libpq would print them to stderr.
static inline void edgetick_ignore_notice(void *context, const PGresult *result) {
    (void) context;
    (void) result;
}
static inline void edgetick_ignore_notices(PGconn *connection) {
    PQsetNoticeReceiver(connection, edgetick_ignore_notice, NULL);
}

/// The calling thread's ID, for ``edgetick_give_way``; Swift's Glibc module lacks gettid.
static inline int edgetick_thread(void) {
    return (int) syscall(SYS_gettid);
}
/// Gives one thread the lowest priority (on Linux each thread has its own). Without privileges it can't be raised again.
static inline void edgetick_give_way(int thread) {
    (void) setpriority(PRIO_PROCESS, (id_t) thread, 19);
}

/// Returns how many bytes a TCP socket has received; 0 for any other socket, or if the kernel doesn't say.
static inline unsigned long long edgetick_received(int socket) {
    // tcpi_bytes_received of the kernel's tcp_info, of which glibc declares an older form.
    enum { option = 11, place = 128 };
    unsigned char info[place + 8];
    socklen_t length = sizeof info;
    unsigned long long count = 0;
    if (getsockopt(socket, IPPROTO_TCP, option, info, &length) == 0 && length == sizeof info) {
        memcpy(&count, info + place, sizeof count);
    }
    return count;
}
