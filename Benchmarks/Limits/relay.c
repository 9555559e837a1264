// The feed before a relay and the clients behind it, in one thread: what it sends it also receives.
//
//     relay latency RATE SECONDS    RATE events a second in frames of ten; prints p50, p99 and maximum, in milliseconds,
//                                   from the write of a frame until a client has each event of it
//     relay pass PORT CLIENTS       a relay that hands on what it reads from the feed on PORT and does nothing else
//     relay fan EVENTS              EVENTS as fast as the slowest client takes them; prints the seconds, and the bytes of
//                                   one client's events
//     relay nats EVENTS             the same through nats-server, a message an event
//     relay hold                    the first client wants all and reads nothing, the second reads a byte a second of
//                                   it, the third never logs in, the fourth asks for channels as fast as it may; the
//                                   others read minute bars
//     relay stand CLIENTS           stands in for a relay before the clients of `hold`, and sends them no events
//     relay replay CHANNELS FILE    one client asks for all past events, then reads live ones for a second; prints the
//                                   seconds until the replay was complete and what the relay counted, and leaves what came
//                                   in FILE
//
// Prints "listening on PORT" where it is the feed. Waits for a line "PORT CLIENTS" on its input, connects so many clients
// to that port, and begins. `hold` prints "holding" then, and ends with its input.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EACH_LATENCY = 10, EACH_FAN = 100, WINDOW = 20000, MOST_CLIENTS = 1000 };

static const char ALL[] = "{\"action\":\"subscribe\",\"params\":\"T.*\"}";

static char buffer[1 << 20];

static void fail(const char *what) {
    fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
    exit(74);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void put(int socket, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t written = send(socket, bytes, count, MSG_NOSIGNAL);
        if (written < 0) fail("write");
        bytes += written;
        count -= written;
    }
}

// Reads until a text has come, and forgets what was read.
static void until(int socket, const char *text) {
    size_t length = 0;
    while (!memmem(buffer, length, text, strlen(text))) {
        ssize_t count = length < sizeof buffer ? recv(socket, buffer + length, sizeof buffer - length, 0) : 0;
        if (count <= 0) fail(text);
        length += count;
    }
}

static size_t header(char *place, size_t length) {
    place[0] = (char)0x81;
    if (length < 126) {
        place[1] = (char)length;
        return 2;
    }
    if (length < 65536) {
        place[1] = 126;
        place[2] = (char)(length >> 8);
        place[3] = (char)length;
        return 4;
    }
    place[1] = 127;
    for (int i = 0; i < 8; i++) place[2 + i] = (char)((uint64_t)length >> (56 - 8 * i));
    return 10;
}

static int nodelay(int socket) {
    int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return socket;
}

static int dial(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int end = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(end, (struct sockaddr *)&address, sizeof address) < 0) fail("connect");
    return nodelay(end);
}

static int opened(int *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 64) < 0) fail("listen");
    getsockname(listener, (struct sockaddr *)&address, &size);
    *port = ntohs(address.sin_port);
    return listener;
}

// ---- the feed's side

static void say(int socket, const char *status, const char *message) {
    char text[256], frame[300];
    int length = snprintf(text, sizeof text, "[{\"ev\":\"status\",\"status\":\"%s\",\"message\":\"%s\"}]", status, message);
    size_t start = header(frame, length);
    memcpy(frame + start, text, length);
    put(socket, frame, start + length);
}

