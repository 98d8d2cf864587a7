/*
 * Does known amounts of what can be traced, as the lines on its standard input say, and answers each with `error …`, or `ok` and the number
 * of the last thread that it started; it ends when the input ends. Started as `known-load server` it is the other side: TCP and UDP that
 * give back what they get (ports 7000 and 7001) and a name server at port 53 that thinks for 5 ms before each answer. Started as
 * `known-load at PID` it does what it is told in a child with that pid.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ECHO_TCP = 7000, ECHO_UDP = 7001, DNS = 53, CHUNK = 4096 };

static char buffer[1 << 16];

static struct sockaddr_in loopback(int port) {
  return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int nap(long ms) {
  struct timespec length = {ms / 1000, ms % 1000 * 1000000};
  while (nanosleep(&length, &length) < 0)
    if (errno != EINTR) return -1;
  return 0;
}

static int dial(int type, int port) {
  struct sockaddr_in to = loopback(port);
  int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0) return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

/* The other side. */

static int listener(int family, int type, int port) {
  struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
  struct sockaddr_in at4 = {.sin_family = AF_INET, .sin_port = htons(port)};
  int fd = socket(family, type | SOCK_CLOEXEC, 0), on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, family == AF_INET ? (void *)&at4 : (void *)&at, family == AF_INET ? sizeof at4 : sizeof at) < 0) return -1;
  return type == SOCK_STREAM && listen(fd, 64) < 0 ? -1 : fd;
}

static int serve(void) {
  struct pollfd at[128] = {{.fd = 0, .events = POLLIN},
                           {.fd = listener(AF_INET, SOCK_STREAM, ECHO_TCP), .events = POLLIN},
                           {.fd = listener(AF_INET, SOCK_DGRAM, ECHO_UDP), .events = POLLIN},
                           {.fd = listener(AF_INET6, SOCK_DGRAM, DNS), .events = POLLIN}};
  nfds_t count = 4;
  if (at[1].fd < 0 || at[2].fd < 0 || at[3].fd < 0) return 1;
  puts("ready");
  fflush(stdout);
  for (;;) {
    if (poll(at, count, -1) < 0) return 1;
    if (at[0].revents) return 0;
    if (at[1].revents && count < 128) at[count++] = (struct pollfd){.fd = accept(at[1].fd, NULL, NULL), .events = POLLIN};
    for (int i = 2; i < 4; i++) {
      if (!at[i].revents) continue;
      struct sockaddr_in6 from;
      socklen_t size = sizeof from;
      ssize_t got = recvfrom(at[i].fd, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &size);
      if (i == 3) {
        nap(5);
        buffer[2] |= 0x80;
      }
      if (got > 0) sendto(at[i].fd, buffer, got, 0, (struct sockaddr *)&from, size);
    }
    for (nfds_t i = 4; i < count; i++) {
      if (!at[i].revents) continue;
      ssize_t got = recv(at[i].fd, buffer, sizeof buffer, 0);
      if (got > 0 && send(at[i].fd, buffer, got, MSG_NOSIGNAL) == got) continue;
      close(at[i].fd);
      at[i--] = at[--count];
    }
  }
}

/* What is counted. */

static int sleep_often(long times, long ms) {
  for (long i = 0; i < times; i++)
    if (nap(ms) < 0) return -1;
  return 0;
}

static int burn(long ms) {
  struct timespec now, start;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
  do clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 < ms);
  return 0;
}

static volatile long last_thread;

static void *nothing(void *unused) {
  last_thread = syscall(SYS_gettid);
  return unused;
}

/* Nobody waits for them, and where there are two CPUs they run on the last one and their maker stays on the first: it never leaves it. */
static int threads(long times) {
  cpu_set_t before, all, one;
  memset(&all, 0xff, sizeof all);
  if (sched_getaffinity(0, sizeof before, &before) < 0 || sched_setaffinity(0, sizeof all, &all) < 0) return -1;
  if (sched_getaffinity(0, sizeof all, &all) < 0) return -1;
  int first = 0, last = CPU_SETSIZE - 1;
  while (!CPU_ISSET(first, &all)) first++;
  while (!CPU_ISSET(last, &all)) last--;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  sched_setaffinity(0, sizeof one, &one);
  CPU_ZERO(&one);
  CPU_SET(last, &one);
  pthread_attr_t how;
  pthread_attr_init(&how);
  pthread_attr_setdetachstate(&how, PTHREAD_CREATE_DETACHED);
  pthread_attr_setaffinity_np(&how, sizeof one, &one);
  for (long i = 0; i < times; i++) {
    pthread_t thread;
    if (pthread_create(&thread, &how, nothing, NULL) != 0) return -1;
  }
  sched_setaffinity(0, sizeof before, &before);
  return nap(50);
}

