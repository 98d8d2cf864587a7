/*
 * Stands in for a VMM that no package of the distribution has. It is copied to the VMM's name and given the VMM's argv, which it never
 * reads; what it holds is real: a VM and vCPUs of /dev/kvm, taps, listening sockets. It does what the lines on its standard input say and
 * answers each with `ok …` or `error …`; it ends when the input ends. Lines that are needed from the start, separated by `;`, stand in
 * the environment variable STAND_IN; after them it says `ready`.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int tap = -1;

static int make_vm(int vcpus) {
  int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (kvm < 0) return -1;
  int vm = ioctl(kvm, KVM_CREATE_VM, 0);
  if (vm < 0) return -1;
  for (int i = 0; i < vcpus; i++)
    if (ioctl(vm, KVM_CREATE_VCPU, i) < 0) return -1;
  return vm;
}

static int open_tap(const char *name) {
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
  tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  return tap < 0 ? -1 : ioctl(tap, TUNSETIFF, &request);
}

static int listen_at(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0) return -1;
  return listen(fd, 1);
}

/* Broadcast frames of the local experimental EtherType 0x88b5: the host takes them and answers none. */
static long send_frames(long frames, size_t size) {
  unsigned char frame[65536] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x88, 0xb5};
  long sent = 0;
  for (long i = 0; i < frames; i++)
    if (write(tap, frame, size) == (ssize_t)size) sent++;
  return sent;
}

static long drain(long *bytes) {
  static unsigned char frame[65536];
  long frames = 0;
  for (ssize_t n; (n = read(tap, frame, sizeof frame)) > 0; frames++) *bytes += n;
  return frames;
}

static void burn(long milliseconds) {
  struct timespec now, start;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
  do clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 < milliseconds);
}

static int grow(size_t mebibytes) {
  char *memory = malloc(mebibytes << 20);
  if (!memory) return -1;
  memset(memory, 1, mebibytes << 20);
  return 0;
}

static int open_descriptors(long count) {
  for (long i = 0; i < count; i++)
    if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0) return -1;
  return 0;
}

/* comm as hexadecimal digits: it may hold newlines. */
static int set_comm(const char *hex) {
  char comm[16] = {0};
  for (int i = 0; i < 15 && sscanf(hex + 2 * i, "%2hhx", (unsigned char *)&comm[i]) == 1; i++);
  return prctl(PR_SET_NAME, comm);
}

static int enter_network(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  return fd < 0 ? -1 : setns(fd, CLONE_NEWNET);
}

/* Writes the answer to `out`; -1 for an error. */
static int obey(char *line, char *out, size_t room) {
  char word[16] = "", first[256] = "", second[32] = "";
  sscanf(line, "%15s %255s %31s", word, first, second);
  long number = atol(first), bytes = 0;
  *out = 0;
  if (!strcmp(word, "kvm")) return make_vm(number);
  if (!strcmp(word, "tap")) return open_tap(first);
  if (!strcmp(word, "listen")) return listen_at(first);
  if (!strcmp(word, "descriptors")) return open_descriptors(number);
  if (!strcmp(word, "comm")) return set_comm(first);
  if (!strcmp(word, "network")) return enter_network(first);
  if (!strcmp(word, "grow")) return grow(number);
  if (!strcmp(word, "burn")) return burn(number), 0;
  if (!strcmp(word, "send")) return snprintf(out, room, " %ld", send_frames(number, atol(second)));
  if (!strcmp(word, "drain")) {
    long frames = drain(&bytes);
    return snprintf(out, room, " %ld %ld", frames, bytes);
  }
  if (!strcmp(word, "pid")) return snprintf(out, room, " %d", getpid());
  if (!strcmp(word, "exit")) exit(number);
  errno = EINVAL;
  return -1;
}

int main(void) {
  char line[512], out[128];
  char *first = getenv("STAND_IN");
  for (char *order = first ? strtok(strdup(first), ";") : NULL; order; order = strtok(NULL, ";")) {
    if (obey(order, out, sizeof out) < 0) {
      printf("error %s: %s\n", order, strerror(errno));
      return 3;
    }
  }
  printf("ready\n");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) {
    if (obey(line, out, sizeof out) < 0) printf("error %s\n", strerror(errno));
    else printf("ok%s\n", out);
    fflush(stdout);
  }
  return 0;
}