// Serves a client until it has asked for what `last` says.
static int serve(int listener, const char *last) {
    int client = nodelay(accept(listener, NULL, NULL));
    size_t length = 0;
    char *key;
    while (buffer[length] = 0, !strstr(buffer, "\r\n\r\n")) {
        ssize_t count = recv(client, buffer + length, sizeof buffer - 1 - length, 0);
        if (count <= 0) fail("handshake");
        length += count;
    }
    if (!(key = strcasestr(buffer, "sec-websocket-key:"))) fail("handshake");
    char joined[128], answer[256];
    unsigned char digest[20], accepted[32];
    sscanf(key + 18, " %60[^\r]", joined);
    strcat(joined, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    SHA1((unsigned char *)joined, strlen(joined), digest);
    EVP_EncodeBlock(accepted, digest, 20);
    int size = snprintf(
        answer, sizeof answer,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
        accepted);
    put(client, answer, size);
    say(client, "connected", "Connected Successfully");
    for (;;) {
        unsigned char head[8], text[4096];
        if (recv(client, head, 2, MSG_WAITALL) != 2) fail("request");
        size_t length = head[1] & 127;
        if (length == 126) {
            if (recv(client, head + 2, 2, MSG_WAITALL) != 2) fail("request");
            length = head[2] << 8 | head[3];
        }
        if (recv(client, head + 4, 4, MSG_WAITALL) != 4 || length >= sizeof text) fail("request");
        if (length && recv(client, text, length, MSG_WAITALL) != (ssize_t)length) fail("request");
        for (size_t i = 0; i < length; i++) text[i] ^= head[4 + i % 4];
        text[length] = 0;
        if ((head[0] & 15) != 1) continue;
        if (strstr((char *)text, "auth")) {
            say(client, "auth_success", "authenticated");
            if (!strcmp(last, "auth")) return client;
        } else if (strstr((char *)text, last)) {
            char message[64];
            snprintf(message, sizeof message, "subscribed to: %s", last);
            say(client, "success", message);
            return client;
        }
    }
}

// ---- the clients' side

static int clients[MOST_CLIENTS], count;
static long received[MOST_CLIENTS];
static double bytes;

// A request as a client sends it, masked with zeros.
static size_t masked(char *frame, const char *text) {
    size_t length = strlen(text), start = header(frame, length);
    frame[1] |= (char)0x80;
    memset(frame + start, 0, 4);
    memcpy(frame + start + 4, text, length);
    return start + 4 + length;
}

static void request(int socket, const char *text) {
    char frame[4200];
    put(socket, frame, masked(frame, text));
}

static int client(int port, const char *subscription) {
    int end = dial(port);
    char head[256];
    int length = snprintf(
        head, sizeof head,
        "GET /stocks HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        port);
    put(end, head, length);
    until(end, "onnected");
    request(end, "{\"action\":\"auth\",\"params\":\"bench\"}");
    until(end, "auth_success");
    if (subscription) {
        request(end, subscription);
        if (!strstr(subscription, "from")) until(end, "subscribed to: ");
    }
    return end;
}

static int subscriber(int port) {
    int end = dial(port);
    const char *text = "CONNECT {\"verbose\":false}\r\nSUB T.* 1\r\nPING\r\n";
    put(end, text, strlen(text));
    until(end, "PONG");
    return end;
}

static int order(void) {
    int port;
    if (scanf("%d %d", &port, &count) != 2 || count < 1 || count > MOST_CLIENTS) fail("input");
    return port;
}

// What the clients have to read; returns the fewest events that one has.
static int events_epoll;
static void watch(void) {
    events_epoll = epoll_create1(0);
    for (int i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        epoll_ctl(events_epoll, EPOLL_CTL_ADD, clients[i], &event);
    }
}

static long least(void) {
    long least = received[0];
    for (int i = 1; i < count; i++)
        if (received[i] < least) least = received[i];
    return least;
}

// Takes what is there, waiting `milliseconds` at most; `found` sees each piece.
static void take(int milliseconds, void (*found)(int, const char *, ssize_t)) {
    struct epoll_event ready[64];
    int some = epoll_wait(events_epoll, ready, 64, milliseconds);
    for (int i = 0; i < some; i++) {
        int number = ready[i].data.u32;
        ssize_t length = recv(clients[number], buffer, sizeof buffer, MSG_DONTWAIT);
        if (length == 0 || (length < 0 && errno != EAGAIN)) fail("a client was closed");
        if (length > 0) found(number, buffer, length);
    }
}

static void tally(int number, const char *piece, ssize_t length) {
    long objects = 0;
    // An event holds no further object. The statuses of a replay are counted too, a handful.
    for (ssize_t i = 0; i < length; i++) objects += piece[i] == '{';
    received[number] += objects;
}

// ---- the events

static int event(char *place, size_t room, long number) {
    return snprintf(
        place, room,
        "{\"ev\":\"T\",\"sym\":\"S%03ld\",\"x\":4,\"i\":\"%ld\",\"z\":3,\"p\":%ld.%02ld,\"s\":100,\"c\":[12,37],"
        "\"t\":%ld,\"q\":%ld}",
        number % 300, number, 100 + number % 40, number % 100, 1704205800000 + number / 10, number + 1);
}

static size_t frame(char *place, long first, int each) {
    static char text[1 << 16];
    size_t length = 0;
    text[length++] = '[';
    for (int i = 0; i < each; i++) {
        if (i) text[length++] = ',';
        length += event(text + length, sizeof text - length, first + i);
    }
    text[length++] = ']';
    size_t start = header(place, length);
    memcpy(place + start, text, length);
    return start + length;
}

// ---- latency

static double *sent;
static float *delays;
static long delay_count, delay_room;
static char tails[MOST_CLIENTS][64];
static int tail_lengths[MOST_CLIENTS];

static void seen(int number, long event, double time) {
    if (delay_count < delay_room) delays[delay_count++] = (time - sent[(event - 1) / EACH_LATENCY]) * 1e3;
    received[number]++;
}

// Finds each `"q":N}`, also one that two reads share.
static void measure(int number, const char *piece, ssize_t length) {
    static char whole[sizeof buffer + 64];
    double time = now();
    size_t size = tail_lengths[number] + length;
    memcpy(whole, tails[number], tail_lengths[number]);
    memcpy(whole + tail_lengths[number], piece, length);
    const char *place = whole, *end = whole + size;
    while ((place = memmem(place, end - place, "\"q\":", 4))) {
        const char *close = memchr(place, '}', end - place);
        if (!close) break;
        seen(number, atol(place + 4), time);
        place = close;
    }
    // A number cut in two is shorter than this.
    const char *rest = place ? place : end - (size < 4 ? size : 3);
    tail_lengths[number] = end - rest > 63 ? 0 : end - rest;
    memmove(tails[number], rest, tail_lengths[number]);
}

static int ascending(const void *left, const void *right) {
    float difference = *(const float *)left - *(const float *)right;
    return (difference > 0) - (difference < 0);
}

static void latency(long rate, double seconds, int listener) {
    long frames = rate * seconds / EACH_LATENCY, all = frames * EACH_LATENCY;
    int port = order();
    int feed = serve(listener, "T.*");
    for (int i = 0; i < count; i++) clients[i] = client(port, ALL);
    watch();
    sent = calloc(frames, sizeof *sent);
    delay_room = all * count;
    delays = malloc(delay_room * sizeof *delays);
    char *bytes = malloc(1 << 16);
    double start = now(), end = start + seconds + 10;
    for (long number = 0; number < frames || (least() < all && now() < end);) {
        double due = start + (double)number * EACH_LATENCY / rate;
        if (number < frames && now() >= due) {
            size_t length = frame(bytes, number * EACH_LATENCY, EACH_LATENCY);
            sent[number++] = now();
            put(feed, bytes, length);
        }
        // Without sleeping: a wake-up would be counted as the relay's.
        take(0, measure);
    }
    if (least() < all) fail("events are missing");
    // The first second warms up.
    long skipped = rate * count < delay_count ? rate * count : 0;
    qsort(delays + skipped, delay_count - skipped, sizeof *delays, ascending);
    long left = delay_count - skipped;
    printf("%.3f %.3f %.3f\n", delays[skipped + left / 2], delays[skipped + left * 99 / 100], delays[delay_count - 1]);
}

static void pass(int port, int wanted, int listener) {
    int feed = client(port, ALL);
    for (count = 0; count < wanted; count++) clients[count] = serve(listener, "T.*");
    for (ssize_t length; (length = recv(feed, buffer, sizeof buffer, 0)) > 0;)
        for (int i = 0; i < count; i++) put(clients[i], buffer, length);
}

// ---- fan-out

static void fan(long all, int isNATS, int listener) {
    int port, feed;
    if (isNATS) {
        port = order();
        feed = dial(port);
        const char *greeting = "CONNECT {\"verbose\":false}\r\nPING\r\n";
        put(feed, greeting, strlen(greeting));
        until(feed, "PONG");
        for (int i = 0; i < count; i++) clients[i] = subscriber(port);
    } else {
        feed = serve(listener, "T.*");
        port = order();
        for (int i = 0; i < count; i++) clients[i] = client(port, ALL);
    }
    watch();
    printf("ready\n");
    fflush(stdout);
    // Waits until the processor time so far is noted.
    if (scanf("%*s") == EOF) fail("input");
    long frames = all / EACH_FAN, number = 0;
    char *piece = malloc(1 << 17), text[512];
    size_t length = 0, written = 0;
    double start = now(), last = start;
    long before = 0;
    while (least() < frames * EACH_FAN) {
        if (length == written && number < frames && number * EACH_FAN - least() < WINDOW) {
            length = written = 0;
            if (isNATS) {
                for (int i = 0; i < EACH_FAN; i++) {
                    int size = event(text, sizeof text, number * EACH_FAN + i);
                    length += sprintf(piece + length, "PUB T.S%03ld %d\r\n%s\r\n", (number * EACH_FAN + i) % 300, size, text);
                    bytes += size;
                }
            } else {
                length = frame(piece, number * EACH_FAN, EACH_FAN);
                bytes += length;
            }
            number++;
        }
        if (written < length) {
            ssize_t some = send(feed, piece + written, length - written, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (some < 0 && errno != EAGAIN) fail("write");
            if (some > 0) written += some;
        }
        take(written < length || number * EACH_FAN - least() < WINDOW ? 0 : 10, tally);
        if (least() > before) {
            before = least();
            last = now();
        } else if (now() > last + 30) {
            fail("nothing comes any more");
        }
    }
    printf("%.6f %.0f\n", now() - start, bytes);
    fflush(stdout);
    while (getchar() != EOF) {}
}

// ---- the rest

// Reads what is there, and forgets it.
static void drop(int socket) {
    while (recv(socket, buffer, sizeof buffer, MSG_DONTWAIT) > 0) {}
}

enum { MUTE, SLOW, STRANGER, FLOOD };

static void hold(void) {
    int port = order();
    for (int i = 0; i < count; i++)
        if (i == STRANGER) clients[i] = dial(port);
        else clients[i] = client(port, i < STRANGER ? ALL : i == FLOOD ? NULL : "{\"action\":\"subscribe\",\"params\":\"AM.*\"}");
    char text[4096] = "{\"action\":\"subscribe\",\"params\":\"T.X0", frame[4200];
    for (int i = 1; i < 400; i++) sprintf(text + strlen(text), ",T.X%d", i);
    strcat(text, "\"}");
    size_t length = masked(frame, text), done = 0;
    printf("holding\n");
    fflush(stdout);
    struct pollfd input = {.fd = 0, .events = POLLIN};
    for (long tick = 0; poll(&input, 1, 10) == 0; tick++) {
        char one;
        if (tick % 100 == 0) recv(clients[SLOW], &one, 1, MSG_DONTWAIT);
        for (int i = FLOOD; i < count; i++) drop(clients[i]);
        for (int i = 0; i < 16; i++) {
            ssize_t some = send(clients[FLOOD], frame + done, length - done, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (some < 0) break;
            done = (done + some) % length;
        }
    }
}

static void stand(int wanted, int listener) {
    for (count = 0; count < wanted; count++)
        if (count == STRANGER) clients[count] = accept(listener, NULL, NULL);
        else clients[count] = serve(listener, count < STRANGER ? "T.*" : count == FLOOD ? "auth" : "AM.*");
    while (getchar() != EOF) {}
}

static void replay(const char *channels, const char *path) {
    static char found[128 + sizeof buffer + 1];
    char text[4096];
    snprintf(text, sizeof text, "{\"action\":\"subscribe\",\"params\":\"%s\",\"from\":0}", channels);
    int end = client(order(), NULL);
    FILE *file = fopen(path, "w");
    if (!file) fail(path);
    double start = now(), complete = 0;
    size_t kept = 0;
    struct timeval second = {.tv_sec = 1};
    setsockopt(end, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
    request(end, text);
    while (!complete || now() < start + complete + 1) {
        ssize_t length = recv(end, buffer, sizeof buffer, 0);
        if (length < 0 && errno == EAGAIN && now() < start + 300) continue;
        if (length <= 0) fail("no end of the replay came");
        if (fwrite(buffer, 1, length, file) != (size_t)length) fail(path);
        if (complete) continue;
        // Also one that two reads share.
        memcpy(found + kept, buffer, length);
        char *message = memmem(found, kept + length, "replay_complete", 15);
        if (message && memmem(message, found + kept + length - message, " events", 7)) {
            complete = now() - start;
            printf("%.6f %ld\n", complete, atol(strchr(strstr(message, ": "), ' ')));
        } else {
            size_t rest = kept + length < 128 ? kept + length : 128;
            memmove(found, found + kept + length - rest, rest);
            kept = rest;
        }
    }
    fclose(file);
}

int main(int argc, char **argv) {
    int port, listener = opened(&port);
    const char *what = argc > 1 ? argv[1] : "";
    if (!strcmp(what, "latency") || !strcmp(what, "fan") || !strcmp(what, "pass") || !strcmp(what, "stand")) {
        printf("listening on %d\n", port);
        fflush(stdout);
    }
    if (!strcmp(what, "latency") && argc == 4) latency(atol(argv[2]), atof(argv[3]), listener);
    else if (!strcmp(what, "pass") && argc == 4) pass(atoi(argv[2]), atoi(argv[3]), listener);
    else if (!strcmp(what, "fan") && argc == 3) fan(atol(argv[2]), 0, listener);
    else if (!strcmp(what, "nats") && argc == 3) fan(atol(argv[2]), 1, listener);
    else if (!strcmp(what, "hold")) hold();
    else if (!strcmp(what, "stand") && argc == 3) stand(atoi(argv[2]), listener);
    else if (!strcmp(what, "replay") && argc == 4) replay(argv[2], argv[3]);
    else {
        fprintf(stderr, "usage: see the head of relay.c\n");
        return 64;
    }
    return 0;
}