static int connects(long times, int port) {
  for (long i = 0; i < times; i++) {
    int fd = dial(SOCK_STREAM, port);
    if (fd < 0 && errno != ECONNREFUSED) return -1;
    if (fd >= 0) close(fd);
  }
  return 0;
}

/* A look at what arrived and a read of nothing go before each: neither moves a byte. */
static int echo(int type, long times, size_t size) {
  int fd = dial(type, type == SOCK_STREAM ? ECHO_TCP : ECHO_UDP);
  for (long i = 0; i < times; i++) {
    if (recv(fd, buffer, size, MSG_DONTWAIT) >= 0 || errno != EAGAIN) return -1;
    if (send(fd, buffer, size, 0) != (ssize_t)size) return -1;
    if (recv(fd, buffer, size, MSG_PEEK) <= 0) return -1;
    for (size_t got = 0; got < size;) {
      ssize_t more = recv(fd, buffer, size - got, 0);
      if (more <= 0) return -1;
      got += more;
    }
  }
  return close(fd);
}

/* @param way 0: connected, 1: sendto, 2: sendmsg, 3: two questions at once by sendmmsg and two answers, 4: as 0, closed before the answer */
static int lookups(long times, int way) {
  struct sockaddr_in to = loopback(DNS);
  char question[32] = {0};
  for (long i = 0; i < times; i++) {
    int fd = way == 0 || way == 4 ? dial(SOCK_DGRAM, DNS) : socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int answers = way == 3 ? 2 : way == 4 ? 0 : 1;
    question[0] = i >> 8, question[1] = i;
    struct iovec piece = {question, sizeof question};
    struct mmsghdr both[2] = {{.msg_hdr = {.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &piece, .msg_iovlen = 1}}};
    both[1] = both[0];
    if ((way == 0 || way == 4) && write(fd, question, sizeof question) < 0) return -1;
    if (way == 1 && sendto(fd, question, sizeof question, 0, (struct sockaddr *)&to, sizeof to) < 0) return -1;
    if (way == 2 && sendmsg(fd, &both[0].msg_hdr, 0) < 0) return -1;
    if (way == 3 && sendmmsg(fd, both, 2, 0) != 2) return -1;
    for (; answers > 0; answers--)
      if (recv(fd, buffer, sizeof buffer, 0) <= 0) return -1;
    close(fd);
  }
  return 0;
}

/* Positioned calls, one with one buffer and one with two by turns; all of `size` bytes. */
static int positioned(const char *path, long times, size_t size, int isWrite) {
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  struct iovec pieces[2] = {{buffer, size / 2}, {buffer + size / 2, size - size / 2}};
  for (long i = 0; i < times; i++) {
    off_t at = i * size;
    ssize_t moved = isWrite ? (i & 1 ? pwritev(fd, pieces, 2, at) : pwrite(fd, buffer, size, at))
                            : (i & 1 ? preadv(fd, pieces, 2, at) : pread(fd, buffer, size, at));
    if (moved != (ssize_t)size) return -1;
  }
  return close(fd);
}

static int synced(const char *path, long times) {
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  for (long i = 0; i < times; i++)
    if ((i & 1 ? fdatasync(fd) : fsync(fd)) < 0) return -1;
  return close(fd);
}

/* As a VMM does beside its disks: of a file, and as often of an eventfd. */
static int plain(const char *path, long times, size_t size) {
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), bell = eventfd(0, EFD_CLOEXEC);
  uint64_t one = 1;
  for (long i = 0; i < times; i++)
    if (write(fd, buffer, size) != (ssize_t)size || write(bell, &one, 8) != 8 || read(bell, &one, 8) != 8) return -1;
  lseek(fd, 0, SEEK_SET);
  for (long i = 0; i < times; i++)
    if (read(fd, buffer, size) != (ssize_t)size) return -1;
  close(bell);
  return close(fd);
}

/* One request after the other: written, read, made durable, and a request that is no file's; by the kernel's own interface. */
static int uring(const char *path, long times, size_t size) {
  struct io_uring_params about = {0};
  int ring = syscall(SYS_io_uring_setup, 4, &about);
  if (ring < 0) return -1;
  size_t length = about.sq_off.array + about.sq_entries * sizeof(unsigned);
  size_t other = about.cq_off.cqes + about.cq_entries * sizeof(struct io_uring_cqe);
  char *rings = mmap(NULL, length > other ? length : other, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
  struct io_uring_sqe *entries = mmap(NULL, about.sq_entries * sizeof *entries, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
  if (rings == MAP_FAILED || entries == MAP_FAILED || !(about.features & IORING_FEAT_SINGLE_MMAP)) return -1;
  unsigned *tail = (unsigned *)(rings + about.sq_off.tail), *done = (unsigned *)(rings + about.cq_off.head);
  unsigned mask = *(unsigned *)(rings + about.sq_off.ring_mask), doneMask = *(unsigned *)(rings + about.cq_off.ring_mask);
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), bell = eventfd(0, EFD_CLOEXEC);
  uint64_t one = 1;
  const struct {
    int opcode, fd, length;
    void *data;
  } kinds[] = {{IORING_OP_WRITE, fd, size, buffer}, {IORING_OP_READ, fd, size, buffer}, {IORING_OP_FSYNC, fd, 0, NULL},
               {IORING_OP_NOP, -1, 0, NULL},        {IORING_OP_WRITE, bell, 8, &one},   {IORING_OP_READ, bell, 8, &one}};
  for (long i = 0; i < times * 6; i++) {
    int kind = i % 6;
    unsigned slot = *tail & mask;
    entries[slot] = (struct io_uring_sqe){.opcode = kinds[kind].opcode, .fd = kinds[kind].fd, .len = kinds[kind].length};
    entries[slot].addr = (uintptr_t)kinds[kind].data;
    entries[slot].off = kind < 2 ? i / 6 * size : 0;
    ((unsigned *)(rings + about.sq_off.array))[slot] = slot;
    __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
    if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1) return -1;
    struct io_uring_cqe *answer = (struct io_uring_cqe *)(rings + about.cq_off.cqes) + (*done & doneMask);
    if (answer->res != kinds[kind].length) {
      errno = answer->res < 0 ? -answer->res : EIO;
      return -1;
    }
    __atomic_store_n(done, *done + 1, __ATOMIC_RELEASE);
  }
  close(fd);
  close(bell);
  return close(ring);
}

/* A guest on a tap, which looks up names: frames and all. */

static int tap = -1;

static int plug(const char *name) {
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
  strncpy(request.ifr_name, name, sizeof request.ifr_name - 1);
  tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
  return tap < 0 ? -1 : ioctl(tap, TUNSETIFF, &request);
}

static uint16_t sum(const unsigned char *data, size_t size, uint32_t sum) {
  for (size_t i = 0; i < size; i++) sum += i & 1 ? data[i] : data[i] << 8;
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum;
}

static void put16(unsigned char *at, unsigned value) { at[0] = value >> 8, at[1] = value; }

/* @param mac of the tap on the host's side. From 10.253.1.2 or fd00::2 to the host's .1 or ::1, each question from a port of its own. */
static int guest_lookups(const unsigned char *mac, long times, int isSix) {
  enum { QUESTION = 32, UDP = 8 };
  size_t header = isSix ? 40 : 20;
  for (long i = 0; i < times; i++) {
    unsigned char frame[2048] = {0}, *ip = frame + 14, *udp = ip + header;
    memcpy(frame, mac, 6);
    memcpy(frame + 6, "\2\0\0\0\0\1", 6);
    put16(frame + 12, isSix ? 0x86dd : 0x0800);
    if (isSix) {
      ip[0] = 0x60, ip[6] = 17, ip[7] = 64;
      put16(ip + 4, UDP + QUESTION);
      ip[8] = ip[24] = 0xfd, ip[23] = 2, ip[39] = 1;
    } else {
      ip[0] = 0x45, ip[8] = 64, ip[9] = 17;
      put16(ip + 2, 20 + UDP + QUESTION);
      memcpy(ip + 12, "\12\375\1\2\12\375\1\1", 8);
      put16(ip + 10, sum(ip, 20, 0));
    }
    put16(udp, 20000 + i);
    put16(udp + 2, DNS);
    put16(udp + 4, UDP + QUESTION);
    put16(udp + 8, 0x1200 + i);
    if (isSix) put16(udp + 6, sum(ip + 8, 32 + UDP + QUESTION, 17 + UDP + QUESTION));
    if (write(tap, frame, 14 + header + UDP + QUESTION) < 0) return -1;
    do {
      struct pollfd arrival = {.fd = tap, .events = POLLIN};
      if (poll(&arrival, 1, 20000) != 1) {
        errno = ETIMEDOUT;
        return -1;
      }
      if (read(tap, frame, sizeof frame) < 0) return -1;
    } while (frame[12] != (isSix ? 0x86 : 0x08) || ip[isSix ? 6 : 9] != 17 || udp[0] != 0 || udp[1] != DNS);
  }
  return 0;
}

static int obey(const char *order) {
  char path[256];
  unsigned char mac[6];
  long times, size;
  int option;
  if (sscanf(order, "sleep %ld %ld", &times, &size) == 2) return sleep_often(times, size);
  if (sscanf(order, "burn %ld", &size) == 1) return burn(size);
  if (sscanf(order, "threads %ld", &times) == 1) return threads(times);
  if (sscanf(order, "connect %ld %d", &times, &option) == 2) return connects(times, option);
  if (sscanf(order, "tcp %ld %ld", &times, &size) == 2) return echo(SOCK_STREAM, times, size);
  if (sscanf(order, "udp %ld %ld", &times, &size) == 2) return echo(SOCK_DGRAM, times, size);
  if (sscanf(order, "dns %ld %d", &times, &option) == 2) return lookups(times, option);
  if (sscanf(order, "write %255s %ld %ld", path, &times, &size) == 3) return positioned(path, times, size, 1);
  if (sscanf(order, "read %255s %ld %ld", path, &times, &size) == 3) return positioned(path, times, size, 0);
  if (sscanf(order, "sync %255s %ld", path, &times) == 2) return synced(path, times);
  if (sscanf(order, "plain %255s %ld %ld", path, &times, &size) == 3) return plain(path, times, size);
  if (sscanf(order, "uring %255s %ld %ld", path, &times, &size) == 3) return uring(path, times, size);
  if (sscanf(order, "tap %15s", path) == 1) return plug(path);
  if (sscanf(order, "guest %hhx:%hhx:%hhx:%hhx:%hhx:%hhx %ld %d", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5, &times, &option) == 8)
    return guest_lookups(mac, times, option);
  errno = ENOSYS;
  return -1;
}

/* What runs on in a child with this pid; everybody else ends here. The number may be taken by others again and again, so it is tried often. */
static int become(long pid) {
  for (int i = 0; i < 1000; i++) {
    int last = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
    if (last < 0 || dprintf(last, "%ld", pid - 1) < 0) return 1;
    close(last);
    pid_t child = fork();
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getpid() != pid) _exit(1);
      printf("child %ld\n", pid);
      return 0;
    }
    int status = 1;
    waitpid(child, &status, 0);
    if (status == 0 || child == pid) _exit(status != 0);
  }
  return 1;
}

int main(int count, char **words) {
  if (count == 2 && strcmp(words[1], "server") == 0) return serve();
  if (count == 3 && strcmp(words[1], "at") == 0 && become(atol(words[2])) != 0) return 1;
  puts("ready");
  fflush(stdout);
  char order[512];
  while (fgets(order, sizeof order, stdin)) {
    if (obey(order) < 0)
      printf("error %s\n", strerror(errno));
    else
      printf("ok %ld\n", last_thread);
    fflush(stdout);
  }
  return 0;
}
